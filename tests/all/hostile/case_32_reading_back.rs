//! Case 32: whoever may look at credentials, change them, or read the ledger does not read a secret back. (Routes and roles come
//! with the HTTP API; this is everything that they could be made of.)

use portcullis_runtime::{CredentialKind, Event, NewOptions, Overlap};
use serde_json::json;

use crate::{
    harness::send,
    secrets::{Kept, WORKSPACE, by, given, id, secret},
};

#[tokio::test]
async fn nothing_that_can_be_asked_about_a_credential_answers_with_its_secret() {
    let kept = Kept::new().await;
    let mut events = kept.case.runtime.events();
    kept.fill().await;
    let probe = kept.probe().await;
    let step = send("GET", &format!("{}/free", kept.case.upstream.origin()), Some("free"), json!([]));
    let outcome = kept.case.steps(&probe, json!([step])).await;
    let mut shown = Vec::new();
    // What lists show, with and without an integration's name, and what says that there is one already.
    for integration in [None, Some("probe")] {
        let listing = kept.credentials.list(WORKSPACE, integration).await.unwrap();
        assert_eq!(listing.credentials.len(), 11);
        shown.push(serde_json::to_string(&listing.credentials).unwrap());
        shown.push(format!("{listing:?}"));
    }
    let again = given(CredentialKind::Secret, &[], &[("secret", &secret("key"))]);
    shown.push(format!("{again:?}"));
    let error = kept.credentials.add(&id("key"), again, NewOptions::by(&by())).await.unwrap_err();
    shown.push(format!("{error} {error:?}"));
    // What is refused, because the slot takes another kind, or the key is none.
    let descriptor = probe.descriptor();
    for (slot, kind, field) in [
        ("basic", CredentialKind::KeyPair, "secret"),
        ("key", CredentialKind::OauthRefreshToken, "refresh-token"),
        ("free", CredentialKind::JwtBearer, "private-key"),
        ("certificate", CredentialKind::ClientCertificate, "key"),
        ("free", CredentialKind::GoogleServiceAccount, "key-file"),
    ] {
        let slot = descriptor.slots.iter().find(|known| known.name == slot).unwrap();
        let given = given(kind, &[("id", "x"), ("issuer", "x"), ("scope", "x")], &[(field, &secret("key"))]);
        let error = portcullis_runtime::check_credential(&given, slot).unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    // What is kept is opened for the host alone, and does not print.
    let loaded = kept.credentials.load(WORKSPACE, "probe").await.unwrap();
    for stored in loaded.values() {
        shown.push(format!("{stored:?} {:?} {:?}", stored.open(), stored.info()));
    }
    let other = given(CredentialKind::Secret, &[], &[("secret", &secret("other"))]);
    kept.credentials.rotate(&id("key"), other, Overlap::AtOnce, NewOptions::by(&by())).await.unwrap();
    kept.case.runtime.revoke(&id("key"), &by(), "leaked").await.unwrap();
    while let Ok(event) = events.try_recv() {
        let Event::Credential(of) = &event;
        assert_eq!(of.id.workspace, WORKSPACE);
        shown.push(format!("{event:?} {}", serde_json::to_string(&event).unwrap()));
    }
    assert!(shown.len() > 25, "{}", shown.len());
    for text in &shown {
        kept.case.no_secret_in(text);
    }
    kept.case.holds(&outcome).await;
}
