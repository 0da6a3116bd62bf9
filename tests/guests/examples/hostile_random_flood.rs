//! Asks for random numbers: a little through a hash map, then as many as can be asked for, `2^64 - 1` bytes.
//!
//! `{"bytes": N}` asks for fewer; it says how many it got.
#![cfg(target_arch = "wasm32")]

use std::collections::HashMap;

use portcullis_guests::number;
use portcullis_sdk::prelude::Value;
use wasip2::random::random::get_random_bytes;

portcullis_guests::guest!("hostile-random-flood", "draw", |input: Value| {
    let seeded: HashMap<u8, u8> = (0..=u8::MAX).map(|byte| (byte, byte)).collect();
    let drawn = get_random_bytes(number(&input, "bytes", u64::MAX));
    Ok(format!(r#"{{"seeded": {}, "bytes": {}}}"#, seeded.len(), drawn.len()))
});
