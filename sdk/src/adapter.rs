//! An adapter as a whole: its config type, and what the component's two exports do with it.

use std::{borrow::Cow, rc::Rc};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Context, Declared, Descriptor, Entry, Error, Failure, Response, failure, host::Host, slot::is_name};

/// What makes a config type an adapter. [`register!`](crate::register) writes the implementation.
pub trait Adapter: Serialize + DeserializeOwned + JsonSchema + 'static {
    /// Lower-case letters, digits and `-`, 1 to 64 bytes.
    const NAME: &'static str;
    /// Semantic version, for people. The digest of the component's bytes is what counts.
    const VERSION: &'static str;
    /// One sentence: what it connects to.
    const DESCRIPTION: &'static str;
    /// Its operations.
    const OPERATIONS: &'static [Entry<Self>];

    /// What routes that start with `/` are relative to: scheme, host, maybe port and path. A pure function.
    fn base_url(&self) -> Cow<'_, str>;

    /// What an answer that is no success means. By default `http.STATUS`.
    fn error(response: &Response) -> Failure {
        Failure::from_status(response)
    }
}

/// What can be wrong with an adapter as a whole, found when it is compiled. Called by [`register!`](crate::register).
#[doc(hidden)]
pub const fn check<C: Adapter>() {
    assert!(is_name(C::NAME), "an adapter's name is 1 to 64 lower-case letters, digits and `-`; write `name: \"…\"`");
    assert!(
        !C::DESCRIPTION.is_empty(),
        "an adapter says what it connects to: `description = \"…\"` in Cargo.toml, or `description: \"…\"` here"
    );
}

pub(crate) fn descriptor_of<C: Adapter>(config: &str) -> Result<Descriptor, Error> {
    let config: C = parse_config(config)?;
    let mut declared = Declared::new(config.base_url().into_owned());
    let operations = C::OPERATIONS.iter().map(|entry| (entry.describe)(&mut declared)).collect();
    if let Some(problem) = declared.problem {
        return Err(problem.into());
    }
    Ok(Descriptor {
        name: C::NAME.to_owned(),
        version: C::VERSION.to_owned(),
        description: C::DESCRIPTION.to_owned(),
        config: declared.schema_of_received::<C>().to_string(),
        slots: declared.slots,
        routes: declared.routes,
        operations,
    })
}

pub(crate) fn call<C: Adapter>(
    operation: String,
    input: &str,
    config: Rc<C>,
    idempotency_key: Option<String>,
    host: Rc<dyn Host>,
) -> Result<String, Error> {
    let Some(entry) = C::OPERATIONS.iter().find(|entry| entry.name == operation) else {
        return Err(Error::UnknownOperation(operation));
    };
    (entry.run)(&Context::new(config, idempotency_key, host), input)
}

pub(crate) fn parse_config<C: Adapter>(config: &str) -> Result<C, Error> {
    serde_json::from_slice(config.as_bytes()).map_err(|error| Error::invalid_config("", failure::mismatch(&error)))
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::{Adapter, Descriptor, Rc, call, descriptor_of, parse_config};
    use crate::{bindings::exports::portcullis::adapter::operations as contract, host::Live};

    /// The export `describe`.
    pub fn describe<C: Adapter>(config: &str) -> Result<Descriptor, contract::Error> {
        descriptor_of::<C>(config).map_err(Into::into)
    }

    /// The export `invoke`.
    pub fn invoke<C: Adapter>(received: contract::Call) -> Result<String, contract::Error> {
        let config = Rc::new(parse_config::<C>(&received.config)?);
        Ok(call(received.operation, &received.input, config, received.idempotency_key, Rc::new(Live))?)
    }
}
#[cfg(target_arch = "wasm32")]
pub use exports::{describe, invoke};
