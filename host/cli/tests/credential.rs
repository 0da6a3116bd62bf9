//! Adapters, integrations and credentials that are kept, as an operator meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod place;

use serde_json::json;

use crate::place::{Place, Ran, built, upstream};

const EMAIL: &str = r#"{"From": "a@acme.example", "To": "ada@example.com", "Subject": "Hello", "TextBody": "Hi"}"#;
const SENT: &str = r#"{"To":"ada@example.com","SubmittedAt":"2026-01-05T10:00:00Z","MessageID":"0a129aee-e1cd-480d-b08d-4f48548ff48d","ErrorCode":0,"Message":"OK"}"#;
const FIRST: &str = "the-first-server-token";
const SECOND: &str = "the-second-server-token";

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for secret in [FIRST, SECOND] {
        assert!(
            !ran.out.contains(secret) && !ran.err.contains(secret),
            "the secret was printed: {}{}",
            ran.out,
            ran.err
        );
    }
    ran
}

/// A place with the integration `mail` of Postmark, whose server is this one.
fn mail(address: &str) -> Place {
    let place = Place::new();
    let postmark = built("postmark");
    let config = json!({"baseUrl": format!("http://{address}")}).to_string();
    let grant = place.grant(&postmark, &config, |grant| grant);
    ok(place.run(&["adapter", "add", &postmark]));
    let added = ok(place.run(&[
        "integration",
        "add",
        "mail",
        "--adapter",
        "postmark",
        "--config",
        &config,
        "--grant",
        &grant,
        "--json",
    ]));
    assert_eq!(added.json()["credentials_missing"], json!(["server-token", "account-token"]));
    place
}

fn call(place: &Place) -> Ran {
    place.run(&["call", "mail", "sendEmail", "--mode", "live", "--input", EMAIL])
}

#[test]
fn what_is_kept_is_called_by_its_name_with_the_credential_that_is_in_the_slot() {
    let (address, received) = upstream(200, SENT);
    let place = mail(&address);
    let ran = call(&place);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("no credential is stored") && ran.err.contains("portcullis credential add mail"),
        "{}",
        ran.err
    );
    ok(place.run_with(&["credential", "add", "mail", "server-token"], &format!("{FIRST}\n")));
    assert_eq!(ok(call(&place)).json()["Message"], "OK");
    let file = place.write("second", SECOND);
    let rotate =
        ["credential", "rotate", "mail", "server-token", "--secret", &format!("file:{file}"), "--overlap", "1h"];
    ok(place.run(&rotate));
    ok(call(&place));
    let listed = ok(place.run(&["credential", "list", "--json"])).json();
    let token = &listed["credentials"][0];
    assert_eq!(
        (&token["slot"], &token["generation"], &token["state"]),
        (&json!("server-token"), &json!(2), &json!("active"))
    );
    assert_eq!((&token["kind"], &token["used_by"]), (&json!("secret"), &json!(["sendEmail"])));
    assert!(token["previous"]["until"].is_string());
    ok(place.run(&["credential", "revoke", "mail", "server-token", "--reason", "ticket 7"]));
    let ran = call(&place);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("was revoked"), "{}", ran.err);
    {
        let received = received.lock().unwrap();
        assert_eq!(received.matches(FIRST).count(), 1, "{received}");
        assert_eq!(received.matches(SECOND).count(), 1, "{received}");
    }
    // The ledger tells who did what, and neither it nor the store holds the secret.
    let records = ok(place.run(&["audit", "list", "--where", "kind=credential", "--json"]));
    let actions: Vec<&str> = ["added", "rotated", "revoked"]
        .into_iter()
        .filter(|action| records.out.contains(&format!("\"{action}\"")))
        .collect();
    assert_eq!(actions, ["added", "rotated", "revoked"], "{}", records.out);
    let store = std::fs::read(place.folder.path().join("data/store/redb/data")).unwrap();
    for secret in [FIRST, SECOND] {
        assert!(!store.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
    let shown = ok(place.run(&["integration", "show", "mail"]));
    assert!(shown.out.contains("revoked") && shown.out.contains("sendEmail"), "{}", shown.out);
    assert!(ok(place.run(&["integration", "list"])).out.contains("postmark"));
    assert!(ok(place.run(&["adapter", "list"])).out.contains("sha256:"));
    ok(place.run(&["credential", "remove", "mail", "server-token"]));
    assert!(ok(place.run(&["credential", "list"])).out.contains("No credential is stored"));
}

#[test]
fn what_is_wrong_is_told_before_anything_is_kept_and_never_repeats_a_secret() {
    let place = mail("127.0.0.1:9");
    let add = |more: &[&str]| {
        let mut arguments = vec!["credential", "add", "mail"];
        arguments.extend_from_slice(more);
        place.run_with(&arguments, FIRST)
    };
    let cases: [(&[&str], &str); 8] = [
        (&["other-slot"], "its slots: server-token, account-token"),
        (&["server-token", "--kind", "password"], "there are secret, key-pair"),
        (&["server-token", "--secret", SECOND], "does not belong on a command line"),
        (&["server-token", "--field", "secret=the-second-server-token"], "write --secret secret=SOURCE"),
        (&["server-token", "--field", "client-id=x"], "has no `client-id`"),
        (&["server-token", "--kind", "key-pair", "--field", "id=x"], "which has no key id"),
        (
            &["server-token", "--kind", "oauth-client-credentials", "--field", "client-id=x"],
            "declares no authorization server",
        ),
        (&["server-token", "--expires", "tomorrow"], "is no time"),
    ];
    for (more, told) in cases {
        let ran = add(more);
        assert_eq!(ran.code, 2, "{more:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(told), "{more:?}: {}", ran.err);
        assert!(!ran.err.contains(SECOND), "{more:?}: {}", ran.err);
    }
    ok(add(&["server-token"]));
    let again = add(&["server-token"]);
    assert!(again.code == 2 && again.err.contains("there is a credential"), "{}", again.err);
    let none = place.run_with(&["credential", "rotate", "mail", "account-token"], FIRST);
    assert!(none.code == 2 && none.err.contains("there is no credential"), "{}", none.err);
    let nobody = place.run(&["call", "nobody", "sendEmail"]);
    assert!(nobody.code == 2 && nobody.err.contains("portcullis integration add"), "{}", nobody.err);
}

#[test]
fn tokens_are_asked_for_by_the_route_that_the_grant_names() {
    let (address, received) = upstream(
        200,
        r#"{"access_token":"the-token-of-the-server","token_type":"bearer","expires_in":3600,"ok":true}"#,
    );
    let place = Place::new();
    let custom = built("custom_http");
    let config = json!({
        "provider": "acme",
        "baseUrl": format!("http://{address}"),
        "auth": {"type": "bearer", "oauth": {"tokenUrl": format!("http://{address}/token"), "scopes": ["tasks.read"]}},
        "endpoints": [{
            "name": "listTasks",
            "description": "Lists tasks.",
            "method": "GET",
            "path": "/tasks",
            "effect": "read",
            "input": {"type": "object", "properties": {}},
            "response": {"type": "object", "properties": {"ok": {"type": "boolean"}}},
        }],
    });
    let config = place.write("tasks.json", &config.to_string());
    let config = format!("@{config}");
    let grant = place.grant(&custom, &config, |grant| grant);
    let granted = std::fs::read_to_string(&grant).unwrap();
    assert!(granted.contains("token_for = \"credential\""), "{granted}");
    ok(place.run(&["adapter", "add", &custom, "--name", "tasks"]));
    ok(place.run(&["integration", "add", "tasks", "--adapter", "tasks", "--config", &config, "--grant", &grant]));
    let add = [
        "credential",
        "add",
        "tasks",
        "credential",
        "--kind",
        "oauth-client-credentials",
        "--field",
        "client-id=portcullis",
        "--secret",
        "client-secret=-",
    ];
    ok(place.run_with(&add, FIRST));
    for _ in 0..2 {
        let ran = ok(place.run(&["call", "tasks", "listTasks", "--mode", "live", "--json"]));
        assert_eq!(ran.json()["output"]["ok"], true, "{}", ran.out);
        assert!(!ran.out.contains("the-token-of-the-server"), "{}", ran.out);
    }
    {
        let received = received.lock().unwrap();
        assert_eq!(received.matches("POST /token ").count(), 1, "the token is kept for the next command: {received}");
        assert_eq!(received.matches("authorization: Bearer the-token-of-the-server").count(), 2, "{received}");
        assert!(
            received.contains("grant_type=client_credentials") && received.contains("scope=tasks.read"),
            "{received}"
        );
    }
    let asked = ok(place.run(&["audit", "list", "--where", "kind=token", "--json"]));
    assert!(asked.out.contains("\"asking\"") && asked.out.contains("\"asked\""), "{}", asked.out);
    ok(place.run(&["credential", "reconnect", "tasks", "credential"]));
    ok(place.run(&["credential", "revoke", "tasks", "credential", "--reason", "over"]));
    // Without the route nothing is asked.
    let without: String =
        granted.split("\n\n").filter(|part| !part.contains("token_for")).map(|part| format!("{part}\n\n")).collect();
    let grant = place.write("without.toml", &without);
    ok(place.run(&["integration", "add", "tasks", "--adapter", "tasks", "--config", &config, "--grant", &grant]));
    ok(place.run_with(
        &[
            "credential",
            "rotate",
            "tasks",
            "credential",
            "--kind",
            "oauth-client-credentials",
            "--field",
            "client-id=portcullis",
            "--secret",
            "client-secret=-",
        ],
        FIRST,
    ));
    let before = received.lock().unwrap().matches("POST /token ").count();
    let ran = place.run(&["call", "tasks", "listTasks", "--mode", "live"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("token_for = \"credential\""), "{}", ran.err);
    assert_eq!(received.lock().unwrap().matches("POST /token ").count(), before);
}

#[test]
fn a_master_key_that_is_lost_or_another_is_told_and_a_new_one_takes_over() {
    let (address, _) = upstream(200, SENT);
    let place = mail(&address);
    ok(place.run_with(&["credential", "add", "mail", "server-token"], FIRST));
    let key = place.folder.path().join("data/master.key");
    let elsewhere = place.folder.path().join("elsewhere.key");
    std::fs::rename(&key, &elsewhere).unwrap();
    let ran = call(&place);
    assert!(ran.code == 2 && ran.err.contains("is not there") && !key.exists(), "{}", ran.err);
    // To look and to revoke needs no master key.
    assert!(ok(place.run(&["credential", "list"])).out.contains("server-token"));
    let named = format!("file:{}", elsewhere.display());
    let with = |key: &str, arguments: &[&str]| {
        let mut all = vec!["--master-key", key];
        all.extend_from_slice(arguments);
        place.run(&all)
    };
    let live = ["call", "mail", "sendEmail", "--mode", "live", "--input", EMAIL];
    ok(with(&named, &live));
    let other = place.write("other.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    let other = format!("file:{other}");
    let ran = with(&other, &live);
    assert!(ran.code == 1 && ran.err.contains("chmod 600"), "{}", ran.err);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(place.folder.path().join("other.key"), private).unwrap();
    let ran = with(&other, &live);
    assert!(ran.code == 1 && ran.err.contains("was wrapped with the master key"), "{}{}", ran.code, ran.err);
    let rewrapped = ok(with(&named, &["credential", "rewrap", "--to", &other, "--json"]));
    assert_eq!(rewrapped.json()["rewrapped"]["workspaces"], 1);
    ok(with(&other, &live));
    let ran = with(&named, &live);
    assert!(ran.code != 0 && ran.err.contains("was wrapped with the master key"), "{}", ran.err);
    let ran = with("hunter22", &live);
    assert!(ran.code == 2 && ran.err.contains("does not belong on a command line"), "{}", ran.err);
}

#[test]
fn a_credential_goes_where_it_was_given_for_until_an_operator_says_otherwise() {
    let (address, received) = upstream(200, SENT);
    let (elsewhere, there) = upstream(200, SENT);
    let place = mail(&address);
    let added = ok(place.run_with(&["credential", "add", "mail", "server-token"], &format!("{FIRST}\n")));
    assert!(added.out.contains(&format!("It is sent to http://{address} alone")), "{}", added.out);
    ok(call(&place));

    let config = json!({"baseUrl": format!("http://{elsewhere}")}).to_string();
    let grant = place.grant(&built("postmark"), &config, |grant| grant);
    let add = ["integration", "add", "mail", "--adapter", "postmark", "--config", &config, "--grant", &grant];
    let ran = place.run(&add);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    for part in ["credential-not-bound", "server-token", &elsewhere, "--rebind server-token"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    ok(call(&place));
    assert_eq!(there.lock().unwrap().matches("POST ").count(), 0);

    let ran = ok(place.run(&[add.as_slice(), &["--rebind", "server-token"]].concat()));
    assert!(ran.out.contains("bound anew") && ran.out.contains(&elsewhere), "{}", ran.out);
    ok(call(&place));
    assert_eq!(there.lock().unwrap().matches(FIRST).count(), 1);
    assert_eq!(received.lock().unwrap().matches(FIRST).count(), 2);
    let listed = ok(place.run(&["credential", "list", "--json"])).json();
    assert_eq!(listed["credentials"][0]["origins"], json!([format!("http://{elsewhere}")]));
    ok(place.run(&["credential", "rebind", "mail", "server-token"]));
    let none = place.run(&["credential", "rebind", "mail", "account-token"]);
    assert!(none.code == 2 && none.err.contains("there is no credential"), "{}", none.err);
}
