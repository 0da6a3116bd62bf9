//! Tokens beside credentials.

use super::*;

fn token(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

async fn one(host: &Host) -> Credentials {
    let credentials = host.open(1).await;
    credentials.add(&id("key"), given(SECRET), NewOptions::by(&ada())).await.unwrap();
    credentials
}

#[tokio::test]
async fn a_token_is_kept_for_its_generation_and_after_the_one_before_it() {
    let host = Host::new().await;
    let credentials = one(&host).await;
    assert!(credentials.load_token(&id("key"), 1).await.unwrap().is_none());
    assert_eq!(credentials.save_token(&id("key"), 1, None, &token("one")).await.unwrap(), 1);
    assert_eq!(credentials.save_token(&id("key"), 1, Some(1), &token("two")).await.unwrap(), 2);
    for late in [None, Some(1), Some(3)] {
        let saved = credentials.save_token(&id("key"), 1, late, &token("late")).await;
        assert!(matches!(saved, Err(CredentialError::TokenMoved { .. })), "{late:?}");
    }
    let kept = host.open(1).await.load_token(&id("key"), 1).await.unwrap().unwrap();
    assert_eq!((kept.counter, kept.bytes.as_slice()), (2, b"two".as_slice()));
    assert_eq!(kept.bytes.len(), kept.bytes.capacity());
    credentials.drop_token(&id("key"), 1, 1).await.unwrap();
    assert!(credentials.load_token(&id("key"), 1).await.unwrap().is_some(), "that was said of another one");
    credentials.drop_token(&id("key"), 1, 2).await.unwrap();
    assert!(credentials.load_token(&id("key"), 1).await.unwrap().is_none());
    assert_eq!(host.records("acme").await.len(), 1, "tokens are not the ledger's");
}

#[tokio::test]
async fn a_token_of_what_was_rotated_or_revoked_is_not_kept_and_not_found() {
    let host = Host::new().await;
    let (credentials, by) = (one(&host).await, ada());
    credentials.save_token(&id("key"), 1, None, &token("one")).await.unwrap();
    let old = host.get(&id("key").token()).await;
    credentials.rotate(&id("key"), given("another"), Overlap::AtOnce, NewOptions::by(&by)).await.unwrap();
    assert_eq!(host.store.get(&id("key").token()).await.unwrap(), None);
    let saved = credentials.save_token(&id("key"), 1, Some(1), &token("two")).await;
    assert!(matches!(saved, Err(CredentialError::Superseded { generation: 1, now: 2, .. })));
    host.put(&id("key").token(), &old).await;
    assert!(credentials.load_token(&id("key"), 2).await.unwrap().is_none(), "it is of generation 1");
    credentials.save_token(&id("key"), 2, None, &token("new")).await.unwrap();
    credentials.needs_reconnect(&id("key"), 2, "why").await.unwrap();
    assert!(credentials.load_token(&id("key"), 2).await.unwrap().is_some(), "the generation is the same");
    credentials.revoke(&id("key"), &by, "leaked").await.unwrap();
    let saved = credentials.save_token(&id("key"), 2, None, &token("new")).await;
    assert!(matches!(saved, Err(CredentialError::Revoked(_))));
}

#[tokio::test]
async fn of_many_who_keep_a_token_at_once_one_does() {
    let host = Host::on(Arc::new(Yielding::default())).await;
    let credentials = one(&host).await;
    let saves: Vec<_> = (0..16)
        .map(|n| {
            let credentials = credentials.clone();
            tokio::spawn(async move { credentials.save_token(&id("key"), 1, None, &token(&format!("{n}"))).await })
        })
        .collect();
    let mut kept = 0;
    for save in saves {
        kept += usize::from(save.await.unwrap().is_ok());
    }
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_changed_or_swapped_token_is_told_by_name() {
    let host = Host::new().await;
    let (credentials, by) = (one(&host).await, ada());
    credentials.save_token(&id("key"), 1, None, &token("one")).await.unwrap();
    let place = id("key").token();
    let whole = host.get(&place).await;
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        for record in [changed.as_slice(), &whole[..at]] {
            host.put(&place, record).await;
            match credentials.load_token(&id("key"), 1).await {
                Err(error) => {
                    assert!(error.to_string().starts_with("the token of credential acme/mail/key"), "{error}")
                }
                // A header that says another generation is none of this one.
                Ok(found) => assert!(found.is_none(), "{at}"),
            }
        }
    }
    credentials.add(&id("other"), given(SECRET), NewOptions::by(&by)).await.unwrap();
    host.put(&id("other").token(), &whole).await;
    let error = credentials.load_token(&id("other"), 1).await.unwrap_err().to_string();
    assert!(error.contains("swapped") && error.contains("credential acme/mail/key, generation 1"), "{error}");
    // What cannot be read stands in nobody's way.
    credentials.save_token(&id("other"), 1, None, &token("new")).await.unwrap();
}

#[tokio::test]
async fn a_token_that_comes_while_its_credential_is_revoked_is_not_kept() {
    let store = Arc::new(Yielding::default());
    let host = Host::on(store.clone()).await;
    let credentials = one(&host).await;
    let record = host.get(&id("key").credential()).await;
    let mut header = record::Header::of(&id("key"), &record).unwrap();
    header.state = record::KeptState::Revoked;
    let revoked = crate::seal::frame(&header.to_bytes(), &[]);
    *store.first.lock().unwrap() = Some(Batch::new().put(id("key").credential(), revoked));
    let saved = credentials.save_token(&id("key"), 1, None, &token("late")).await;
    assert!(matches!(saved, Err(CredentialError::Revoked(_))), "{saved:?}");
    assert_eq!(host.store.get(&id("key").token()).await.unwrap(), None);
}
