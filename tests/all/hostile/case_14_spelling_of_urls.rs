//! Case 14: URLs that two parsers may read differently are refused; those that all read alike are judged as what they are.

use serde_json::{Value, json};

use crate::harness::{Case, everything, get, rules};

async fn all_end(case: &Case, base: &str, urls: &[String], rule: &str) {
    let probe = case.probe_with(base, &everything(base), &[]).await;
    for some in urls.chunks(8) {
        let steps: Vec<Value> = some.iter().map(|url| get(url)).collect();
        let outcome = case.steps(&probe, json!(steps)).await;
        assert_eq!(rules(&outcome), vec![rule; some.len()], "{some:?}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn what_two_parsers_may_read_differently_is_refused() {
    let case = Case::new().await;
    let canary = case.canary.address;
    let urls = [
        format!("https://granted.example@{canary}/ok"),
        "https://user:password@granted.example/ok".to_owned(),
        "https://user@granted.example/ok".to_owned(),
        "https://@granted.example/ok".to_owned(),
        "https://granted.example:443@evil.example/ok".to_owned(),
        "https://granted.example\\@evil.example/ok".to_owned(),
        "https://evil.example#@granted.example/ok".to_owned(),
        "https://granted.example./ok".to_owned(),
        "https://granted.example../ok".to_owned(),
        "https://granted.example:/ok".to_owned(),
        "https://granted.example:0443/ok".to_owned(),
        "https://gränted.example/ok".to_owned(),
        "https://grantеd.example/ok".to_owned(),
        "https://granted。example/ok".to_owned(),
        "https://ｇranted.example/ok".to_owned(),
        "https://granted%2eexample/ok".to_owned(),
        "https://granted.example/\u{202e}ko".to_owned(),
        "https:granted.example/ok".to_owned(),
        "https:///granted.example/ok".to_owned(),
        " https://granted.example/ok".to_owned(),
        "https://granted.example/o\tk".to_owned(),
        "https://granted.example/ok\r\nHost: evil.example".to_owned(),
    ];
    all_end(&case, "https://granted.example", &urls, "url-ambiguous").await;
    assert_eq!(case.names.queries(), 0, "a name was looked up");
}

#[tokio::test]
async fn another_port_or_another_alphabet_is_another_origin() {
    let case = Case::new().await;
    let urls = [
        "https://granted.example:444/ok",
        "https://granted.example:80/ok",
        "https://granted.example:8443/ok",
        "https://granted.example:1/ok",
        "https://granted.example:65535/ok",
        "http://granted.example:443/ok",
        // `grantеd` with a Cyrillic letter, as it is in DNS.
        "https://xn--grantd-4of.example/ok",
    ]
    .map(str::to_owned);
    all_end(&case, "https://granted.example", &urls, "origin-not-granted").await;
    let urls = ["https://granted.example:65536/ok", "https://granted.example:99999/ok", "https://granted.example:-1/ok"];
    all_end(&case, "https://granted.example", &urls.map(str::to_owned), "url-invalid").await;
    assert_eq!(case.names.queries(), 0, "a name was looked up");
}

#[tokio::test]
async fn upper_case_and_the_default_port_are_the_same_origin() {
    let case = Case::new().await;
    case.names.add("granted.example", &["10.1.2.3".parse().unwrap()]);
    // They are granted, so the name is looked up; that it stands for an address inside is the next thing to stop it.
    let urls = [
        "https://granted.example:443/ok",
        "https://GRANTED.EXAMPLE/ok",
        "HTTPS://Granted.Example:443/ok",
    ]
    .map(str::to_owned);
    all_end(&case, "https://granted.example", &urls, "address-not-allowed").await;
    assert_eq!(case.names.asked(), urls.len());
}

#[tokio::test]
async fn a_punycode_host_is_granted_as_it_is_in_dns_and_in_no_other_way() {
    let case = Case::new().await;
    case.names.add("xn--bcher-kva.example", &["10.1.2.3".parse().unwrap()]);
    let base = "https://xn--bcher-kva.example";
    all_end(&case, base, &[format!("{base}/ok")], "address-not-allowed").await;
    all_end(&case, base, &["https://bücher.example/ok".to_owned()], "url-ambiguous").await;
    assert_eq!(case.names.asked(), 1);
}
