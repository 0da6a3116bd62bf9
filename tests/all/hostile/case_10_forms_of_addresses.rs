//! Case 10: one address, many spellings. The address itself is granted and carved out, so that the spelling alone is what is
//! refused; nobody can then disagree about which address was meant.

use portcullis_runtime::Grant;
use serde_json::{Value, json};

use crate::harness::{Case, everything, get, rules, told};

const SPELLINGS: [&str; 17] = [
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7f.0.0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.000.000.001",
    "１２７.0.0.1",
    "127。0。0。1",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "%31%32%37.0.0.1",
];

#[tokio::test]
async fn an_address_is_granted_in_one_spelling_and_refused_in_every_other() {
    let case = Case::new().await;
    let port = case.upstream.address.port();
    for some in SPELLINGS.chunks(8) {
        let steps: Vec<Value> = some.iter().map(|host| get(&format!("http://{host}:{port}/ok"))).collect();
        let before = case.upstream.received().len();
        let outcome = case.steps(case.probe(), json!(steps)).await;
        assert_eq!(rules(&outcome), vec!["url-ambiguous"; some.len()], "{some:?}");
        assert_eq!(case.upstream.received().len(), before);
        assert_eq!(case.names.queries(), 0, "a name was looked up");
        case.holds(&outcome).await;
    }
    // The mapped form that a parser prints is an address of its own, and was not granted.
    let outcome = case.steps(case.probe(), json!([get(&format!("http://[::ffff:7f00:1]:{port}/ok"))])).await;
    assert_ne!(rules(&outcome), ["ok"]);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_mapped_address_is_judged_as_the_address_it_maps() {
    let case = Case::new().await;
    let port = case.canary.address.port();
    for (host, judged_as) in [
        ("[::ffff:7f00:1]", "loopback (RFC 1122)"),
        ("[::ffff:a9fe:a9fe]", "metadata (RFC 3927)"),
        ("[64:ff9b::7f00:1]", "loopback (RFC 1122)"),
        ("[::7f00:1]", "IPv4-compatible"),
        ("[2002:7f00:1::]", "6to4"),
    ] {
        let base = format!("https://{host}:{port}");
        let probe = case.probe_with(&base, &everything(&base), &[]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(rules(&outcome), ["address-not-allowed"], "{base}");
        let message = told(&outcome, 0, "/error/message");
        assert!(message.contains(judged_as), "{base}: {message}");
        case.holds(&outcome).await;
    }
}

#[test]
fn a_grant_cannot_be_written_with_an_odd_spelling() {
    for host in SPELLINGS {
        let grant = format!(
            "adapter = \"sha256:{}\"\n[[routes]]\nmethod = \"GET\"\nurl = \"https://{host}/ok\"\n",
            "0".repeat(64)
        );
        let error = Grant::parse(&grant).unwrap_err().to_string();
        assert!(error.contains("routes[0].url"), "{host}: {error}");
    }
}
