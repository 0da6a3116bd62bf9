//! What an operation can do during a call.

use std::{borrow::Cow, cell::Cell, rc::Rc};

use crate::Map;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Adapter, Failure, Level, MacAlgorithm, Request, Response, Route, SigningKey, Slot, UntypedRoute,
    bindings::portcullis::adapter::http::Error as HttpError,
    host::{Host, Outgoing},
    request::{self, header},
    route::Repeat,
};

/// One call: its config and what the host does for it. Operations get it as their first argument.
pub struct Context<C> {
    config: Rc<C>,
    call: CallFacts,
    host: Rc<dyn Host>,
    /// Requests that carried an idempotency key.
    keyed: Cell<u32>,
}

/// What a call is told apart by.
#[derive(Debug, Clone)]
pub(crate) struct CallFacts {
    pub(crate) id: String,
    pub(crate) idempotency_key: Option<String>,
}

/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

impl<C: Adapter> Context<C> {
    pub(crate) fn new(config: Rc<C>, call: CallFacts, host: Rc<dyn Host>) -> Self {
        Self { config, call, host, keyed: Cell::new(0) }
    }

    /// The integration's config.
    #[must_use]
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The call's id: 1 to 64 letters, digits and `-`. No two live calls have the same.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call.id
    }

    /// The caller's key for "do this once", at most 255 bytes. [`Route::idempotency_key`] passes it on.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.call.idempotency_key.as_deref()
    }

    /// Sends one request and decodes its answer, as [`Route`] says.
    ///
    /// Fails with what the host said ([`Failure::from_http`]), with what the adapter's or the route's `error` makes of an
    /// answer that is no success, with `http.unexpected-body`, `adapter.request`, `adapter.path-segment` or
    /// `adapter.header`.
    pub fn send<Req, Answer>(&self, route: &Route<Req, Answer>, request: &Req) -> Result<Answer, Failure>
    where
        Req: Serialize,
        Answer: DeserializeOwned,
    {
        self.send_response(route, request)?.json()
    }

    /// Sends one request and returns its answer if it is a success, for what stands in its headers or is no JSON.
    pub fn send_response<Req: Serialize, Answer>(
        &self,
        route: &Route<Req, Answer>,
        request: &Req,
    ) -> Result<Response, Failure> {
        let response = self.exchange(route, request)?;
        self.accept(&route.untyped, &response)?;
        Ok(response)
    }

    /// Sends one request and returns its answer whatever its status; fails only where there is none.
    pub fn exchange<Req: Serialize, Answer>(
        &self,
        route: &Route<Req, Answer>,
        request: &Req,
    ) -> Result<Response, Failure> {
        self.exchange_request(&route.untyped, request::build(&route.untyped, &self.base_url(), request)?)
    }

    /// The same for a route that is data.
    pub fn exchange_untyped(&self, route: &UntypedRoute, request: Map) -> Result<Response, Failure> {
        self.exchange_request(route, request::build_from_fields(route, &self.base_url(), request)?)
    }

    /// Sends one request of a route that is data and returns its answer if it is a success.
    pub fn send_untyped(&self, route: &UntypedRoute, request: Map) -> Result<Response, Failure> {
        let response = self.exchange_untyped(route, request)?;
        self.accept(route, &response)?;
        Ok(response)
    }

    /// Sends a request to a URL that the provider wrote, with the method, headers and slots of this route. The host judges
    /// it like any other. Returns the answer if it is a success.
    pub fn follow<Req, Answer>(&self, route: &Route<Req, Answer>, url: &str) -> Result<Response, Failure> {
        let response =
            self.exchange_request(&route.untyped, request::follow(&route.untyped, &self.base_url(), url.to_owned()))?;
        self.accept(&route.untyped, &response)?;
        Ok(response)
    }

    /// Sends several requests at once (the host sends at most 6 at a time) and returns the answers in their order. One
    /// failing does not stop the others; each counts towards the call's requests.
    pub fn send_all<Req, Answer>(&self, route: &Route<Req, Answer>, requests: &[Req]) -> Vec<Result<Answer, Failure>>
    where
        Req: Serialize,
        Answer: DeserializeOwned,
    {
        let route = &route.untyped;
        let base = self.base_url();
        let mut unfit = Vec::new();
        let mut outgoing = Vec::with_capacity(requests.len());
        for request in requests {
            match request::build(route, &base, request) {
                Ok(request) => {
                    outgoing.push(self.outgoing(route, request));
                    unfit.push(None);
                }
                Err(failure) => unfit.push(Some(failure)),
            }
        }
        let mut answers = self.host.send_all(outgoing).into_iter();
        unfit
            .into_iter()
            .filter_map(|unfit| unfit.map(Err).or_else(|| answers.next().map(Ok)))
            .map(|answer| {
                let response = answer?.map_err(|error| unsent(route, error))?;
                self.accept(route, &response)?;
                response.json()
            })
            .collect()
    }

    /// Sends `items` in requests of at most `size` of them, several at once like [`Context::send_all`], and returns an
    /// answer for each request, in order: for providers that take a batch of so many.
    pub fn send_in_batches<T, Req, Answer>(
        &self,
        route: &Route<Req, Answer>,
        items: &[T],
        size: usize,
        request: impl Fn(&[T]) -> Req,
    ) -> Vec<Result<Answer, Failure>>
    where
        Req: Serialize,
        Answer: DeserializeOwned,
    {
        let requests: Vec<Req> = items.chunks(size.max(1)).map(request).collect();
        self.send_all(route, &requests)
    }

    /// Writes one line to the call's log, for the operator. Lines are cut at 4 KiB, a call's log at 64 KiB.
    pub fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }

    /// The MAC of `message` (at most 1 MiB) under a key. Fails with `host.credential`.
    pub fn sign(&self, key: &SigningKey, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        self.host.sign(key.name(), algorithm, message).map_err(Failure::from_credential)
    }

    /// Whether `mac` is the MAC of `message` under a key, compared in constant time by the host. Fails with
    /// `host.credential`.
    pub fn verify(
        &self,
        key: &SigningKey,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<bool, Failure> {
        self.host.verify(key.name(), algorithm, message, mac).map_err(Failure::from_credential)
    }

    /// What the authorization server gave beside the slot's token, by a name that [`OAuth::values`](crate::OAuth::values)
    /// declares: `cx.value(&TOKEN, "instance_url")`. At most 2 KiB of text; a URL only where a route of the operation may be
    /// sent to its origin. The slot is one of a route of the operation. Fails with `host.credential`.
    pub fn value(&self, slot: &Slot, name: &str) -> Result<String, Failure> {
        self.host.value(slot.name(), name).map_err(Failure::from_credential)
    }

    pub(crate) fn base_url(&self) -> Cow<'_, str> {
        self.config.base_url()
    }

    /// Sends a request that was made from this route.
    pub(crate) fn exchange_request(&self, route: &UntypedRoute, request: Request) -> Result<Response, Failure> {
        self.host.send(self.outgoing(route, request)).map_err(|error| unsent(route, error))
    }

    /// Fails if an answer is no success.
    pub(crate) fn accept(&self, route: &UntypedRoute, response: &Response) -> Result<(), Failure> {
        let judged = match route.judge {
            Some(rules) => rules.judge(response),
            None if route.success.unwrap_or(C::success)(response) => Ok(()),
            None => Err(route.error.unwrap_or(C::error)(response)),
        };
        judged.map_err(|mut failure| {
            failure.retry_after_ms = failure.retry_after_ms.or_else(|| response.retry_after_ms());
            failure
        })
    }

    /// Adds what is said once for all routes: the config's headers and the idempotency key.
    fn outgoing<'r>(&self, route: &UntypedRoute<'r>, mut request: Request) -> Outgoing<'r> {
        request.headers.extend(self.config.headers().iter().map(|(name, value)| header(name, value)));
        if let Repeat::WithKey(name) = route.repeat {
            request.headers.push(header(name, &self.next_key()));
        }
        Outgoing { route: route.id, slots: route.slots, request }
    }

    /// A key for the next request: providers take the same key for the same request.
    fn next_key(&self) -> String {
        let number = self.keyed.get().saturating_add(1);
        self.keyed.set(number);
        let key = self.call.idempotency_key.as_deref().unwrap_or(&self.call.id);
        if number == 1 {
            return key.to_owned();
        }
        // A number alone would make of `a` what somebody else's key is, and two keys that are cut off alike the same.
        let suffix = format!("-{number}-{:016x}", fnv_1a(key.as_bytes()));
        let mut room = key.len().min(MAX_KEY - suffix.len());
        while !key.is_char_boundary(room) {
            room -= 1;
        }
        [key.get(..room).unwrap_or(key), &suffix].concat()
    }
}

/// FNV-1a, 64 bits: enough to tell keys apart that nobody made to collide, and ten lines.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What is known of a request without an answer: whether it can be sent again.
fn unsent(route: &UntypedRoute, error: HttpError) -> Failure {
    Failure::from_http(error, route.repeat != Repeat::Never)
}
