//! Which slots are well formed, which go together on a route, and what a guest may write beside them.

use super::*;
use crate::{
    BodyKind, Ceiling, Decision, Denial, Grant, Header, HeaderRefusal, MacAlgorithm, MacEncoding, PATH_PLACEHOLDER,
    Parameter, Powers, Reason, Request, RequestBody, RequestUrl, Slot, decide, descriptor::tests::sample,
    method::Method, powers::tests::DIGEST,
};

fn hmac(message: &str, headers: &[(&str, &str)]) -> Scheme {
    Scheme::Hmac(HmacScheme {
        algorithm: MacAlgorithm::HmacSha256,
        message: message.to_owned(),
        encoding: MacEncoding::Hex,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    })
}

fn path(name: &str, prefix: &str) -> Scheme {
    Scheme::Path { name: name.to_owned(), prefix: prefix.to_owned() }
}

fn cookie(name: &str) -> Scheme {
    Scheme::Cookie { name: name.to_owned() }
}

fn query(name: &str) -> Scheme {
    Scheme::Query { name: name.to_owned() }
}

fn in_body(name: &str) -> Scheme {
    Scheme::Body { name: name.to_owned() }
}

fn header(name: &str) -> Scheme {
    Scheme::Header { name: name.to_owned(), prefix: String::new() }
}

fn aws(service: &str, region: &str) -> Scheme {
    Scheme::Sigv4 { service: service.to_owned(), region: region.to_owned() }
}

#[test]
fn each_scheme_has_words_that_fit_and_is_refused_with_others() {
    let signature = [("X-Signature", "{signature}")];
    for scheme in [
        path("token", "bot"),
        cookie("__Host-sid"),
        in_body("api key"),
        aws("s3", "eu-central-1"),
        hmac("{method}\\n{header:Date}", &[("authorization", "HMAC {key-id}:{signature}"), ("X-Time", "{timestamp}")]),
        Scheme::ClientCertificate,
    ] {
        assert_eq!(scheme_problem(&scheme), None, "{scheme:?}");
    }
    let many: Vec<(String, String)> = (0..9).map(|i| (format!("X-{i}"), "{signature}".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (scheme, names) in [
        (path("a b", ""), "parameter's name"),
        (path("token", "bot/"), "prefix"),
        (path("token", "%2F"), "prefix"),
        (path("token", ";"), "prefix"),
        (cookie("a=b"), "cookie's name"),
        (cookie(""), "cookie's name"),
        (in_body(""), "printable"),
        (in_body("a\nb"), "printable"),
        (aws("S3", "eu"), "service"),
        (aws("s3", ""), "region"),
        (hmac("{secret}", &signature), "`{secret}` is not known"),
        (hmac("{signature}", &signature), "the message"),
        (hmac("{body}", &[]), "0 headers"),
        (hmac("{body}", &many), "9 headers"),
        (hmac("{body}", &[("X-Time", "{timestamp}")]), "no header has `{signature}`"),
        (hmac("{body}", &[("X-A", "{signature}"), ("x_a", "{nonce}")]), "twice"),
        (hmac("{body}", &[("Host", "{signature}")]), "frames or routes"),
        (hmac("{body}", &[("X-A", "{signature}{path}")]), "the header `X-A`"),
    ] {
        let problem = scheme_problem(&scheme).unwrap_or_else(|| panic!("{scheme:?} is accepted"));
        assert!(problem.contains(names), "{problem}");
    }
}

#[test]
fn an_issuer_of_tokens_is_named_by_urls_and_gives_out_no_token_as_a_value() {
    let good = OAuth {
        token_url: Some("https://login.example.com/token".into()),
        authorize_url: Some("http://127.0.0.1:8025/authorize".into()),
        scopes: vec!["system/*.read".into()],
        values: vec!["instance_url".into()],
        ..OAuth::default()
    };
    assert_eq!(oauth_problem(&Scheme::Bearer, &good), None);
    type Spoil = fn(&mut OAuth);
    let spoils: &[(Spoil, &str)] = &[
        (|o| o.token_url = Some("https://login.example.com/token?a=1".into()), ".token_url"),
        (|o| o.authorize_url = Some("/authorize".into()), ".authorize_url"),
        (|o| o.revoke_url = Some("ftp://login.example.com/".into()), ".revoke_url"),
        (|o| o.metadata_url = Some("https://login.example.com/{x}".into()), ".metadata_url"),
        (|o| o.scopes = vec!["a b".into()], ".scopes"),
        (|o| o.scopes = vec!["x".repeat(257)], ".scopes"),
        (|o| o.scopes = vec!["x".into(); 65], ".scopes"),
        (|o| o.values = (0..9).map(|i| format!("v{i}")).collect(), ".values"),
        (|o| o.values = vec!["a".into(); 2], ".values"),
        (|o| o.values = vec!["a b".into()], ".values"),
        (|o| o.values = vec!["access_token".into()], ".values"),
        (|o| o.values = vec!["Refresh-Token".into()], ".values"),
        (|o| o.values = vec!["id_token".into()], ".values"),
        (|o| o.values = vec!["token".into()], ".values"),
        (|o| o.values = vec!["clientSecret".into()], ".values"),
    ];
    for (number, (spoil, at)) in spoils.iter().enumerate() {
        let mut oauth = good.clone();
        spoil(&mut oauth);
        assert_eq!(oauth_problem(&Scheme::Bearer, &oauth).map(|(at, _)| at), Some(*at), "{number}");
    }
    for scheme in [Scheme::Basic, Scheme::SigningKey, Scheme::ClientCertificate, aws("s3", "eu")] {
        assert!(oauth_problem(&scheme, &good).is_some(), "{scheme:?}");
    }
    let mut descriptor = sample();
    descriptor.slots[0].oauth = Some(OAuth { scopes: vec!["a b".into()], ..good });
    assert_eq!(descriptor.check().unwrap_err().at, "slots[0].oauth.scopes");
}

/// A descriptor whose routes carry slots of these schemes, named a, b, ...
fn carrying(schemes: &[Scheme]) -> Descriptor {
    let mut descriptor = sample();
    let names: Vec<String> =
        ["a", "b", "c", "d", "e"].iter().take(schemes.len()).map(|&name| name.to_owned()).collect();
    descriptor.slots = names
        .iter()
        .zip(schemes)
        .map(|(name, scheme)| Slot {
            name: name.clone(),
            description: String::new(),
            scheme: scheme.clone(),
            oauth: None,
        })
        .collect();
    descriptor.routes.truncate(2);
    descriptor.operations[0].routes.truncate(1);
    let [read, send] = descriptor.routes.as_mut_slice() else { panic!() };
    (read.url, read.slots) = ("https://api.example.com/{x}/{y}/items/{id}".into(), Vec::new());
    (send.url, send.slots) = ("https://api.example.com/{x}/send/{y}".into(), names);
    send.request = Some(RequestBody { kind: BodyKind::Json, schema: None });
    descriptor
}

#[test]
fn no_two_slots_of_a_route_write_the_same_place() {
    for (schemes, place) in [
        ([Scheme::Bearer, Scheme::Basic], "`Authorization`"),
        ([header("Authorization"), Scheme::Bearer], "`Authorization`"),
        ([header("X-A"), header("x_a")], "`X-A`"),
        ([Scheme::Bearer, aws("s3", "eu")], "`Authorization`"),
        ([header("x-amz-date"), aws("s3", "eu")], "`x-amz-date`"),
        ([hmac("{body}", &[("X-A", "{signature}")]), header("x-a")], "`X-A`"),
        ([hmac("{body}", &[("X-A", "{signature}")]), aws("s3", "eu")], "signature of the whole request"),
        ([query("key"), query("KEY[]")], "query parameter `key`"),
        ([cookie("sid"), cookie("SID")], "cookie `sid`"),
        ([in_body("api.key"), in_body("api_key")], "`api.key` of the body"),
        ([path("x", ""), path("x", "bot")], "segment `{x}`"),
        ([Scheme::ClientCertificate, Scheme::ClientCertificate], "client certificate"),
    ] {
        let error = carrying(&schemes).check().unwrap_err();
        assert_eq!(error.at, "routes[1].slots");
        assert!(error.problem.contains("both write") && error.problem.contains(place), "{error}");
    }
    for schemes in [
        vec![Scheme::Bearer, header("X-Key"), query("key"), cookie("sid")],
        vec![cookie("a"), cookie("b"), in_body("a"), in_body("b")],
        vec![path("x", "bot"), path("y", ""), aws("s3", "eu"), Scheme::ClientCertificate],
        vec![hmac("{body}", &[("X-A", "{signature}")]), Scheme::Bearer],
    ] {
        carrying(&schemes).check().unwrap();
    }
    let five = [Scheme::Bearer, header("X-A"), header("X-B"), header("X-C"), header("X-D")];
    assert!(carrying(&five).check().unwrap_err().problem.contains("5 of them; at most 4"));
    let mut twice = carrying(&[Scheme::Bearer]);
    twice.routes[1].slots.push("a".into());
    assert!(twice.check().unwrap_err().problem.contains("twice"));
}

#[test]
fn a_slot_that_goes_into_a_path_or_a_body_needs_its_place_there() {
    let url = |url: &str| {
        let mut descriptor = carrying(&[path("x", "")]);
        descriptor.routes[1].url = format!("https://api.example.com{url}");
        descriptor.check().err().map(|error| error.at)
    };
    assert_eq!(url("/{x}/send"), None);
    assert_eq!(url("/a/{x}/{rest..}"), None);
    for wrong in ["/send", "/{X}", "/{x:word}", "/{x..}", "/{x}/{x}", "/{x}/{x:digits}", "/{x}/{x..}"] {
        assert_eq!(url(wrong).as_deref(), Some("routes[1].url"), "{wrong}");
    }
    let body = |kind: Option<BodyKind>| {
        let mut descriptor = carrying(&[in_body("key")]);
        descriptor.routes[1].request = kind.map(|kind| RequestBody { kind, schema: None });
        descriptor.check().err().map(|error| error.at)
    };
    assert_eq!((body(Some(BodyKind::Json)), body(Some(BodyKind::Form))), (None, None));
    let raw = BodyKind::Raw(vec!["application/json".into()]);
    for kind in [None, Some(BodyKind::Multipart), Some(raw)] {
        assert_eq!(body(kind.clone()).as_deref(), Some("routes[1].slots"), "{kind:?}");
    }
}

fn powers(descriptor: &Descriptor, lines: &str) -> Result<Powers, String> {
    let grant = format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\", \"send\"]\n{lines}");
    let grant = Grant::parse(&grant).unwrap();
    Powers::new(DIGEST, "sample", descriptor, &grant, &Ceiling::default()).map_err(|error| error.to_string())
}

/// What is said of a POST with these slots attached.
fn posted(
    descriptor: &Descriptor,
    lines: &str,
    url: &str,
    slots: &[&str],
    headers: &[&str],
) -> Result<Decision, Denial> {
    let powers = powers(descriptor, lines).unwrap();
    let powers = powers.operation("send").unwrap();
    let url = RequestUrl::parse(&format!("https://api.example.com{url}"), 8_192).unwrap();
    let slots: Vec<String> = slots.iter().map(|slot| (*slot).to_owned()).collect();
    let headers: Vec<Header> =
        headers.iter().map(|name| Header { name: (*name).to_owned(), value: b"x".to_vec() }).collect();
    let request =
        Request { method: Method::Post, url: &url, headers: &headers, body: false, slots: &slots, written: &[] };
    match decide(&request, powers) {
        Decision::Deny(reason) => Err(Denial::new(reason, &request, powers)),
        allowed => Ok(allowed),
    }
}

#[test]
fn a_request_attaches_all_slots_of_its_route_in_any_order_and_no_others() {
    let mut descriptor = carrying(&[Scheme::Bearer, header("X-Key"), query("key")]);
    descriptor.routes[1].slots.truncate(2);
    descriptor.routes[1].query = vec![Parameter::any("*")];
    let lines = descriptor.routes[1].as_granted().to_toml_lines();
    let said = |slots: &[&str]| posted(&descriptor, &lines, "/1/send/2", slots, &[]);
    assert!(said(&["a", "b"]).is_ok() && said(&["b", "a"]).is_ok());
    for (slots, rule, told) in [
        (&[][..], "slot-missing", "carries the credentials `a`, `b`, which"),
        (&["a"], "slot-missing", "carries the credential `b`, which"),
        (&["b", "b"], "slot-missing", "carries the credential `a`, which"),
        (&["a", "b", "c"], "slot-not-granted", "the credential `c` does not belong"),
        (&["c"], "slot-not-granted", "the credential `c` does not belong"),
    ] {
        let denial = said(slots).unwrap_err();
        assert_eq!((denial.rule.as_str(), &denial.granted[..]), (rule, &["a".to_owned(), "b".to_owned()][..]));
        assert!(denial.message.contains(told), "{}", denial.message);
    }
    let reversed = lines.replace("[\"a\", \"b\"]", "[\"b\", \"a\"]");
    assert!(powers(&descriptor, &reversed).is_ok());
    let fewer = powers(&descriptor, &lines.replace("[\"a\", \"b\"]", "[\"a\"]")).unwrap_err();
    assert!(fewer.contains("`send` has the slots a, b, not a"), "{fewer}");
}

#[test]
fn what_any_slot_of_the_route_writes_is_the_hosts_to_write() {
    let signed = hmac("{body}", &[("X-Mac", "{signature}"), ("X-Time", "{timestamp}")]);
    let mut descriptor = carrying(&[signed, query("key"), query("sig"), header("X-Key")]);
    descriptor.routes[1].query = vec![Parameter::any("*")];
    descriptor.routes[1].headers = vec![Parameter::any("X-Other")];
    let lines = descriptor.routes[1].as_granted().to_toml_lines();
    let all = ["a", "b", "c", "d"];
    let said = |query: &str, headers: &[&str]| {
        let url = format!("/1/send/2{query}");
        posted(&descriptor, &lines, &url, &all, headers).err().map(|denial| denial.rule)
    };
    assert_eq!(said("?other=1", &["X-Other"]), None);
    for query in ["?key=1", "?SIG=1", "?a=1&sig%5B%5D=2"] {
        assert_eq!(said(query, &[]).as_deref(), Some("query-not-granted"), "{query}");
    }
    for name in ["x-mac", "X_Time", "x-key"] {
        assert_eq!(said("", &[name]).as_deref(), Some("header-reserved"), "{name}");
    }
    for name in ["x-mac", "X_Time", "x-key"] {
        let mut descriptor = descriptor.clone();
        descriptor.routes[1].headers = vec![Parameter::any(name)];
        assert_eq!(descriptor.check().unwrap_err().at, "routes[1].headers", "{name}");
    }
    let granted = powers(&descriptor, &lines.replace("[\"*\"]", "[\"sig\"]")).unwrap_err();
    assert!(granted.contains("`sig` is the slot's to write"), "{granted}");
}

#[test]
fn where_a_secret_goes_into_the_path_a_guest_writes_the_placeholder_and_nothing_else() {
    let descriptor = carrying(&[path("x", "bot"), path("y", "")]);
    let lines = descriptor.routes[1].as_granted().to_toml_lines();
    assert!(lines.contains("/{x}/send/{y}"), "{lines}");
    let said = |url: &str| posted(&descriptor, &lines, url, &["a", "b"], &[]).map_err(|denial| denial.rule);
    assert!(said(&format!("/{PATH_PLACEHOLDER}/send/{PATH_PLACEHOLDER}")).is_ok());
    for url in [
        format!("/mine/send/{PATH_PLACEHOLDER}"),
        format!("/{PATH_PLACEHOLDER}/send/mine"),
        format!("/{PATH_PLACEHOLDER}x/send/{PATH_PLACEHOLDER}"),
        format!("/%2Dcredential-/send/{PATH_PLACEHOLDER}"),
    ] {
        assert_eq!(said(&url), Err("path-not-granted".to_owned()), "{url}");
    }
    // Which segments they are is the descriptor's to say, whatever a grant calls them.
    let renamed = powers(&descriptor, &lines.replace("{x}", "{other}")).unwrap();
    let route = renamed.operation("send").unwrap().routes()[0].clone();
    let segments: Vec<_> = route.slots.iter().map(|slot| (slot.name.as_str(), slot.segment)).collect();
    assert_eq!(segments, [("a", Some(0)), ("b", Some(2))]);
    assert!(!route.template.matches_path("/mine/send/mine"));
    for narrower in ["{x:word}", "mine"] {
        let error = powers(&descriptor, &lines.replace("{x}", narrower)).unwrap_err();
        assert!(error.contains("a credential goes into the path of `send`"), "{error}");
    }
    powers(&descriptor, &lines.replace("{x}", PATH_PLACEHOLDER)).unwrap();
}

#[test]
fn elsewhere_the_placeholder_is_a_word_like_any_other_and_moves_no_secret() {
    let mut descriptor = carrying(&[path("x", "")]);
    descriptor.routes[1].slots = vec!["a".into()];
    let lines = descriptor.routes[1].as_granted().to_toml_lines();
    let url = format!("/{PATH_PLACEHOLDER}/send/{PATH_PLACEHOLDER}");
    assert!(posted(&descriptor, &lines, &url, &["a"], &[]).is_ok());
    let powers = powers(&descriptor, &lines).unwrap();
    assert_eq!(powers.operation("send").unwrap().routes()[0].slots[0].segment, Some(0), "the first, not the last");
}

#[test]
fn a_refused_header_says_that_a_credential_writes_it() {
    let descriptor = carrying(&[header("X-Key"), cookie("sid")]);
    let lines = descriptor.routes[1].as_granted().to_toml_lines();
    let denial = posted(&descriptor, &lines, "/1/send/2", &["a", "b"], &["X-Key"]).unwrap_err();
    assert!(denial.message.contains("the credential's scheme writes it"), "{}", denial.message);
    assert_eq!(Reason::Header(0, HeaderRefusal::Slot).rule(), denial.rule);
}
