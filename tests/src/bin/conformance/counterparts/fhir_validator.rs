//! `fhir.resources`, as a second opinion on resources. Its models are R4B's, which differ from R4's in a few types.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    cache::Cache,
    expect::holds,
    report::{Checked, Stop},
};

const PACKAGES: &[&str] = &["fhir.resources==8.3.0"];

/// The validator.
#[derive(Debug)]
pub(crate) struct FhirValidator<'a> {
    cache: &'a Cache,
    python: PathBuf,
}

impl<'a> FhirValidator<'a> {
    /// Brings it here.
    pub(crate) async fn ready(cache: &'a Cache) -> Checked<Self> {
        Ok(Self { cache, python: cache.python("fhir-resources", PACKAGES).await? })
    }

    /// What it says of each resource, in their order: `{"ok": true}`, or `{"ok": false, "errors": ["PLACE: MESSAGE", …]}`.
    pub(crate) async fn judge(&self, resources: &[Value]) -> Checked<Vec<Value>> {
        match self.cache.ask(&self.python, "fhir_validator.py", &json!(resources), &[]).await? {
            Value::Array(judged) if judged.len() == resources.len() => Ok(judged),
            other => Err(Stop::Failed(format!("the validator said {other}"))),
        }
    }

    /// All of these are valid.
    pub(crate) async fn all_valid(&self, resources: &[Value]) -> Checked {
        let judged = self.judge(resources).await?;
        let bad = judged.iter().enumerate().filter(|(_, judged)| judged.get("ok") != Some(&json!(true)));
        let bad: Vec<String> = bad.map(|(i, judged)| format!("resource {i}: {judged}")).collect();
        holds(bad.is_empty(), || bad.join("\n"))
    }
}
