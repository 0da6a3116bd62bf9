//! Case 12: granted names, and what their owners let them stand for. The names are real ones: the suite's own DNS server gives
//! the answers.

use std::net::{IpAddr, SocketAddr};

use portcullis_tests::{canary::Canary, dns::Reply};
use serde_json::json;

use crate::harness::{Case, everything, get, rules};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_granted_name_that_resolves_inwards_is_not_dialled() {
    let case = Case::new().await;
    let port = case.canary.address.port();
    let inward = [
        vec![ip("127.0.0.1")],
        vec![ip("::1")],
        vec![ip("::ffff:127.0.0.1")],
        vec![ip("10.0.0.1")],
        vec![ip("169.254.169.254")],
        vec![ip("64:ff9b::127.0.0.1")],
        // One public address does not make up for a private one, whichever comes first and of whichever family it is.
        vec![ip("93.184.215.14"), ip("127.0.0.1")],
        vec![ip("127.0.0.1"), ip("93.184.215.14")],
        vec![ip("93.184.215.14"), ip("::1")],
        vec![ip("2606:4700::1111"), ip("10.0.0.1")],
    ];
    for (number, addresses) in inward.iter().enumerate() {
        let name = format!("name-{number}.example");
        case.names.add(&name, addresses);
        let base = format!("https://{name}:{port}");
        let probe = case.probe_with(&base, &everything(&base), &[]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(rules(&outcome), ["address-not-allowed"], "{addresses:?}");
        case.holds(&outcome).await;
    }
    assert_eq!(case.names.asked(), inward.len(), "one look-up for each request");
}

#[tokio::test]
async fn an_alias_of_a_name_inside_is_judged_by_where_it_ends() {
    let case = Case::new().await;
    let base = format!("https://outside.example:{}", case.canary.address.port());
    case.names.reply("outside.example", Reply::Alias("between.example".to_owned()));
    case.names.reply("between.example", Reply::Alias("metadata.google.internal".to_owned()));
    let probe = case.probe_with(&base, &everything(&base), &[]).await;
    let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
    assert_eq!(rules(&outcome), ["address-not-allowed"]);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_dialled() {
    let case = Case::new().await;
    // The upstream is carved out, the canary on another loopback address and the same port is not.
    let port = case.upstream.address.port();
    let base = format!("http://rebind.example:{port}");
    let carve_out: SocketAddr = case.upstream.address;
    let probe = case.probe_with(&base, &everything(&base), &[carve_out]).await;
    let (good, bad) = (carve_out.ip(), ip("127.0.0.2"));
    let canary = Canary::at((bad, port).into()).await.unwrap();
    case.names.add("rebind.example", &[good]);
    case.names.add("rebind.example", &[bad]);
    let url = format!("{base}/ok");
    let outcome = case.steps(&probe, json!([get(&url), get(&url), get(&url)])).await;
    // The connection of the first request is still there; the name now stands for another address, so it is not used.
    assert_eq!(rules(&outcome), ["ok", "address-not-allowed", "address-not-allowed"]);
    assert_eq!(case.names.asked(), 3, "once for each request, and no second time before dialling");
    assert_eq!(case.upstream.received().len(), 1);
    assert_eq!((canary.touched(), canary.bytes()), (0, 0), "the second address was dialled");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_name_that_moves_takes_its_requests_with_it() {
    let case = Case::new().await;
    let port = case.upstream.address.port();
    let base = format!("http://moving.example:{port}");
    // Both may be dialled. What was judged for the second request is not the first one's connection, open as it still is.
    let old = case.upstream.address;
    let new = Canary::at((ip("127.0.0.2"), port).into()).await.unwrap();
    let probe = case.probe_with(&base, &everything(&base), &[old, new.address]).await;
    case.names.add("moving.example", &[old.ip()]);
    case.names.add("moving.example", &[new.address.ip()]);
    let url = format!("{base}/ok");
    let outcome = case.steps(&probe, json!([get(&url), get(&url), get(&url)])).await;
    assert_eq!(rules(&outcome), ["ok", "ok", "ok"]);
    assert_eq!((case.upstream.received().len(), new.touched()), (1, 1), "one connection to each");
    case.goes_on().await;
}

#[tokio::test]
async fn an_answer_that_still_holds_is_used_again_and_judged_again() {
    let case = Case::new().await;
    let base = format!("http://kept.example:{}", case.upstream.address.port());
    case.names.ttl(3_600);
    case.names.add("kept.example", &[case.upstream.address.ip()]);
    case.names.add("kept.example", &[ip("127.0.0.2")]);
    let url = format!("{base}/ok");
    let granted = case.probe_with(&base, &everything(&base), &[case.upstream.address]).await;
    let outcome = case.steps(&granted, json!([get(&url), get(&url)])).await;
    assert_eq!(rules(&outcome), ["ok", "ok"]);
    assert_eq!(case.names.asked(), 1);
    case.holds(&outcome).await;
    // Another integration without the carve-out gets the same answer, and no further.
    let other: SocketAddr = (ip("127.0.0.3"), case.upstream.address.port()).into();
    let strict = case.probe_with(&base, &everything(&base), &[other]).await;
    let outcome = case.steps(&strict, json!([get(&url)])).await;
    assert_eq!(rules(&outcome), ["address-not-allowed"]);
    case.holds(&outcome).await;
}
