//! A URL and templates, one a line. What is accepted is sent as it was written, what a template covers it stands for, and
//! the decision is the specification's.
#![no_main]

#[path = "../../../host/gate/tests/generate/mod.rs"]
#[allow(dead_code, unused_imports)]
mod generate;

use generate::{DIGEST, template_reads_as_written, url_is_sent_as_written, verdict};
use libfuzzer_sys::fuzz_target;
use portcullis_gate::{
    Ceiling, Decision, Descriptor, Effect, Method, Operation, Powers, Repeat, Request, RequestUrl, Route, Template,
};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let written = lines.next().unwrap_or_default();
    url_is_sent_as_written(written);
    agrees_with_the_senders_parser(written);
    let templates: Vec<&str> = lines.take(4).collect();
    templates.iter().for_each(|text| template_reads_as_written(text));
    let templates: Vec<Template> = templates.iter().filter_map(|text| Template::parse(text).ok()).collect();
    let Ok(url) = RequestUrl::parse(written, 8_192) else { return };
    for wide in &templates {
        for narrow in &templates {
            assert!(!(wide.covers(narrow) && narrow.matches_path(url.path())) || wide.matches_path(url.path()));
        }
    }
    let stands_for = |template: &Template| template.origin() == url.origin() && template.matches_path(url.path());
    let expected = templates.iter().any(stands_for);
    let powers = powers(&templates);
    let Some(powers) = powers.operation("run") else { return };
    let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &[], written: &[] };
    let decision = verdict(&request, powers);
    if url.query().is_none() && url.address().is_none() {
        assert_eq!(matches!(decision, Decision::Allow(_)), expected, "{request:?}");
    }
});

/// What goes on the wire is read once more, by the HTTP library: it must see the same.
fn agrees_with_the_senders_parser(text: &str) {
    let Ok(url) = RequestUrl::parse(text, 8_192) else { return };
    let Ok(uri) = url.as_url().as_str().parse::<http::Uri>() else { return };
    assert_eq!(uri.scheme_str(), Some(url.scheme()), "{text:?}");
    assert_eq!(uri.host(), Some(url.host()), "{text:?}");
    assert_eq!(uri.path(), url.path(), "{text:?}");
    assert_eq!(uri.query(), url.query(), "{text:?}");
    let default = if url.scheme() == "https" { 443 } else { 80 };
    assert_eq!(uri.port_u16().unwrap_or(default), url.port(), "{text:?}");
}

/// What a full grant of these templates gives.
fn powers(templates: &[Template]) -> Powers {
    let route = |(i, template): (usize, &Template)| Route {
        id: format!("r{i}"),
        description: String::new(),
        method: Method::Get,
        url: template.as_str().to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        request: None,
        repeat: Repeat::Never,
        response: "{}".to_owned(),
    };
    let routes: Vec<Route> = templates.iter().enumerate().map(route).collect();
    let operation = Operation {
        name: "run".to_owned(),
        description: String::new(),
        effect: Effect::Read,
        input: "{}".to_owned(),
        output: "{}".to_owned(),
        routes: routes.iter().map(|route| route.id.clone()).collect(),
    };
    let descriptor = Descriptor {
        name: "made-up".to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        slots: Vec::new(),
        routes,
        operations: vec![operation],
    };
    Powers::new(DIGEST, "made-up", &descriptor, &generate::full(&descriptor), &Ceiling::default()).unwrap()
}
