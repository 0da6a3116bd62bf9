//! Authorization servers that echo, flood, wait, redirect, or are not who they should be.

use std::time::{Duration, Instant};

use portcullis_runtime::{NewOptions, Outcome, Overlap, ledger::Kind};
use portcullis_tests::{
    tls::{Authority, Identity, TlsUpstream},
    upstream::Answer,
};
use serde_json::{Value, json};

use super::{Kept, secret, token_route};
use crate::harness::{rules, send};

const NAME: &str = "auth.example";

/// What the call was told of its one credential.
fn why(outcome: &Outcome) -> String {
    let result = &outcome.result.as_ref().unwrap()["results"][0];
    assert_eq!(result["error"]["error"]["kind"], "unavailable", "{result}");
    result["error"]["error"]["message"].as_str().unwrap().to_owned()
}

fn refused(error: &str, description: &Value) -> Answer {
    Answer::json(&json!({"error": error, "error_description": description})).status(400)
}

async fn ask(kept: &Kept, probe: &portcullis_runtime::Integration, slot: &str) -> Outcome {
    let base = kept.case.upstream.origin();
    let step = match slot {
        "token" => send("POST", &format!("{base}/echo"), Some(slot), json!([])),
        _ => send("GET", &format!("{base}/{slot}"), Some(slot), json!([])),
    };
    kept.case.steps(probe, json!([step])).await
}

#[tokio::test]
pub(crate) async fn a_token_endpoint_that_echoes_what_it_knows_tells_nobody() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let mut events = kept.case.runtime.events();
    // It has given tokens, which it can echo, too.
    for slot in ["token", "free"] {
        assert_eq!(ask(&kept, &probe, slot).await.exchanges.len(), 1);
    }
    let secrets = ["client", "post", "refresh", "access-1", "refresh-1", "access-2", "refresh-2", "key", "basic"];
    for (number, name) in secrets.iter().enumerate() {
        for slot in ["token", "free"] {
            // Long enough after the failure before it.
            kept.clock.pass(Duration::from_secs(4_000));
            let text = match number % 3 {
                0 => format!("of {}", secret(name)),
                1 => {
                    let url: String = url::form_urlencoded::byte_serialize(secret(name).as_bytes()).collect();
                    use base64::Engine;
                    format!("of {}", base64::prelude::BASE64_STANDARD.encode(format!("client-1:{url}")))
                }
                _ => secret(name).bytes().map(|byte| format!("{byte:02x}")).collect(),
            };
            let error = if number % 2 == 0 { "invalid_client".to_owned() } else { secret(name) };
            kept.server.next(refused(&error, &json!(text)));
            let outcome = ask(&kept, &probe, slot).await;
            let why = why(&outcome);
            assert!(why.contains("refused with"), "{why}");
            kept.case.holds(&outcome).await;
        }
    }
    // That a person has to agree again is kept in the store, with what the server said.
    kept.clock.pass(Duration::from_secs(4_000));
    kept.server
        .next(refused("invalid_grant", &json!(format!("{} was used by {}", secret("refresh-1"), secret("key")))));
    let outcome = ask(&kept, &probe, "free").await;
    assert!(why(&outcome).contains("reconnect"), "{outcome:?}");
    kept.case.holds(&outcome).await;
    let listing = kept.credentials.list(super::WORKSPACE, None).await.unwrap();
    kept.case.no_secret_in(&format!("{listing:?}"));
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        kept.case.no_secret_in(&format!("{event:?} {}", serde_json::to_string(&event).unwrap()));
        told += 1;
    }
    assert!(told > 10, "{told}");
}

#[tokio::test]
pub(crate) async fn a_value_beside_the_token_that_is_a_secret_is_not_read_by_the_guest() {
    for (name, value) in [
        ("client", secret("client")),
        ("key", secret("key")),
        ("the Basic form", {
            use base64::Engine;
            let url: String = url::form_urlencoded::byte_serialize(secret("client").as_bytes()).collect();
            base64::prelude::BASE64_STANDARD.encode(format!("client-1:{url}"))
        }),
    ] {
        let kept = Kept::new().await;
        kept.fill().await;
        let probe = kept.probe().await;
        kept.server.next(Answer::json(&json!({
            "access_token": secret("access-1"), "token_type": "Bearer", "expires_in": 3600, "id": format!("of {value}"),
        })));
        let steps = json!([{"do": "value", "slot": "token", "name": "id"}]);
        let outcome = kept.case.steps(&probe, steps).await;
        let told = outcome.result.as_ref().unwrap().to_string();
        assert!(!told.contains(&value), "{name}: {told}");
        kept.case.holds(&outcome).await;
    }
}

#[tokio::test]
pub(crate) async fn a_token_endpoint_that_floods_waits_or_redirects_gives_no_token_and_costs_nobody_else_anything() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe_with(&kept.token_routes(), "first_byte_ms = 300\nrequest_ms = 2000").await;
    let elsewhere = format!("http://{}/token", kept.case.canary.address);
    let flood = json!({"access_token": secret("access-1"), "pad": "x".repeat(10 << 20)});
    let redirect = |status: u16| Answer::json(&json!({})).status(status).header("location", &elsewhere);
    let answers = [
        (Answer::json(&flood), vec!["bound", "bytes"]),
        (Answer::json(&json!({})).after(Duration::from_secs(3600)), vec!["300 ms", "first byte"]),
        (redirect(302), vec!["302"]),
        (redirect(307), vec!["307"]),
        (redirect(308), vec!["308"]),
        (Answer { status: 200, headers: Vec::new(), body: b"<html>".to_vec() }, vec!["no JSON"]),
    ];
    for (number, (answer, words)) in answers.into_iter().enumerate() {
        kept.clock.pass(Duration::from_secs(120));
        kept.server.next(answer);
        let since = Instant::now();
        let outcome = ask(&kept, &probe, "token").await;
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        let why = why(&outcome);
        println!("{why}");
        assert!(words.iter().any(|word| why.contains(word)), "{words:?}: {why}");
        assert_eq!(kept.asked().len(), number + 1, "each is sent once");
        let records = kept.case.ledger.of_kind("token");
        assert_eq!(records.len(), 2 * (number + 1), "that it leaves, and how it ended");
        kept.case.holds(&outcome).await;
    }
    // Nothing of this is for ever.
    kept.clock.pass(Duration::from_secs(120));
    let outcome = ask(&kept, &probe, "token").await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
    kept.case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_token_endpoint_whose_name_leads_inside_is_not_asked() {
    let kept = Kept::new().await;
    let url = format!("https://{NAME}:{}/token", kept.case.canary.address.port());
    kept.give("free", kept.refresh_token_at(&url)).await;
    let probe = kept.probe_with(&token_route(&url, "free"), "").await;
    for address in ["127.0.0.9", "10.0.0.7", "169.254.169.254", "fd00::1"] {
        kept.case.names.add(NAME, &[address.parse().unwrap()]);
        kept.clock.pass(Duration::from_secs(120));
        let outcome = ask(&kept, &probe, "free").await;
        let why = why(&outcome);
        assert!(why.contains(NAME), "{why}");
        let last = kept.case.ledger.of_kind("token").pop().unwrap();
        assert_eq!(last["change"]["action"], "not-asked", "{last}");
        assert!(last["denial"]["rule"].is_string(), "the gate's reason is recorded: {last}");
        kept.case.holds(&outcome).await;
    }
}

#[tokio::test]
pub(crate) async fn a_token_endpoint_without_a_good_certificate_gets_no_secret() {
    let authority = Authority::new("The authority of the tests").unwrap();
    let roots = authority.roots().unwrap();
    let kept = Kept::with(|_| None, |builder| builder.trust(roots)).await;
    kept.case.names.add(NAME, &["127.0.0.1".parse().unwrap()]);
    let stranger = Authority::new("A stranger").unwrap();
    let certificates = [
        (authority.good(NAME).unwrap(), true),
        (authority.expired(NAME).unwrap(), false),
        (Identity::self_signed(NAME).unwrap(), false),
        (stranger.good(NAME).unwrap(), false),
        (authority.good("other.example").unwrap(), false),
    ];
    for (number, (identity, good)) in certificates.into_iter().enumerate() {
        let answer = json!({"access_token": secret("access-1"), "token_type": "Bearer", "expires_in": 3600});
        let server = TlsUpstream::start(identity, move |_| Answer::json(&answer)).await.unwrap();
        let url = format!("https://{NAME}:{}/token", server.address.port());
        let given = kept.refresh_token_at(&url);
        match number {
            0 => kept.give("free", given).await,
            _ => {
                let (id, by) = (super::id("free"), super::by());
                let rotated = kept.credentials.rotate(&id, given, Overlap::AtOnce, NewOptions::by(&by));
                rotated.await.unwrap();
            }
        }
        let probe = kept.probe_at(&token_route(&url, "free"), "", &[server.address]).await;
        let outcome = ask(&kept, &probe, "free").await;
        if good {
            assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
            assert!(server.received()[0].text().contains("refresh_token"));
        } else {
            let why = why(&outcome);
            assert!(why.contains(NAME), "{why}");
            assert_eq!(server.received().len(), 0, "{number}: a request was sent");
        }
        // Not the whole oracle: the name stands for the address of the upstream, which is written everywhere.
        kept.case.no_secret_in(&format!("{outcome:?} {:?}", kept.case.ledger.records()));
        kept.case.goes_on().await;
    }
}

#[tokio::test]
pub(crate) async fn a_token_that_is_refused_by_the_upstream_is_dropped_once_and_shown_to_nobody() {
    let kept =
        Kept::answering(|request| (request.target == "/free").then(|| super::echoes::everything(request).status(401)))
            .await;
    kept.fill().await;
    let probe = kept.probe().await;
    let outcome = ask(&kept, &probe, "free").await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 401);
    assert_eq!(kept.asked().len(), 2, "asked for once more, and no more");
    assert!(rules(&outcome).is_empty() || rules(&outcome) == ["ok"], "{outcome:?}");
    kept.case.holds(&outcome).await;
    let again = ask(&kept, &probe, "free").await;
    assert_eq!(kept.asked().len(), 2);
    kept.case.holds(&again).await;
    let records = kept.case.ledger.of_kind("token");
    assert!(records.iter().all(|record| record["kind"] == json!(Kind::Token)), "{records:?}");
}
