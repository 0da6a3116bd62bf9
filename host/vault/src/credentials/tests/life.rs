//! Adding, rotating, revoking, removing; what is listed and recorded.

use super::*;

async fn state(credentials: &Credentials, slot: &str) -> State {
    let listing = credentials.list("acme", Some("mail")).await.unwrap();
    assert_eq!(listing.unreadable, []);
    listing.credentials.into_iter().find(|info| info.id.slot == slot).unwrap().state
}

#[tokio::test]
async fn what_is_added_can_be_opened_after_a_new_start() {
    let host = Host::new().await;
    let by = ada();
    assert_eq!(host.open(1).await.add(&id("key"), pair(SECRET), NewOptions::by(&by)).await.unwrap(), 1);
    let loaded = host.open(1).await.load("acme", "mail").await.unwrap();
    let opened = loaded["key"].open().unwrap();
    assert_eq!((opened.kind, opened.fields["id"].as_str(), text(&opened)), (Kind::KeyPair, "AKIA123", SECRET));
    assert_eq!(opened.secrets["secret"].expose().len(), SECRET.len());
    let again = host.open(1).await.add(&id("key"), given("other"), NewOptions::by(&by)).await;
    assert!(matches!(again, Err(CredentialError::Exists(_))));
    assert!(host.open(1).await.load("acme", "other").await.unwrap().is_empty());
}

#[tokio::test]
async fn each_change_has_its_record_and_tells_it_with_no_secret() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    let mut changes = credentials.changes();
    credentials.add(&id("key"), pair(SECRET), NewOptions::by(&by).expires(Timestamp::MAX)).await.unwrap();
    credentials.needs_reconnect(&id("key"), 1, "invalid_grant").await.unwrap();
    credentials.reconnected(&id("key"), &by).await.unwrap();
    credentials.rotate(&id("key"), given(SECRET), Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    credentials.revoke(&id("key"), &by, "leaked").await.unwrap();
    credentials.remove(&id("key"), &by).await.unwrap();
    let records = host.records("acme").await;
    let told: Vec<(String, String, String)> = records
        .iter()
        .map(|record| {
            let change = record.change.clone().unwrap();
            assert_eq!((change.of.as_str(), record.integration.as_deref()), ("key", Some("mail")));
            assert!(!serde_json::to_string(record).unwrap().contains(SECRET));
            (change.action, change.details["generation"].clone(), change.details["kind"].clone())
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    assert_eq!(
        told,
        [
            ("added", "1", "key-pair"),
            ("needs-reconnect", "1", "key-pair"),
            ("reconnected", "1", "key-pair"),
            ("rotated", "2", "secret"),
            ("revoked", "2", "secret"),
            ("removed", "2", "secret"),
        ]
    );
    assert!(records[0].change.as_ref().unwrap().details.contains_key("expires"));
    assert_eq!(records[1].caller.as_ref().unwrap().principal, "host");
    assert_eq!(records[4].change.as_ref().unwrap().details["reason"], "leaked");
    for what in ["added", "needs-reconnect", "reconnected", "rotated", "revoked", "removed"] {
        let change = changes.recv().await.unwrap();
        assert_eq!((change.what.as_str(), &change.id), (what, &id("key")));
    }
}

#[tokio::test]
async fn a_list_needs_no_master_key_and_tells_how_each_is() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    let in_days = |days: i64| host.clock.now() + Duration::from_hours(days as u64 * 24);
    credentials.add(&id("forever"), pair(SECRET), NewOptions::by(&by)).await.unwrap();
    credentials.add(&id("year"), given(SECRET), NewOptions::by(&by).expires(in_days(365))).await.unwrap();
    credentials.add(&id("gone"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    credentials.revoke(&id("gone"), &by, "leaked").await.unwrap();
    credentials.add(&CredentialId::new("acme", "crm", "x"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    credentials.add(&CredentialId::new("globex", "mail", "x"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    let blind = Credentials::without_key(host.ledger.clone());
    let listed = blind.list("acme", Some("mail")).await.unwrap().credentials;
    let told: Vec<_> = listed.iter().map(|info| (info.id.slot.as_str(), info.state, info.generation)).collect();
    assert_eq!(told, [("forever", State::Active, 1), ("gone", State::Revoked, 1), ("year", State::Active, 1)]);
    assert_eq!((listed[0].created_by.as_str(), listed[0].fields["id"].as_str()), ("user:ada", "AKIA123"));
    assert_eq!(listed[1].why.as_deref(), Some("leaked"));
    assert_eq!(blind.list("acme", None).await.unwrap().credentials.len(), 4);
    host.clock.pass(Duration::from_hours(24 * 352));
    let later: Vec<_> = listed.iter().map(|info| blind.condition(info, host.clock.now())).collect();
    assert_eq!(later, [State::Active, State::Revoked, State::Expiring]);
    assert_eq!(state(&blind, "year").await, State::Expiring);
    host.clock.pass(Duration::from_hours(24 * 20));
    assert_eq!(state(&blind, "year").await, State::Expired);
    assert_eq!(state(&blind, "forever").await, State::Active);
    let added = blind.add(&id("new"), given(SECRET), NewOptions::by(&by)).await.unwrap_err();
    assert!(matches!(added, CredentialError::Key(_) | CredentialError::Unreadable(_)), "{added}");
}

#[tokio::test]
async fn in_an_overlap_both_are_good_and_after_it_one() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    let overlap = Overlap::For(Duration::from_hours(1));
    credentials.rotate(&id("key"), given("the second"), overlap, NewOptions::by(&by)).await.unwrap();
    let before = host.open(1).await.load("acme", "mail").await.unwrap();
    let loaded = host.open(1).await.load("acme", "mail").await.unwrap();
    assert!(loaded["key"].is_as(&before["key"]));
    assert_eq!(text(&loaded["key"].open().unwrap()), "the second");
    assert_eq!(text(&loaded["key"].open_previous().unwrap().unwrap()), "the first");
    assert_eq!(loaded["key"].info().unwrap().previous.unwrap().generation, 1);
    host.clock.pass(Duration::from_hours(1));
    let loaded = host.open(1).await.load("acme", "mail").await.unwrap();
    assert!(loaded["key"].open_previous().is_none());
    assert!(!loaded["key"].is_as(&before["key"]), "the overlap has ended");
    assert_eq!(text(&loaded["key"].open().unwrap()), "the second");
    credentials.rotate(&id("key"), given("the third"), Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    assert_eq!(host.store.get(&id("key").generation(1)).await.unwrap(), None, "the first one is deleted");
    assert!(credentials.load("acme", "mail").await.unwrap()["key"].open_previous().is_none());
}

#[tokio::test]
async fn what_was_revoked_is_gone_and_its_slot_takes_another_one() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    let overlap = Overlap::For(Duration::from_hours(1));
    credentials.rotate(&id("key"), given("the second"), overlap, NewOptions::by(&by)).await.unwrap();
    credentials.save_token(&id("key"), 2, None, &Zeroizing::new(b"token".to_vec())).await.unwrap();
    // Nobody needs the master key for that.
    let blind = Credentials::without_key(host.ledger.clone());
    blind.revoke(&id("key"), &by, "leaked").await.unwrap();
    blind.revoke(&id("key"), &by, "again").await.unwrap();
    assert_eq!(said(&credentials, "key").await.unwrap_err().problem, ReadProblem::Revoked);
    assert!(credentials.load("acme", "mail").await.unwrap()["key"].open_previous().is_none());
    let left: Vec<_> = host.everything().await.into_iter().filter(|(key, _)| b"CO".contains(&key[0])).collect();
    let [(_, record)] = left.as_slice() else { panic!("{} records are left", left.len()) };
    assert!(crate::seal::Frame::read(record).unwrap().sealed.is_empty());
    assert_eq!(host.records("acme").await.len(), 3, "revoked once");
    credentials.rotate(&id("key"), given("the third"), Overlap::For(Duration::MAX), NewOptions::by(&by)).await.unwrap();
    assert_eq!(said(&credentials, "key").await.unwrap(), "the third");
    assert!(credentials.load("acme", "mail").await.unwrap()["key"].open_previous().is_none(), "a revoked one stays so");
}

#[tokio::test]
async fn a_slot_that_was_emptied_counts_on_when_it_is_filled_again() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    credentials.remove(&id("key"), &by).await.unwrap();
    assert!(credentials.load("acme", "mail").await.unwrap().is_empty());
    assert!(matches!(credentials.remove(&id("key"), &by).await, Err(CredentialError::None(_))));
    assert_eq!(credentials.add(&id("key"), given("the second"), NewOptions::by(&by)).await.unwrap(), 2);
    let missing = credentials.rotate(&id("no"), given("other"), Overlap::AtOnce, NewOptions::by(&by)).await;
    assert!(matches!(missing, Err(CredentialError::None(_))));
}

#[tokio::test]
async fn one_that_needs_a_person_again_says_why_until_one_has_agreed() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    credentials.needs_reconnect(&id("key"), 1, "invalid_grant").await.unwrap();
    assert_eq!(state(&credentials, "key").await, State::NeedsReconnect);
    credentials.needs_reconnect(&id("key"), 1, "invalid_grant").await.unwrap();
    let loaded = host.open(1).await.load("acme", "mail").await.unwrap();
    assert_eq!(loaded["key"].info().unwrap().why.as_deref(), Some("invalid_grant"));
    assert_eq!(text(&loaded["key"].open().unwrap()), SECRET, "a client's secret is still of use");
    let before = host.open(1).await.load("acme", "mail").await.unwrap();
    assert!(before["key"].is_as(&loaded["key"]));
    credentials.reconnected(&id("key"), &by).await.unwrap();
    assert_eq!(state(&credentials, "key").await, State::Active);
    assert!(!credentials.load("acme", "mail").await.unwrap()["key"].is_as(&before["key"]));
    credentials.rotate(&id("key"), given("the second"), Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    credentials.needs_reconnect(&id("key"), 1, "late").await.unwrap();
    assert_eq!(state(&credentials, "key").await, State::Active, "that was said of the first");
    assert_eq!(host.records("acme").await.len(), 4);
}

#[tokio::test]
async fn rotations_at_once_are_each_told_and_the_last_one_holds() {
    let host = Host::new().await;
    let credentials = host.open(1).await;
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&ada())).await.unwrap();
    let rotations = (0..8).map(|n| {
        let credentials = credentials.clone();
        tokio::spawn(async move {
            let given = given(&format!("secret {n}"));
            credentials.rotate(&id("key"), given, Overlap::AtOnce, NewOptions::by(&ada())).await
        })
    });
    let mut generations = Vec::new();
    for rotation in rotations.collect::<Vec<_>>() {
        generations.push(rotation.await.unwrap().unwrap());
    }
    generations.sort_unstable();
    assert_eq!(generations, (2..=9).collect::<Vec<_>>());
    assert_eq!(host.records("acme").await.len(), 9);
    assert!(said(&credentials, "key").await.is_ok());
}

#[tokio::test]
async fn when_and_by_what_it_was_used_is_kept_and_written_once_a_minute() {
    let store = Arc::new(Yielding::default());
    let host = Host::on(store.clone()).await;
    let (credentials, by) = (host.open(1).await, ada());
    let listed = async || host.open(1).await.list("acme", None).await.unwrap().credentials.remove(0);
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    assert_eq!(listed().await.last_used, None);
    let first = host.clock.now();
    credentials.used(&id("key"), "send-email").await.unwrap();
    let commits = *store.commits.lock().unwrap();
    host.clock.pass(Duration::from_secs(30));
    credentials.used(&id("key"), "send-email").await.unwrap();
    assert_eq!(*store.commits.lock().unwrap(), commits);
    assert_eq!(listed().await.last_used, Some(first), "within a minute nothing is written");
    credentials.used(&id("key"), "list-emails").await.unwrap();
    host.clock.pass(Duration::from_secs(31));
    credentials.used(&id("key"), "send-email").await.unwrap();
    assert_eq!(listed().await.last_used, Some(host.clock.now()));
    assert_eq!(listed().await.used_by.into_iter().collect::<Vec<_>>(), ["list-emails", "send-email"]);
    for n in 0..100 {
        credentials.used(&id("key"), &format!("operation {n}")).await.unwrap();
    }
    assert_eq!(listed().await.used_by.len(), 16);
    assert_eq!(host.records("acme").await.len(), 1, "the ledger is not asked");
    credentials.used(&id("nothing"), "x").await.unwrap();
    assert_eq!(host.store.get(&id("nothing").used()).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_name_is_refused() {
    let host = Host::new().await;
    let credentials = host.open(1).await;
    for wrong in [
        CredentialId::new("", "mail", "key"),
        CredentialId::new("acme", "ma\0il", "key"),
        CredentialId::new("acme", "mail", "k\ney"),
        CredentialId::new("acme", "mail", "k".repeat(65)),
        CredentialId::new("@key/state", "mail", "key"),
        CredentialId::new("acme", "..", "key"),
        CredentialId::new("acme", "mail", "../key"),
    ] {
        let added = credentials.add(&wrong, given(SECRET), NewOptions::by(&ada())).await;
        assert!(matches!(added, Err(CredentialError::Name { .. })), "{wrong}");
    }
    let [workspace, integration, slot] = [("é", 64), ("m", 64), ("k", 64)].map(|(letter, count)| letter.repeat(count));
    let long = CredentialId { workspace, integration, slot };
    credentials.add(&long, given(SECRET), NewOptions::by(&ada())).await.unwrap();
    assert_eq!(places::read(&long.generation(0)), Some((long.clone(), Some(0))));
    let mut large = given(SECRET);
    large.fields.insert("note".to_owned(), "x".repeat(600_000));
    let added = credentials.add(&id("key"), large, NewOptions::by(&ada())).await;
    assert!(matches!(added, Err(CredentialError::TooLarge { .. })));
}

#[tokio::test]
async fn a_revocation_is_told_though_whoever_asked_for_it_went_away() {
    let (mut revoked, mut told_after) = (0, 0);
    for moment in 1..40 {
        let host = Host::on(Arc::new(Yielding::default())).await;
        let (credentials, by) = (host.open(1).await, ada());
        credentials.add(&id("key"), given(SECRET), NewOptions::by(&by)).await.unwrap();
        let mut changes = credentials.changes();
        let key = id("key");
        let mut revoking = Box::pin(credentials.revoke(&key, &by, "leaked"));
        let mut ended = false;
        for _ in 0..moment {
            ended = futures::poll!(&mut revoking).is_ready();
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(revoking);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let is = state(&credentials, "key").await == State::Revoked;
        let told = changes.try_recv().is_ok_and(|change| change.what == What::Revoked);
        assert_eq!(is, told, "{moment}");
        revoked += u32::from(is);
        told_after += u32::from(told && !ended);
    }
    assert!(revoked > 0 && told_after > 0, "some went away in between: {revoked} {told_after}");
}

#[tokio::test]
#[ignore = "measures"]
async fn bench_loading_beside_a_long_chain() {
    use portcullis_ledger::{Change, Entry, Kind as RecordKind};
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    let mut records = 0;
    for target in [1_000, 10_000, 100_000] {
        while records < target {
            let change = || Change { action: "replaced".to_owned(), of: "mail".to_owned(), ..Change::default() };
            let entry = || Entry::change("acme", RecordKind::Configuration, &by, change()).integration("mail", None);
            host.ledger.append((0..500).map(|_| entry()).collect()).await.unwrap();
            records += 500;
        }
        let started = std::time::Instant::now();
        for _ in 0..10 {
            credentials.load("acme", "mail").await.unwrap()["key"].open().unwrap();
        }
        eprintln!("loading beside {records} records: {} us", started.elapsed().as_micros() / 10);
    }
}
