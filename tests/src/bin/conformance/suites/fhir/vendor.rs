//! The awkward vendor: what it does to those who expect FHIR.

use serde_json::{Value, json};

use super::{Bed, MRN, output, patient, refused, text, with};
use crate::{
    cache::Cache,
    counterparts::awkward,
    expect::{done, same, statuses},
    report::{Checked, Checks},
};

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = awkward::start(cache).await?;
    let bed = Bed::new(server.address, awkward::BASE).await?;
    let statement = bed.call("getCapabilities", json!({})).await;
    checks.check("its capabilities are read", output(&statement, &json!({"fhirVersion": "4.0.1"})));
    let created = bed.call("create", json!({"resource": patient("Meitner", "v-1")})).await;
    let id = text(&created, "/id");
    checks.check(
        "a create without a body is known by its location",
        statuses(&created, &[201]).and(id.clone().map(drop)),
    );
    checks.check("and says that there is no resource", same(&Value::Null, &done(&created)?["resource"]));
    let id = id?;
    let read = bed.call("read", json!({"type": "Patient", "id": id})).await;
    checks.check("it can be read", output(&read, &json!({"versionId": "1", "resource": patient("Meitner", "v-1")})));
    let changed = with(patient("Meitner", "v-1"), json!({"id": id, "active": true}));
    let updated = bed.call("update", json!({"resource": changed, "ifMatch": "1"})).await;
    checks.check("it can be updated", output(&updated, &json!({"id": id, "created": false})));
    for method in ["GET", "POST"] {
        let search = json!({"type": "Patient", "parameters": {"family": "Meitner"}, "method": method});
        let found = bed.call("search", search).await;
        let expected = json!({"more": false, "resources": [changed]});
        checks.check(&format!("{method}: a bare list is what was found"), output(&found, &expected));
    }
    let found = bed.call("findPatient", json!({"identifier": {"system": MRN, "value": "v-1"}})).await;
    checks.check("a patient is found in a bare list", output(&found, &json!({"patients": [changed]})));
    let none = bed.call("findPatient", json!({"family": "Nobody"})).await;
    checks.check("and an empty one is nothing found", output(&none, &json!({"patients": []})));
    let unknown = bed.call("read", json!({"type": "Patient", "id": "nobody"})).await;
    checks.check("what is not there is `fhir.not-found`", refused(&unknown, 404, "fhir.not-found", false));
    let typeless = bed.call("search", json!({"type": "Nonsense", "parameters": {}})).await;
    checks.check("a type that it does not know is `fhir.not-found`", refused(&typeless, 404, "fhir.not-found", false));
    // What it does with a body that it cannot read: on its way the request gets a wrong word about how it is packed.
    bed.tap.change(&[("content-encoding", Some("deflate"))]);
    let broken = bed.call("create", json!({"resource": patient("Broken", "v-2")})).await;
    bed.tap.change(&[]);
    checks.check(
        "its 500 for what it cannot read is a failure with a code",
        refused(&broken, 500, "fhir.internal", true),
    );
    bed.end(cache, checks).await
}
