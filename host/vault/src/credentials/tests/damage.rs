//! Wrong keys, edited bytes, swapped and rolled-back records: each is told by name, and the others stay usable.

use super::*;

async fn two(host: &Host) -> Credentials {
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    credentials.add(&id("other"), given("the other"), NewOptions::by(&by)).await.unwrap();
    credentials
}

/// What is wrong with the slot `key`, while `other` says what it has.
async fn wrong(credentials: &Credentials) -> ReadError {
    assert_eq!(said(credentials, "other").await.unwrap(), "the other");
    said(credentials, "key").await.unwrap_err()
}

#[tokio::test]
async fn another_master_key_is_told_with_both_names() {
    let host = Host::new().await;
    two(&host).await;
    let error = said(&host.open(2).await, "key").await.unwrap_err();
    assert_eq!(error.record, "credential acme/mail/key, generation 1");
    assert_eq!(error.problem, ReadProblem::WrongKey { wrapped: key(1).id(), here: key(2).id() });
    let other = CredentialId::new("globex", "mail", "key");
    let added = host.open(2).await.add(&other, given(SECRET), NewOptions::by(&ada())).await.unwrap_err();
    assert!(added.to_string().contains(&key(1).id()) && added.to_string().contains(&key(2).id()), "{added}");
    assert_eq!(host.open(2).await.list("acme", None).await.unwrap().credentials.len(), 2);
}

#[tokio::test]
async fn each_byte_of_a_record_and_each_way_to_cut_it_short_is_found() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let place = id("key").credential();
    let whole = host.get(&place).await;
    let mut kinds = std::collections::BTreeSet::new();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        for record in [changed.as_slice(), &whole[..at]] {
            host.put(&place, record).await;
            let error = wrong(&credentials).await;
            assert!(error.record.starts_with("credential acme/mail/key, generation "), "{error}");
            let problem = format!("{:?}", error.problem);
            kinds.insert(problem.split([' ', '(']).next().unwrap().to_owned());
            credentials.list("acme", None).await.unwrap();
        }
    }
    assert!(kinds.contains("Edited") && kinds.contains("Form") && kinds.contains("Swapped"), "{kinds:?}");
    host.put(&place, &whole).await;
    assert_eq!(said(&credentials, "key").await.unwrap(), "the first");
}

#[tokio::test]
async fn each_byte_of_a_data_key_is_found_and_other_workspaces_are_not_touched() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let elsewhere = CredentialId::new("globex", "mail", "key");
    credentials.add(&elsewhere, given(SECRET), NewOptions::by(&ada())).await.unwrap();
    let place = places::data_keys("acme");
    let whole = host.get(&place).await;
    let (mut told, mut opened) = (0, 0);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 7);
        for record in [changed.as_slice(), &whole[..at]] {
            host.put(&place, record).await;
            match said(&host.open(1).await, "key").await {
                Err(_) => told += 1,
                Ok(text) => {
                    assert_eq!(text, "the first");
                    opened += 1;
                }
            }
        }
    }
    assert_eq!(opened, 0, "of {told}");
    let globex = host.open(1).await.load("globex", "mail").await.unwrap();
    assert_eq!(text(&globex["key"].open().unwrap()), SECRET);
    host.delete(&place).await;
    assert_eq!(said(&host.open(1).await, "key").await.unwrap_err().problem, ReadProblem::DataKeyMissing);
    let added = host.open(1).await.add(&id("new"), given(SECRET), NewOptions::by(&ada())).await.unwrap_err();
    assert!(added.to_string().contains("missing"), "no other key is made in its place: {added}");
}

#[tokio::test]
async fn swapped_records_are_told_with_whose_they_are() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let by = ada();
    for from in [
        id("other"),
        CredentialId::new("acme", "crm", "key"),
        CredentialId::new("globex", "mail", "key"),
        CredentialId::new("globex", "crm", "key"),
    ] {
        if from != id("other") {
            credentials.add(&from, given("of another"), NewOptions::by(&by)).await.unwrap();
        }
        let record = host.get(&from.credential()).await;
        host.put(&id("key").credential(), &record).await;
        let problem = wrong(&credentials).await.problem;
        assert_eq!(problem, ReadProblem::Swapped { found: format!("credential {from}, generation 1") });
        // Also with its names changed to these.
        let renamed = crate::seal::Frame::read(&record).unwrap();
        let mut header: serde_json::Value = serde_json::from_slice(renamed.header).unwrap();
        header["workspace"] = "acme".into();
        header["integration"] = "mail".into();
        header["slot"] = "key".into();
        let renamed = crate::seal::frame(&serde_json::to_vec(&header).unwrap(), &[renamed.sealed]);
        host.put(&id("key").credential(), &renamed).await;
        assert_eq!(wrong(&credentials).await.problem, ReadProblem::Edited);
    }
}

#[tokio::test]
async fn an_older_record_is_told_by_what_the_ledger_has() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let (by, place) = (ada(), id("key").credential());
    let first = host.get(&place).await;
    credentials.rotate(&id("key"), given("the second"), Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    host.put(&place, &first).await;
    let error = wrong(&credentials).await;
    assert_eq!(error.record, "credential acme/mail/key, generation 1");
    let ReadProblem::RolledBack { here: 1, ledger: 2, generation: 2, .. } = error.problem else { panic!("{error}") };
    // Whoever gives another one is rid of it, and its number was never there before.
    let overlap = Overlap::For(Duration::MAX);
    let rotated = credentials.rotate(&id("key"), given("the third"), overlap, NewOptions::by(&by)).await;
    assert_eq!(rotated.unwrap(), 3);
    assert_eq!(said(&credentials, "key").await.unwrap(), "the third");
    assert!(credentials.load("acme", "mail").await.unwrap()["key"].open_previous().is_none());

    let third = host.get(&place).await;
    credentials.revoke(&id("key"), &by, "leaked").await.unwrap();
    host.put(&place, &third).await;
    assert!(matches!(wrong(&credentials).await.problem, ReadProblem::RolledBack { .. }), "revoking cannot be undone");
    let reconnected = credentials.reconnected(&id("key"), &by).await;
    assert!(matches!(reconnected, Err(CredentialError::Unreadable(_))), "nor by that");
    credentials.revoke(&id("key"), &by, "leaked").await.unwrap();
    assert_eq!(said(&credentials, "key").await.unwrap_err().problem, ReadProblem::Revoked);

    credentials.remove(&id("key"), &by).await.unwrap();
    host.put(&place, &third).await;
    assert!(matches!(wrong(&credentials).await.problem, ReadProblem::RolledBack { .. }), "nor can removing");
}

#[tokio::test]
async fn what_is_missing_and_was_not_removed_is_told_and_what_nobody_recorded_too() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let place = id("key").credential();
    let record = host.get(&place).await;
    host.delete(&place).await;
    assert_eq!(wrong(&credentials).await.problem, ReadProblem::Missing { action: "added".to_owned() });
    assert_eq!(wrong(&credentials).await.record, "credential acme/mail/key, generation 1");
    credentials.remove(&id("key"), &ada()).await.unwrap();
    assert!(!credentials.load("acme", "mail").await.unwrap().contains_key("key"));

    host.put(&place, &record).await;
    assert!(matches!(wrong(&credentials).await.problem, ReadProblem::RolledBack { .. }));
    let never = id("never");
    let moved = crate::seal::Frame::read(&record).unwrap();
    let mut header: serde_json::Value = serde_json::from_slice(moved.header).unwrap();
    header["slot"] = "never".into();
    let moved = crate::seal::frame(&serde_json::to_vec(&header).unwrap(), &[moved.sealed]);
    host.put(&never.credential(), &moved).await;
    assert_eq!(said(&host.open(1).await, "never").await.unwrap_err().problem, ReadProblem::Unrecorded);

    let elsewhere = Host::new().await;
    for (key, value) in host.everything().await.iter().filter(|(key, _)| b"CKM".contains(&key[0])) {
        elsewhere.put(key, value).await;
    }
    let error = elsewhere.open(1).await.load("acme", "mail").await.unwrap_err();
    assert!(error.to_string().contains("adopt"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_can_be_rotated_revoked_and_removed() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let (by, place) = (ada(), id("key").credential());
    host.put(&place, b"rubbish").await;
    assert_eq!(credentials.list("acme", None).await.unwrap().unreadable.len(), 1);
    credentials.revoke(&id("key"), &by, "rubbish").await.unwrap();
    assert_eq!(said(&credentials, "key").await.unwrap_err().problem, ReadProblem::Revoked);
    host.put(&place, b"rubbish").await;
    let rotated = credentials.rotate(&id("key"), given("the second"), Overlap::AtOnce, NewOptions::by(&by)).await;
    assert_eq!(rotated.unwrap(), 2);
    assert_eq!(said(&credentials, "key").await.unwrap(), "the second");
    host.put(&place, b"rubbish").await;
    credentials.remove(&id("key"), &by).await.unwrap();
}

#[tokio::test]
async fn the_one_before_in_an_overlap_is_held_against_its_place_too() {
    let host = Host::new().await;
    let credentials = two(&host).await;
    let by = ada();
    let overlap = Overlap::For(Duration::from_hours(1));
    credentials.rotate(&id("key"), given("the second"), overlap, NewOptions::by(&by)).await.unwrap();
    let second = host.get(&id("key").credential()).await;
    host.put(&id("key").generation(1), &second).await;
    let loaded = credentials.load("acme", "mail").await.unwrap();
    assert_eq!(text(&loaded["key"].open().unwrap()), "the second");
    let error = loaded["key"].open_previous().unwrap().unwrap_err();
    assert!(matches!(error.problem, ReadProblem::Swapped { .. }), "{error}");
    host.delete(&id("key").generation(1)).await;
    let loaded = credentials.load("acme", "mail").await.unwrap();
    assert!(loaded["key"].open().is_ok() && loaded["key"].open_previous().unwrap().is_err());
}
