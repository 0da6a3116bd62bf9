//! A host for tests: it answers routes with functions, keeps what was sent, and needs no network and no WebAssembly.
//!
//! ```
//! use portcullis_sdk::{prelude::*, testing::Fake};
//! # #[model]
//! # struct Config {}
//! # #[model]
//! # struct Greeting { name: String }
//! # const GREET: Route<Greeting, String> = Route::post("greet", "/greet").describe("Greets.");
//! # /// Greets.
//! # #[operation(write, uses(GREET))]
//! # fn greet(cx: &Context<Config>, input: Greeting) -> Result<String, Failure> { cx.send(&GREET, &input) }
//! # register!(config: Config, base: "https://api.example.com", operations: [greet], description: "Greets.");
//! # fn main() {
//! let fake = Fake::new(Config {}).on(&GREET, |_request| Response::with_json(200, &json!("Hello, Ada")));
//!
//! assert_eq!(fake.call(greet, Greeting { name: "Ada".into() }).unwrap(), "Hello, Ada");
//! assert_eq!(fake.sent()[0].url, "https://api.example.com/greet");
//! assert_eq!(fake.sent()[0].json(), json!({"name": "Ada"}));
//! # }
//! ```
//!
//! It does not judge requests and does not check schemas, as the real host does; it does refuse a route that the
//! operation did not declare, and a value that its slot did not. An answer without a [`Response::url`] gets its request's.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::Value;

use crate::{
    Adapter, Context, Descriptor, Error, Level, MacAlgorithm, Method, Request, Response, Route, Slot, adapter,
    bindings::portcullis::adapter::{
        credentials::CredentialError,
        descriptor::{Route as DeclaredRoute, Slot as DeclaredSlot},
        http::{Denial, Error as HttpError},
    },
    context::CallFacts,
    host::{Host, Outgoing},
};

/// The id of calls in tests.
pub const CALL_ID: &str = "00000000-0000-4000-8000-000000000001";

/// A host that answers from functions. One for each test.
pub struct Fake<C> {
    config: Rc<C>,
    idempotency_key: Option<String>,
    answers: BTreeMap<String, Answer>,
    values: BTreeMap<(String, String), String>,
    records: Rc<RefCell<Records>>,
}

type Answer = Rc<dyn Fn(&Request) -> Result<Response, HttpError>>;

/// A request that an operation sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The route it was made from.
    pub route: String,
    /// The slots whose secrets the host would have added.
    pub slots: Vec<String>,
    /// The method.
    pub method: Method,
    /// The URL with path and query filled in.
    pub url: String,
    /// The headers the adapter wrote, in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty where there is none.
    pub body: Vec<u8>,
}

impl Sent {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Default)]
struct Records {
    sent: Vec<Sent>,
    logged: Vec<(Level, String)>,
}

impl<C: Adapter> Fake<C> {
    /// A host with this config and no answers.
    #[must_use]
    pub fn new(config: C) -> Self {
        Self {
            config: Rc::new(config),
            idempotency_key: None,
            answers: BTreeMap::new(),
            values: BTreeMap::new(),
            records: Rc::default(),
        }
    }

    /// Answers requests of this route.
    #[must_use]
    pub fn on<Req, Res>(self, route: &Route<Req, Res>, answer: impl Fn(&Request) -> Response + 'static) -> Self {
        self.on_id(route.id(), answer)
    }

    /// Answers requests of the route with this id, for routes that are data.
    #[must_use]
    pub fn on_id(mut self, id: &str, answer: impl Fn(&Request) -> Response + 'static) -> Self {
        self.answers.insert(id.to_owned(), Rc::new(move |request| Ok(answer(request))));
        self
    }

    /// Answers requests of this route with what the host says where there is no response.
    #[must_use]
    pub fn failing<Req, Res>(mut self, route: &Route<Req, Res>, error: HttpError) -> Self {
        self.answers.insert(route.id().to_owned(), Rc::new(move |_| Err(error.clone())));
        self
    }

    /// Says what the authorization server gave beside a slot's token, for [`Context::value`].
    #[must_use]
    pub fn value(mut self, slot: &Slot, name: &str, value: impl Into<String>) -> Self {
        self.values.insert((slot.name().to_owned(), name.to_owned()), value.into());
        self
    }

    /// Gives calls an idempotency key.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Calls an operation's function with a typed input.
    pub fn call<I, O, E>(&self, operation: impl Fn(&Context<C>, I) -> Result<O, E>, input: I) -> Result<O, E> {
        operation(&Context::new(Rc::clone(&self.config), self.facts(), self.host(None)), input)
    }

    /// Calls an operation by its name with JSON, the way the real host does. Routes it did not declare are denied.
    pub fn invoke(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        self.describe()?;
        let host = self.host(Some(operation));
        let config = Rc::clone(&self.config);
        let output = adapter::call(operation, &input.to_string(), config, self.facts(), host)?;
        Ok(serde_json::from_str(&output).unwrap_or_default())
    }

    /// The schema that the adapter gives for its config.
    #[must_use]
    pub fn config_schema() -> Value {
        adapter::config_schema_of::<C>().parse().unwrap_or_default()
    }

    /// What the adapter says about itself for this config.
    pub fn describe(&self) -> Result<Descriptor, Error> {
        let config = serde_json::to_string(&*self.config).map_err(|error| Error::invalid_config("", error.to_string()));
        adapter::descriptor_of::<C>(&config?)
    }

    /// What was sent so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.records.borrow().sent.clone()
    }

    /// What was logged so far, in order.
    #[must_use]
    pub fn logged(&self) -> Vec<(Level, String)> {
        self.records.borrow().logged.clone()
    }

    fn facts(&self) -> CallFacts {
        CallFacts { id: CALL_ID.to_owned(), idempotency_key: self.idempotency_key.clone() }
    }

    /// A host for a call of this operation, or of a function whose operation is not known.
    fn host(&self, operation: Option<&str>) -> Rc<dyn Host> {
        let descriptor = self.describe().ok();
        let find = |name: &str| descriptor.as_ref()?.operations.iter().find(|declared| declared.name == name);
        let open = operation.and_then(find).map(|declared| declared.routes.clone());
        let (slots, routes) = descriptor.map(|descriptor| (descriptor.slots, descriptor.routes)).unwrap_or_default();
        let (answers, values, records) = (self.answers.clone(), self.values.clone(), Rc::clone(&self.records));
        Rc::new(FakeHost { open, slots, routes, answers, values, records })
    }
}

struct FakeHost {
    /// The routes of the operation, if it is known.
    open: Option<Vec<String>>,
    slots: Vec<DeclaredSlot>,
    routes: Vec<DeclaredRoute>,
    answers: BTreeMap<String, Answer>,
    values: BTreeMap<(String, String), String>,
    records: Rc<RefCell<Records>>,
}

impl Host for FakeHost {
    fn send(&self, Outgoing { route, slots, request }: Outgoing<'_>) -> Result<Response, HttpError> {
        let denied = |rule: &str, message: String| {
            Err(HttpError::Denied(Denial { rule: rule.to_owned(), message, allow_with: None }))
        };
        if self.open.as_ref().is_some_and(|open| !open.iter().any(|open| open == route)) {
            return denied("route-not-declared", format!("add the route `{route}` to the operation's `uses(…)`"));
        }
        self.records.borrow_mut().sent.push(Sent {
            route: route.to_owned(),
            slots: slots.iter().flatten().map(|slot| slot.name().to_owned()).collect(),
            method: request.method,
            url: request.url.clone(),
            headers: request
                .headers
                .iter()
                .map(|header| (header.name.clone(), String::from_utf8_lossy(&header.value).into_owned()))
                .collect(),
            body: request.body.clone().unwrap_or_default(),
        });
        match self.answers.get(route) {
            Some(answer) => answer(&request).map(|mut response| {
                if response.url.is_empty() {
                    response.url.clone_from(&request.url);
                }
                response
            }),
            None => denied("no-answer", format!("the test has no answer for `{route}`; add `.on(&ROUTE, …)`")),
        }
    }

    fn send_all(&self, outgoing: Vec<Outgoing<'_>>) -> Vec<Result<Response, HttpError>> {
        outgoing.into_iter().map(|one| self.send(one)).collect()
    }

    fn log(&self, level: Level, message: &str) {
        self.records.borrow_mut().logged.push((level, message.to_owned()));
    }

    fn sign(&self, slot: &str, _: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError> {
        Ok([slot.as_bytes(), b":", message].concat())
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, CredentialError> {
        Ok(self.sign(slot, algorithm, message)? == mac)
    }

    fn value(&self, slot: &str, name: &str) -> Result<String, CredentialError> {
        let Some(declared) = self.slots.iter().find(|declared| declared.name == slot) else {
            return Err(CredentialError::NoSuchSlot(format!("no route that is declared carries the slot `{slot}`")));
        };
        let carries =
            |id: &String| self.routes.iter().any(|route| route.id == *id && route.slots.iter().any(|s| s == slot));
        if self.open.as_ref().is_some_and(|open| !open.iter().any(carries)) {
            return Err(CredentialError::NotGranted(format!("no route in the operation's `uses(…)` carries `{slot}`")));
        }
        if !declared.oauth.as_ref().is_some_and(|server| server.values.iter().any(|value| value == name)) {
            return Err(CredentialError::WrongUse(format!(
                "`{slot}` has no value `{name}`; add it to `OAuth::values`"
            )));
        }
        let value = self.values.get(&(slot.to_owned(), name.to_owned())).cloned();
        value.ok_or_else(|| {
            CredentialError::Unavailable(format!("the test has no `{name}` of `{slot}`; add `.value(&SLOT, …)`"))
        })
    }
}
