//! Counts its calls in a static and returns the count: anything but 1 means that state outlived a call.
#![cfg(target_arch = "wasm32")]

use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);

portcullis_guests::guest!("hostile-global-state", "count", |_input| {
    Ok(format!(r#"{{"count": {}}}"#, CALLS.fetch_add(1, Ordering::Relaxed) + 1))
});
