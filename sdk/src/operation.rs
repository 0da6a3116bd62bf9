//! Operations: named functions of a context and an input.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Adapter, Context, Declare, Declared, Effect, Error,
    bindings::portcullis::adapter::descriptor,
    failure, response,
    schema::{Direction, Model, Schema, render},
};

/// A named action with typed input and output. [`operation`](macro@crate::operation) writes the implementation.
pub trait Operation {
    /// camelCase, 1 to 64 bytes of letters and digits.
    const NAME: &'static str;
    /// One sentence for the caller.
    const DESCRIPTION: &'static str;
    /// What it does to the world.
    const EFFECT: Effect;
    /// The routes and slots it needs. During a call no other route is open.
    const USES: &'static [&'static dyn Declare];
    /// The adapter it belongs to: its config type.
    type Adapter: Adapter;
    /// What callers give. The host has checked it against this type's schema.
    type Input: DeserializeOwned + Model;
    /// What callers get. The host checks it against this type's schema.
    type Output: Serialize + Model;

    /// Carries it out.
    fn run(cx: &Context<Self::Adapter>, input: Self::Input) -> Result<Self::Output, Error>;
}

/// An operation in an adapter's list, with its types folded into data and one function.
pub struct Entry<C: 'static> {
    pub(crate) name: &'static str,
    description: &'static str,
    effect: Effect,
    uses: &'static [&'static dyn Declare],
    input: &'static Schema,
    output: &'static Schema,
    pub(crate) run: fn(&Context<C>, &str) -> Result<String, Error>,
}

impl<C: Adapter> Entry<C> {
    /// The entry of this operation.
    #[must_use]
    pub const fn of<O: Operation<Adapter = C>>() -> Self {
        Self {
            name: O::NAME,
            description: O::DESCRIPTION,
            effect: O::EFFECT,
            uses: O::USES,
            input: O::Input::SCHEMA,
            output: O::Output::SCHEMA,
            run: run::<O>,
        }
    }

    pub(crate) fn describe(&self, declared: &mut Declared) -> descriptor::Operation {
        descriptor::Operation {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            effect: self.effect,
            input: render(self.input, Direction::Received).to_string(),
            output: render(self.output, Direction::Sent).to_string(),
            routes: self.uses.iter().filter_map(|used| used.declare(declared)).collect(),
        }
    }
}

fn run<O: Operation>(cx: &Context<O::Adapter>, input: &str) -> Result<String, Error> {
    // From bytes, as responses are: the same parser twice would be a sixth of a guest.
    let input = response::parse(input.as_bytes()).map_err(|error| misread(&error))?;
    let output = O::run(cx, input)?;
    serde_json::to_string(&output).map_err(|error| unwritable(O::NAME, &error))
}

fn misread(error: &serde_json::Error) -> Error {
    Error::invalid_input("", failure::mismatch(error))
}

fn unwritable(name: &str, error: &serde_json::Error) -> Error {
    let message = format!("the output of `{name}` cannot be written as JSON: {error}");
    crate::Failure::new("adapter.output", message).into()
}
