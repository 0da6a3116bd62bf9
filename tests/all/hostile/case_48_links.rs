//! Case 48: links that a provider wrote are a capability. A guest tries to have more of it than was written, or than was granted.

use std::net::SocketAddr;

use portcullis_runtime::{Integration, Outcome};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::harness::{Case, everything, get, rules, send};

/// Answers `/items/KEY` with links, `/items/echo?q=LINK` with what was asked, and anything else with 200.
fn writing(request: &Received) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let asked = query.strip_prefix("q=").unwrap_or_default().replace("%2F", "/").replace("%3A", ":");
    match path {
        "/items/1" => {
            let link = json!([{"relation": "self", "url": "https://evil.example/pages/2"}, {"url": "/pages/fhir/?x=1"}]);
            let body = json!({"next": "/pages/2?cursor=abc", "link": link, "elsewhere": "/pages/elsewhere"});
            let field = r#"</pages/9>; rel="prev"; title="a, <b>; rel=next", <../pages/3?c=1>; rel="next""#;
            Answer::json(&body).header("link", field)
        }
        "/items/keyed" => Answer::json(&json!({"next": "/keyed/2?c=1"})),
        "/items/key" => Answer::json(&json!({"next": "/keyed/2?c=1&API.key=x"})),
        "/items/up" => Answer::json(&json!({"next": "/pages/../admin"})),
        "/items/across" => Answer::json(&json!({"next": "/pages/../items/7?admin=1"})),
        "/items/away" => Answer::json(&json!({"next": "https://evil.example/pages/2"})),
        "/items/port" => Answer::json(&json!({"next": "http://127.0.0.1:1/pages/2"})),
        "/items/lost" => Answer::json(&json!({"next": "/pages/lost"})).status(404),
        "/items/hop" => Answer::json(&json!({"next": "/pages/hop"})),
        "/pages/hop" => Answer::json(&json!({})).status(302).header("location", "/pages/unwritten"),
        "/items/echo" => Answer::json(&json!({ "next": asked })),
        _ => Answer::json(&json!({"ok": true})),
    }
}

/// The probe with its routes of links, as this grant has them.
async fn linked(case: &Case, links: &str) -> Integration {
    let base = case.upstream.origin();
    let route = |path: &str, slot: &str, links: &str| {
        format!("[[routes]]\nmethod = \"GET\"\nurl = \"{base}{path}\"\nquery = [\"*\"]\nslots = [\"{slot}\"]\nlinks = {links}\n")
    };
    let routes = [
        everything(&base),
        route("/pages/{link*}", "token", links),
        route("/keyed/{link*}", "query-key", "[\"/next\"]"),
        "[limits]\nrequests = 40\n".to_owned(),
    ];
    let address: SocketAddr = case.upstream.address;
    case.probe_with(&base, &routes.concat(), &[address]).await
}

const ALL: &str = r#"["rel=next", "/next", "/link/*/url"]"#;

async fn asked(case: &Case, probe: &Integration, steps: Vec<Value>) -> (Outcome, Vec<String>) {
    let outcome = case.steps(probe, json!(steps)).await;
    let rules = rules(&outcome);
    (outcome, rules)
}

#[tokio::test]
async fn a_link_is_followed_as_it_was_written_and_in_no_other_way() {
    let case = Case::answering(writing).await;
    let probe = linked(&case, ALL).await;
    let base = case.upstream.origin();
    let page = |path: &str| send("GET", &format!("{base}{path}"), Some("token"), json!([]));
    let steps = vec![
        page("/pages/2?cursor=abc"),
        get(&format!("{base}/items/1")),
        page("/pages/2?cursor=abc"),
        page("/pages/2?cursor=abc"),
        page("/pages/3?c=1"),
        page("/pages/fhir/?x=1"),
        page("/pages/2?cursor=abd"),
        page("/pages/2?cursor=ab"),
        page("/pages/2?cursor=abc&x=1"),
        page("/pages/2?CURSOR=abc"),
        page("/pages/2"),
        page("/pages/2/?cursor=abc"),
        page("/pages/9"),
        page("/pages/elsewhere"),
        page("/pages/"),
        page("/pages/../pages/2?cursor=abc"),
        send("POST", &format!("{base}/pages/2?cursor=abc"), Some("token"), json!([])),
        send("HEAD", &format!("{base}/pages/2?cursor=abc"), Some("token"), json!([])),
        get(&format!("{base}/pages/2?cursor=abc")),
        send("GET", &format!("{base}/pages/2?cursor=abc"), Some("key"), json!([])),
        send("GET", &format!("{base}/pages/2?cursor=abc"), Some("token"), json!([["X-Trace", "1"]])),
        page("/items/1"),
    ];
    let (outcome, rules) = asked(&case, &probe, steps).await;
    let unwritten = "link-not-written";
    let expected = [
        unwritten, "ok", "ok", "ok", "ok", "ok", unwritten, unwritten, unwritten, unwritten, unwritten, unwritten, unwritten,
        unwritten, unwritten, "url-ambiguous", "path-not-granted", "method-not-granted", "slot-missing", "slot-not-granted",
        "header-not-granted", "slot-not-granted",
    ];
    assert_eq!(rules, expected);
    let followed = case.upstream.received();
    let followed: Vec<&str> = followed.iter().map(|request| request.target.as_str()).filter(|t| t.starts_with("/pages")).collect();
    assert_eq!(followed, ["/pages/2?cursor=abc", "/pages/2?cursor=abc", "/pages/3?c=1", "/pages/fhir/?x=1"]);
    case.holds(&outcome).await;
    // What was written in one call is nothing in the next.
    let (outcome, rules) = asked(&case, &probe, vec![page("/pages/2?cursor=abc")]).await;
    assert_eq!(rules, [unwritten]);
    let message = outcome.denials[0].message.as_str();
    assert!(message.contains("no answer of this call had this very URL at rel=next, /link/*/url, /next"), "{message}");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_a_provider_writes_reaches_no_further_than_origin_prefix_and_query_that_were_granted() {
    let case = Case::answering(writing).await;
    let probe = linked(&case, ALL).await;
    let base = case.upstream.origin();
    for (item, url, slot, rule) in [
        ("up", format!("{base}/admin"), "token", "path-not-granted"),
        ("across", format!("{base}/items/7?admin=1"), "token", "slot-not-granted"),
        ("away", "https://evil.example/pages/2".to_owned(), "token", "origin-not-granted"),
        ("port", "http://127.0.0.1:1/pages/2".to_owned(), "token", "origin-not-granted"),
        ("lost", format!("{base}/pages/lost"), "token", "link-not-written"),
        ("hop", format!("{base}/pages/hop"), "token", "link-not-written"),
        ("keyed", format!("{base}/keyed/2?c=1"), "query-key", "ok"),
        ("key", format!("{base}/keyed/2?c=1&API.key=x"), "query-key", "query-not-granted"),
        // The key's own link, with another's credential.
        ("keyed", format!("{base}/keyed/2?c=1"), "token", "slot-not-granted"),
    ] {
        let steps = vec![get(&format!("{base}/items/{item}")), send("GET", &url, Some(slot), json!([]))];
        let (outcome, rules) = asked(&case, &probe, steps).await;
        assert_eq!(rules, ["ok", rule], "{item}");
        case.holds(&outcome).await;
    }
    assert!(!case.upstream.received().iter().any(|request| request.target.contains("unwritten")));
}

#[tokio::test]
async fn an_upstream_that_echoes_gives_a_guest_no_more_than_was_granted() {
    let case = Case::answering(writing).await;
    let probe = linked(&case, ALL).await;
    let base = case.upstream.origin();
    let echo = |link: &str| get(&format!("{base}/items/echo?q={}", link.replace('/', "%2F").replace(':', "%3A")));
    let page = |url: &str| send("GET", url, Some("token"), json!([]));
    let steps = vec![
        // Made up by the guest, and written by the upstream: below the prefix that is what the operator granted.
        echo("/pages/made-up"),
        page(&format!("{base}/pages/made-up")),
        echo("/admin"),
        page(&format!("{base}/admin")),
        echo("/pages/../admin"),
        page(&format!("{base}/admin")),
        echo("https://evil.example/pages/1"),
        page("https://evil.example/pages/1"),
    ];
    let (outcome, rules) = asked(&case, &probe, steps).await;
    assert_eq!(
        rules,
        ["ok", "ok", "ok", "path-not-granted", "ok", "path-not-granted", "ok", "origin-not-granted"],
    );
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_grant_of_fewer_places_takes_links_from_these_alone() {
    let case = Case::answering(writing).await;
    let probe = linked(&case, r#"["rel=next"]"#).await;
    let base = case.upstream.origin();
    let page = |path: &str| send("GET", &format!("{base}{path}"), Some("token"), json!([]));
    let steps =
        vec![get(&format!("{base}/items/1")), page("/pages/3?c=1"), page("/pages/2?cursor=abc"), page("/pages/fhir/?x=1")];
    let (outcome, rules) = asked(&case, &probe, steps).await;
    assert_eq!(rules, ["ok", "ok", "link-not-written", "link-not-written"]);
    case.holds(&outcome).await;
}
