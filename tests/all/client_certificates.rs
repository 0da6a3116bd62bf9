//! Client certificates: a connection is made with the one in the slot, and with no other and none.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_runtime::{
    Call, CallError, Caller, CredentialKind, Given, Grant, MemoryVault, NewIntegration, Outcome, Route, Secret,
};
use portcullis_tests::{
    folder,
    tls::{Authority, Identity, TlsUpstream},
    upstream::Answer,
};
use serde_json::{Value, json};

use crate::harness::{Case, load};

const NAME: &str = "granted.example";

fn config(base: &str) -> Value {
    json!({
        "provider": "acme",
        "baseUrl": base,
        "auth": [{"type": "clientCertificate", "slot": "certificate"}, {"type": "bearer", "slot": "token"}],
        "endpoints": [{
            "name": "listTasks",
            "description": "Lists tasks.",
            "effect": "read",
            "method": "GET",
            "path": "/tasks",
            "input": {"type": "object", "properties": {}},
            "response": {"type": "object", "properties": {"ok": {"type": "boolean"}}},
        }],
    })
}

fn given(identity: &Identity) -> Given {
    let [certificates, key] = identity.pem();
    let document = |text: String| Secret::document(text.into_bytes()).unwrap();
    Given {
        kind: CredentialKind::ClientCertificate,
        fields: BTreeMap::new(),
        secrets: BTreeMap::from([
            ("certificates".to_owned(), document(certificates)),
            ("key".to_owned(), document(key)),
        ]),
    }
}

/// A call to a server that takes clients of one authority, with this certificate in the slot.
async fn called(case: &Case, server: &TlsUpstream, with: Option<&Identity>) -> Outcome {
    let config = config(&format!("https://{NAME}:{}", server.address.port()));
    let adapter = load(&case.runtime, &folder::adapter("custom_http").unwrap()).await.unwrap();
    let descriptor = case.runtime.describe(&adapter, &config).await.unwrap();
    let mut grant = Grant::parse(&format!("adapter = \"{}\"\noperations = [\"listTasks\"]", adapter.digest())).unwrap();
    grant.routes = descriptor.routes.iter().map(Route::as_granted).collect();
    grant.carve_outs = vec![server.address.to_string().parse().unwrap()];
    let vault = Arc::new(MemoryVault::new());
    vault.put("token", Secret::try_from("the-token-in-its-slot").unwrap());
    if let Some(identity) = with {
        vault.put_given(descriptor.slot("certificate").unwrap(), &given(identity)).unwrap();
    }
    let new = NewIntegration::new("acme", "tasks", adapter, grant).config(config).vault(vault);
    let integration = case.runtime.integrate(new).await.unwrap();
    integration.call(Call::new(Caller::principal("user:ada"), "listTasks", json!({})).live()).await
}

#[tokio::test]
async fn a_connection_is_made_with_the_certificate_in_the_slot_and_a_token_goes_on_it() {
    let [servers, clients, strangers] = ["servers", "clients", "strangers"].map(|name| Authority::new(name).unwrap());
    let case = Case::with(|_| Answer::json(&json!({})), |builder| builder.trust(servers.roots().unwrap())).await;
    case.names.add(NAME, &["127.0.0.1".parse().unwrap()]);
    let start = TlsUpstream::start_for_clients_of(servers.good(NAME).unwrap(), &clients, |_| {
        Answer::json(&json!({"ok": true}))
    });
    let server = start.await.unwrap();
    let mine = clients.good("portcullis.client.example").unwrap();
    let outcome = called(&case, &server, Some(&mine)).await;
    assert_eq!(outcome.result.unwrap(), json!({"ok": true}));
    assert_eq!(outcome.exchanges[0].slots, ["certificate", "token"]);
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].header("authorization").is_some_and(|value| value == "Bearer the-token-in-its-slot"));
    // One that the server does not know, and none at all.
    let other = strangers.good("portcullis.client.example").unwrap();
    let outcome = called(&case, &server, Some(&other)).await;
    assert!(matches!(outcome.result, Err(CallError::Upstream { .. })), "{:?}", outcome.result);
    let outcome = called(&case, &server, None).await;
    assert!(matches!(outcome.result, Err(CallError::Credential(_))), "{:?}", outcome.result);
    assert_eq!(server.received().len(), 1, "nothing more was sent");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused_when_it_is_handed_over() {
    let clients = Authority::new("clients").unwrap();
    let [mine, other] = [0, 1].map(|_| clients.good("portcullis.client.example").unwrap());
    let mut wrong = given(&mine);
    wrong.secrets.insert("key".to_owned(), given(&other).secrets.remove("key").unwrap());
    let slot = portcullis_runtime::Slot {
        name: "certificate".to_owned(),
        description: String::new(),
        scheme: portcullis_runtime::Scheme::ClientCertificate,
        oauth: None,
    };
    let error = portcullis_runtime::check_credential(&wrong, &slot).unwrap_err().to_string();
    assert!(error.contains("key"), "{error}");
    assert!(portcullis_runtime::check_credential(&given(&mine), &slot).unwrap().is_some(), "when it expires is known");
}
