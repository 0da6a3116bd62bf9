//! Holds a store against the test's own log: what was acknowledged is there, as it was submitted; nothing is there that was
//! not submitted; groups are there as a whole; chains hold; a call without an outcome was closed once.

use std::{collections::BTreeMap, path::Path};

use portcullis_ledger::{Hash, Kind, Ledger, Record, Status};
use portcullis_store::{Scan, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    journal::{Call, Group, KEYS, KeyChange, Log, key_of, submitted, value_of},
    subject::{Subject, told},
};

/// Most problems that are told in words.
const TOLD: usize = 10;

/// What came out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Why the store was not opened, or did not verify, in its own words.
    pub(crate) refused: Option<String>,
    /// Records that were acknowledged, by the log.
    pub(crate) acknowledged: usize,
    /// Records in the ledger.
    pub(crate) records: usize,
    /// Acknowledged records that are not there as they were submitted.
    pub(crate) lost: usize,
    /// Records and keys that nobody submitted, or that are there twice or in part.
    pub(crate) phantom: usize,
    /// Calls that were closed as `unknown`.
    pub(crate) unknown: usize,
    /// What is wrong, in words; the first few.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    /// Whether all is as it has to be.
    pub(crate) fn is_good(&self) -> bool {
        self.refused.is_none() && self.lost == 0 && self.phantom == 0 && self.problems.is_empty()
    }

    fn problem(&mut self, what: String) {
        if self.problems.len() < TOLD {
            self.problems.push(what);
        }
    }
}

/// The records of each call, in order, as JSON without their places; and how many there are.
type Found = BTreeMap<String, Vec<Value>>;

/// Compares an open store with a log.
pub(crate) async fn check(subject: &Subject, log: &Log) -> Verdict {
    let mut verdict = Verdict { acknowledged: log.acknowledged(), ..Verdict::default() };
    if let Err(why) = subject.verify().await {
        verdict.refused = Some(why);
        return verdict;
    }
    let mut found = Found::new();
    match read(&subject.ledger, &mut found, &mut verdict).await {
        Ok(()) => {}
        Err(why) => {
            verdict.refused = Some(why);
            return verdict;
        }
    }
    let mut keys = match keys(subject.store.as_ref()).await {
        Ok(keys) => keys,
        Err(why) => {
            verdict.refused = Some(why);
            return verdict;
        }
    };
    for (name, call) in &log.calls {
        let records = found.remove(name).unwrap_or_default();
        compare(name, call, &records, keys.remove(&key_of(name)), &mut verdict);
    }
    for (name, records) in found {
        verdict.phantom += records.len();
        verdict.problem(format!("{} records of a call {name} that nobody made", records.len()));
    }
    for key in keys.keys() {
        verdict.phantom += 1;
        verdict.problem(format!("a key that nobody wrote: {}", key.escape_ascii()));
    }
    verdict
}

/// Reads all chains, and checks that each holds.
async fn read(ledger: &Ledger, found: &mut Found, verdict: &mut Verdict) -> Result<(), String> {
    let reader = ledger.reader();
    for head in reader.chains().await.map_err(told)? {
        let (mut next, mut before) = (1, Hash::genesis(&head.workspace));
        loop {
            let lines = reader.lines(&head.workspace, next).await.map_err(told)?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
                let record: Record = line.record(&head.workspace).map_err(told)?;
                if line.seq != next || record.seq != next || record.prev != before {
                    return Err(format!("the chain of {} does not hold at {next}", head.workspace));
                }
                (next, before) = (next + 1, line.hash());
                verdict.records += 1;
                let call = record.call.map(|call| call.to_string()).unwrap_or_default();
                let unknown = record.kind == Kind::Outcome && record.status == Some(Status::Unknown);
                verdict.unknown += usize::from(unknown);
                let mut value: Value = serde_json::from_str(&line.text).map_err(told)?;
                submitted(&mut value);
                found.entry(call).or_default().push(value);
            }
        }
        if (head.seq, head.hash) != (next - 1, before) {
            return Err(format!("the chain of {} ends at {}, its head says {}", head.workspace, next - 1, head.seq));
        }
    }
    Ok(())
}

async fn keys(store: &dyn Store) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut keys = BTreeMap::new();
    let mut scan = Scan::prefix(KEYS);
    loop {
        let page = store.scan(&scan).await.map_err(told)?;
        keys.extend(page.entries);
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return Ok(keys),
        }
    }
}

/// The outcome that closes a call as `unknown`, made from its intent.
fn unknown(intent: &Value) -> Value {
    let mut record = intent.clone();
    if let Some(fields) = record.as_object_mut() {
        fields.remove("input");
        fields.insert("kind".to_owned(), json!("outcome"));
        fields.insert("status".to_owned(), json!("unknown"));
        fields.insert("error".to_owned(), json!("unknown"));
    }
    record
}

/// Compares one call: nothing of it, its intent and an `unknown`, or its intent and its outcome.
fn compare(name: &str, call: &Call, records: &[Value], key: Option<Vec<u8>>, verdict: &mut Verdict) {
    let of = |group: &Option<Group>| group.as_ref().map_or_else(Vec::new, |group| group.records.clone());
    let (intent, outcome) = (of(&call.intent), of(&call.outcome));
    let acknowledged = |group: &Option<Group>| group.as_ref().is_some_and(|group| group.acknowledged);
    let closed: Vec<Value> = intent.iter().cloned().chain(intent.first().map(unknown)).collect();
    let whole: Vec<Value> = intent.iter().chain(&outcome).cloned().collect();
    let has_intent = !intent.is_empty() && records.starts_with(&intent);
    let has_outcome = has_intent && !outcome.is_empty() && records == whole;

    let mut lost = 0;
    lost += if acknowledged(&call.intent) && !has_intent { intent.len() } else { 0 };
    lost += if acknowledged(&call.outcome) && !has_outcome { outcome.len() } else { 0 };
    if lost > 0 {
        verdict.lost += lost;
        verdict.problem(format!(
            "call {name} in {}: {lost} acknowledged records are not there; found {}",
            call.workspace,
            Value::from(records.to_vec())
        ));
    } else if !(records.is_empty() || has_outcome || records == closed) {
        verdict.phantom += 1;
        verdict.problem(format!(
            "call {name} in {}: not as submitted: {}",
            call.workspace,
            Value::from(records.to_vec())
        ));
    }

    let change = |group: &Option<Group>| group.as_ref().map_or(KeyChange::None, |group| group.key);
    let expected = match (change(&call.intent), change(&call.outcome)) {
        (KeyChange::Put(_), KeyChange::Delete) if has_outcome => None,
        (KeyChange::Put(length), _) if has_intent => Some(value_of(name, length)),
        _ => None,
    };
    if expected != key {
        let is_lost = expected.is_some() && acknowledged(&call.intent);
        if is_lost {
            verdict.lost += 1
        } else {
            verdict.phantom += 1
        }
        verdict.problem(format!(
            "call {name}: its key has {:?} bytes and should have {:?}",
            key.map(|value| value.len()),
            expected.map(|value| value.len())
        ));
    }
}

/// Reads a log, and compares an open store with it.
pub(crate) async fn check_with(subject: &Subject, journal: &Path) -> Result<Verdict, String> {
    let log = Log::read(journal).map_err(told)?;
    Ok(check(subject, &log).await)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
