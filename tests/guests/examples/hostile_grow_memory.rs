//! Grows its memory until it is refused, and says how far it got: `{"pages": N}` of 64 KiB each.
#![cfg(target_arch = "wasm32")]

use core::arch::wasm32::{memory_grow, memory_size};

portcullis_guests::guest!("hostile-grow-memory", "grow", |_input| {
    for step in [1024, 64, 1] {
        while memory_grow::<0>(step) != usize::MAX {}
    }
    Ok(format!(r#"{{"pages": {}}}"#, memory_size::<0>()))
});
