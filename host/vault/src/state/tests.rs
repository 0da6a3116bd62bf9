//! What holds of the state, each test on a store of its own, attacked by somebody who can write all of it.

use portcullis_ledger::{
    Hash,
    state::{Restriction, STATE, StateRecord, page_key, page_of, to_hex},
};
use portcullis_store::{Batch, Scan};

use super::*;
use crate::credentials::{
    NewOptions,
    tests::{Host, ada, given, id, key},
};

const MAIL: &[u8] = b"Iacme\0mail";
const CRM: &[u8] = b"Iacme\0crm";

async fn keep(state: &HostState, key: &[u8], value: &[u8]) {
    state.commit(Vec::new(), Batch::new().put(key, value)).await.unwrap();
}

async fn state_of(host: &Host) -> HostState {
    host.open(1).await.state()
}

async fn two(host: &Host) -> HostState {
    let state = state_of(host).await;
    keep(&state, MAIL, b"the first grant").await;
    keep(&state, CRM, b"another").await;
    state
}

fn why(error: StateError) -> (String, Unvouched) {
    match error {
        StateError::Record { record, why } => (record.to_string(), why),
        error => panic!("{error}"),
    }
}

/// `mail` is refused for this reason and by its name, by a host that runs and by one that starts, and `crm` is not.
async fn refused(host: &Host, running: &HostState, reason: Unvouched) {
    for state in [running.clone(), state_of(host).await] {
        assert_eq!(why(state.get(MAIL).await.unwrap_err()), ("the integration acme/mail".to_owned(), reason));
        assert_eq!(state.get(CRM).await.unwrap().unwrap(), b"another");
        let all = state.scan(b"Iacme\0").await.unwrap();
        assert_eq!((all[MAIL].clone(), all[CRM].clone()), (Err(reason), Ok(b"another".to_vec())));
        assert_eq!(state.check().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_was_edited_swapped_put_back_removed_or_added_is_refused_by_name_and_the_rest_is_not() {
    let host = Host::new().await;
    let state = two(&host).await;
    host.put(MAIL, b"the first granu").await;
    refused(&host, &state, Unvouched::Changed).await;
    host.put(MAIL, b"another").await;
    refused(&host, &state, Unvouched::Changed).await;
    host.delete(MAIL).await;
    refused(&host, &state, Unvouched::Missing).await;
    host.put(MAIL, b"the first grant").await;
    assert_eq!(state.get(MAIL).await.unwrap().unwrap(), b"the first grant");
    keep(&state, MAIL, b"the second grant").await;
    host.put(MAIL, b"the first grant").await;
    refused(&host, &state, Unvouched::Changed).await;
    state.commit(Vec::new(), Batch::new().delete(MAIL)).await.unwrap();
    assert_eq!(state.get(MAIL).await.unwrap(), None);
    host.put(MAIL, b"the second grant").await;
    refused(&host, &state, Unvouched::Unknown).await;
    keep(&state, MAIL, b"the third grant").await;
    assert_eq!(state_of(&host).await.get(MAIL).await.unwrap().unwrap(), b"the third grant");
}

#[tokio::test]
async fn no_byte_of_the_state_record_can_be_changed_and_none_of_a_page_without_that_being_told() {
    let host = Host::new().await;
    let running = two(&host).await;
    let (whole, page) = (host.get(STATE).await, page_key(page_of(MAIL)));
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        for bytes in [&changed[..], &whole[..at]] {
            host.put(STATE, bytes).await;
            for state in [running.clone(), state_of(&host).await] {
                let error = state.get(CRM).await.unwrap_err();
                assert!(matches!(error, StateError::Forged { .. } | StateError::PutBack { .. }), "{at}: {error}");
            }
        }
    }
    host.put(STATE, &whole).await;
    let whole = host.get(&page).await;
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        host.put(&page, &changed).await;
        let state = state_of(&host).await;
        assert_eq!(why(state.get(MAIL).await.unwrap_err()).1, Unvouched::Page, "{at}");
        assert!(state.commit(Vec::new(), Batch::new().put(MAIL, b"new")).await.unwrap_err().is_damage());
        // Who has read it does not read it again.
        assert!(running.get(MAIL).await.is_ok());
    }
    host.delete(&page).await;
    assert_eq!(why(state_of(&host).await.get(MAIL).await.unwrap_err()).1, Unvouched::Page);
    assert!(state_of(&host).await.get(CRM).await.is_ok(), "it is on another page");
}

#[tokio::test]
async fn a_running_host_does_not_go_back_to_an_older_state() {
    let host = Host::new().await;
    let state = two(&host).await;
    let before = host.everything().await;
    keep(&state, MAIL, b"the second grant").await;
    for (key, value) in before.iter().filter(|(key, _)| key == MAIL || key.starts_with(STATE)) {
        host.put(key, value).await;
    }
    let error = state.get(MAIL).await.unwrap_err();
    assert!(matches!(error, StateError::PutBack { found: 2, known: 3 }), "{error}");
    host.delete(STATE).await;
    assert!(matches!(state.get(MAIL).await.unwrap_err(), StateError::Gone));
    assert!(matches!(state.commit(Vec::new(), Batch::new().put(CRM, b"x")).await.unwrap_err(), StateError::Gone));
}

#[tokio::test]
async fn a_store_without_a_state_is_new_only_while_nothing_in_it_authorises() {
    let host = Host::new().await;
    two(&host).await;
    host.delete(STATE).await;
    for (key, _) in host.everything().await {
        if key.starts_with(STATE) || key.starts_with(b"K") || key.starts_with(b"M") {
            host.delete(&key).await;
        }
    }
    let state = state_of(&host).await;
    assert!(matches!(state.get(CRM).await.unwrap_err(), StateError::Unadopted { records: 2, .. }));
    let error = state.commit(Vec::new(), Batch::new().put(b"Iacme\0new".to_vec(), b"x")).await.unwrap_err();
    assert!(error.to_string().contains("adopt"), "{error}");
    let seen = state.to_adopt().await.unwrap();
    assert_eq!(
        seen.iter().map(|one| one.record.as_str()).collect::<Vec<_>>(),
        ["the integration acme/crm", "the integration acme/mail"]
    );
    // What was not looked at is not adopted.
    host.put(b"Iacme\0other", b"put in").await;
    assert!(state.adopt(&seen, &ada()).await.is_err());
    host.delete(b"Iacme\0other").await;
    assert_eq!(state.adopt(&seen, &ada()).await.unwrap().records, seen);
    assert_eq!(state_of(&host).await.get(MAIL).await.unwrap().unwrap(), b"the first grant");
    let told = host.ledger.reader().query(&portcullis_ledger::Query::new(portcullis_ledger::HOST)).await.unwrap();
    let told = told.records[0].1.change.clone().unwrap();
    assert_eq!((told.action.as_str(), told.details["records"].as_str()), ("adopted", "2"));
}

#[tokio::test]
async fn another_master_key_makes_no_state_and_reads_none() {
    let host = Host::new().await;
    two(&host).await;
    let other = host.open(2).await.state();
    assert!(matches!(other.get(MAIL).await.unwrap_err(), StateError::Key(_)));
    assert!(other.commit(Vec::new(), Batch::new().put(MAIL, b"x")).await.is_err());
    host.open(1).await.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
    assert!(host.open(2).await.state().get(MAIL).await.is_ok());
    assert!(host.open(1).await.state().get(MAIL).await.is_err());
}

/// Appends to the state record what no key is needed for.
async fn forge(host: &Host, key: &[u8], value: Option<&[u8]>) {
    let mut record = StateRecord::parse(&host.get(STATE).await).unwrap();
    record.restrictions.push(Restriction { key: to_hex(key), value: value.map(Hash::of) });
    host.put(STATE, &record.to_bytes().unwrap()).await;
}

#[tokio::test]
async fn a_forged_restriction_takes_power_away_and_never_gives_any() {
    let host = Host::new().await;
    let credentials = host.open(1).await;
    let by = ada();
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    let place = id("key").credential();
    let first = host.get(&place).await;
    credentials.rotate(&id("key"), given("the second"), crate::Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    let state = credentials.state();
    keep(&state, MAIL, b"the grant").await;
    keep(&state, b"G", b"a ceiling").await;

    host.put(&place, &first).await;
    forge(&host, &place, Some(&first)).await;
    host.put(MAIL, b"another grant").await;
    forge(&host, MAIL, Some(b"another grant")).await;
    host.delete(b"G").await;
    forge(&host, b"G", None).await;
    for round in ["before it is taken in", "and after"] {
        for state in [state.clone(), state_of(&host).await] {
            assert_eq!(why(state.get(&place).await.unwrap_err()).1, Unvouched::Changed, "{round}");
            assert_eq!(why(state.get(MAIL).await.unwrap_err()).1, Unvouched::Changed, "{round}");
            assert_eq!(why(state.get(b"G").await.unwrap_err()).1, Unvouched::Missing, "{round}");
        }
        keep(&state, CRM, round.as_bytes()).await;
    }
}

#[tokio::test]
async fn what_is_revoked_without_the_master_key_stays_revoked() {
    let host = Host::new().await;
    let credentials = host.open(1).await;
    let by = ada();
    for slot in ["key", "other"] {
        credentials.add(&id(slot), given("the first"), NewOptions::by(&by)).await.unwrap();
    }
    let (before, state_before) = (host.get(&id("key").credential()).await, host.get(STATE).await);
    let keyless = Credentials::without_key(host.ledger.clone());
    keyless.revoke(&id("key"), &by, "leaked").await.unwrap();
    keyless.remove(&id("other"), &by).await.unwrap();
    let loaded = host.open(1).await.load("acme", "mail").await.unwrap();
    assert_eq!(loaded["key"].problem().unwrap().problem, crate::ReadProblem::Revoked);
    assert!(!loaded.contains_key("other"));
    host.put(&id("key").credential(), &before).await;
    assert!(host.open(1).await.load("acme", "mail").await.unwrap()["key"].problem().is_some());
    // Who has read the restriction does not forget it either.
    credentials.load("acme", "mail").await.unwrap();
    host.put(STATE, &state_before).await;
    assert!(matches!(credentials.state().get(CRM).await.unwrap_err(), StateError::PutBack { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_who_change_it_at_once_lose_nothing_in_one_process_or_in_several() {
    let host = Host::new().await;
    let processes = [state_of(&host).await, state_of(&host).await, state_of(&host).await];
    let changes = (0..64).map(|number| {
        let state = processes[number % 3].clone();
        tokio::spawn(async move {
            let key = format!("Iacme\0{number}");
            let mut tries = 0;
            while state.commit(Vec::new(), Batch::new().put(key.clone(), key.clone())).await.is_err() {
                tries += 1;
                assert!(tries < 100);
            }
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let state = state_of(&host).await;
    assert_eq!(state.scan(b"Iacme\0").await.unwrap().values().filter(|value| value.is_ok()).count(), 64);
    assert_eq!((state.number().await.unwrap(), state.check().await.unwrap().len()), (64, 0));
    assert!(host.store.scan(&Scan::prefix(STATE)).await.unwrap().entries.len() > 20, "on many pages");
}
