//! Case 42: a guest or an upstream that writes a person's name where it is recorded, or what a terminal would act on: the URL of a
//! refused request, a slot's name, a failure's code and message. The chain holds none of these words; they stand beside it, and
//! are erased with their call. What is left still says which rule refused what, and which lines of a grant would help.

use jiff::Timestamp;
use portcullis_gate::is_plain;
use portcullis_ledger::{
    CallId, Caller, Exporter, Format, Found, FoundWords, Order, Query, Record, RetentionPolicy, Wanted, Words,
    read_words,
    verify::{VerifyOptions, verify_store},
};
use portcullis_runtime::{CallError, Integration, Outcome};
use portcullis_store::Scan;
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call, send},
};

const PERSON: &str = "lovelace-1815";
const BY: Caller =
    Caller { agent: None, known_by: None, principal: String::new(), run: None, step: None, workflow: None };
const ORDER: Order<'static> = Order { by: &BY, reason: "ticket 7" };

/// What a terminal, a log viewer or an eye would take for something else: one of each sort.
const HIDDEN: &str = "\x07\x1b[2J\x7f\u{85}\u{9b}31m\u{ad}\u{61c}\u{200b}\u{200d}\u{2028}\u{202e}\u{2066}\u{feff}\u{e0041}";

async fn speak(guest: &Integration, input: Value) -> Outcome {
    guest.call(call("speak", input).live()).await
}

async fn records(case: &Case, call: CallId) -> Vec<Record> {
    case.ledger.ledger().reader().call("acme", call).await.unwrap()
}

async fn words(case: &Case, call: CallId) -> FoundWords {
    let (ledger, records) = (case.ledger.ledger(), records(case, call).await);
    read_words(ledger.store().as_ref(), ("acme", call), &records, ledger.clock().now()).await.unwrap()
}

async fn there(case: &Case, call: CallId) -> Words {
    match words(case, call).await {
        FoundWords::There(words) => words,
        gone => panic!("{gone:?}"),
    }
}

/// The chains as they stand, byte for byte.
fn chains(case: &Case) -> String {
    Value::Array(case.ledger.records()).to_string()
}

/// All that the store holds.
async fn store(case: &Case) -> String {
    let scan = Scan::prefix("").entries(usize::MAX).bytes(usize::MAX);
    let page = case.ledger.ledger().store().scan(&scan).await.unwrap();
    page.entries.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

#[tokio::test]
async fn the_words_of_refusals_and_failures_stand_beside_the_chain_and_are_erased_with_their_call() {
    let case = Case::new().await;
    let guest = case.guest(guests::HOSTILE_WORDS, "speak", "").await;
    let url = format!("https://example.com/people/{PERSON}");
    let refused = speak(&guest, json!({"slot": PERSON, "url": url})).await;
    let path = format!("{}/people/{PERSON}", case.upstream.origin());
    let probed = case.steps(case.probe(), json!([send("GET", &path, None, json!([]))])).await;
    let message = format!("there is no {PERSON} here");
    let failed = speak(&guest, json!({"code": PERSON, "message": message})).await;
    let Err(CallError::Adapter { code, .. }) = &failed.result else { panic!("{failed:?}") };
    assert_eq!(code, PERSON, "whoever called is told");
    assert_eq!((refused.denials.len(), probed.denials.len()), (2, 1));
    assert!(refused.denials.iter().chain(&probed.denials).all(|denial| denial.message.contains(PERSON)));
    // The chain: rules, and no words.
    let chain = chains(&case);
    assert!(!chain.contains(PERSON), "{chain}");
    for rule in ["slot-not-declared", "origin-not-granted", "path-not-granted", "adapter-failure"] {
        assert!(chain.contains(rule), "{rule}: {chain}");
    }
    // Beside it: all that was said, put back into the records.
    for outcome in [&refused, &probed] {
        let mut told = records(&case, outcome.call).await;
        there(&case, outcome.call).await.put_into(&mut told);
        let told: Vec<_> = told.into_iter().filter_map(|record| record.denial).collect();
        assert_eq!(told, outcome.denials);
    }
    let said = there(&case, failed.call).await.failure.unwrap();
    assert_eq!((said.code.as_str(), &said.message), (PERSON, &message));
    for outcome in [&refused, &probed, &failed] {
        case.holds(outcome).await;
    }
    // Erased with the call; then they are nowhere.
    let calls = [refused.call, probed.call, failed.call];
    case.ledger.ledger().erase("acme", &calls, ORDER).await.unwrap();
    for call in calls {
        assert!(matches!(words(&case, call).await, FoundWords::Gone(Found::Erased { .. })));
    }
    let left = store(&case).await;
    assert!(!left.contains(PERSON), "{left}");
    // What is left tells the rule and what is granted.
    let told = records(&case, probed.call).await;
    let denial = told.iter().find_map(|record| record.denial.as_ref()).unwrap();
    assert!(denial.told().contains("`path-not-granted`") && !denial.granted.is_empty(), "{denial:?}");
    let verdict = verify_store(case.ledger.ledger().store().as_ref(), VerifyOptions::default()).await.unwrap();
    assert!(verdict.holds(), "{verdict:?}");
    assert!(verdict.chains.iter().map(|chain| chain.payloads.erased).sum::<u64>() >= 3);
}

#[tokio::test]
async fn the_lines_that_would_help_are_what_the_adapter_declared_and_outlive_the_words() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let narrow = format!("[[routes]]\nmethod = \"GET\"\nurl = \"{origin}/ok\"\n");
    let probe = case.probe_with(&origin, &narrow, &[case.upstream.address]).await;
    let path = format!("{origin}/items/{PERSON}");
    let outcome = case.steps(&probe, json!([send("GET", &path, None, json!([]))])).await;
    let denial = &outcome.denials[0];
    assert!(denial.allow_request.as_ref().is_none_or(|lines| lines.contains(PERSON)));
    let lines = denial.allow_with.clone().unwrap();
    assert!(!lines.contains(PERSON), "{lines}");
    case.ledger.ledger().erase("acme", &[outcome.call], ORDER).await.unwrap();
    let told = records(&case, outcome.call).await;
    let left = told.iter().find_map(|record| record.denial.as_ref()).unwrap();
    assert_eq!(left.allow_with, Some(lines));
    assert!(!store(&case).await.contains(PERSON));
    case.goes_on().await;
}

#[tokio::test]
async fn words_that_are_changed_or_taken_away_are_told_and_a_policy_keeps_none() {
    let case = Case::new().await;
    let guest = case.guest(guests::HOSTILE_WORDS, "speak", "").await;
    let failed = speak(&guest, json!({"code": PERSON, "message": "x"})).await;
    let ledger = case.ledger.ledger();
    let key = [b"Pacme\0".as_slice(), failed.call.as_bytes(), b"w"].concat();
    let entry = ledger.store().get(&key).await.unwrap().unwrap();
    let other = String::from_utf8(entry).unwrap().replace(PERSON, "somebody-else");
    for batch in [
        portcullis_store::Batch::new().put(key.clone(), other),
        portcullis_store::Batch::new().delete(key.clone()),
    ] {
        ledger.store().commit(batch).await.unwrap();
        assert!(matches!(words(&case, failed.call).await, FoundWords::Gone(Found::Damaged { .. })));
        let verdict = verify_store(ledger.store().as_ref(), VerifyOptions::default()).await.unwrap();
        let wrong: Vec<_> = verdict.chains.iter().flat_map(|chain| &chain.payloads.wrong).collect();
        assert!(wrong.iter().any(|wrong| wrong.call == failed.call), "{verdict:?}");
    }
    // Who keeps nothing of inputs keeps nothing of what may repeat them.
    let policy = RetentionPolicy::parse("[[keep]]\nwhat = \"nothing\"\nside = \"input\"\n").unwrap();
    let case = Case::with(
        |_| portcullis_tests::upstream::Answer::json(&json!({"ok": true})),
        |builder| builder.retention(policy),
    )
    .await;
    let guest = case.guest(guests::HOSTILE_WORDS, "speak", "").await;
    let failed = speak(&guest, json!({"slot": PERSON})).await;
    assert_eq!(words(&case, failed.call).await, FoundWords::Gone(Found::NeverKept));
    assert!(!store(&case).await.contains(PERSON));
}

#[tokio::test]
async fn what_a_terminal_would_act_on_reaches_no_export_and_no_journal() {
    let case = Case::new().await;
    let guest = case.guest(guests::HOSTILE_WORDS, "speak", "").await;
    let url = format!("https://example.com/{HIDDEN}");
    let words = json!({"slot": HIDDEN, "url": url, "log": HIDDEN, "code": HIDDEN, "message": HIDDEN});
    let spoken = speak(&guest, words).await;
    assert!(!spoken.journal.lines.is_empty());
    assert!(spoken.journal.lines.iter().all(|line| line.text.chars().all(is_plain)), "{:?}", spoken.journal);
    let told = spoken.result.as_ref().unwrap_err().to_string();
    assert!(told.chars().all(is_plain), "{told:?}");
    let failed = speak(&guest, json!({"code": HIDDEN, "message": HIDDEN})).await;
    let Err(CallError::Adapter { code, message, .. }) = &failed.result else { panic!("{failed:?}") };
    assert_eq!(code, "failure-without-code");
    assert!(message.chars().all(is_plain) && message.contains("\\u{202e}"), "{message:?}");
    // Whoever calls may write such things as well.
    let caller = Caller { workflow: Some(HIDDEN.to_owned()), ..Caller::principal(format!("user:{HIDDEN}")) };
    let named = portcullis_runtime::Call::new(caller, "speak", json!({})).live().cost(HIDDEN, HIDDEN);
    assert!(guest.call(named).await.result.is_ok());
    let ledger = case.ledger.ledger();
    for format in Format::ALL {
        let wanted = Wanted::new(Query::new("acme"), format);
        let mut exporter = Exporter::new(ledger.reader(), wanted, Timestamp::now()).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = exporter.next().await.unwrap() {
            bytes.extend(piece);
        }
        let text = String::from_utf8(bytes).unwrap();
        let odd = text.chars().find(|c| !is_plain(*c) && *c != '\n');
        assert!(odd.is_none(), "{}: {odd:?}", format.as_str());
        assert!(text.contains("202e"), "{}", format.as_str());
    }
    // The chain holds, and who asks by that name finds it.
    let verdict = verify_store(ledger.store().as_ref(), VerifyOptions::default()).await.unwrap();
    assert!(verdict.holds(), "{verdict:?}");
    let query = Query::new("acme").field(portcullis_ledger::Field::Principal, format!("user:{HIDDEN}"));
    assert_eq!(ledger.reader().query(&query).await.unwrap().records.len(), 2);
    case.goes_on().await;
}
