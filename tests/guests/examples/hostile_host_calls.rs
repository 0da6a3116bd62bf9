//! Host calls in a row without end, each of which takes long and burns no fuel: `{"call": "sleep"}` for 5 ms each, or
//! `{"call": "random"}` for 64 KiB each.
#![cfg(target_arch = "wasm32")]

use std::{hint::black_box, thread, time::Duration};

use portcullis_sdk::prelude::Value;
use wasip2::random::random::get_random_bytes;

portcullis_guests::guest!("hostile-host-calls", "call", |input: Value| {
    let random = input.get("call").and_then(Value::as_str) == Some("random");
    let mut calls = 0_u64;
    while black_box(calls) != u64::MAX {
        if random {
            black_box(get_random_bytes(65_536));
        } else {
            thread::sleep(Duration::from_millis(5));
        }
        calls = calls.wrapping_add(1) >> 1;
    }
    Ok("null".to_owned())
});
