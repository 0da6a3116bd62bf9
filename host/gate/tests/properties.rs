//! The gate against made-up adapters, grants, ceilings and requests: laws that hold for all of them.
//!
//! Bytes are random and everything is made of bytes, so that a failure shrinks to something small. The same laws run under a
//! fuzzer in `tests/fuzz`, which finds what chance does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod generate;

use std::sync::Arc;

use generate::*;
use portcullis_gate::{
    Ceiling, Decision, Descriptor, Grant, Method, OpenRoute, OperationPowers, Parameter, Powers, Reason, RequestUrl,
    Shape, Template, decide, diff, judge_address,
};
use proptest::{collection::vec, prelude::*, test_runner::Config};

/// This many cases; PROPTEST_CASES scales them, 256 is as it stands here.
fn cases(cases: u32) -> Config {
    let settings = Config::default();
    // Failures are told by their smallest bytes; nothing is written into the checkout.
    Config { cases: cases * settings.cases / 256, failure_persistence: None, ..settings }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), most / 2..most)
}

/// A descriptor, a grant of part of it, a ceiling, and what is left.
struct World {
    descriptor: Descriptor,
    grant: Grant,
    ceiling: Ceiling,
    powers: Powers,
}

impl World {
    fn make(choices: &mut Choices<'_>) -> Self {
        let descriptor = descriptor(choices);
        let grant = if choices.one_in(4) { full(&descriptor) } else { grant(choices, &descriptor) };
        let ceiling = if choices.one_in(4) { ceiling(choices) } else { Ceiling::default() };
        let powers = Powers::new(DIGEST, "acme/made-up", &descriptor, &grant, &ceiling).unwrap();
        Self { descriptor, grant, ceiling, powers }
    }

    fn operation(&self, choices: &mut Choices<'_>) -> Option<&OperationPowers> {
        let names = self.powers.operations();
        if names.is_empty() { None } else { self.powers.operation(choices.of(&names)).map(AsRef::as_ref) }
    }

    fn below(&self, ceiling: &Ceiling) -> Powers {
        Powers::new(DIGEST, "acme/made-up", &self.descriptor, &self.grant, ceiling).unwrap()
    }
}

/// A request near to one of the open routes.
fn near(choices: &mut Choices<'_>, powers: &OperationPowers) -> Option<Made> {
    let routes = powers.routes();
    let route = routes.get(choices.below(routes.len().max(1)))?;
    let mut made = fitting_request(choices, route)?;
    for _ in 0..choices.below(4) {
        changed(choices, &mut made);
    }
    Some(made)
}

fn decision(made: &Made, powers: &Powers, operation: &str) -> Decision {
    powers.operation(operation).map_or(Decision::Deny(Reason::Origin), |powers| decide(&made.as_request(), powers))
}

fn allows(made: &Made, powers: &Powers, operation: &str) -> bool {
    matches!(decision(made, powers, operation), Decision::Allow(_))
}

proptest! {
    #![proptest_config(cases(2_500))]

    /// 2 500 worlds with 60 requests each: about 120 000 that can be judged, within seconds.
    #[test]
    fn the_decision_is_the_specifications_for_every_request(bytes in bytes(3_000)) {
        let mut choices = Choices::new(&bytes);
        let world = World::make(&mut choices);
        for _ in 0..60 {
            let Some(powers) = world.operation(&mut choices) else { return Ok(()) };
            if let Some(made) = near(&mut choices, powers) {
                verdict(&made.as_request(), powers);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn what_an_open_route_allows_is_allowed_by_it_or_by_one_before_it(bytes in bytes(1_200)) {
        let mut choices = Choices::new(&bytes);
        let world = World::make(&mut choices);
        let Some(powers) = world.operation(&mut choices) else { return Ok(()) };
        for (number, route) in powers.routes().iter().enumerate() {
            let Some(made) = fitting_request(&mut choices, route) else { continue };
            let request = made.as_request();
            let judged = request.url.address().map_or(Ok(()), |address| {
                judge_address(address, request.url.port(), request.url.scheme() == "https", &powers.carve_outs)
            });
            match (verdict(&request, powers), judged) {
                (Decision::Allow(id), Ok(())) => {
                    let first = (0..=number).find(|at| powers.route(id).unwrap().template == powers.routes()[*at].template);
                    prop_assert!(first.is_some(), "{request:?}");
                }
                (Decision::Deny(Reason::Address(told)), Err(refusal)) => prop_assert_eq!(told, refusal),
                (other, _) => prop_assert!(false, "{:?}: {:?}", other, request),
            }
        }
    }

    #[test]
    fn another_origin_method_literal_or_number_of_segments_is_denied(bytes in bytes(600)) {
        let mut choices = Choices::new(&bytes);
        let world = World::make(&mut choices);
        // One route alone, so that no other can allow what this one does not.
        let Some(route) = world.grant.routes.first().cloned() else { return Ok(()) };
        let alone = World { grant: Grant { routes: vec![route.clone()], ..world.grant.clone() }, ..world };
        let powers = alone.below(&Ceiling::default());
        for name in powers.operations() {
            let powers = powers.operation(name).unwrap();
            let Some(open) = powers.routes().first() else { continue };
            let Some(made) = fitting_request(&mut choices, open) else { continue };
            let query = made.url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let (origin, path) = (made.url.origin(), made.url.path());
            let (scheme, host, port) = (made.url.scheme(), made.url.host(), made.url.port());
            let other_scheme = if scheme == "https" { "http" } else { "https" };
            let mut others = vec![
                format!("{other_scheme}://{host}:{port}{path}{query}"),
                format!("{scheme}://{host}:{}{path}{query}", port + 1),
                format!("{scheme}://{}{path}{query}", origin.replacen("://", "://x.", 1).trim_start_matches("https://").trim_start_matches("http://")),
                format!("{scheme}://a{}{path}{query}", origin.trim_start_matches(scheme).trim_start_matches("://")),
                format!("{scheme}://{host}.example:{port}{path}{query}"),
            ];
            let parts: Vec<&str> = open.template.as_str().split('/').skip(3).collect();
            let given: Vec<&str> = path.split('/').skip(1).collect();
            let takes_any_end = parts.last().unwrap().ends_with("*}");
            if !takes_any_end && !parts.last().unwrap().ends_with("..}") {
                others.push(format!("{origin}{path}/x{query}"));
                others.push(format!("{origin}{path}/{query}"));
            }
            // With an open end, fewer segments can fit as well.
            if given.len() == parts.len() && given.len() > 1 && !takes_any_end {
                others.push(format!("{origin}/{}{query}", given[1..].join("/")));
                others.push(format!("{origin}/{}{query}", given[..given.len() - 1].join("/")));
            }
            for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.starts_with('{')) {
                for literal in [format!("{part}x"), part.to_ascii_uppercase().replace("%20", "%2b"), String::new(), format!("x{part}")] {
                    let mut given = given.clone();
                    if literal != *part {
                        given[at] = &literal;
                        others.push(format!("{origin}/{}{query}", given.join("/")));
                    }
                }
            }
            for text in others {
                let Ok(url) = RequestUrl::parse(&text, 9_000) else { continue };
                let other = Made { url, ..made.clone() };
                prop_assert!(matches!(verdict(&other.as_request(), powers), Decision::Deny(_)), "{}", text);
            }
            if !open.links.is_empty() {
                let unwritten = Made { written: Vec::new(), ..made.clone() };
                prop_assert_eq!(verdict(&unwritten.as_request(), powers), Decision::Deny(Reason::Link));
            }
            for method in [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Options] {
                let other = Made { method, ..made.clone() };
                let denied = matches!(verdict(&other.as_request(), powers), Decision::Deny(Reason::Method));
                prop_assert_eq!(denied, method != made.method);
            }
        }
    }

    #[test]
    fn what_leaves_is_declared_and_granted_and_below_the_ceiling(bytes in bytes(1_500)) {
        let mut choices = Choices::new(&bytes);
        let world = World::make(&mut choices);
        let all = Powers::new(DIGEST, "acme/made-up", &world.descriptor, &full(&world.descriptor), &Ceiling::default()).unwrap();
        let lower = ceiling(&mut choices);
        // Part of what is declared, or something else: that is refused, or within it all the same.
        let grant = if choices.one_in(2) { overreaching(&mut choices, &world.grant) } else { world.grant.clone() };
        let world = World { grant, ..world };
        let made = Powers::new(DIGEST, "acme/made-up", &world.descriptor, &world.grant, &Ceiling::default());
        let Ok(without) = made else { return Ok(()) };
        let under = world.below(&lower);
        for name in without.operations() {
            let (powers, all) = (without.operation(name).unwrap(), all.operation(name).unwrap());
            for _ in 0..10 {
                let Some(made) = near(&mut choices, powers) else { continue };
                let request = made.as_request();
                let granted = matches!(verdict(&request, powers), Decision::Allow(_));
                let left = under.operation(name).is_some_and(|under| matches!(verdict(&request, under), Decision::Allow(_)));
                if granted {
                    let by_all = verdict(&request, all);
                    let carved = matches!(by_all, Decision::Deny(Reason::Address(_)));
                    prop_assert!(carved || matches!(by_all, Decision::Allow(_)), "not declared: {:?}", request);
                    prop_assert!(grant_alone_allows(&request, name, &world.grant), "not granted: {:?}", request);
                }
                prop_assert!(!left || (granted && ceiling_alone_allows(&request, &lower)), "above the ceiling: {:?}", request);
                // And it takes away no more: only origin, method and carve-outs are its business.
                if granted && !left && ceiling_alone_allows(&request, &lower) {
                    prop_assert!(lower.carve_outs.is_some() && request.url.address().is_some(), "{:?}", request);
                }
            }
        }
        prop_assert_eq!(under.operations(), without.operations());
        for (limit, most) in &lower.limits {
            prop_assert_eq!(under.limits().get(limit).unwrap(), without.limits().get(limit).unwrap().min(*most));
        }
    }

    #[test]
    fn the_lines_of_a_denial_are_accepted_and_take_the_request_further(bytes in bytes(1_500)) {
        let mut choices = Choices::new(&bytes);
        let world = World::make(&mut choices);
        let all = Powers::new(DIGEST, "acme/made-up", &world.descriptor, &full(&world.descriptor), &Ceiling::default()).unwrap();
        for name in world.powers.operations() {
            for _ in 0..8 {
                let Some(made) = near(&mut choices, all.operation(name).unwrap()) else { continue };
                lines_help(&made.as_request(), name, &world.descriptor, &world.grant, &world.ceiling);
            }
        }
    }

    #[test]
    fn what_is_explained_is_what_holds(bytes in bytes(700)) {
        let mut choices = Choices::new(&bytes);
        let World { descriptor, grant, ceiling, powers } = World::make(&mut choices);
        explanation_is_what_holds(&descriptor, &grant, &ceiling, &powers);
    }

    #[test]
    fn a_diff_is_empty_where_the_powers_are_equal_and_only_there(bytes in bytes(700)) {
        let mut choices = Choices::new(&bytes);
        let old = descriptor(&mut choices);
        let new = if choices.one_in(8) { descriptor(&mut choices) } else { edited(&mut choices, &old) };
        prop_assert!(diff(&old, &old).unwrap().is_empty());
        diff_is_empty_where_powers_are_equal(&old, &new, &diff(&old, &new).unwrap());
    }

    #[test]
    fn a_version_that_asks_for_no_more_can_send_no_more(bytes in bytes(1_500)) {
        let mut choices = Choices::new(&bytes);
        let old = descriptor(&mut choices);
        let new = edited(&mut choices, &old);
        if !diff(&old, &new).unwrap().asks_more() {
            can_send_no_more(&mut choices, &old, &new);
        }
    }

    #[test]
    fn what_is_written_reads_the_same_again(bytes in bytes(700)) {
        let mut choices = Choices::new(&bytes);
        let World { descriptor, grant, ceiling, .. } = World::make(&mut choices);
        grant_reads_as_written(&grant);
        ceiling_reads_as_written(&ceiling);
        let json = serde_json::to_string(&descriptor).unwrap();
        prop_assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), descriptor);
        for route in &grant.routes {
            template_reads_as_written(&route.url);
        }
    }
}

/// Everything that the new version can send with a full grant, the old one could, but for the credential that it carried.
fn can_send_no_more(choices: &mut Choices<'_>, old: &Descriptor, new: &Descriptor) {
    let powers =
        |descriptor| Powers::new(DIGEST, "acme/made-up", descriptor, &full(descriptor), &Ceiling::default()).unwrap();
    let (old, new) = (powers(old), powers(new));
    for name in new.operations() {
        for _ in 0..12 {
            let Some(made) = near(choices, new.operation(name).unwrap()) else { continue };
            if !allows(&made, &new, name) {
                continue;
            }
            // With these credentials, or with more.
            let powers = old.operation(name).unwrap();
            let more = |open: &Arc<OpenRoute>| {
                let slots: Vec<String> = open.slots.iter().map(|slot| slot.name.clone()).collect();
                let has_all = made.slots.iter().all(|slot| slots.contains(slot));
                has_all && allows(&Made { slots, ..made.clone() }, &old, name)
            };
            let could = powers.routes().iter().any(more);
            assert!(could, "{name} could not send {made:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn what_a_template_covers_it_stands_for(bytes in bytes(60)) {
        let mut choices = Choices::new(&bytes);
        let mut templates = [0; 3].map(|_| template(&mut choices));
        // Near to each other, so that some do cover others.
        let origin = Template::parse(&templates[0]).unwrap().origin().to_owned();
        for text in &mut templates[1..] {
            *text = format!("{origin}/{}", text.splitn(4, '/').nth(3).unwrap_or_default());
        }
        let [a, b, c] = templates.map(|text| Template::parse(&text).unwrap());
        prop_assert!(a.covers(&a));
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c), "{} {} {}", a, b, c);
        let path = paths_of(&mut choices, &b);
        prop_assert!(b.matches_path(&path), "{} {}", b, path);
        prop_assert!(!a.covers(&b) || a.matches_path(&path), "{} covers {} and does not stand for {}", a, b, path);
    }

    #[test]
    fn what_a_shape_or_a_parameter_covers_it_allows(bytes in bytes(60)) {
        let mut choices = Choices::new(&bytes);
        let [a, b, c] = [0; 3].map(|_| shape(&mut choices).parse::<Shape>().unwrap());
        prop_assert!(a.covers(&a) && a.to_string().parse::<Shape>().as_ref() == Ok(&a));
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c), "{} {} {}", a, b, c);
        let [p, q, r] = [0; 3].map(|_| parameter(&mut choices, "p"));
        prop_assert!(p.covers(&p));
        prop_assert!(!(p.covers(&q) && q.covers(&r)) || p.covers(&r), "{} {} {}", p, q, r);
        for text in ["", "1", "12", "a", "ab", "aF", "f-", "abc", "x y", "00", "a%41", "123e4567-e89b-12d3-a456-426614174000"] {
            let fits = |shape: &Shape| shape.fits(text.bytes());
            prop_assert!(!(a.covers(&b) && fits(&b)) || fits(&a), "{} {} {:?}", a, b, text);
            let allows = |parameter: &Parameter| parameter.allows(text.bytes());
            prop_assert!(!(p.covers(&q) && allows(&q)) || allows(&p), "{} {} {:?}", p, q, text);
        }
    }

    #[test]
    fn a_url_is_sent_as_it_was_written(bytes in bytes(12)) {
        url_is_sent_as_written(&url_like(&mut Choices::new(&bytes)));
    }

    #[test]
    fn no_text_makes_a_parser_panic(bytes in bytes(40)) {
        let text = file_like(&mut Choices::new(&bytes));
        let _ = Grant::parse(&text).map(|grant| grant_reads_as_written(&grant));
        let _ = Ceiling::parse(&text).map(|ceiling| ceiling_reads_as_written(&ceiling));
        let _ = text.parse::<portcullis_gate::OriginPattern>();
        let _ = text.parse::<portcullis_gate::CarveOut>();
        let _ = text.parse::<Shape>();
        let _ = serde_json::from_str::<Descriptor>(&text).map(|descriptor| descriptor.check());
        template_reads_as_written(&text);
        url_is_sent_as_written(&text);
    }
}

/// A path that a template stands for.
fn paths_of(choices: &mut Choices<'_>, template: &Template) -> String {
    let open = portcullis_gate::OpenRoute {
        id: String::new(),
        method: Method::Get,
        template: template.clone(),
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        body: None,
        repeat: portcullis_gate::Repeat::Never,
        limits: portcullis_gate::RouteLimits::default(),
    };
    fitting_request(choices, &open).map(|made| made.url.path().to_owned()).unwrap()
}
