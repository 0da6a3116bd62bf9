//! HL7's own examples: written and read back without a change, on Medplum's router.

use std::fs;

use serde_json::{Value, json};

use super::{Bed, text};
use crate::{
    cache::Cache,
    counterparts::medplum,
    expect::{done, holds, within},
    report::{Checked, Checks, Stop},
};

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let folder = cache.spec("fhir/Patient-example.json")?;
    let folder = folder.parent().ok_or_else(|| Stop::Failed("there is no folder of examples".to_owned()))?;
    let server = medplum::start(cache, Some(super::TOKEN)).await?;
    // The largest example has 663 kB, which is more than the usual fuel is meant for.
    let mut bed = Bed::with(server.address, medplum::BASE, |grant| grant.limits.fuel = 1_000_000_000).await?;
    let mut files: Vec<_> = fs::read_dir(folder)?.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(example) = serde_json::from_str::<Value>(&fs::read_to_string(&file)?) else { continue };
        let Some(kind) = example.get("resourceType").and_then(Value::as_str) else { continue };
        // An answer, and nothing that anybody keeps.
        if kind == "OperationOutcome" {
            continue;
        }
        let back = round_trip(&bed, kind, &example).await;
        checks.check(&format!("{name} is written and read back"), back);
    }
    let sent = bed.passed().len();
    checks.check("there are examples", holds(sent > 100, || format!("{sent} requests")));
    bed.end(cache, checks).await
}

async fn round_trip(bed: &Bed, kind: &str, example: &Value) -> Checked {
    let created = bed.call("create", json!({ "resource": example })).await;
    let id = text(&created, "/id")?;
    let read = bed.call("read", json!({"type": kind, "id": id})).await;
    let mut expected = example.clone();
    if let Some(members) = expected.as_object_mut() {
        // The server's to say.
        members.remove("id");
        members.remove("meta");
    }
    within(&json!({ "resource": expected }), done(&read)?)
}
