//! Case 19: timeouts that are none, and servers that are not who they should be.

use portcullis_runtime::Grant;
use portcullis_tests::{
    tls::{Authority, Identity, TlsUpstream},
    upstream::Answer,
};
use serde_json::json;

use crate::harness::{Case, everything, get, told};

const NAME: &str = "granted.example";

/// Every limit whose name ends like this.
fn limits(ending: &str) -> Vec<String> {
    let schema = Grant::json_schema();
    let limits = schema["$defs"]["Limits"]["properties"].as_object().unwrap();
    limits.keys().filter(|name| name.ends_with(ending)).cloned().collect()
}

#[test]
fn a_timeout_of_zero_or_of_the_largest_integer_is_refused_by_its_name() {
    let timeouts = limits("_ms");
    assert!(timeouts.len() >= 7, "{timeouts:?}");
    for name in timeouts {
        for value in ["0", "4294967295", "-1", "18446744073709551615", "1e9", "inf"] {
            let text = format!("adapter = \"sha256:{}\"\n[limits]\n{name} = {value}\n", "0".repeat(64));
            let error = Grant::parse(&text).unwrap_err().to_string();
            assert!(error.contains(&name), "{name} = {value}: {error}");
        }
    }
}

#[test]
fn no_limit_at_all_can_be_the_largest_integer() {
    for name in limits("") {
        for value in ["18446744073709551615", "9223372036854775807"] {
            let text = format!("adapter = \"sha256:{}\"\n[limits]\n{name} = {value}\n", "0".repeat(64));
            assert!(Grant::parse(&text).unwrap_err().to_string().contains(&name), "{name} = {value}");
        }
    }
}

async fn upstream(identity: Identity) -> TlsUpstream {
    TlsUpstream::start(identity, |_| Answer::json(&json!({"ok": true}))).await.unwrap()
}

#[tokio::test]
async fn a_server_that_cannot_show_a_good_certificate_gets_no_request() {
    let authority = Authority::new("The authority of the tests").unwrap();
    let roots = authority.roots().unwrap();
    let case = Case::with(|_| Answer::json(&json!({"ok": true})), |builder| builder.trust(roots)).await;
    case.names.add(NAME, &["127.0.0.1".parse().unwrap()]);
    let stranger = Authority::new("A stranger").unwrap();
    let certificates = [
        (authority.good(NAME).unwrap(), None),
        (authority.expired(NAME).unwrap(), Some("expired")),
        (Identity::self_signed(NAME).unwrap(), Some("not signed by an authority")),
        (stranger.good(NAME).unwrap(), Some("not signed by an authority")),
        (authority.good("other.example").unwrap(), Some("for another name")),
        (authority.good("sub.granted.example").unwrap(), Some("for another name")),
    ];
    for (identity, refusal) in certificates {
        let server = upstream(identity).await;
        let base = format!("https://{NAME}:{}", server.address.port());
        let probe = case.probe_with(&base, &everything(&base), &[server.address]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        match refusal {
            // The very same way, with a good certificate, goes through.
            None => {
                assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
                assert_eq!(server.received().len(), 1);
            }
            Some(words) => {
                assert_eq!(told(&outcome, 0, "/error/kind"), "tls");
                let message = told(&outcome, 0, "/error/message");
                assert!(message.contains(words), "{message}");
                assert_eq!(server.received().len(), 0, "{words}: a request was sent");
            }
        }
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_server_that_only_the_tests_trust_is_not_trusted_by_default() {
    let authority = Authority::new("The authority of the tests").unwrap();
    let case = Case::new().await;
    case.names.add(NAME, &["127.0.0.1".parse().unwrap()]);
    let server = upstream(authority.good(NAME).unwrap()).await;
    let base = format!("https://{NAME}:{}", server.address.port());
    let probe = case.probe_with(&base, &everything(&base), &[server.address]).await;
    let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
    assert_eq!(told(&outcome, 0, "/error/kind"), "tls");
    assert_eq!(server.received().len(), 0);
    case.holds(&outcome).await;
}
