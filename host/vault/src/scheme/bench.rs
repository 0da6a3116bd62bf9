//! What attaching costs: `cargo test --release -p portcullis-vault attaching -- --ignored --nocapture`.

#![allow(clippy::print_stdout, reason = "a bench tells")]

use std::{hint::black_box, sync::Arc, time::Instant};

use http::{HeaderMap, Method};
use jiff::Timestamp;
use portcullis_gate::{OpenSlot, Scheme};
use url::Url;

use crate::{Outgoing, Ready, Scrubber, Secret, ready::Live, usable::Usable};

const ROUNDS: u32 = 200_000;

#[test]
#[ignore = "a bench"]
fn attaching_a_cached_bearer_token_takes_less_than_a_microsecond() {
    let secret = Secret::try_from("eyJhbGciOiJIUzI1NiJ9".repeat(40)).unwrap();
    let mut ready = Ready::new(0, Arc::new(Scrubber::default()), Timestamp::UNIX_EPOCH);
    let slot = OpenSlot { name: "token".into(), scheme: Scheme::Bearer, segment: None };
    ready.slots.push((slot, Arc::new(Live::new(Usable::Secret(secret)))));
    let url = Url::parse("https://api.example.com/v1/things?limit=3").unwrap();
    let mut best = u128::MAX;
    for _ in 0..5 {
        let mut requests: Vec<_> = (0..ROUNDS)
            .map(|_| Outgoing {
                method: Method::GET,
                url: url.clone(),
                headers: HeaderMap::with_capacity(8),
                body: None,
            })
            .collect();
        let start = Instant::now();
        for outgoing in &mut requests {
            black_box(&ready).attach(black_box(outgoing)).unwrap();
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(ROUNDS));
    }
    println!("attaching a cached bearer token: {best} ns");
    assert!(best <= 1000, "{best} ns");
}
