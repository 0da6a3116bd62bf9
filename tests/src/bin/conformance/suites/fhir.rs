//! The FHIR adapter against Medplum's router, against a vendor who makes it hard, and with HL7's own examples. What the
//! adapter sent is judged by `fhir.resources`.

mod booking;
mod examples;
mod smart;
mod vendor;

use std::net::SocketAddr;

use async_trait::async_trait;
use portcullis_runtime::{CallError, Grant, Outcome};
use portcullis_tests::folder;
use serde_json::{Value, json};

use super::Suite;
use crate::{
    bench::{Bench, Setup},
    cache::Cache,
    counterparts::{fhir_validator::FhirValidator, medplum},
    expect::{done, failed, holds, same, statuses, within},
    report::{Checked, Checks, Stop},
    tap::{Passed, Tap},
};

const TOKEN: &str = "fhir-token-7c41d09a";
const MRN: &str = "https://clinic.example.org/mrn";

pub(crate) struct Fhir;

#[async_trait(?Send)]
impl Suite for Fhir {
    fn name(&self) -> &'static str {
        "fhir"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        checks.part("medplum", async |checks| on_medplum(cache, checks).await).await;
        checks.part("smart backend services", async |checks| smart::run(cache, checks).await).await;
        checks.part("booking", async |checks| booking::run(cache, checks).await).await;
        checks.part("vendor", async |checks| vendor::run(cache, checks).await).await;
        checks.part("examples", async |checks| examples::run(cache, checks).await).await;
        Ok(())
    }
}

/// A server behind a tap, and the adapter before it.
struct Bed {
    tap: Tap,
    bench: Bench,
    /// Resources that were sent.
    sent: Vec<Value>,
}

impl Bed {
    async fn new(address: SocketAddr, base: &str) -> Checked<Self> {
        Self::with(address, base, |_| {}).await
    }

    /// With a grant that is changed before it is used.
    async fn with(address: SocketAddr, base: &str, change: impl FnOnce(&mut Grant)) -> Checked<Self> {
        let tap = Tap::before(address).await?;
        let setup = Setup::config(json!({ "baseUrl": format!("{}{base}", tap.origin()) }));
        let setup = setup.secret("access-token", TOKEN).carve_out(tap.address);
        let bench = Bench::of("fhir", &folder::adapter("fhir")?, setup, change).await?;
        Ok(Self { tap, bench, sent: Vec::new() })
    }

    async fn call(&self, operation: &str, input: Value) -> Outcome {
        self.bench.call(operation, input).await
    }

    /// What went by since the last time; what of it was sent is kept for the validator.
    fn passed(&mut self) -> Vec<Passed> {
        let passed = self.tap.take();
        for one in &passed {
            let sent = one.sent_json();
            if sent.get("resourceType").is_some() {
                self.sent.push(sent);
            }
        }
        passed
    }

    /// The ends of all parts: what was sent is FHIR, calls are recorded, and no secret is seen.
    async fn end(mut self, cache: &Cache, checks: &mut Checks) -> Checked {
        self.passed();
        let validator = FhirValidator::ready(cache).await?;
        let some = holds(!self.sent.is_empty(), || "nothing was sent".to_owned());
        let valid = match some {
            Ok(()) => validator.all_valid(&self.sent).await,
            none => none,
        };
        checks.check("fhir.resources finds nothing wrong with what was sent", valid);
        self.bench.end(checks);
        Ok(())
    }
}

/// A failure with this code, after a last answer with this status.
fn refused(outcome: &Outcome, status: u16, code: &str, retryable: bool) -> Checked {
    let last = outcome.exchanges.last().and_then(|exchange| exchange.status);
    holds(last == Some(status), || format!("expected {status}, found {last:?}"))?;
    match failed(outcome, code)? {
        CallError::Adapter { retryable: found, details: Some(details), .. } => {
            holds(*found == retryable, || format!("retryable: {found}"))?;
            within(&json!({ "status": status }), details)
        }
        other => Err(Stop::Failed(format!("not the adapter's own failure: {other}"))),
    }
}

/// An output with all of this in it.
fn output(outcome: &Outcome, expected: &Value) -> Checked {
    within(expected, done(outcome)?)
}

/// A text in an output.
fn text(outcome: &Outcome, pointer: &str) -> Checked<String> {
    let found = done(outcome)?.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| Stop::Failed(format!("there is no text at {pointer}")))
}

fn patient(family: &str, mrn: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": mrn}],
        "name": [{"family": family, "given": ["Ada"]}],
        "birthDate": "1974-12-25",
    })
}

/// The same resource with more members, or others.
fn with(mut resource: Value, members: Value) -> Value {
    if let (Value::Object(resource), Value::Object(members)) = (&mut resource, members) {
        resource.extend(members);
    }
    resource
}

async fn on_medplum(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = medplum::start(cache, Some(TOKEN)).await?;
    let mut bed = Bed::new(server.address, medplum::BASE).await?;
    reading_and_writing(&mut bed, checks).await?;
    searching(&mut bed, checks).await?;
    bundles(&mut bed, checks).await?;
    bed.tap.change(&[("authorization", None)]);
    let read = bed.call("read", json!({"type": "Patient", "id": "7"})).await;
    checks.check("without a token: `fhir.login`", refused(&read, 401, "fhir.login", false));
    bed.tap.change(&[("authorization", Some("Bearer another"))]);
    let read = bed.call("read", json!({"type": "Patient", "id": "7"})).await;
    checks.check("with another's token: `fhir.forbidden`", refused(&read, 403, "fhir.forbidden", false));
    bed.tap.change(&[]);
    bed.end(cache, checks).await
}

async fn reading_and_writing(bed: &mut Bed, checks: &mut Checks) -> Checked {
    let capabilities = bed.call("getCapabilities", json!({})).await;
    let token = bed.passed().first().and_then(|passed| passed.request.header("authorization").map(str::to_owned));
    checks.check("capabilities are read", output(&capabilities, &json!({"fhirVersion": "4.0.1"})));
    checks.check("capabilities are read without the token", same(&Value::Null, &json!(token)));

    let created = bed.call("create", json!({"resource": patient("Byron", "m-1")})).await;
    let id = text(&created, "/id")?;
    let first = text(&created, "/versionId")?;
    let passed = bed.passed();
    let etag = passed.first().and_then(|passed| Some(passed.headers.get("etag")?.to_str().ok()?.to_owned()));
    let expected = json!({"created": true, "resource": patient("Byron", "m-1")});
    checks.check("a create is 201", statuses(&created, &[201]).and_then(|()| output(&created, &expected)));
    checks.check("its version is the entity tag's", same(&json!(format!("W/\"{first}\"")), &json!(etag)));
    let fields = ["authorization", "content-type", "accept", "prefer"];
    let fields = passed.first().map(|passed| fields.map(|name| passed.request.header(name).map(str::to_owned)));
    let token = format!("Bearer {TOKEN}");
    let fhir = "application/fhir+json";
    checks.check(
        "it carries the token, and says what it is and wants",
        same(&json!([token, fhir, fhir, "return=representation"]), &json!(fields)),
    );

    let read = bed.call("read", json!({"type": "Patient", "id": id})).await;
    checks.check("it can be read", output(&read, &json!({"versionId": first, "resource": patient("Byron", "m-1")})));
    let married = with(patient("Lovelace", "m-1"), json!({ "id": id }));
    let updated = bed.call("update", json!({"resource": married, "ifMatch": first})).await;
    let second = text(&updated, "/versionId")?;
    checks.check(
        "an update of the version that was read is done",
        output(&updated, &json!({"created": false, "id": id})),
    );
    checks.check("and is a new version", holds(first != second, || "it is the same".to_owned()));
    let stale = bed.call("update", json!({"resource": married, "ifMatch": first})).await;
    checks.check("an update of an older version is `fhir.conflict`", refused(&stale, 412, "fhir.conflict", false));
    let old = bed.call("read", json!({"type": "Patient", "id": id, "versionId": first})).await;
    checks.check("an older version can be read", output(&old, &json!({"resource": patient("Byron", "m-1")})));
    let unknown = bed.call("read", json!({"type": "Patient", "id": "00000000-0000-4000-8000-000000000000"})).await;
    checks.check("what is not there is `fhir.not-found`", refused(&unknown, 404, "fhir.not-found", false));
    bed.passed();
    let wrong = bed.call("create", json!({"resource": {"resourceType": "Patient", "gendr": "x"}})).await;
    checks.check("what is no Patient is `fhir.structure`", refused(&wrong, 400, "fhir.structure", false));
    // Not for the validator.
    bed.tap.take();

    let condition = format!("identifier={MRN}|m-2");
    let conditional = json!({"resource": patient("Somerville", "m-2"), "ifNoneExist": condition});
    let once = bed.call("create", conditional.clone()).await;
    let twice = bed.call("create", conditional.clone()).await;
    checks.check("a conditional create is done where there is none", output(&once, &json!({"created": true})));
    let same_one = text(&once, "/id").and_then(|id| output(&twice, &json!({"created": false, "id": id})));
    checks.check("and not where there is one, which is returned", statuses(&twice, &[200]).and(same_one));
    done(&bed.call("create", json!({"resource": patient("Somerville", "m-2")})).await)?;
    let several = bed.call("create", conditional).await;
    let told = refused(&several, 412, "fhir.multiple-matches", false);
    checks.check("and where there are two it is `fhir.multiple-matches`", told);
    Ok(())
}

async fn searching(bed: &mut Bed, checks: &mut Checks) -> Checked {
    for n in 0..5 {
        done(&bed.call("create", json!({"resource": patient("Walker", &format!("w-{n}"))})).await)?;
    }
    bed.passed();
    let all = json!({"family": "Walker", "_count": "2", "_sort": "_lastUpdated"});
    for method in ["GET", "POST"] {
        let found = bed.call("search", json!({"type": "Patient", "parameters": all, "method": method})).await;
        let walked =
            statuses(&found, &[200, 200, 200]).and_then(|()| output(&found, &json!({"total": 5, "more": false})));
        checks.check(&format!("{method}: three pages are walked"), walked);
        let numbers: Vec<Value> = (0..5)
            .filter_map(|n| done(&found).ok()?.pointer(&format!("/resources/{n}/identifier/0/value")).cloned())
            .collect();
        let expected = json!(["w-0", "w-1", "w-2", "w-3", "w-4"]);
        checks.check(&format!("{method}: all are found once, in order"), same(&expected, &json!(numbers)));
        let sent: Vec<String> = bed.passed().iter().map(|one| one.request.method.clone()).collect();
        checks.check(
            &format!("{method}: further pages are read with GET"),
            same(&json!([method, "GET", "GET"]), &json!(sent)),
        );
    }
    let some = bed.call("search", json!({"type": "Patient", "parameters": all, "limit": 3})).await;
    let count = done(&some)?.get("resources").and_then(Value::as_array).map_or(0, Vec::len);
    checks.check("a limit ends the walk, and says so", same(&json!([3, true]), &json!([count, done(&some)?["more"]])));
    let none = bed.call("search", json!({"type": "Patient", "parameters": {"family": "Nobody"}})).await;
    checks.check("nothing is found without an error", output(&none, &json!({"resources": [], "more": false})));
    let wrong = bed.call("search", json!({"type": "Patient", "parameters": {"birthdate": "nonsense"}})).await;
    checks
        .check("a parameter that makes no sense is a failure with a code", refused(&wrong, 400, "fhir.invalid", false));

    bed.passed();
    let mine = bed.call("findPatient", json!({"identifier": {"system": MRN, "value": "w-3"}})).await;
    let found = output(&mine, &json!({"more": false, "patients": [patient("Walker", "w-3")]}));
    checks.check("a patient is found by identifier", found);
    let urls: Vec<String> = bed.passed().iter().map(|one| one.request.target.clone()).collect();
    let expected = json!([format!("{}/Patient/_search", medplum::BASE)]);
    checks.check("and is in no URL", same(&expected, &json!(urls)));
    let person = json!({"family": "Lovel", "given": "Ada", "birthdate": "1974-12-25", "method": "GET"});
    let found = bed.call("findPatient", person).await;
    let expected = json!({"patients": [patient("Lovelace", "m-1")]});
    checks.check("a patient is found by names and date of birth", output(&found, &expected));
    Ok(())
}

async fn bundles(bed: &mut Bed, checks: &mut Checks) -> Checked {
    let post = |resource: Value| json!({"resource": resource, "request": {"method": "POST", "url": "Patient"}});
    let read = json!({"request": {"method": "GET", "url": "Patient/00000000-0000-4000-8000-000000000000"}});
    let stale = json!({"resource": {"resourceType": "Patient", "id": "1", "active": true},
        "request": {"method": "PUT", "url": "Patient/1", "ifMatch": "W/\"9\""}});
    let entry = [post(patient("Batch", "b-1")), read, stale, post(patient("Batch", "b-2"))];
    let batch = bed.call("submitBundle", json!({"type": "batch", "entry": entry})).await;
    let expected = json!({"failed": 2, "entry": [
        {"status": 201, "resource": patient("Batch", "b-1")},
        {"status": 404, "error": {"code": "fhir.not-found", "retryable": false}},
        {"error": {"retryable": false}},
        {"status": 201, "resource": patient("Batch", "b-2")},
    ]});
    checks.check("of a batch each entry is told, and no failure is lost", output(&batch, &expected));

    let urn = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a";
    let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "Mood"},
        "subject": {"reference": urn}, "valueString": "good"});
    let entry = json!([
        {"fullUrl": urn, "resource": patient("Together", "t-1"), "request": {"method": "POST", "url": "Patient"}},
        {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
    ]);
    let both = bed.call("submitBundle", json!({"type": "transaction", "entry": entry})).await;
    checks.check(
        "a transaction is done",
        output(&both, &json!({"failed": 0, "entry": [{"status": 201}, {"status": 201}]})),
    );
    let reference = text(&both, "/entry/0/id").map(|id| format!("Patient/{id}"));
    let found = text(&both, "/entry/1/resource/subject/reference");
    checks.check("and its references are the server's", same(&json!(reference?), &json!(found?)));
    bed.passed();
    let wrong = json!([{"resource": {"resourceType": "Patient", "gendr": "x"}, "request": {"method": "POST", "url": "Patient"}}]);
    let none = bed.call("submitBundle", json!({"type": "transaction", "entry": wrong})).await;
    checks.check(
        "a transaction that cannot be done is a failure as a whole",
        refused(&none, 400, "fhir.structure", false),
    );
    bed.tap.take();
    Ok(())
}
