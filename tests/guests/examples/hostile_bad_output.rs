//! Returns JSON that its output schema does not allow.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{Call, Error, Guest, config_schema, descriptor};
use portcullis_sdk::{Descriptor, bindings};

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        config_schema()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let mut descriptor = descriptor("hostile-bad-output", "answer", &config);
        for operation in &mut descriptor.operations {
            operation.output =
                r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}"#.into();
        }
        Ok(descriptor)
    }

    fn invoke(_call: Call) -> Result<String, Error> {
        Ok(r#"{"id": 7}"#.to_owned())
    }
}

bindings::export!(Component with_types_in bindings);
