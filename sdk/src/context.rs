//! What an operation can do during a call.

use std::rc::Rc;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Adapter, Failure, Header, Level, MacAlgorithm, Response, Route, Slot,
    bindings::portcullis::adapter::http::Error as HttpError,
    host::{Host, Outgoing},
    request,
    route::{Parts, Repeat},
};

/// One call: its config and what the host does for it. Operations get it as their first argument.
pub struct Context<C> {
    config: Rc<C>,
    idempotency_key: Option<String>,
    host: Rc<dyn Host>,
}

impl<C: Adapter> Context<C> {
    pub(crate) fn new(config: Rc<C>, idempotency_key: Option<String>, host: Rc<dyn Host>) -> Self {
        Self { config, idempotency_key, host }
    }

    /// The integration's config.
    #[must_use]
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The caller's key for "do this once", at most 255 bytes, to be passed on where the provider knows such a key.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Sends one request and decodes its answer, as [`Route`] says.
    ///
    /// Fails with what the host said ([`Failure::from_http`]), with what the adapter's or the route's `error` makes of an
    /// answer that is not 2xx, with `http.unexpected-body`, `adapter.request` or `adapter.path-segment`.
    pub fn send<Request, Answer>(&self, route: &Route<Request, Answer>, request: &Request) -> Result<Answer, Failure>
    where
        Request: Serialize,
        Answer: DeserializeOwned,
    {
        let response = self.exchange(route, request)?;
        self.accept(&route.parts, &response)?;
        response.json()
    }

    /// Sends one request and returns its answer whatever its status; fails only where there is none.
    pub fn exchange<Request, Answer>(
        &self,
        route: &Route<Request, Answer>,
        request: &Request,
    ) -> Result<Response, Failure>
    where
        Request: Serialize,
    {
        let outgoing = self.outgoing(&route.parts, request)?;
        self.host.send(outgoing).map_err(|error| self.unsent(&route.parts, error))
    }

    /// Sends several requests at once (the host sends at most 6 at a time) and returns the answers in their order. One
    /// failing does not stop the others; each counts towards the call's requests.
    pub fn send_all<Request, Answer>(
        &self,
        route: &Route<Request, Answer>,
        requests: &[Request],
    ) -> Vec<Result<Answer, Failure>>
    where
        Request: Serialize,
        Answer: DeserializeOwned,
    {
        let mut unfit = Vec::new();
        let mut outgoing = Vec::with_capacity(requests.len());
        for request in requests {
            match self.outgoing(&route.parts, request) {
                Ok(one) => {
                    outgoing.push(one);
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
                let response = answer?.map_err(|error| self.unsent(&route.parts, error))?;
                self.accept(&route.parts, &response)?;
                response.json()
            })
            .collect()
    }

    /// Writes one line to the call's log, for the operator. Lines are cut at 4 KiB, a call's log at 64 KiB.
    pub fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }

    /// The MAC of `message` (at most 1 MiB) under a [`Slot::signing_key`]. Fails with `host.credential`.
    pub fn sign(&self, slot: &Slot, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        self.host.sign(slot.name(), algorithm, message).map_err(Failure::from_credential)
    }

    /// Whether `mac` is the MAC of `message` under a [`Slot::signing_key`], compared in constant time by the host. Fails
    /// with `host.credential`.
    pub fn verify(&self, slot: &Slot, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, Failure> {
        self.host.verify(slot.name(), algorithm, message, mac).map_err(Failure::from_credential)
    }

    fn outgoing<T: Serialize>(&self, route: &Parts, request: &T) -> Result<Outgoing, Failure> {
        let mut request = request::build(route, &self.config.base_url(), request)?;
        if let (Repeat::WithKey(name), Some(key)) = (route.repeat, &self.idempotency_key) {
            request.headers.push(Header { name: name.to_owned(), value: key.clone().into_bytes() });
        }
        Ok(Outgoing { route: route.id, slot: route.slot.map(Slot::name), request })
    }

    /// What is known of a request without an answer: whether it can be sent again.
    fn unsent(&self, route: &Parts, error: HttpError) -> Failure {
        let keyed = matches!(route.repeat, Repeat::WithKey(_)) && self.idempotency_key.is_some();
        Failure::from_http(error, keyed || route.is_idempotent())
    }

    fn accept(&self, route: &Parts, response: &Response) -> Result<(), Failure> {
        if response.is_success() {
            return Ok(());
        }
        Err(route.error.unwrap_or(C::error)(response))
    }
}
