//! Cost against price of keeping an input or output: `host/gate/tests/cost/mod.rs` says how.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

#[path = "../../gate/tests/cost/mod.rs"]
mod cost;

use cost::{check, doubling};
use portcullis_ledger::{CallId, RetentionPolicy, Salts, Side, ToKeep};
use portcullis_schema::{Json, Schema};
use portcullis_store::Batch;
use serde_json::{Value, json};

fn kept(name: &str, policy: &str, make: impl Fn(usize) -> Value) {
    let schema = json!({"properties": {"secret": {"x-sensitive": true}}, "additionalProperties": true});
    let schema = Schema::compile(&schema.to_string()).unwrap();
    let retention = RetentionPolicy::parse(policy).unwrap().of("acme", "mail", "send");
    let (call, salts, now) = (CallId::generate(), Salts::generate(), "2026-11-21T09:00:00Z".parse().unwrap());
    check(
        name,
        &doubling(1_024, 9),
        |n| Json::from(make(n)),
        |value, work| {
            let (workspace, side) = ("acme", Side::Input);
            let what = ToKeep { workspace, call, side, salts: &salts, schema: &schema, value, now };
            retention.side(side).keep(&what, &mut Batch::new(), work).unwrap();
        },
    );
}

const WHOLE: &str = "[[keep]]\nwhat = \"whole\"\n";

#[test]
fn what_is_kept_costs_no_more_than_is_charged() {
    for (name, policy) in [("redacted", ""), ("whole", WHOLE)] {
        kept(&format!("numbers, {name}"), policy, |n| json!({"list": vec![1; n]}));
        kept(&format!("texts, {name}"), policy, |n| json!({"text": "ab\"\n".repeat(n)}));
        kept(&format!("names, {name}"), policy, |n| {
            (0..n).map(|n| (format!("p{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into()
        });
        kept(
            &format!("floats, {name}"),
            policy,
            |n| json!({"list": (0..n).map(|n| 1.0 / (n as f64 + 3.0)).collect::<Vec<_>>()}),
        );
    }
}
