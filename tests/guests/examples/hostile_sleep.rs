//! Sleeps for `milliseconds` (by default an hour): burns wall time and no fuel.
#![cfg(target_arch = "wasm32")]

use std::{thread, time::Duration};

use portcullis_guests::number;
use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-sleep", "sleep", |input: Value| {
    thread::sleep(Duration::from_millis(number(&input, "milliseconds", 3_600_000)));
    Ok(r#""slept""#.to_owned())
});
