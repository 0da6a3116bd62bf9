//! What guests hand over: any method, URL, header fields, body flag and slots, against an adapter with every kind of rule.
//! The decision is the specification's, a denial can be told, and its lines help.
#![no_main]

#[path = "../../../host/gate/tests/generate/mod.rs"]
#[allow(dead_code, unused_imports)]
mod generate;

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use generate::{
    Choices, DIGEST, Made, changed, fitting_request, full, grant, is_fit_to_be_shown, is_plain_text, lines_help,
    verdict,
};
use libfuzzer_sys::fuzz_target;
use portcullis_gate::{Ceiling, Decision, Denial, Descriptor, Grant, Header, Method, Powers, RequestUrl, decide};

/// A request, part by part.
#[derive(Arbitrary, Debug)]
struct Guest {
    operation: u8,
    method: u8,
    url: Url,
    headers: Vec<(Name, Vec<u8>)>,
    body: bool,
    slots: Vec<Slot>,
}

#[derive(Arbitrary, Debug)]
enum Url {
    /// Any text.
    Text(String),
    /// A known place, then any text.
    Known(u8, String),
    /// One that an open route allows, changed by these bytes.
    Near(u8, Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Text(String),
    Known(u8),
}

#[derive(Arbitrary, Debug)]
enum Slot {
    Text(String),
    Known(u8),
}

const METHODS: [Method; 7] =
    [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Head, Method::Options];
const PLACES: &[&str] = &[
    "https://api.example.com/",
    "https://api.example.com/v1/items/",
    "https://api.example.com/v1/items?",
    "https://",
    "https://api.example.com/v1/files/",
    "http://127.0.0.1:8025/",
    "https://10.0.0.1/",
    "https://api.example.com/v1/send",
];
const NAMES: &[&str] = &[
    "Content-Type",
    "X-Mode",
    "Idempotency-Key",
    "X-Api-Key",
    "Accept",
    "Host",
    "x_mode",
    "User-Agent",
    "X-Any",
    "Authorization",
    "Cookie",
];
const SLOTS: &[&str] = &["token", "login", "key", "query", "mac", ""];

struct World {
    descriptor: Descriptor,
    grants: Vec<Grant>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let descriptor: Descriptor = serde_json::from_str(include_str!("../rich.json")).unwrap();
    descriptor.check().unwrap();
    let mut grants = vec![full(&descriptor)];
    for seed in 1..8_u8 {
        let bytes: Vec<u8> =
            (0..=255_u8).map(|i| i.wrapping_mul(167).wrapping_add(seed.wrapping_mul(59)) ^ (i >> 3)).collect();
        grants.push(grant(&mut Choices::new(&bytes), &descriptor));
    }
    World { descriptor, grants }
});

static POWERS: LazyLock<Vec<Powers>> = LazyLock::new(|| {
    let powers = |grant| Powers::new(DIGEST, "made-up", &WORLD.descriptor, grant, &Ceiling::default()).unwrap();
    WORLD.grants.iter().map(powers).collect()
});

fuzz_target!(|guest: Guest| {
    let of = |list: &[&str], at: u8| list[usize::from(at) % list.len()].to_owned();
    let which = usize::from(guest.operation >> 4) % POWERS.len();
    let powers = &POWERS[which];
    let names = powers.operations();
    if names.is_empty() {
        return;
    }
    let name = names[usize::from(guest.operation & 15) % names.len()];
    let powers = powers.operation(name).unwrap();
    let mut made = Made {
        method: METHODS[usize::from(guest.method) % METHODS.len()],
        url: RequestUrl::parse("https://api.example.com/", 100).unwrap(),
        headers: Vec::new(),
        body: guest.body,
        slots: guest
            .slots
            .into_iter()
            .map(|slot| match slot {
                Slot::Text(text) => text,
                Slot::Known(at) => of(SLOTS, at),
            })
            .collect(),
    };
    let text = match guest.url {
        Url::Text(text) => text,
        Url::Known(at, text) => of(PLACES, at) + &text,
        Url::Near(at, bytes) => {
            let mut choices = Choices::new(&bytes);
            let all = POWERS[0].operation(name).unwrap();
            if let Some(near) = all
                .routes()
                .get(usize::from(at) % all.routes().len().max(1))
                .and_then(|route| fitting_request(&mut choices, route))
            {
                made = near;
                for _ in 0..choices.below(3) {
                    changed(&mut choices, &mut made);
                }
            }
            made.url.to_string()
        }
    };
    match RequestUrl::parse(&text, 8_192) {
        Ok(url) => made.url = url,
        Err(refusal) => {
            let denial = Denial::url(&text, &refusal);
            [&denial.asked, &denial.message].into_iter().for_each(|text| is_plain_text(text));
            // 200 characters; one that is escaped takes ten.
            assert!(denial.asked.chars().count() <= 2_001 && denial.message.chars().count() < 3_000, "{denial:?}");
            return;
        }
    }
    made.headers.extend(guest.headers.into_iter().map(|(name, value)| Header {
        name: match name {
            Name::Text(text) => text,
            Name::Known(at) => of(NAMES, at),
        },
        value,
    }));
    let request = made.as_request();
    if let Decision::Deny(reason) = verdict(&request, powers) {
        let denial = Denial::new(reason, &request, powers);
        is_fit_to_be_shown(&denial, reason);
        lines_help(&request, name, &WORLD.descriptor, &WORLD.grants[which], &Ceiling::default());
    }
    assert_eq!(decide(&request, powers), decide(&request, powers));
});
