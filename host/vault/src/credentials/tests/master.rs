//! Another master key, another data key: while credentials are used, and after being cut off.

use super::*;

async fn five(host: &Host) -> Credentials {
    let (credentials, by) = (host.open(1).await, ada());
    for n in 0..5 {
        let id = CredentialId::new(format!("w{n}"), "mail", "key");
        credentials.add(&id, given(&format!("secret {n}")), NewOptions::by(&by)).await.unwrap();
    }
    credentials
}

async fn opened(credentials: &Credentials) -> Vec<bool> {
    let mut opened = Vec::new();
    for n in 0..5 {
        let loaded = credentials.load(&format!("w{n}"), "mail").await.unwrap();
        opened.push(loaded["key"].open().is_ok_and(|given| text(&given) == format!("secret {n}")));
    }
    opened
}

#[tokio::test]
async fn after_a_change_of_the_master_key_the_new_one_opens_everything_and_the_old_one_nothing() {
    let host = Host::new().await;
    let credentials = five(&host).await;
    let mut told = Vec::new();
    let done = credentials.rewrap(key(2), &ada(), &mut |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(done, Rewrapped { from: Some(key(1).id()), to: key(2).id(), workspaces: 5 });
    // The key of the state is one of them.
    assert_eq!(told[..6], [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]);
    assert_eq!(opened(&host.open(2).await).await, [true; 5]);
    assert_eq!(opened(&host.open(1).await).await, [false; 5]);
    assert_eq!(opened(&credentials).await, [true; 5], "who was there goes on");
    assert_eq!(host.open(2).await.rewrapping().await.unwrap(), None);
    let again = credentials.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
    assert_eq!((again.from, again.workspaces), (None, 5));
    assert!(!format!("{credentials:?}").contains(&key(1).id()), "who was there has let go of the old one");
    // What is new is wrapped by the new one, also by who was there.
    let id = CredentialId::new("w9", "mail", "key");
    credentials.add(&id, given(SECRET), NewOptions::by(&ada())).await.unwrap();
    assert!(host.open(2).await.load("w9", "mail").await.unwrap()["key"].open().is_ok());
    let records = host.records("@host").await;
    let actions: Vec<_> = records.iter().map(|record| record.change.as_ref().unwrap().action.as_str()).collect();
    assert_eq!(actions, ["rewrap-started", "rewrapped", "rewrap-ended"]);
    for record in records {
        let details = record.change.unwrap().details;
        assert_eq!((&details["from"], &details["to"]), (&key(1).id(), &key(2).id()));
    }
}

/// A key that stops answering after so often.
struct Failing(Arc<dyn KeyProvider>, Mutex<u32>);

#[async_trait::async_trait]
impl KeyProvider for Failing {
    fn id(&self) -> String {
        self.0.id()
    }

    async fn wrap(&self, key: &crate::DataKey, aad: &[u8]) -> Result<Vec<u8>, crate::KeyError> {
        {
            let mut left = self.1.lock().unwrap();
            *left = left.checked_sub(1).ok_or(crate::KeyError::Service("it is away".to_owned()))?;
        }
        self.0.wrap(key, aad).await
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<crate::DataKey, crate::KeyError> {
        self.0.unwrap(wrapped, aad).await
    }
}

#[tokio::test]
async fn a_change_that_was_cut_off_leaves_the_old_key_good_and_goes_on_with_both() {
    let host = Host::new().await;
    five(&host).await;
    // The key of the state, and those of three workspaces.
    let cut = Arc::new(Failing(key(2), Mutex::new(4)));
    let error = host.open(1).await.rewrap(cut, &ada(), &mut |_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("it is away"), "{error}");
    let old = host.open(1).await;
    assert_eq!(opened(&old).await, [true; 5]);
    assert_eq!(opened(&host.open(2).await).await.iter().filter(|opened| **opened).count(), 3);
    let under_way = Rewrapping { from: key(1).id(), to: key(2).id() };
    assert_eq!(old.rewrapping().await.unwrap(), Some(under_way.clone()));
    assert_eq!(host.open(2).await.rewrapping().await.unwrap(), Some(under_way));
    let third = old.rewrap(key(3), &ada(), &mut |_, _| {}).await;
    assert!(matches!(third, Err(CredentialError::Rewrapping { .. })));
    // A workspace that is new meanwhile opens with either.
    let id = CredentialId::new("new", "mail", "key");
    let both = host.open(2).await;
    both.also(key(1));
    both.add(&id, given(SECRET), NewOptions::by(&ada())).await.unwrap();
    for master in [1, 2] {
        assert!(host.open(master).await.load("new", "mail").await.unwrap()["key"].open().is_ok(), "{master}");
    }
    assert!(host.open(2).await.rewrap(key(2), &ada(), &mut |_, _| {}).await.is_err(), "the old one is needed");
    both.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
    assert_eq!(opened(&host.open(2).await).await, [true; 5]);
    assert_eq!(opened(&host.open(1).await).await, [false; 5]);
}

#[tokio::test]
async fn dropped_at_any_moment_it_can_be_gone_on_with() {
    for moment in 0..14_u32 {
        let host = Host::on(Arc::new(Yielding::default())).await;
        five(&host).await;
        {
            let credentials = host.open(1).await;
            let (by, mut left) = (ada(), moment);
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let mut stop = Some(stop);
            let mut progress = |_: usize, _: usize| {
                if left == 0 {
                    drop(stop.take());
                }
                left = left.saturating_sub(1);
            };
            tokio::select! {
                biased;
                _ = stopped => {}
                _ = credentials.rewrap(key(2), &by, &mut progress) => {}
            }
        }
        let before = [opened(&host.open(1).await).await, opened(&host.open(2).await).await];
        assert!(before.contains(&vec![true; 5]), "one of them opens everything: {moment} {before:?}");
        let credentials = host.open(2).await;
        credentials.also(key(1));
        credentials.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
        assert_eq!(opened(&host.open(2).await).await, [true; 5], "{moment}");
        assert_eq!(opened(&host.open(1).await).await, [false; 5], "{moment}");
    }
}

#[tokio::test]
async fn while_the_master_key_is_changed_credentials_are_added_used_and_rotated() {
    let host = Host::new().await;
    let credentials = five(&host).await;
    let busy = {
        let credentials = credentials.clone();
        tokio::spawn(async move {
            for n in 0..40 {
                let id = CredentialId::new(format!("x{n}"), "mail", "key");
                credentials.add(&id, given(SECRET), NewOptions::by(&ada())).await.unwrap();
                let id = CredentialId::new(format!("w{}", n % 5), "mail", "key");
                let given = given(&format!("secret {}", n % 5));
                credentials.rotate(&id, given, Overlap::AtOnce, NewOptions::by(&ada())).await.unwrap();
                assert_eq!(opened(&credentials).await, [true; 5]);
            }
        })
    };
    for master in [2, 3, 4, 5] {
        credentials.rewrap(key(master), &ada(), &mut |_, _| {}).await.unwrap();
    }
    busy.await.unwrap();
    let after = host.open(5).await;
    assert_eq!(opened(&after).await, [true; 5]);
    for n in 0..40 {
        assert!(after.load(&format!("x{n}"), "mail").await.unwrap()["key"].open().is_ok(), "{n}");
    }
    assert_eq!(opened(&host.open(1).await).await, [false; 5]);
}

#[tokio::test]
async fn another_data_key_seals_all_that_a_workspace_has_and_the_old_one_is_forgotten() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    credentials.add(&id("other"), given("the other"), NewOptions::by(&by)).await.unwrap();
    let overlap = Overlap::For(Duration::from_hours(1));
    credentials.rotate(&id("key"), given("the second"), overlap, NewOptions::by(&by)).await.unwrap();
    credentials.save_token(&id("key"), 2, None, &Zeroizing::new(b"token".to_vec())).await.unwrap();
    let before = host.get(&id("other").credential()).await;
    let rotated = credentials.rotate_data_key("acme", &by).await.unwrap();
    assert_eq!(rotated, RotatedDataKey { records: 4, unreadable: Vec::new() });
    let fresh = host.open(1).await;
    let loaded = fresh.load("acme", "mail").await.unwrap();
    assert_eq!(text(&loaded["key"].open().unwrap()), "the second");
    assert_eq!(text(&loaded["key"].open_previous().unwrap().unwrap()), "the first");
    assert_eq!(fresh.load_token(&id("key"), 2).await.unwrap().unwrap().bytes.as_slice(), b"token");
    host.put(&id("other").credential(), &before).await;
    assert!(said(&host.open(1).await, "other").await.is_err(), "nothing opens what the old one sealed");
    let kept = crate::seal::Wrapped::read(&host.get(&places::data_keys("acme")).await).unwrap();
    assert_eq!(kept.keys.keys().collect::<Vec<_>>(), [&2]);
}

#[tokio::test]
async fn a_data_key_is_kept_for_what_it_alone_could_open() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given("the first"), NewOptions::by(&by)).await.unwrap();
    credentials.add(&id("other"), given("the other"), NewOptions::by(&by)).await.unwrap();
    let whole = host.get(&id("key").credential()).await;
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    host.put(&id("key").credential(), &damaged).await;
    let rotated = credentials.rotate_data_key("acme", &by).await.unwrap();
    assert_eq!((rotated.records, rotated.unreadable.len()), (1, 1));
    assert_eq!(said(&host.open(1).await, "other").await.unwrap(), "the other");
    host.put(&id("key").credential(), &whole).await;
    assert_eq!(said(&host.open(1).await, "key").await.unwrap(), "the first", "brought back from a backup");
    let rotated = host.open(1).await.rotate_data_key("acme", &by).await.unwrap();
    assert_eq!((rotated.records, rotated.unreadable.len()), (1, 0), "it goes on where it was");
    assert_eq!(said(&host.open(1).await, "key").await.unwrap(), "the first");
}

#[tokio::test]
async fn nothing_is_sealed_by_a_data_key_that_is_gone() {
    let store = Arc::new(Yielding::default());
    let host = Host::on(store.clone()).await;
    let (credentials, by) = (host.open(1).await, ada());
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    // Somebody else changes the data key while the next credential is being sealed by the old one.
    let mut wrapped = crate::seal::Wrapped::read(&host.get(&places::data_keys("acme")).await).unwrap();
    wrapped.add(&[key(1)], "acme").await.unwrap();
    *store.first.lock().unwrap() = Some(Batch::new().put(places::data_keys("acme"), wrapped.to_bytes()));
    credentials.add(&id("other"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    let record = host.get(&id("other").credential()).await;
    assert_eq!(record::Header::of(&id("other"), &record).unwrap().key, 2);
    assert_eq!(said(&host.open(1).await, "other").await.unwrap(), SECRET);
}

#[tokio::test]
async fn a_change_goes_on_though_nobody_knows_which_key_was_in_use() {
    let host = Host::new().await;
    let credentials = five(&host).await;
    host.delete(places::MASTER).await;
    let done = credentials.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
    assert_eq!((done.from, done.workspaces), (Some(key(1).id()), 5));
    assert_eq!(opened(&host.open(2).await).await, [true; 5]);
    assert_eq!(opened(&host.open(1).await).await, [false; 5]);
}
