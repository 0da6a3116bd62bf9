//! Stripe's official Python client, as a second opinion: it makes calls at a counterpart, and says what it reads.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{cache::Cache, report::Checked};

const PACKAGES: &[&str] = &["stripe==16.1.0"];

/// The client.
#[derive(Debug)]
pub(crate) struct StripeClient<'a> {
    cache: &'a Cache,
    python: PathBuf,
}

/// A call of the client: `call("customers", "retrieve", &["cus_1"], json!({}))`.
pub(crate) fn call(service: &str, method: &str, args: &[&str], params: Value) -> Value {
    json!({ "service": service, "method": method, "args": args, "params": params })
}

impl<'a> StripeClient<'a> {
    /// Brings it here.
    pub(crate) async fn ready(cache: &'a Cache) -> Checked<Self> {
        Ok(Self { cache, python: cache.python("stripe", PACKAGES).await? })
    }

    /// Makes calls in their order. The answer is an array: `{"ok": …}` with what was read, or `{"error": {"kind": …, "status": …,
    /// "code": …, "message": …}}`.
    pub(crate) async fn make(&self, origin: &str, key: &str, calls: &[Value]) -> Checked<Value> {
        self.cache.ask(&self.python, "stripe_client.py", &json!(calls), &[origin, key]).await
    }
}
