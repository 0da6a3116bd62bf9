//! Keeps the handle of a credential in a static and looks for it there in its next call, which would be somebody else's.
//!
//! Says what it found: `{"kept": null}`, or the slot of the credential that it could still use.
#![cfg(target_arch = "wasm32")]

use std::sync::Mutex;

use portcullis_guests::{
    Call, Error, Guest, config_schema,
    credentials::{self, Credential},
    descriptor, only,
};
use portcullis_sdk::{
    Descriptor,
    bindings::{
        self,
        portcullis::adapter::descriptor::{Scheme, Slot},
    },
    prelude::json,
};

static KEPT: Mutex<Option<Credential>> = Mutex::new(None);

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        config_schema()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let mut descriptor = descriptor("hostile-kept-handle", "keep", &config);
        descriptor.slots.push(Slot {
            name: "token".to_owned(),
            description: "A token.".to_owned(),
            scheme: Scheme::Bearer,
            oauth: None,
        });
        for route in &mut descriptor.routes {
            route.slots = vec!["token".to_owned()];
        }
        Ok(descriptor)
    }

    fn invoke(call: Call) -> Result<String, Error> {
        only("keep", &call)?;
        let Ok(mut kept) = KEPT.lock() else { return Ok("null".to_owned()) };
        let found = kept.as_ref().map(Credential::slot);
        *kept = credentials::open("token").ok();
        Ok(json!({"kept": found, "opened": kept.is_some()}).to_string())
    }
}

bindings::export!(Component with_types_in bindings);
