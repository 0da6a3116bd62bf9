//! Calls itself without end. It uses no memory for its frames, so that the host's stack is what it runs out of.
#![cfg(target_arch = "wasm32")]

use std::sync::atomic::{AtomicU64, Ordering};

/// Never reached, and nothing the compiler could know.
static BOTTOM: AtomicU64 = AtomicU64::new(u64::MAX);

#[inline(never)]
fn deeper(depth: u64) -> u64 {
    if depth == BOTTOM.load(Ordering::Relaxed) {
        return depth;
    }
    // Not a tail call, and nothing that could be turned into a loop.
    deeper(depth.wrapping_add(1)).rotate_left(1) ^ depth
}

portcullis_guests::guest!("hostile-recursion", "recurse", |_input| Ok(deeper(0).to_string()));
