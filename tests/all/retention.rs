//! What is kept of inputs and outputs, with the built-in adapters: nothing that their schemas mark is anywhere in the store,
//! and what is kept can be read, proved and erased.

use portcullis_gate::Work;
use portcullis_ledger::{CallId, Caller, Found, Kept, Order, RetentionPolicy, Salts, Side, ToKeep, read_payload};
use portcullis_runtime::{Call, Runtime, Schema};
use portcullis_store::{Batch, MemoryStore, Scan, Store};
use portcullis_tests::{folder, ledger::ReadableLedger, upstream::Answer};
use serde_json::{Value, json};

use crate::{
    harness::{Case, compiler},
    upstreams::integrated,
};

/// What stands in each sensitive place.
const PERSON: &str = "Ada-Lovelace-1815";

/// Puts the person into the places that a pointer names, as far as the value has them. How many those were.
fn put(value: &mut Value, steps: &[&str]) -> usize {
    let Some((step, rest)) = steps.split_first() else {
        *value = json!({PERSON: [PERSON, {"deeper": PERSON}]});
        return 1;
    };
    match value {
        Value::Array(items) => items.iter_mut().map(|item| put(item, rest)).sum(),
        Value::Object(map) if *step == "*" => map.values_mut().map(|part| put(part, rest)).sum(),
        Value::Object(map) => {
            let name = step.replace("~1", "/").replace("~0", "~");
            // Optional places are there, too.
            let part = map.entry(name).or_insert(Value::Null);
            if part.is_null() && !rest.is_empty() {
                *part = if rest[0] == "*" { json!([{}]) } else { json!({}) };
            }
            put(part, rest)
        }
        _ => 0,
    }
}

async fn everything_in(store: &dyn Store) -> String {
    let page = store.scan(&Scan::prefix("").entries(usize::MAX).bytes(usize::MAX)).await.unwrap();
    page.entries.iter().map(|(key, value)| format!("{}{}\n", key.escape_ascii(), value.escape_ascii())).collect()
}

#[tokio::test]
async fn nothing_that_the_built_in_adapters_mark_is_in_the_store() {
    let ledger = ReadableLedger::start().await;
    let runtime = Runtime::builder(ledger.ledger())
        .cache(folder::cache())
        .cache_key(folder::cache_key())
        .compiler(compiler())
        .build()
        .unwrap();
    let example = include_str!("../../adapters/custom-http/example.json");
    let mut marked = 0;
    for (name, config) in [
        ("postmark", "{}"),
        ("stripe", "{}"),
        ("fhir", r#"{"baseUrl": "https://ehr.example.com/fhir/r4"}"#),
        ("custom_http", example),
    ] {
        let adapter = runtime.load(&folder::adapter(name).unwrap()).await.unwrap();
        let descriptor = runtime.describe(&adapter, &serde_json::from_str(config).unwrap()).await.unwrap();
        let store = MemoryStore::new();
        for operation in &descriptor.operations {
            for (side, text) in [(Side::Input, &operation.input), (Side::Output, &operation.output)] {
                let schema = Schema::compile(text).unwrap();
                for seed in 0..4 {
                    let mut value = schema.mock(seed).unwrap();
                    let places = schema.sensitive().list;
                    let there: usize = places
                        .iter()
                        .map(|place| put(&mut value, &place.pointer.split('/').skip(1).collect::<Vec<_>>()))
                        .sum();
                    if let (false, Value::Object(map)) = (places.is_empty(), &mut value) {
                        map.insert(PERSON.to_owned(), json!(PERSON));
                    }
                    marked += there;
                    assert!(there >= places.len(), "{name} {} {side}: {value}", operation.name);
                    let salts = Salts::generate();
                    let what = ToKeep {
                        workspace: "acme",
                        call: CallId::generate(),
                        side,
                        salts: &salts,
                        schema: &schema,
                        value: &value.clone().into(),
                        now: jiff::Timestamp::now(),
                    };
                    let retention = RetentionPolicy::default().of("acme", name, &operation.name);
                    let mut batch = Batch::new();
                    let payload = retention.side(side).keep(&what, &mut batch, &Work::new(20_000_000)).unwrap();
                    store.commit(batch).await.unwrap();
                    assert!(!serde_json::to_string(&payload).unwrap().contains(PERSON));
                    let at = ("acme", what.call, side);
                    let Found::Kept(stored) = read_payload(&store, at, &payload, what.now).await.unwrap() else {
                        panic!()
                    };
                    assert!(stored.proves(&payload, &value.to_string()));
                    // What is not marked is still there to be read.
                    if places.is_empty() {
                        assert_eq!(stored.text, value.to_string());
                    }
                }
            }
        }
        let all = everything_in(&store).await;
        assert!(!all.contains(PERSON), "{name}");
    }
    assert!(marked > 200, "{marked}");
}

#[tokio::test]
async fn what_a_call_was_given_and_gave_is_kept_as_the_policy_says_until_it_is_erased() {
    let policy = "[[keep]]\nwhat = \"redacted\"\n\n[[keep]]\nintegration = \"acme/stripe\"\nside = \"output\"\nwhat = \"whole\"\ndays = 30";
    let policy = RetentionPolicy::parse(policy).unwrap();
    let case = Case::with(|_| Answer::json(&json!({})), |builder| builder.retention(policy)).await;
    let stripe = integrated(&case, "stripe", json!({}), None, "").await;
    let input = json!({"email": format!("{PERSON}@example.com"), "description": "a good customer"});
    let outcome = stripe.call(Call::new(Caller::principal("user:ada"), "createCustomer", input.clone())).await;
    let output = outcome.result.unwrap();
    let ledger = case.ledger.ledger();
    let records = ledger.reader().call("acme", outcome.call).await.unwrap();
    let given = records[0].input.clone().unwrap();
    let gave = records[1].output.clone().unwrap();
    assert_eq!((given.kept, given.redacted.clone()), (Kept::Redacted, vec!["/email".to_owned()]));
    assert_eq!((gave.kept, gave.bytes), (Kept::Whole, output.to_string().len() as u64));
    let read = async |side, payload| {
        read_payload(ledger.store().as_ref(), ("acme", outcome.call, side), payload, ledger.clock().now())
            .await
            .unwrap()
    };
    let Found::Kept(stored) = read(Side::Input, &given).await else { panic!() };
    assert!(stored.text.contains("a good customer") && stored.proves(&given, &input.to_string()));
    let Found::Kept(stored) = read(Side::Output, &gave).await else { panic!() };
    assert_eq!(stored.text, output.to_string());
    assert!(!everything_in(ledger.store().as_ref()).await.contains(PERSON));
    let by = Caller::principal("user:bob");
    let order = Order { by: &by, reason: "ticket 7" };
    assert_eq!(ledger.erase("acme", &[outcome.call], order).await.unwrap().entries, 2);
    for (side, payload) in [(Side::Input, &given), (Side::Output, &gave)] {
        assert!(matches!(read(side, payload).await, Found::Erased { .. }));
    }
}
