//! Every kind of key that a store holds, found by listing them, edited, swapped, put back and removed one by one. What comes
//! of it is either what was before, or a refusal that names what was attacked; never another answer, but for the kinds that
//! are listed with what else they may do.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_store::EngineKind;

use super::{
    Entries,
    history::History,
    imported, in_memory,
    outcome::{Outcome, outcome},
    write,
};
use crate::hostile::stores::close;

/// What becomes of a host whose store was attacked in a key of some kind.
enum Verdict {
    /// Each attack is refused, and one of the refusals names this.
    Refused(fn(&[u8]) -> Vec<String>),
    /// Nothing changes, because…
    DecidesNothing(&'static str),
    /// It may be refused, or what `about` says may be less, because…
    TakesAway { about: &'static [&'static str], because: &'static str },
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The names in a key.
fn names(key: &[u8]) -> Vec<String> {
    key[1..].splitn(4, |byte| *byte == 0).take(3).map(text).filter(|name| !name.is_empty()).collect()
}

/// A kind, by its letter and by what else tells it from others.
fn kind(key: &[u8]) -> (&'static str, Verdict) {
    use Verdict::{DecidesNothing, Refused, TakesAway};
    const CHAINS: &[&str] = &["chains", "heads", "ledger"];
    match (key[0], key.len()) {
        (b'A', _) => ("A an adapter", Refused(|key| vec![text(&key[1..])])),
        (b'B', _) => ("B an adapter's bytes", Refused(|key| vec![names(key)[0].clone()])),
        (b'C', _) => ("C a credential", Refused(names)),
        (b'G', _) => ("G the host's settings", Refused(|_| vec!["settings".to_owned()])),
        (b'I', _) => ("I an integration", Refused(names)),
        (b'K', _) if key[1..].starts_with(b"@key/") => ("K a key of the host's", Refused(|_| vec!["state".to_owned()])),
        (b'K', _) => ("K a workspace's keys", Refused(|key| vec![names(key)[0].clone(), "data key".to_owned()])),
        (b'V', 1) => ("V the state record", Refused(|_| vec!["state".to_owned()])),
        (b'V', _) => ("V a page of the state", Refused(|_| vec!["vouches for it".to_owned()])),
        (b'O', _) => (
            "O a token",
            TakesAway {
                about: &["token"],
                because: "it is sealed for its slot and generation, so it is one that the server gave for this one; an older \
                          one is refused there, and another is asked for",
            },
        ),
        (b'H' | b'L', _) => (
            "H, L a chain",
            TakesAway {
                about: CHAINS,
                because: "records are told, and nothing is decided by them; what was signed is missed",
            },
        ),
        (b'S' | b'T', _) => (
            "S, T a signed head",
            TakesAway { about: CHAINS, because: "what the sinks have counts, and is held against the chains" },
        ),
        (b'M', _) => (
            "M which master key it is",
            TakesAway {
                about: &["credentials", "state"],
                because: "what is wrapped names its key itself, and opens with that one alone",
            },
        ),
        (b'W', _) => ("W how far a sink is", DecidesNothing("what the sink shows counts, and no more than was signed")),
        (b'X', _) => (
            "X the index",
            TakesAway {
                about: &["credentials of mail", "credentials of crm"],
                because: "what it finds is read in the chain; what it hides makes nothing good that the state does not vouch for",
            },
        ),
        (b'U', _) => ("U when it was used", DecidesNothing("it is shown, and nothing more")),
        (b'J', _) => ("J versions that are not kept", DecidesNothing("it counts what its caller brings each time")),
        (b'P', _) => ("P what a call was given", DecidesNothing("it is shown, held against the hash in its record")),
        (b'E', _) => (
            "E until when it is kept",
            DecidesNothing("it says what may be erased, by whoever could remove it as well"),
        ),
        _ => panic!("a kind of key without a verdict: {}", key.escape_ascii()),
    }
}

/// What an attacker does to one key.
fn attacks(key: &[u8], history: &History) -> Vec<(&'static str, Entries)> {
    let now = &history.now;
    let with = |value: Option<Vec<u8>>| {
        let mut attacked = now.clone();
        match value {
            Some(value) => drop(attacked.insert(key.to_vec(), value)),
            None => drop(attacked.remove(key)),
        }
        attacked
    };
    let value = &now[key];
    let flip = |at: usize| {
        let mut value = value.clone();
        value[at] ^= 1;
        value
    };
    let mut all = vec![("removed", with(None)), ("emptied", with(Some(Vec::new())))];
    if !value.is_empty() {
        all.push(("edited", with(Some(flip(value.len() / 2)))));
        all.push(("edited at its end", with(Some(flip(value.len() - 1)))));
    }
    let mut same_kind = now.iter().filter(|(other, _)| other[0] == key[0] && kind(other).0 == kind(key).0);
    if let Some((_, other)) = same_kind.rfind(|(other, theirs)| *other != key && *theirs != value) {
        all.push(("swapped", with(Some(other.clone()))));
    }
    for before in &history.before {
        if let Some(older) = before.get(key).filter(|older| *older != value) {
            all.push(("put back", with(Some(older.clone()))));
        }
    }
    all.retain(|(_, attacked)| attacked != now);
    all
}

/// What was kept once and was taken away, and is put there again.
fn returned(history: &History) -> Vec<(Vec<u8>, Entries)> {
    let gone = history.before.iter().flatten().filter(|(key, _)| !history.now.contains_key(*key));
    let back = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        let mut attacked = history.now.clone();
        attacked.insert(key.clone(), value.clone());
        (key.clone(), attacked)
    };
    gone.map(back).collect()
}

/// Holds what came of an attack against the kind's verdict.
fn judge(what: &str, key: &[u8], before: &Outcome, after: &Outcome) {
    let about = format!("{what}: {}", key.escape_ascii());
    let changed: BTreeMap<&String, _> = after.iter().filter(|(of, now)| before.get(*of) != Some(*now)).collect();
    // Where nothing can be read at all, one refusal says so for all.
    let refusals: String =
        changed.values().filter_map(|now| now.as_ref().err()).map(|error| format!("{error}\n")).collect();
    let other = |of: &String| changed.get(of).is_some_and(|now| now.is_ok());
    match kind(key).1 {
        Verdict::Refused(named) => {
            assert!(!refusals.is_empty(), "{about} is not refused");
            for name in named(key) {
                assert!(refusals.contains(&name), "{about} is refused without {name}: {refusals}");
            }
            for of in changed.keys() {
                assert!(!other(of), "{about} changes {of}: {:?} -> {:?}", before.get(*of), after[*of]);
            }
        }
        Verdict::DecidesNothing(because) => {
            assert!(changed.is_empty() && after.len() == before.len(), "{about} changes {changed:?}, though {because}");
        }
        Verdict::TakesAway { about: allowed, because } => {
            for (of, now) in &changed {
                let fits = allowed.iter().any(|allowed| of.starts_with(allowed));
                assert!(now.is_err() || fits, "{about} changes {of} to {now:?}, though {because}");
            }
        }
    }
    for (of, was) in before {
        if let (Ok(_), None) = (was, after.get(of)) {
            assert!(!refusals.is_empty(), "{about}: nothing is said of {of} any more");
        }
    }
}

/// Of each kind that authorises all keys, and of the others a few.
fn chosen(history: &History) -> Vec<Vec<u8>> {
    let mut by_kind: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for key in history.now.keys() {
        by_kind.entry(kind(key).0).or_default().push(key.clone());
    }
    let few = |keys: Vec<Vec<u8>>| {
        let all = portcullis_vault::authorises(&keys[0]) || keys.len() <= 4;
        let step = if all { 1 } else { keys.len() / 3 };
        keys.into_iter().step_by(step).collect::<Vec<_>>()
    };
    by_kind.into_values().flat_map(few).collect()
}

#[tokio::test]
pub(crate) async fn every_kind_of_key_is_authenticated_or_decides_nothing() {
    let history = History::new().await;
    let before = outcome(in_memory(&history.now).await, &history).await;
    let fine = ["integration acme/probe", "adapter other", "credential acme/mail/query-key"];
    for (of, result) in &before {
        assert_eq!(result.is_err(), fine.contains(&of.as_str()), "{of}: {result:?}");
    }
    let mut kinds = BTreeSet::new();
    for key in chosen(&history) {
        kinds.insert(kind(&key).0);
        for (what, attacked) in attacks(&key, &history) {
            let after = outcome(in_memory(&attacked).await, &history).await;
            judge(what, &key, &before, &after);
        }
    }
    for (key, attacked) in returned(&history) {
        let after = outcome(in_memory(&attacked).await, &history).await;
        judge("put back after it was removed", &key, &before, &after);
    }
    assert!(kinds.len() >= 17, "the history has less than it had: {kinds:?}");
}

#[tokio::test]
pub(crate) async fn the_same_holds_on_every_engine_in_place_and_through_an_export() {
    let history = History::new().await;
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let (_folder, store) = imported(&history.now, engine).await;
        let before = outcome(store.clone(), &history).await;
        let mut seen = BTreeSet::new();
        for key in chosen(&history) {
            if !portcullis_vault::authorises(&key) || !seen.insert(kind(&key).0) {
                continue;
            }
            for (what, attacked) in attacks(&key, &history) {
                write(store.as_ref(), &attacked).await;
                judge(what, &key, &before, &outcome(store.clone(), &history).await);
                if what == "edited" {
                    let (_folder, other) = imported(&attacked, engine).await;
                    judge("imported", &key, &before, &outcome(other.clone(), &history).await);
                    close(other).await;
                }
            }
        }
        close(store).await;
        assert!(seen.len() >= 3, "{seen:?}");
    }
}

#[tokio::test]
pub(crate) async fn a_whole_state_that_is_put_back_does_not_start_and_neither_does_a_store_that_lost_it() {
    let history = History::new().await;
    for before in &history.before {
        // What authorises, as it was, with all that vouched for it; the chains as they are.
        let mut attacked = history.now.clone();
        let of_state = |key: &Vec<u8>| portcullis_vault::authorises(key) || key[0] == b'V';
        attacked.retain(|key, _| !of_state(key));
        attacked
            .extend(before.iter().filter(|(key, _)| of_state(key)).map(|(key, value)| (key.clone(), value.clone())));
        let after = outcome(in_memory(&attacked).await, &history).await;
        let error = after["heads"].as_ref().unwrap_err();
        assert!(error.contains("put back to an older state"), "{error}");
    }
    let mut attacked = history.now.clone();
    attacked.retain(|key, _| key[0] != b'V' && !key.starts_with(b"K@"));
    let after = outcome(in_memory(&attacked).await, &history).await;
    assert!(after["heads"].as_ref().unwrap_err().contains("put back"), "{:?}", after["heads"]);
    assert!(after["integration acme/mail"].as_ref().unwrap_err().contains("adopt"), "{after:?}");
}
