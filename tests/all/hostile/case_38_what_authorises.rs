//! Case 38: somebody who can write the store, and has neither master key, signing key nor the heads, edits what authorises: a
//! grant and a config that name another origin, an adapter's name, a credential's header. On every store, in place and
//! through an export, before a host starts and while it runs: the record is refused by its name, nothing is sent with the
//! credential, and the integration beside it goes on.

use std::sync::Arc;

use portcullis_gate::Grant;
use portcullis_ledger::Ledger;
use portcullis_runtime::{
    Credentials, Given, Integration, MemoryStore, NewOptions, RegistryError, Runtime, Secret, StateError,
};
use portcullis_store::{Embedded, EngineKind, Options, Store};
use portcullis_tests::{canary::Canary, folder, upstream::Upstream};
use serde_json::{Value, json};

use super::stores::{Folder, close};
use crate::{
    guests,
    harness::{Case, call, load, send},
    state::{
        self, Entries, entries,
        history::{builder, by, heads, id, ledger, master},
        imported, in_memory,
    },
};

const TOKEN: &str = "the-token-that-goes-to-one-origin";

struct Host {
    runtime: Runtime,
    credentials: Credentials,
    ledger: Ledger,
}

async fn host(store: Arc<dyn Store>) -> Host {
    let ledger = ledger(store).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
    let runtime = builder(ledger.clone(), credentials.clone()).build().unwrap();
    Host { runtime, credentials, ledger }
}

fn grant(digest: &str, origin: &str) -> Grant {
    let address = origin.strip_prefix("http://").unwrap();
    let grant = format!(
        "adapter = \"{digest}\"\noperations = [\"probe\"]\ncarve_outs = [\"{address}\"]\n[[routes]]\nmethod = \"POST\"\n\
         url = \"{origin}/echo\"\nslots = [\"token\"]\n"
    );
    Grant::parse(&grant).unwrap()
}

impl Host {
    /// Keeps the probe, and an integration of it that sends its token to this origin.
    async fn keep(&self, name: &str, origin: &str) -> Integration {
        let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
        load(&self.runtime, &probe).await.unwrap();
        let digest = self.runtime.keep_adapter(&probe, "probe", &by()).await.unwrap().digest;
        let config = json!({ "baseUrl": origin });
        self.runtime.keep_integration(["acme", name], &digest, config, grant(&digest, origin), &by()).await.unwrap()
    }

    async fn give(&self, name: &str) {
        let given = Given::secret(Secret::try_from(TOKEN).unwrap());
        self.credentials.add(&id(name, "token"), given, NewOptions::by(&by())).await.unwrap();
    }

    /// Makes a live call of a kept integration to where its own config leads.
    async fn call(&self, name: &str) -> Result<(), String> {
        let integration = self.runtime.open("acme", name).await.map_err(|error| error.to_string())?;
        let config = self.runtime.integration_info("acme", name).await.unwrap().config;
        let step = send("POST", &format!("{}/echo", config["baseUrl"].as_str().unwrap()), Some("token"), json!([]));
        let outcome = integration.call(call("probe", json!({"steps": [step]})).live()).await;
        let output = outcome.result.map_err(|error| error.to_string())?;
        match output.pointer("/results/0/ok/status") {
            Some(_) => Ok(()),
            None => Err(output.to_string()),
        }
    }
}

fn refused(called: Result<(), String>, names: &[&str]) {
    let error = called.unwrap_err();
    for name in names {
        assert!(error.contains(name), "{error}");
    }
}

/// The record of an integration, with another origin throughout.
fn led_to(entries: &Entries, key: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(entries[key].clone()).unwrap();
    let short = |origin: &str| origin.strip_prefix("http://").unwrap().to_owned();
    let changed = text.replace(&short(from), &short(to));
    assert_ne!(changed, text);
    changed.into_bytes()
}

const MAIL: &[u8] = b"Iacme\0mail";

#[tokio::test]
async fn a_grant_that_was_edited_sends_no_credential_anywhere() {
    let case = Case::new().await;
    let (good, evil) = (case.upstream.origin(), Canary::start().await.unwrap());
    let evil_origin = format!("http://{}", evil.address);
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let running = host(memory.clone()).await;
    for name in ["mail", "crm"] {
        running.keep(name, &good).await;
        running.give(name).await;
        running.call(name).await.unwrap();
    }
    let now = entries(memory.as_ref()).await;
    let mut attacked = now.clone();
    attacked.insert(MAIL.to_vec(), led_to(&now, MAIL, &good, &evil_origin));
    // The unsigned end of a chain is the attacker's to write as well: here a record says that this was granted.
    let told = |value: &[u8]| portcullis_ledger::Hash::of(value).to_string();
    let change = portcullis_ledger::Change {
        action: "granted".to_owned(),
        of: "mail".to_owned(),
        details: [("record".to_owned(), told(&attacked[MAIL]))].into(),
    };
    let entry = portcullis_ledger::Entry::change("acme", portcullis_ledger::Kind::Grant, &by(), change);
    running.ledger.append(vec![entry.integration("mail", Some(2))]).await.unwrap();
    let mut with_record = entries(memory.as_ref()).await;
    with_record.insert(MAIL.to_vec(), attacked[MAIL].clone());

    // Under the host that runs, and one that starts.
    state::write(memory.as_ref(), &with_record).await;
    for host in [&running, &host(memory.clone()).await] {
        refused(host.call("mail").await, &["the integration acme/mail is refused"]);
        host.call("crm").await.unwrap();
    }
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        // Through an export and an import, and in place.
        let (_folder, store) = imported(&with_record, engine).await;
        refused(host(store.clone()).await.call("mail").await, &["the integration acme/mail is refused"]);
        state::write(store.as_ref(), &now).await;
        host(store.clone()).await.call("mail").await.unwrap();
        state::write(store.as_ref(), &attacked).await;
        let host = host(store.clone()).await;
        refused(host.call("mail").await, &["the integration acme/mail is refused"]);
        host.call("crm").await.unwrap();
        let listed = host.runtime.integrations("acme").await.unwrap();
        assert_eq!((listed.kept.len(), listed.refused.len()), (1, 1));
        drop(host);
        close(store).await;
    }
    assert_eq!((evil.touched(), evil.bytes()), (0, 0), "the credential's new home was asked");
    // Who may keep it anew is rid of it.
    running.keep("mail", &good).await;
    running.call("mail").await.unwrap();
    case.goes_on().await;
}

#[tokio::test]
async fn an_older_grant_another_ones_and_one_that_was_removed_are_refused() {
    let case = Case::new().await;
    let (good, old) = (case.upstream.origin(), Upstream::start(|_| unreachable!("nothing is sent there")).await.unwrap());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let host_one = host(store.clone()).await;
    host_one.keep("mail", &old.origin()).await;
    let older = entries(store.as_ref()).await;
    host_one.keep("mail", &good).await;
    host_one.keep("crm", &good).await;
    host_one.give("mail").await;
    let now = entries(store.as_ref()).await;
    let crm = now[&b"Iacme\0crm"[..]].clone();
    for value in [Some(older[MAIL].clone()), Some(crm), None] {
        let mut attacked = now.clone();
        match value {
            Some(value) => drop(attacked.insert(MAIL.to_vec(), value)),
            None => drop(attacked.remove(MAIL)),
        }
        // What vouched for the older one comes with it, but for the state record.
        for (key, value) in older.iter().filter(|(key, _)| key[0] == b'V' && key.len() > 1) {
            let store = in_memory(&attacked).await;
            refused(host(store).await.call("mail").await, &["the integration acme/mail is refused"]);
            attacked.insert(key.clone(), value.clone());
        }
        refused(host(in_memory(&attacked).await).await.call("mail").await, &["the integration acme/mail is refused"]);
    }
    assert_eq!(old.received().len(), 0);
    case.goes_on().await;
}

#[tokio::test]
async fn an_old_state_put_back_whole_is_less_than_the_heads_say_and_nothing_starts() {
    let case = Case::new().await;
    let good = case.upstream.origin();
    let elsewhere = Folder::new("case-38");
    let folder = Folder::new("case-38");
    let options = Options { floor_bytes: 0, ..Options::default() };
    let store = Arc::new(Embedded::open(folder.path(), options).await.unwrap());
    let heads_now = heads(store.clone(), &elsewhere).await.unwrap();
    let host = host(store.clone()).await;
    host.keep("mail", "http://127.0.0.1:1").await;
    let older = entries(store.as_ref()).await;
    host.keep("mail", &good).await;
    heads_now.close(std::time::Duration::from_secs(10)).await.unwrap();
    // The chains stay as they are; only what authorises goes back, with all that vouches for it.
    let mut attacked = entries(store.as_ref()).await;
    let of_state = |key: &Vec<u8>| portcullis_vault::authorises(key) || key[0] == b'V';
    attacked.retain(|key, _| !of_state(key));
    attacked.extend(older.into_iter().filter(|(key, _)| of_state(key)));
    state::write(store.as_ref(), &attacked).await;
    let error = heads(store.clone(), &elsewhere).await.unwrap_err().to_string();
    assert!(error.contains("what authorises in this store was changed 2 times"), "{error}");
    // The host that ran all the time does not go back either.
    assert!(matches!(
        host.runtime.open("acme", "mail").await.unwrap_err(),
        RegistryError::State(StateError::PutBack { .. })
    ));
    drop(host);
    close(store).await;
    case.goes_on().await;
}

#[tokio::test]
async fn the_name_of_an_adapter_stands_for_no_other_bytes_than_those_it_was_given_to() {
    let case = Case::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let host_one = host(store.clone()).await;
    host_one.keep("mail", &case.upstream.origin()).await;
    let clinic = folder::guest(guests::PUPPET_CLINIC).unwrap();
    load(&host_one.runtime, &clinic).await.unwrap();
    let other = host_one.runtime.keep_adapter(&clinic, "clinic", &by()).await.unwrap();
    let now = entries(store.as_ref()).await;
    let key = [b"A", other.digest.as_bytes()].concat();
    let renamed: Value = serde_json::from_slice(&now[&key]).unwrap();
    for name in ["probe", "mail", "new"] {
        let mut renamed = renamed.clone();
        renamed["name"] = json!(name);
        let mut attacked = now.clone();
        attacked.insert(key.clone(), serde_json::to_vec(&renamed).unwrap());
        let host = host(in_memory(&attacked).await).await;
        let error = host.runtime.adapter_info(name).await.unwrap_err().to_string();
        assert!(error.contains(&other.digest) && error.contains("is refused"), "{error}");
        host.runtime.open("acme", "mail").await.unwrap();
    }
    case.goes_on().await;
}

#[tokio::test]
async fn the_header_of_a_credential_cannot_be_changed_put_back_or_taken_away() {
    let case = Case::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let host_one = host(store.clone()).await;
    host_one.keep("mail", &case.upstream.origin()).await;
    host_one.give("mail").await;
    let first = entries(store.as_ref()).await;
    let key = b"Cacme\0mail\0token\0".to_vec();
    host_one.credentials.revoke(&id("mail", "token"), &by(), "leaked").await.unwrap();
    let revoked = entries(store.as_ref()).await;
    let mut unrevoked = revoked.clone();
    unrevoked.insert(key.clone(), first[&key].clone());
    refused(host(in_memory(&unrevoked).await).await.call("mail").await, &["token"]);
    let mut expired = first.clone();
    let later = String::from_utf8_lossy(&first[&key]).replacen("\"revision\":1", "\"revision\":2", 1);
    expired.insert(key.clone(), later.into_bytes());
    refused(host(in_memory(&expired).await).await.call("mail").await, &["token"]);
    let mut gone = first.clone();
    gone.remove(&key);
    refused(host(in_memory(&gone).await).await.call("mail").await, &["token"]);
    let sent = case.upstream.received().iter().filter(|request| format!("{request:?}").contains(TOKEN)).count();
    assert_eq!(sent, 0);
    case.goes_on().await;
}
