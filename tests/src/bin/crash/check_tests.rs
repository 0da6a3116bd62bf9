//! Each way in which a store can be wrong is seen, by itself.

use super::*;

const CALL: &str = "01a1ff0f-e7b0-7787-bf3a-b0b5b91672f8";

fn intent() -> Value {
    json!({"call": CALL, "kind": "intent", "workspace": "acme", "input": {"bytes": 1, "kept": "nothing"}})
}

fn change() -> Value {
    json!({"call": CALL, "kind": "configuration", "workspace": "acme"})
}

fn outcome() -> Value {
    json!({"call": CALL, "kind": "outcome", "status": "done", "workspace": "acme"})
}

fn group(acknowledged: bool, key: KeyChange, records: Vec<Value>) -> Option<Group> {
    Some(Group { key, records, acknowledged })
}

/// A call with its intent, and an outcome of two records.
fn call(intent_acknowledged: bool, outcome_acknowledged: bool) -> Call {
    Call {
        workspace: "acme".to_owned(),
        intent: group(intent_acknowledged, KeyChange::None, vec![intent()]),
        outcome: group(outcome_acknowledged, KeyChange::None, vec![change(), outcome()]),
    }
}

/// Lost and phantom, where these records are found.
fn told(call: &Call, records: &[Value], key: Option<Vec<u8>>) -> (usize, usize) {
    let mut verdict = Verdict::default();
    compare(CALL, call, records, key, &mut verdict);
    assert_eq!(verdict.lost + verdict.phantom > 0, !verdict.is_good());
    (verdict.lost, verdict.phantom)
}

#[test]
fn a_call_is_good_with_its_outcome_or_closed_as_unknown_and_where_nothing_was_acknowledged_not_there() {
    let whole = [intent(), change(), outcome()];
    let closed = [intent(), unknown(&intent())];
    assert_eq!(told(&call(true, true), &whole, None), (0, 0));
    assert_eq!(told(&call(false, false), &whole, None), (0, 0), "kept, and killed before it was acknowledged");
    assert_eq!(told(&call(true, false), &closed, None), (0, 0));
    assert_eq!(told(&call(false, false), &[], None), (0, 0));
}

#[test]
fn what_was_acknowledged_and_is_not_there_or_not_as_it_was_is_lost() {
    assert_eq!(told(&call(true, false), &[], None), (1, 0));
    assert_eq!(told(&call(true, true), &[], None), (3, 0));
    assert_eq!(
        told(&call(true, true), &[intent(), unknown(&intent())], None),
        (2, 0),
        "closed, although it had an outcome"
    );
    let mut other = outcome();
    other["status"] = json!("denied");
    assert_eq!(told(&call(true, true), &[intent(), change(), other], None), (2, 0));
    assert_eq!(told(&call(true, true), &[intent(), outcome(), change()], None), (2, 0), "in another order");
}

#[test]
fn what_nobody_submitted_or_what_is_there_in_part_or_twice_is_phantom() {
    assert_eq!(told(&call(true, false), &[intent(), change()], None), (0, 1), "half a group");
    assert_eq!(told(&call(true, false), &[intent(), outcome()], None), (0, 1));
    assert_eq!(told(&call(false, false), &[change(), outcome()], None), (0, 1), "an outcome without its intent");
    assert_eq!(told(&call(true, false), &[intent()], None), (0, 1), "not closed");
    let twice = [intent(), unknown(&intent()), unknown(&intent())];
    assert_eq!(told(&call(true, false), &twice, None), (0, 1), "closed twice");
    let both = [intent(), change(), outcome(), unknown(&intent())];
    assert_eq!(told(&call(true, false), &both, None), (0, 1), "an outcome, and closed");
}

#[test]
fn a_key_is_written_and_removed_with_its_records_or_not_at_all() {
    let value = value_of(CALL, 20);
    let mut put = call(true, true);
    put.intent = group(true, KeyChange::Put(20), vec![intent()]);
    let whole = [intent(), change(), outcome()];
    assert_eq!(told(&put, &whole, Some(value.clone())), (0, 0));
    assert_eq!(told(&put, &whole, None), (1, 0));
    assert_eq!(told(&put, &whole, Some(value_of(CALL, 19))), (1, 0));
    put.outcome = group(true, KeyChange::Delete, vec![change(), outcome()]);
    assert_eq!(told(&put, &whole, None), (0, 0));
    assert_eq!(told(&put, &whole, Some(value.clone())), (0, 1), "it was removed");
    let mut never = call(false, false);
    never.intent = group(false, KeyChange::Put(20), vec![intent()]);
    assert_eq!(told(&never, &[], Some(value)), (0, 1), "a key without its records");
}
