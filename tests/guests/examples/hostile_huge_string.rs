//! Hands the host the longest string it can make, at most `bytes` (by default 1 GiB), `times` over (by default 1000).
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{log, number};
use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-huge-string", "shout", |input: Value| {
    let mut wanted = usize::try_from(number(&input, "bytes", 1 << 30)).unwrap_or(usize::MAX);
    let mut text = Vec::new();
    while text.try_reserve_exact(wanted).is_err() {
        wanted /= 2;
    }
    let text = unwritten(text, wanted);
    for _ in 0..number(&input, "times", 1000) {
        log::write(log::Level::Info, &text);
    }
    Ok(format!(r#"{{"bytes": {wanted}}}"#))
});

/// The string that is there already: memory that was just grown is zero, and zeros are UTF-8. Writing it would use up
/// the fuel before the host is reached.
#[allow(unsafe_code, reason = "a string that long must not cost anything to make")]
fn unwritten(mut bytes: Vec<u8>, length: usize) -> String {
    let length = length.min(bytes.capacity());
    // SAFETY: `length` bytes are allocated, and WebAssembly has no uninitialised memory. If an earlier allocation left
    // something else than UTF-8 there, the host finds out, which is part of what is tested.
    unsafe {
        bytes.set_len(length);
        String::from_utf8_unchecked(bytes)
    }
}
