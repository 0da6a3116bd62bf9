//! What scrubbing costs, by body and number of secrets. Run with `--release -- --ignored --nocapture`.

use std::{fmt::Write, time::Instant};

use ::base64::{Engine, prelude::BASE64_STANDARD};

use super::*;

const BYTES: usize = 5 << 20;

fn random(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state >> 40 & 255).unwrap()
    };
    (0..count).map(|_| next()).collect()
}

/// A list of customers, as APIs send it; `text` makes the one free text of each.
fn json(text: impl Fn(usize) -> String) -> Vec<u8> {
    let mut out = String::from("[");
    let noise = random(3, 1 << 20);
    let mut number = 0;
    while out.len() < BYTES {
        let hex = |from: usize, count: usize| {
            noise.iter().cycle().skip(from % 1_000_000).take(count).fold(String::new(), |mut out, b| {
                write!(out, "{b:02x}").unwrap();
                out
            })
        };
        let (a, b, c) = (hex(number * 7, 4), hex(number * 11, 2), hex(number * 13, 6));
        let text = text(number);
        write!(
            out,
            "{{\"id\":\"cus_{number:08}\",\"uuid\":\"{a}-{b}-4{}-a{}-{c}\",\"name\":\"Alice Example {number}\",\
             \"email\":\"alice.{number}@example.com\",\"created\":\"2026-11-21T09:57:51Z\",\"balance\":{},\
             \"url\":\"https://api.example.com/v1/customers/cus_{number:08}/subscriptions?limit=10\",\
             \"description\":\"{text}\",\"active\":true,\"tags\":[\"one\",\"two\",\"internationalization\"]}},",
            &b[1..],
            &a[5..],
            number * 37 % 100_000,
        )
        .unwrap();
        number += 1;
    }
    out.pop();
    out.push(']');
    out.into_bytes()
}

fn repeated(text: &str) -> Vec<u8> {
    text.repeat(BYTES / text.len()).into_bytes()
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let noise = random(5, BYTES);
    let upper = |b: &[u8]| b.iter().map(|b| format!("{b:02X}")).collect::<String>().into_bytes();
    let prose = "The customer asked for a refund, which was granted on the second of May.";
    vec![
        ("json, few escapes", json(|n| format!("{prose}{}", if n % 8 == 0 { "\\n" } else { "" }))),
        (
            "json, 5% \\\" and \\/",
            json(|_| "The \\\"customer\\\" \\/asked\\/ \\\"for\\\" a \\\"refund\\\", \\/which\\/ was.".into()),
        ),
        (
            "json, 5% \\n",
            json(|_| "The\\ncustomer\\nasked\\nfor a\\nrefund\\n, which\\nwas\\ngranted\\non\\n the second.".into()),
        ),
        ("json in json", json(|_| prose.into()).escape_ascii().to_string().into_bytes()),
        ("form", url::form_urlencoded::byte_serialize(&json(|_| prose.into())).collect::<String>().into_bytes()),
        ("prose", repeated(prose)),
        ("base64 of noise", BASE64_STANDARD.encode(&noise[..BYTES * 3 / 4]).into_bytes()),
        ("base64 of json", BASE64_STANDARD.encode(&json(|_| prose.into())[..BYTES * 3 / 4]).into_bytes()),
        ("base64 of base64", BASE64_STANDARD.encode(BASE64_STANDARD.encode(&noise[..BYTES * 9 / 16])).into_bytes()),
        ("hex of noise", upper(&noise[..BYTES / 2])),
        ("hex of prose", upper(&repeated(prose)[..BYTES / 2])),
        ("binary", noise),
        ("escapes: %41", repeated("%41")),
        ("escapes: \\u0041", repeated("\\u0041")),
        ("escapes: \\/", repeated("\\/")),
        ("escapes: &sol;", repeated("&sol;")),
        ("escapes: =41", repeated("=41")),
        ("escapes: %2541", repeated("%2541")),
        ("escapes: mixed", repeated("%41\\u0041&#65;=41\\/%2541\\\\u0041=3D41&amp;#65;")),
        ("worst: VVVV", repeated("VVVV")),
        ("worst: MjMy", repeated("MjMy")),
        ("worst: 3a3a", repeated("3a3a")),
        ("worst: 41 41", repeated("41 41 ")),
        ("worst: spaces", repeated("    ")),
        ("worst: \\\\\\\\", repeated("\\\\\\\\")),
    ]
}

const SECRETS: [&str; 8] = [
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "user:c0rrect-horse-Battery",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOHcbrzqgy",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "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",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
];

#[test]
#[ignore = "a measurement: run it with --release"]
fn bench_of_bodies_by_number_of_secrets() {
    let sets: Vec<(String, Vec<&str>)> = [1, 3, 8]
        .map(|count| (format!("{count}"), SECRETS[..count].to_vec()))
        .into_iter()
        .chain([
            ("8 bytes".into(), vec!["hunter22"]),
            ("4 bytes".into(), vec!["q7Zx"]),
            ("ü".into(), vec!["schlüssel-größe"]),
        ])
        .collect();
    let mut table = format!("{:24}", "GB/s");
    sets.iter().for_each(|(name, _)| write!(table, "{name:>9}").unwrap());
    for (name, body) in bodies() {
        write!(table, "\n{name:24}").unwrap();
        for (_, secrets) in &sets {
            let scrubber = Scrubber::of(secrets.iter().map(|secret| ("key", secret.as_bytes())));
            assert_eq!(scrubber.scrub(&body), None, "{name}");
            let best = (0..5)
                .map(|_| {
                    let started = Instant::now();
                    std::hint::black_box(scrubber.scrub(std::hint::black_box(&body)));
                    started.elapsed()
                })
                .min()
                .unwrap();
            #[allow(clippy::cast_precision_loss)]
            write!(table, "{:9.2}", body.len() as f64 / best.as_secs_f64() / 1e9).unwrap();
        }
    }
    println!("{table}");
}
