//! An adapter as a whole: its config type, and what the component's exports do with it.

use std::{borrow::Cow, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Context, Declared, DeclaredOAuth, Descriptor, Entry, Error, Failure, Response, Value,
    bindings::portcullis::adapter::descriptor::Operation, context::CallFacts, failure, host::Host, schema::Model,
    slot::is_name,
};

/// What makes a config type an adapter. [`register!`](crate::register) writes the implementation.
pub trait Adapter: Serialize + DeserializeOwned + Model + 'static {
    /// Lower-case letters, digits and `-`, 1 to 64 bytes.
    const NAME: &'static str;
    /// Semantic version, for people. The digest of the component's bytes is what counts.
    const VERSION: &'static str;
    /// One sentence: what it connects to.
    const DESCRIPTION: &'static str;
    /// What routes that start with `/` are relative to: scheme, host, maybe port and path. A pure function.
    fn base_url(&self) -> Cow<'_, str>;

    /// Header fields of every request that depend on the config. A pure function.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Refuses a config that its schema allows and that cannot be right, with the pointer to what is wrong.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What depends on the config of the authorization server that issues the slot's tokens. A pure function.
    fn oauth(&self, _slot: &str, _server: &mut DeclaredOAuth) {}

    /// Its operations, with what they use put into `declared`.
    fn describe(&self, declared: &mut Declared) -> Result<Vec<Operation>, Error>;

    /// Carries out an operation: input and output are JSON text.
    fn run(cx: &Context<Self>, operation: &str, input: &str) -> Result<String, Error>;

    /// Whether an answer is a success. By default those with a status of 2xx.
    fn success(response: &Response) -> bool {
        response.is_success()
    }

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

pub(crate) fn config_schema_of<C: Adapter>() -> String {
    Declared::schema_of_received::<C>().to_string()
}

pub(crate) fn descriptor_of<C: Adapter>(config: &str) -> Result<Descriptor, Error> {
    let config: C = parse_config(config)?;
    config.check()?;
    let mut declared = Declared::new(config.base_url().into_owned(), config.headers());
    let operations = config.describe(&mut declared)?;
    for slot in &mut declared.slots {
        if let Some(server) = &mut slot.oauth {
            config.oauth(&slot.name, server);
        }
    }
    if let Some(problem) = declared.problem {
        return Err(problem.into());
    }
    Ok(Descriptor {
        name: C::NAME.to_owned(),
        version: C::VERSION.to_owned(),
        description: C::DESCRIPTION.to_owned(),
        slots: declared.slots,
        routes: declared.routes,
        operations,
    })
}

pub(crate) fn call<C: Adapter>(
    operation: &str,
    input: &str,
    config: Rc<C>,
    facts: CallFacts,
    host: Rc<dyn Host>,
) -> Result<String, Error> {
    C::run(&Context::new(config, facts, host), operation, input).map_err(|error| of_the_input(error, input))
}

/// A value that cannot stand in a path is the caller's mistake where the input has it under the same name.
fn of_the_input(error: Error, input: &str) -> Error {
    let Error::Failed(failure) = &error else { return error };
    let field = failure.details.as_ref().and_then(|details| details.get("field")).and_then(Value::as_str);
    let (Some(field), "adapter.path-segment") = (field, failure.code.as_ref()) else { return error };
    let input: Value = input.parse().unwrap_or_default();
    match input.get(field) {
        Some(Value::String(_)) => {
            let pointer = ["/", &field.replace('~', "~0").replace('/', "~1")].concat();
            Error::invalid_input(pointer, failure.message.clone())
        }
        _ => error,
    }
}

/// [`Adapter::describe`] for a list of operations, as [`register!`](crate::register) writes it.
#[doc(hidden)]
pub fn describe_entries<C: Adapter>(entries: &[Entry<C>], declared: &mut Declared) -> Vec<Operation> {
    entries.iter().map(|entry| entry.describe(declared)).collect()
}

/// [`Adapter::run`] for a list of operations.
#[doc(hidden)]
pub fn run_entry<C: Adapter>(
    entries: &[Entry<C>],
    cx: &Context<C>,
    operation: &str,
    input: &str,
) -> Result<String, Error> {
    match entries.iter().find(|entry| entry.name == operation) {
        Some(entry) => (entry.run)(cx, input),
        None => Err(Error::UnknownOperation(operation.to_owned())),
    }
}

pub(crate) fn parse_config<C: Adapter>(config: &str) -> Result<C, Error> {
    let text = config.as_bytes();
    serde_json::from_slice(text).map_err(|error| Error::invalid_config("", failure::mismatch(&error)))
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::{Adapter, CallFacts, Descriptor, Rc, call, config_schema_of, descriptor_of, parse_config};
    use crate::{bindings::exports::portcullis::adapter::operations as contract, host::Live};

    /// The export `config-schema`.
    pub fn config_schema<C: Adapter>() -> String {
        config_schema_of::<C>()
    }

    /// The export `describe`.
    pub fn describe<C: Adapter>(config: &str) -> Result<Descriptor, contract::Error> {
        descriptor_of::<C>(config).map_err(Into::into)
    }

    /// The export `invoke`.
    pub fn invoke<C: Adapter>(received: contract::Call) -> Result<String, contract::Error> {
        let config = Rc::new(parse_config::<C>(&received.config)?);
        let facts = CallFacts { id: received.id, idempotency_key: received.idempotency_key };
        Ok(call(&received.operation, &received.input, config, facts, Rc::new(Live))?)
    }
}
#[cfg(target_arch = "wasm32")]
pub use exports::{config_schema, describe, invoke};
