//! Where secrets are not: in what prints, and in the store.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_store::{Embedded, Options};

use super::*;

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn nothing_that_prints_shows_a_secret() {
    let host = Host::new().await;
    let (credentials, by) = (host.open(b'k').await, ada());
    let overlap = Overlap::For(Duration::from_hours(1));
    let mut shown: Vec<String> = Vec::new();
    let mut show = |debug: &dyn std::fmt::Debug| shown.push(format!("{debug:?} {debug:#?}"));
    let mut changes = credentials.changes();
    credentials.add(&id("key"), pair(SECRET), NewOptions::by(&by)).await.unwrap();
    credentials.rotate(&id("key"), pair(SECRET), overlap, NewOptions::by(&by)).await.unwrap();
    credentials.add(&id("bad"), pair(SECRET), NewOptions::by(&by)).await.unwrap();
    let token = Zeroizing::new(SECRET.as_bytes().to_vec());
    credentials.save_token(&id("key"), 2, None, &token).await.unwrap();
    let mut damaged = host.get(&id("bad").credential()).await;
    *damaged.last_mut().unwrap() ^= 1;
    host.put(&id("bad").credential(), &damaged).await;
    let loaded = credentials.load("acme", "mail").await.unwrap();
    show(&credentials);
    show(&changes.recv().await.unwrap());
    show(&credentials.list("acme", None).await.unwrap());
    show(&loaded);
    show(&loaded["key"].open().unwrap());
    show(&loaded["key"].open_previous());
    show(&credentials.load_token(&id("key"), 2).await.unwrap().unwrap());
    show(&NewOptions::by(&by));
    show(&overlap);
    show(&pair(SECRET));
    show(&Secret::try_from(SECRET).unwrap());
    show(&crate::DataKey::new(Zeroizing::new(vec![b'k'; 32])).unwrap());
    show(&LocalKey::new(Zeroizing::new(vec![b'k'; 32])).unwrap());
    show(&credentials.sealing("acme").await.unwrap().keys);
    show(&credentials.rewrapping().await.unwrap());
    show(&credentials.rewrap(key(b'l'), &by, &mut |_, _| {}).await.unwrap());
    show(&credentials.rotate_data_key("acme", &by).await.unwrap());
    let errors: Vec<Box<dyn std::error::Error>> = vec![
        Box::new(loaded["bad"].open().unwrap_err()),
        Box::new(said(&host.open(9).await, "key").await.unwrap_err()),
        Box::new(credentials.add(&id("key"), pair(SECRET), NewOptions::by(&by)).await.unwrap_err()),
        Box::new(credentials.save_token(&id("key"), 2, None, &token).await.unwrap_err()),
        Box::new(credentials.save_token(&id("key"), 9, None, &token).await.unwrap_err()),
        Box::new(LocalKey::new(Zeroizing::new(SECRET.as_bytes().to_vec())).unwrap_err()),
        Box::new(SECRET.parse::<crate::KeySource>().unwrap_err()),
    ];
    for error in &errors {
        show(error);
        shown_error(error.as_ref());
    }
    show(&serde_json::to_string(&credentials.list("acme", None).await.unwrap().credentials).unwrap());
    assert!(shown.len() > 20);
    for text in &shown {
        assert_clean(text);
    }
}

fn shown_error(error: &dyn std::error::Error) {
    assert_clean(&error.to_string());
    let mut source = error.source();
    while let Some(error) = source {
        assert_clean(&error.to_string());
        source = error.source();
    }
}

/// Neither as text, nor as the numbers of its bytes.
fn assert_clean(text: &str) {
    let numbers = |bytes: &[u8]| bytes.iter().take(6).map(u8::to_string).collect::<Vec<_>>();
    for secret in [SECRET.as_bytes(), &[b'k'; 32]] {
        assert!(!holds(text.as_bytes(), &secret[..12]), "{text}");
        assert!(!text.contains(&numbers(secret).join(", ")), "{text}");
        assert!(!text.contains(&numbers(secret).join(",\n")), "{text}");
    }
}

#[tokio::test]
async fn no_secret_is_in_the_files_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(folder.path(), Options::default()).await.unwrap());
    let host = Host::on(store.clone()).await;
    let (credentials, by) = (host.open(b'k').await, ada());
    credentials.add(&id("key"), pair(SECRET), NewOptions::by(&by)).await.unwrap();
    let overlap = Overlap::For(Duration::from_hours(1));
    credentials.rotate(&id("key"), pair(SECRET), overlap, NewOptions::by(&by)).await.unwrap();
    credentials.save_token(&id("key"), 2, None, &Zeroizing::new(SECRET.as_bytes().to_vec())).await.unwrap();
    credentials.needs_reconnect(&id("key"), 2, "why").await.unwrap();
    credentials.rotate_data_key("acme", &by).await.unwrap();
    credentials.rewrap(key(2), &by, &mut |_, _| {}).await.unwrap();
    credentials.revoke(&id("key"), &by, "leaked").await.unwrap();
    let mut everything = Vec::new();
    for (key, value) in host.everything().await {
        everything.extend([key, value].concat());
    }
    drop((credentials, host));
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                everything.extend(std::fs::read(path).unwrap());
            }
        }
    }
    assert!(holds(&everything, b"AKIA123"), "what is no secret is found, so the search is good");
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = BASE64_STANDARD.encode(SECRET);
    for form in [SECRET.as_bytes(), hex.as_bytes(), base64.trim_end_matches('=').as_bytes(), &[b'k'; 32]] {
        for part in form.chunks_exact(12) {
            assert!(!holds(&everything, part), "{}", part.escape_ascii());
        }
    }
}
