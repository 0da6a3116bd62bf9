//! Case 11: addresses that are not the internet, written in a URL or given by a name; and the host's own listeners.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::harness::{Case, everything, get, rules, told};

/// One or two of each range, with a word of what the refusal says.
const SPECIAL: [(&str, &str); 31] = [
    ("169.254.169.254", "link-local"),
    ("169.254.0.1", "link-local"),
    ("168.63.129.16", "cloud"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("0.0.0.0", "this host"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "carriers"),
    ("100.127.255.255", "carriers"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("240.0.0.1", "reserved"),
    ("192.0.0.1", "service continuity"),
    ("192.88.99.1", "6to4"),
    ("::1", "loopback"),
    ("::", "unspecified"),
    ("fe80::1", "link-local"),
    ("fd00:ec2::254", "unique local"),
    ("ff02::1", "multicast"),
    ("2001:db8::1", "documentation"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("fec0::1", "site-local"),
];

#[tokio::test]
async fn a_name_that_stands_for_a_special_address_is_not_dialled() {
    let case = Case::new().await;
    let port = case.canary.address.port();
    let base = format!("https://granted.example:{port}");
    let routes = format!("{}[limits]\nrequests = 100\n", everything(&base));
    let probe = case.probe_with(&base, &routes, &[]).await;
    for (address, _) in SPECIAL {
        case.names.add("granted.example", &[address.parse().unwrap()]);
    }
    // Of one family at a time, for answers are given in turn to each question.
    let url = format!("{base}/ok");
    let steps: Vec<Value> = SPECIAL.iter().map(|_| get(&url)).collect();
    let outcome = case.steps(&probe, json!(steps)).await;
    assert_eq!(rules(&outcome), vec!["address-not-allowed"; SPECIAL.len()]);
    for (step, (address, word)) in SPECIAL.iter().enumerate() {
        let message = told(&outcome, step, "/error/message");
        assert!(message.contains(word), "{address}: {message}");
    }
    assert_eq!(case.names.asked(), SPECIAL.len(), "one look-up for each request");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_special_address_in_a_url_is_not_dialled() {
    let case = Case::new().await;
    let port = case.canary.address.port();
    for (address, word) in SPECIAL {
        let host = match address.parse().unwrap() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let base = format!("https://{host}:{port}");
        let probe = case.probe_with(&base, &everything(&base), &[]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(rules(&outcome), ["address-not-allowed"], "{base}");
        let message = told(&outcome, 0, "/error/message");
        assert!(message.contains(word), "{base}: {message}");
        assert_eq!(case.canary.touched(), 0, "{base}");
    }
    assert_eq!(case.names.queries(), 0, "an address was looked up");
    case.goes_on().await;
}

#[tokio::test]
async fn the_hosts_own_listeners_are_not_dialled() {
    let case = Case::new().await;
    // By name, by loopback address and by the address of a network card, all without a carve-out for them.
    let own = [case.upstream.address.port(), case.names.address.port(), case.canary.address.port()];
    case.names.add("host.example", &["127.0.0.1".parse().unwrap()]);
    for port in own {
        for base in [format!("https://host.example:{port}"), format!("https://127.0.0.1:{port}")] {
            let probe = case.probe_with(&base, &everything(&base), &[]).await;
            let before = (case.upstream.connections(), case.names.by_tcp());
            let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
            assert_eq!(rules(&outcome), ["address-not-allowed"], "{base}");
            assert_eq!((case.upstream.connections(), case.names.by_tcp()), before, "{base}");
        }
    }
    case.goes_on().await;
    assert_eq!(case.canary.touched(), 0);
}
