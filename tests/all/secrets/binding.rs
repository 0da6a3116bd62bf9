//! A credential goes where it was given for: a later version of its integration, or an edit, does not take it elsewhere, and an
//! operator who wants that says so.

use std::{collections::BTreeSet, sync::Arc};

use portcullis_gate::Grant;
use portcullis_ledger::Ledger;
use portcullis_runtime::{
    CredentialKind, Credentials, IntegrateError, Integration, MemoryStore, NewOptions, Overlap, RegistryError, Runtime,
    Store,
};
use portcullis_tests::{
    folder,
    upstream::{Answer, Upstream},
};
use serde_json::json;

use super::{by, given, refresh_token, secret, token_route};
use crate::{
    guests,
    harness::{call, load, send},
    state::history::{builder, id, ledger, master},
};

/// A host on a store of its own, and two upstreams.
struct Host {
    runtime: Runtime,
    credentials: Credentials,
    ledger: Ledger,
    digest: String,
    first: Upstream,
    second: Upstream,
}

impl Host {
    async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let ledger = ledger(store).await.unwrap();
        let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
        let runtime = builder(ledger.clone(), credentials.clone()).build().unwrap();
        let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
        load(&runtime, &probe).await.unwrap();
        let digest = runtime.keep_adapter(&probe, "probe", &by()).await.unwrap().digest;
        let upstream = async || Upstream::start(|_| Answer::json(&json!({"ok": true}))).await.unwrap();
        Self { runtime, credentials, ledger, digest, first: upstream().await, second: upstream().await }
    }

    fn grant(&self, at: &Upstream, more: &str) -> Grant {
        let (digest, origin, address) = (&self.digest, at.origin(), at.address);
        let other = if at.address == self.first.address { self.second.address } else { self.first.address };
        let grant = format!(
            "adapter = \"{digest}\"\noperations = [\"probe\"]\ncarve_outs = [\"{address}\", \"{other}\"]\n[[routes]]\n\
             method = \"POST\"\nurl = \"{origin}/echo\"\nslots = [\"token\"]\n{more}"
        );
        Grant::parse(&grant).unwrap()
    }

    /// Keeps `mail` as a version that sends its token there.
    async fn keep(&self, at: &Upstream, rebind: &[&str]) -> Result<Integration, RegistryError> {
        let (config, grant) = (json!({ "baseUrl": at.origin() }), self.grant(at, ""));
        let rebind: Vec<String> = rebind.iter().map(|slot| (*slot).to_owned()).collect();
        let of = ["acme", "mail"];
        self.runtime.keep_integration_and_rebind(of, &self.digest, config, grant, &rebind, &by()).await
    }

    async fn add(&self, origins: Option<BTreeSet<String>>) {
        let by = by();
        let options = NewOptions { origins, ..NewOptions::by(&by) };
        let token = given(CredentialKind::Secret, &[], &[("secret", &secret("token"))]);
        self.credentials.add(&id("mail", "token"), token, options).await.unwrap();
    }

    async fn origins(&self) -> Option<Vec<String>> {
        let listed = self.credentials.list("acme", Some("mail")).await.unwrap();
        listed.credentials[0].origins.clone().map(|origins| origins.into_iter().collect())
    }

    /// How a live call that uses a slot ends: nothing, or why it was not sent.
    async fn sends(&self, integration: &Integration, method: &str, url: &str, slot: &str) -> Option<String> {
        let steps = json!([send(method, url, Some(slot), json!([]))]);
        let outcome = integration.call(call("probe", json!({ "steps": steps })).live()).await;
        let told = outcome.result.as_ref().unwrap();
        let error = told["results"][0].pointer("/error/error")?;
        assert_eq!(error["kind"], "unavailable", "{error}");
        Some(error["message"].to_string())
    }

    /// The same, of the token.
    async fn sends_token(&self, integration: &Integration, to: &Upstream) -> Option<String> {
        self.sends(integration, "POST", &format!("{}/echo", to.origin()), "token").await
    }
}

fn with_token(upstream: &Upstream) -> usize {
    upstream.received().iter().filter(|request| request.header("authorization").is_some()).count()
}

#[tokio::test]
pub(crate) async fn a_version_that_sends_a_credential_elsewhere_is_refused_until_an_operator_says_so() {
    let host = Host::new().await;
    let mail = host.keep(&host.first, &[]).await.unwrap();
    host.add(Some(mail.origins_of("token"))).await;
    assert_eq!(host.sends_token(&mail, &host.first).await, None);
    assert_eq!(with_token(&host.first), 1);
    match host.keep(&host.second, &["key"]).await {
        Err(RegistryError::Integrate(error @ IntegrateError::NotBound { .. })) => {
            let told = error.to_string();
            for part in ["`token`", &host.second.origin(), &host.first.origin(), "--rebind token"] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        other => panic!("{other:?}"),
    }
    // Nothing was changed: the first version is there, and works.
    let open = host.runtime.open("acme", "mail").await.unwrap();
    assert_eq!((open.version(), host.sends_token(&open, &host.first).await), (1, None));

    let mail = host.keep(&host.second, &["token"]).await.unwrap();
    assert_eq!((mail.version(), host.sends_token(&mail, &host.second).await), (2, None));
    assert_eq!((with_token(&host.first), with_token(&host.second)), (2, 1));
    assert_eq!(host.origins().await.unwrap(), [host.second.origin()]);
    // What it was given for before, it is not any more.
    assert!(host.keep(&host.first, &[]).await.is_err());
}

#[tokio::test]
pub(crate) async fn a_credential_is_not_sent_where_it_was_not_given_for_whatever_the_grant_says() {
    let host = Host::new().await;
    let mail = host.keep(&host.second, &[]).await.unwrap();
    // As one that was stored while another version was kept, and outlived it.
    host.add(Some([host.first.origin()].into())).await;
    for open in [mail, host.runtime.open("acme", "mail").await.unwrap()] {
        let message = host.sends_token(&open, &host.second).await.unwrap();
        assert!(message.contains("not bound") && message.contains(&host.second.origin()), "{message}");
    }
    assert_eq!(host.second.received().len(), 0, "nothing was sent");
    let rebound = host.runtime.rebind(&id("mail", "token"), &by()).await.unwrap();
    assert_eq!(rebound, [host.second.origin()].into());
    let open = host.runtime.open("acme", "mail").await.unwrap();
    assert_eq!(host.sends_token(&open, &host.second).await, None);
    assert_eq!(with_token(&host.second), 1);
    // Another one in its place is bound as it was.
    let another = given(CredentialKind::Secret, &[], &[("secret", &secret("another"))]);
    let by = by();
    let anywhere = NewOptions::by(&by).origins([host.first.origin()].into());
    let overlap = Overlap::AtOnce;
    host.credentials.rotate(&id("mail", "token"), another, overlap, anywhere).await.unwrap();
    assert_eq!(host.origins().await.unwrap(), [host.second.origin()]);
}

#[tokio::test]
pub(crate) async fn one_of_which_nobody_said_it_is_bound_to_the_version_that_is_kept() {
    let host = Host::new().await;
    host.keep(&host.first, &[]).await.unwrap();
    host.add(None).await;
    assert_eq!(host.origins().await, None);
    // Before it was read once: the version that is kept counts.
    assert!(matches!(
        host.keep(&host.second, &[]).await,
        Err(RegistryError::Integrate(IntegrateError::NotBound { .. }))
    ));
    let open = host.runtime.open("acme", "mail").await.unwrap();
    assert_eq!(host.origins().await.unwrap(), [host.first.origin()]);
    assert_eq!(host.sends_token(&open, &host.first).await, None);
    // Once is enough: opening writes nothing more.
    let before = host.ledger.reader().chain("acme").await.unwrap().unwrap().seq;
    host.runtime.open("acme", "mail").await.unwrap();
    assert_eq!(host.ledger.reader().chain("acme").await.unwrap().unwrap().seq, before);
}

#[tokio::test]
pub(crate) async fn a_clients_secret_is_not_sent_to_a_token_endpoint_that_it_was_not_given_for() {
    let host = Host::new().await;
    let (api, server) = (host.first.origin(), format!("{}/oauth/token", host.second.origin()));
    let free = format!(
        "[[routes]]\nmethod = \"GET\"\nurl = \"{api}/free\"\nslots = [\"free\"]\n{}",
        token_route(&server, "free")
    );
    let (config, grant) = (json!({ "baseUrl": api }), host.grant(&host.first, &free));
    let of = ["acme", "mail"];
    let mail = host.runtime.keep_integration(of, &host.digest, config, grant, &by()).await.unwrap();
    assert_eq!(mail.origins_of("free"), [api.clone(), host.second.origin()].into());
    let by = by();
    let options = NewOptions::by(&by).origins([api.clone()].into());
    host.credentials.add(&id("mail", "free"), refresh_token(&server), options).await.unwrap();
    let message = host.sends(&mail, "GET", &format!("{api}/free"), "free").await.unwrap();
    assert!(message.contains("not bound") && message.contains(&host.second.origin()), "{message}");
    assert_eq!((host.first.received().len(), host.second.received().len()), (0, 0));
    host.runtime.rebind(&id("mail", "free"), &by).await.unwrap();
    // The upstream is no authorization server: what matters is that it is asked.
    host.sends(&mail, "GET", &format!("{api}/free"), "free").await.unwrap();
    assert_eq!(host.second.received().len(), 1);
}
