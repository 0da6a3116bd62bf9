//! Loops for ever in `invoke`.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

portcullis_guests::guest!("hostile-endless-loop", "loop", |_input| {
    let mut turns = 0_u64;
    while black_box(turns) != u64::MAX {
        turns = black_box(turns.wrapping_add(1) >> 1);
    }
    Ok("null".to_owned())
});
