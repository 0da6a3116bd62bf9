//! The macros of `portcullis-sdk`: [`macro@model`], [`macro@operation`] and [`register!`].
//!
//! They only write down what an author would otherwise write twice; whatever they generate is in `portcullis-sdk`'s
//! public traits and can be written by hand. Each mistake they can see is reported where it was made, with the line to
//! write instead. Use them through `portcullis_sdk::prelude`, where they are documented with examples.

mod model;
mod names;
mod operation;
mod register;

use proc_macro::TokenStream;

/// Makes a type part of an adapter's contract: it can be read from JSON, written as JSON, and has a JSON Schema.
///
/// Derives `Serialize` and `Deserialize` with the SDK's own copy of serde, and writes down the type's schema, so that an
/// adapter depends on nothing but the SDK. `#[serde(…)]` attributes work as they always do, and the schema follows them;
/// doc comments become descriptions. A field of type `Option` is left out when it is `None` (`Option<Option<T>>` can say
/// null). Takes no arguments. More is said with `#[schema(…)]`, on fields, and on types and variants where it fits:
///
/// | attribute | in the schema |
/// | --- | --- |
/// | `range(min = 1, max = 500)` | `minimum`, `maximum` |
/// | `length(min = 1, max = 80)` | of a text, an array or an object |
/// | `pattern = "^[a-z]+$"` | `pattern` |
/// | `email`, `url`, `format = "date"` | `format` |
/// | `example = {"name": "Ada"}` | one of `examples`: any JSON. Sandbox mode answers with them |
/// | `sensitive` | `x-sensitive`: data about a person, such as a patient's |
/// | `description = "…"` | instead of the doc comment |
/// | `extend("key" = [1, 2])` | any keyword, as JSON |
/// | `with = OtherType` | that type's schema instead of the field's own |
#[proc_macro_attribute]
pub fn model(arguments: TokenStream, item: TokenStream) -> TokenStream {
    model::expand(arguments.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Makes a function an operation: `#[operation(EFFECT, uses(ROUTE, …))]`.
///
/// `EFFECT` is `read`, `write` or `destructive`. `uses` names the constants (routes, and signing keys) that the
/// operation needs; it may be empty, it may not be missing. The function takes `cx: &Context<Config>` and one input,
/// and returns `Result<Output, Failure>` (or `Result<Output, Error>`, to point at a part of the input). Its name in
/// camelCase is the operation's name, the first paragraph of its doc comment the operation's description.
#[proc_macro_attribute]
pub fn operation(arguments: TokenStream, item: TokenStream) -> TokenStream {
    operation::expand(arguments.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Makes the crate an adapter. Once per crate, at its root.
///
/// | key | value | if left out |
/// | --- | --- | --- |
/// | `config` | the config type, a `#[model]` | required |
/// | `base` | the URL that routes starting with `/` are relative to: `\|config\| &config.base_url`, a function, or a literal | required |
/// | `operations` | `[send_email, …]` | required, or `describe` and `run` |
/// | `headers` | header fields of every request that depend on the config: `\|config\| vec![("X-Account", config.account.clone())]` | none |
/// | `oauth` | what the config says of the server that issues a slot's tokens: `\|config, slot, server\| server.token_url = config.token_url.clone()` | as the slots say |
/// | `check` | `fn(&Config) -> Result<(), Error>`, to refuse a config that its schema allows: `Error::invalid_config("/pointer", "…")` | all are taken |
/// | `success` | `fn(&Response) -> bool`, where the status alone does not tell | a status of 2xx |
/// | `error` | `fn(&Response) -> Failure`, for answers that are no success | `http.STATUS` |
/// | `describe`, `run` | `fn(&Config, &mut Declared) -> Result<Vec<DescribedOperation>, Error>` and `fn(&Context<Config>, &str, &str) -> Result<String, Error>`, for operations that are made from the config | `operations` |
/// | `name`, `version`, `description` | the adapter's own | the package's, from `Cargo.toml` |
#[proc_macro]
pub fn register(input: TokenStream) -> TokenStream {
    register::expand(input.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}
