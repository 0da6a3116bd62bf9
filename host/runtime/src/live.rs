//! What authorises in a store, compared with what the ledger tells was granted: without a key, for `audit verify`.
//!
//! The state of the store is what decides; this says where it and the story differ. Three things are compared: each record with
//! the hashes of the state; the state with what signed heads name; and for each integration and credential the newest record
//! that tells of it with what is there. Records at the unsigned end of a chain may be anybody's, so where all three agree it is
//! the signature that vouches for it, up to the change that it names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use portcullis_gate::printable;
use portcullis_ledger::{
    HOST, Kind, LedgerError, Record,
    heads::last_signed_state,
    state::{self, StateRecord},
};
use portcullis_store::{Scan, Store};
use portcullis_vault::{CredentialId, StateError, compare_with_state, credential_numbers};

use crate::version::{self, KEPT, config_hash, grant_digest};

/// What the ledger tells of what authorises, noted while its records are verified.
#[derive(Debug, Default)]
pub struct Recorded {
    integrations: BTreeMap<(String, String), Told>,
    credentials: BTreeMap<CredentialId, Newest>,
    /// Hash and name of each record that was adopted.
    adopted: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Told {
    version: u64,
    adapter: Option<String>,
    grant: Option<String>,
    config: Option<String>,
}

#[derive(Debug)]
struct Newest {
    removed: bool,
    revision: u64,
}

/// Something that authorises and is not what the ledger tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LiveWrong {
    /// What it is, such as `the integration acme/mail`.
    pub record: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for LiveWrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.record, self.what)
    }
}

impl Recorded {
    /// Notes a record, in the order of its chain. Those of calls are passed over.
    pub fn note(&mut self, workspace: &str, record: &[u8]) {
        let Ok(text) = std::str::from_utf8(record) else { return };
        let kinds = ["\"kind\":\"grant\"", "\"kind\":\"configuration\"", "\"kind\":\"credential\""];
        if !kinds.iter().any(|kind| text.contains(kind)) {
            return;
        }
        let Ok(record) = serde_json::from_str::<Record>(text) else { return };
        let Some(change) = &record.change else { return };
        let detail = |name: &str| change.details.get(name);
        match (record.kind, &record.integration) {
            (Kind::Grant | Kind::Configuration, Some(name)) if detail(KEPT).is_some() => {
                let told = self.integrations.entry((workspace.to_owned(), name.clone())).or_default();
                told.version = record.integration_version.unwrap_or(0);
                told.adapter.clone_from(&record.adapter);
                told.grant.clone_from(&record.grant);
                if let Some(config) = detail("config") {
                    told.config = Some(config.clone());
                }
            }
            (Kind::Configuration, None) if workspace == HOST && change.action == "adopted" => {
                let named = change.details.iter().filter(|(name, _)| name.starts_with("record-"));
                self.adopted = named.map(|(_, value)| value.clone()).collect();
            }
            (Kind::Credential, Some(integration)) => {
                let Some(revision) = detail("revision").and_then(|number| number.parse().ok()) else { return };
                let id = CredentialId::new(workspace, integration, &change.of);
                self.credentials.insert(id, Newest { removed: change.action == "removed", revision });
            }
            _ => {}
        }
    }

    /// Compares a store with what was noted of all its chains: what differs.
    pub async fn compare(&self, store: &dyn Store) -> Result<Vec<LiveWrong>, LedgerError> {
        let mut wrong = Vec::new();
        self.state(store, &mut wrong).await?;
        self.integrations(store, &mut wrong).await?;
        self.credentials(store, &mut wrong).await?;
        Ok(wrong)
    }

    async fn state(&self, store: &dyn Store, wrong: &mut Vec<LiveWrong>) -> Result<(), LedgerError> {
        let mut say = |record: &str, what: String| wrong.push(LiveWrong { record: record.to_owned(), what });
        match compare_with_state(store).await {
            Ok(Some(refused)) => refused.into_iter().for_each(|error| match error {
                StateError::Record { record, why } => say(&record.to_string(), why.to_string()),
                error => say("the state", error.to_string()),
            }),
            Ok(None) => {}
            Err(StateError::Ledger(error)) => return Err(error),
            Err(error) => say("the state", error.to_string()),
        }
        // What is wrong with signed heads themselves is told where they are verified.
        let signed = last_signed_state(store).await.ok().flatten();
        let stored = store.get(state::STATE).await?.and_then(|bytes| StateRecord::parse(&bytes).ok());
        let (Some(signed), found) = (signed, stored.as_ref().map_or(0, |state| state.at().seq)) else { return Ok(()) };
        if found < signed.seq {
            say(
                "the state",
                format!("it tells of {found} changes, and change {} is signed: it was put back", signed.seq),
            );
        } else if stored.and_then(|state| state.hash_at(signed.seq)).is_some_and(|hash| hash != signed.hash) {
            say("the state", format!("it is not what change {} led to when that was signed", signed.seq));
        }
        Ok(())
    }

    async fn integrations(&self, store: &dyn Store, wrong: &mut Vec<LiveWrong>) -> Result<(), LedgerError> {
        let mut seen = BTreeSet::new();
        for (key, value) in all(store, b"I").await? {
            let mut names = key.get(1..).unwrap_or_default().splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
            let id = (names.next().unwrap_or_default().into_owned(), names.next().unwrap_or_default().into_owned());
            let record = named(&id);
            let mut say = |what: String| wrong.push(LiveWrong { record: record.clone(), what });
            match (version::read(&id.0, &id.1, &value), self.integrations.get(&id)) {
                (Err(_), _) => say("it cannot be read".to_owned()),
                _ if self.adopted.contains(&format!("{} {record}", portcullis_ledger::Hash::of(&value))) => {}
                (Ok(_), None) => say("no record tells that it was kept".to_owned()),
                (Ok(live), Some(told)) => {
                    let live_grant = grant_digest(&live.grant);
                    for (what, live, told) in [
                        ("adapter", &live.adapter, &told.adapter),
                        ("grant", &live_grant, &told.grant),
                        ("config", &config_hash(&live.config), &told.config),
                    ] {
                        if Some(live) != told.as_ref() {
                            let told = told.as_deref().unwrap_or("none");
                            say(format!("its {what} is {live}, and the newest record of it tells of {told}"));
                        }
                    }
                    if live.number != told.version {
                        let told = told.version;
                        say(format!(
                            "it is version {}, and the newest record of it tells of version {told}",
                            live.number
                        ));
                    }
                }
            }
            seen.insert(id);
        }
        let missing = self.integrations.keys().filter(|id| !seen.contains(*id));
        wrong.extend(missing.map(|id| LiveWrong { record: named(id), what: "it was kept, and is gone".to_owned() }));
        Ok(())
    }

    async fn credentials(&self, store: &dyn Store, wrong: &mut Vec<LiveWrong>) -> Result<(), LedgerError> {
        let live = all(store, b"C").await?;
        let mut live: BTreeMap<CredentialId, u64> = live
            .iter()
            .filter_map(|(key, value)| credential_numbers(key, value))
            .map(|(id, _, revision)| (id, revision))
            .collect();
        for (id, newest) in &self.credentials {
            let mut say = |what: String| wrong.push(LiveWrong { record: format!("the credential {id}"), what });
            match live.remove(id) {
                None if !newest.removed => say("it was kept, and is gone or cannot be read".to_owned()),
                None => {}
                Some(_) if newest.removed => say("it was removed, and is there".to_owned()),
                Some(revision) if revision != newest.revision => say(format!(
                    "it is of change {revision}, and the newest record of it tells of change {}",
                    newest.revision
                )),
                Some(_) => {}
            }
        }
        let unrecorded = live.into_keys();
        wrong.extend(unrecorded.map(|id| LiveWrong {
            record: format!("the credential {id}"),
            what: "no record tells that it was kept".to_owned(),
        }));
        Ok(())
    }
}

fn named((workspace, name): &(String, String)) -> String {
    format!("the integration {}/{}", printable(workspace, 128), printable(name, 128))
}

async fn all(store: &dyn Store, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LedgerError> {
    let mut scan = Scan::prefix(prefix);
    let mut all = Vec::new();
    loop {
        let page = store.scan(&scan).await?;
        all.extend(page.entries);
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return Ok(all),
        }
    }
}
