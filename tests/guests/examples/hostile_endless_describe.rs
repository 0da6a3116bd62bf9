//! Loops for ever in `describe`.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

use portcullis_guests::{Call, Error, Guest, config_schema, descriptor};
use portcullis_sdk::{Descriptor, bindings};

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        config_schema()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let mut turns = 0_u64;
        while black_box(turns) != u64::MAX {
            turns = black_box(turns.wrapping_add(1) >> 1);
        }
        Ok(descriptor("hostile-endless-describe", "nothing", &config))
    }

    fn invoke(_call: Call) -> Result<String, Error> {
        Ok("null".to_owned())
    }
}

bindings::export!(Component with_types_in bindings);
