//! Returns text that is not JSON.
#![cfg(target_arch = "wasm32")]

portcullis_guests::guest!("hostile-bad-json", "answer", |_input| Ok("{\"half\": ".to_owned()));
