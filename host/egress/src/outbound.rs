//! One call's way out: caps, gate, then a sandbox answer or a live exchange.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use futures::{StreamExt, stream};
use portcullis_gate::{
    Decision, Denial, Header, Limits, Method, OpenRoute, OperationPowers, Request, RequestUrl, decide,
};
use portcullis_ledger::{Exchange, Mode};
use portcullis_schema::Schema;
use portcullis_vault::Vault;

use crate::{
    answer::{WouldSend, answer, would_send},
    connections::Connections,
    error::SendError,
    exchange,
};

/// A request as a guest asks for it.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The URL, not yet judged.
    pub url: String,
    /// Header fields, not yet judged.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The slot of the credential that the guest attached.
    pub slot: Option<String>,
}

/// A response as a guest may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Header fields, without what secrets they echoed.
    pub headers: Vec<Header>,
    /// The whole body, without what secrets it echoed.
    pub body: Vec<u8>,
}

/// What a call's way out is made of.
pub struct OutboundParts {
    /// What may leave.
    pub powers: Arc<OperationPowers>,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// The credentials.
    pub vault: Arc<dyn Vault>,
    /// The integration's connections.
    pub connections: Arc<Connections>,
    /// Response schemas by route id, for sandbox mode.
    pub responses: Arc<HashMap<String, Schema>>,
    /// Whether anything leaves.
    pub mode: Mode,
    /// For sandbox mode's answers: the n-th request of a call is answered from `seed + n`.
    pub seed: u64,
}

/// One call's way out.
pub struct Outbound {
    pub(crate) parts: OutboundParts,
    started: AtomicU32,
    tally: Mutex<Tally>,
}

/// What went out during a call, for its receipt and its record.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that passed the gate, in the order in which they ended.
    pub exchanges: Vec<Exchange>,
    /// In sandbox mode: what would have been sent.
    pub would_send: Vec<WouldSend>,
    /// Bounds that requests were refused by, and how often.
    pub bounds: BTreeMap<&'static str, u32>,
    /// Bytes handed to connections.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Secrets found in responses.
    pub redactions: u32,
}

impl Outbound {
    /// For one call.
    pub fn new(parts: OutboundParts) -> Self {
        Self { parts, started: AtomicU32::new(0), tally: Mutex::default() }
    }

    /// The powers this way out has.
    pub fn powers(&self) -> &OperationPowers {
        &self.parts.powers
    }

    /// Sends one request and waits for the whole response.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let result = self.judge_and_send(request, number).await;
        if let Err(SendError::Bound { name, .. }) = &result {
            self.tally(|tally| *tally.bounds.entry(name).or_default() += 1);
        }
        result
    }

    /// Sends several, some at once, and answers in their order.
    pub async fn send_all(&self, requests: Vec<HttpRequest>) -> Vec<Result<HttpResponse, SendError>> {
        let at_once = self.parts.limits.requests_at_once as usize;
        stream::iter(requests.into_iter().map(|request| self.send(request))).buffered(at_once).collect().await
    }

    /// Takes what went out.
    pub fn take_tally(&self) -> Tally {
        self.tally(std::mem::take)
    }

    pub(crate) fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn judge_and_send(&self, request: HttpRequest, number: u32) -> Result<HttpResponse, SendError> {
        let OutboundParts { powers, limits, .. } = &self.parts;
        check_sizes(&request, number, limits)?;
        let url = RequestUrl::parse(&request.url, limits.url_bytes as usize)
            .map_err(|refusal| SendError::Denied(Denial::url(&request.url, &refusal)))?;
        let judged = Request {
            method: request.method,
            url: &url,
            headers: &request.headers,
            body: request.body.is_some(),
            slot: request.slot.as_deref(),
        };
        let route = match decide(&judged, powers) {
            Decision::Allow(number) => powers.route(number),
            Decision::Deny(reason) => return Err(SendError::Denied(Denial::new(reason, &judged, powers))),
        };
        // `decide` gives numbers of open routes only; were it ever to give another, nothing would leave.
        let Some(route) = route else {
            return Err(SendError::Bound { name: "requests", limit: 0 });
        };
        match self.parts.mode {
            Mode::Sandbox => self.answer(&request, &url, route, number),
            Mode::Live => self.exchange(request, &url, route).await,
        }
    }

    fn answer(
        &self,
        request: &HttpRequest,
        url: &RequestUrl,
        route: &OpenRoute,
        number: u32,
    ) -> Result<HttpResponse, SendError> {
        let would = would_send(request, url, route);
        self.tally(|tally| tally.would_send.push(would));
        let started = Instant::now();
        let seed = self.parts.seed.wrapping_add(number.into());
        let response = match self.parts.responses.get(&route.id) {
            Some(schema) => answer(url, schema, seed),
            None => answer_missing(url, route),
        };
        self.record(url, route, &response, started, 0);
        response
    }

    async fn exchange(
        &self,
        request: HttpRequest,
        url: &RequestUrl,
        route: &OpenRoute,
    ) -> Result<HttpResponse, SendError> {
        let mut redactions = 0;
        let mut cut = CutOff { outbound: self, url, route, started: Instant::now(), done: false };
        let response = exchange::run(self, request, url, route, &mut redactions).await;
        cut.done = true;
        self.record(url, route, &response, cut.started, redactions);
        response
    }

    fn record(
        &self,
        url: &RequestUrl,
        route: &OpenRoute,
        response: &Result<HttpResponse, SendError>,
        started: Instant,
        redactions: u32,
    ) {
        if matches!(response, Err(SendError::Denied(_))) {
            return;
        }
        let exchange = Exchange {
            route: route.id.clone(),
            method: route.method,
            origin: url.origin().to_owned(),
            template: route.template.as_str().to_owned(),
            slot: route.slot.as_ref().map(|(slot, _)| slot.clone()),
            status: response.as_ref().ok().map(|response| response.status),
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            redactions,
        };
        self.tally(|tally| {
            tally.redactions += redactions;
            tally.exchanges.push(exchange);
        });
    }
}

/// Records an exchange that was under way when its call ended: the request may have been carried out.
struct CutOff<'a> {
    outbound: &'a Outbound,
    url: &'a RequestUrl,
    route: &'a OpenRoute,
    started: Instant,
    done: bool,
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        if !self.done {
            let cut = Err(SendError::Bound { name: "wall_ms", limit: 0 });
            self.outbound.record(self.url, self.route, &cut, self.started, 0);
        }
    }
}

fn answer_missing(url: &RequestUrl, route: &OpenRoute) -> Result<HttpResponse, SendError> {
    let message = format!("the route `{}` has no response schema, so sandbox mode has no answer", route.id);
    Err(SendError::Protocol(crate::Fault { origin: url.origin().to_owned(), message }))
}

fn check_sizes(request: &HttpRequest, number: u32, limits: &Limits) -> Result<(), SendError> {
    let bound = |name, limit: u32| Err(SendError::Bound { name, limit: limit.into() });
    let header_bytes: usize = request.headers.iter().map(|h| h.name.len() + h.value.len()).sum();
    if number >= limits.requests {
        bound("requests", limits.requests)
    } else if request.url.len() > limits.url_bytes as usize {
        bound("url_bytes", limits.url_bytes)
    } else if request.headers.len() > limits.header_count as usize {
        bound("header_count", limits.header_count)
    } else if header_bytes > limits.header_bytes as usize {
        bound("header_bytes", limits.header_bytes)
    } else if request.body.as_ref().is_some_and(|body| body.len() > limits.request_bytes as usize) {
        bound("request_bytes", limits.request_bytes)
    } else {
        Ok(())
    }
}
