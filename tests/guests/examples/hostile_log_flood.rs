//! Floods stdout, stderr and the log with terminal escape sequences, `times` over (by default 100,000).
#![cfg(target_arch = "wasm32")]

use std::io::Write;

use portcullis_guests::{log, number};
use portcullis_sdk::prelude::Value;

/// Clears the screen, sets the window's title, turns red, rings, overwrites the line.
const LINE: &str = "\x1b[2J\x1b]0;owned\x07\x1b[31mERROR forged line\x1b[0m\r\u{9b}1m\u{202e}\x00";

portcullis_guests::guest!("hostile-log-flood", "flood", |input: Value| {
    let times = number(&input, "times", 100_000);
    for _ in 0..times {
        // What the host does with it is the host's; refusing to take it is one of the right answers.
        let _ = writeln!(std::io::stdout(), "{LINE}");
        let _ = writeln!(std::io::stderr(), "{LINE}");
        log::write(log::Level::Error, LINE);
    }
    Ok(format!(r#"{{"times": {times}}}"#))
});
