//! One call's way out: sizes, URL, gate, then a sandbox answer or a live exchange; and the same again for each redirect.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use portcullis_gate::{
    Decision, Denial, Header, Limits, LinkPlace, Method, OpenRoute, OperationPowers, Reason, Request, RequestUrl,
    Scheme, Work, decide,
};
use portcullis_ledger::{Exchange, Mode};
use portcullis_schema::Schema;
use portcullis_vault::{Vault, body_fits};

use crate::{
    answer::{SHOWN, WouldSend, answer, would_send},
    connections::Connections,
    decode::Intake,
    error::SendError,
    exchange::{self, Deadline},
    record::UnderWay,
    redirect, retry,
    traffic::Traffic,
    wanted::{self, Signatures},
    written::Written,
};

/// Most header fields that are left behind one by one on a hop; where there are more, all but the common ones are.
const MAX_LEFT_BEHIND: u32 = 8;

/// So many bytes of a request's body that are shown in sandbox mode cost a unit.
const SHOWN_BYTES_PER_UNIT: u64 = 8;
/// So many that are hashed do.
const HASHED_BYTES_PER_UNIT: u64 = 16;

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
    pub body: Option<Bytes>,
    /// The slots of the credentials that the guest attached, in any order.
    pub slots: Vec<String>,
}

/// A response as a guest may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The URL that it came from, as the gate judged it: after redirects, the last of them.
    pub url: String,
    /// Header fields, without what secrets they echoed.
    pub headers: Vec<Header>,
    /// The whole body, without what secrets it echoed.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header field of this name, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&field.value).ok().map(str::trim)
    }
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
    /// What the integration remembers of its traffic.
    pub traffic: Arc<Traffic>,
    /// Response schemas by route id, for sandbox mode.
    pub responses: Arc<HashMap<String, Schema>>,
    /// What the hashes of request bodies are salted with.
    pub salt: [u8; 16],
    /// What the host's work on the call's data may cost.
    pub work: Arc<Work>,
    /// Whether anything leaves.
    pub mode: Mode,
    /// For sandbox mode's answers: the n-th request of a call is answered from `seed + n`.
    pub seed: u64,
}

/// One call's way out.
pub struct Outbound {
    pub(crate) parts: OutboundParts,
    pub(crate) intake: Intake,
    /// What was made with secrets for this call's requests.
    pub(crate) signatures: Signatures,
    /// A request held a secret: nothing more is sent.
    over: OnceLock<Denial>,
    started: AtomicU32,
    /// Requests by method and granted template, for granted routes with a limit of their own.
    by_route: Mutex<HashMap<(Method, String), u32>>,
    tally: Mutex<Tally>,
    /// Links that answers of this call held.
    written: Written,
}

/// What went out during a call, for its receipt and its record.
#[derive(Debug)]
pub struct Tally {
    /// Tries of requests that passed the gate, in the order in which they ended.
    pub exchanges: Vec<Exchange>,
    /// In sandbox mode: what would have been sent.
    pub would_send: Vec<WouldSend>,
    /// Bounds that requests were refused by, and how often; `rate-limited` and `circuit-open` where it was no limit of ours.
    pub bounds: BTreeMap<&'static str, u32>,
    /// Bytes handed to connections.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Secrets found in responses.
    pub redactions: u32,
    /// Bytes of bodies that may still be shown in `would_send`.
    room: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            exchanges: Vec::new(),
            would_send: Vec::new(),
            bounds: BTreeMap::new(),
            bytes_out: 0,
            bytes_in: 0,
            redactions: 0,
            room: SHOWN,
        }
    }
}

impl Tally {
    /// Requests that passed the gate.
    pub fn requests(&self) -> u32 {
        self.count(|exchange| exchange.attempt == 1)
    }

    /// Tries beyond the first.
    pub fn retries(&self) -> u32 {
        self.count(|exchange| exchange.attempt > 1)
    }

    fn count(&self, which: impl Fn(&Exchange) -> bool) -> u32 {
        u32::try_from(self.exchanges.iter().filter(|exchange| which(exchange)).count()).unwrap_or(u32::MAX)
    }
}

impl Outbound {
    /// For one call.
    pub fn new(parts: OutboundParts) -> Self {
        Self {
            parts,
            intake: Intake::default(),
            signatures: Signatures::default(),
            over: OnceLock::new(),
            started: AtomicU32::new(0),
            by_route: Mutex::default(),
            tally: Mutex::default(),
            written: Written::default(),
        }
    }

    /// The powers this way out has.
    pub fn powers(&self) -> &OperationPowers {
        &self.parts.powers
    }

    /// The budget of the call's work.
    pub fn work(&self) -> &Work {
        &self.parts.work
    }

    /// Sends one request, follows its redirects and waits for the whole response.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let number = self.next_number();
        self.send_numbered(request, number).await
    }

    /// Sends several, some at once, and answers in their order.
    pub async fn send_all(&self, requests: Vec<HttpRequest>) -> Vec<Result<HttpResponse, SendError>> {
        let at_once = match self.parts.mode {
            // One after another: what would have been sent is told in order.
            Mode::Sandbox => 1,
            Mode::Live => self.parts.limits.requests_at_once as usize,
        };
        let sending = requests.into_iter().enumerate().map(|(place, request)| {
            let number = self.next_number();
            async move { (place, self.send_numbered(request, number).await) }
        });
        let mut answers: Vec<_> = stream::iter(sending).buffer_unordered(at_once).collect().await;
        answers.sort_unstable_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Takes what went out.
    pub fn take_tally(&self) -> Tally {
        self.tally(std::mem::take)
    }

    pub(crate) fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Each request has a number, and each hop of a redirect; from `requests` on they are refused.
    fn next_number(&self) -> u32 {
        let next = |number: u32| Some(number.saturating_add(1));
        self.started.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(u32::MAX)
    }

    async fn send_numbered(&self, request: HttpRequest, number: u32) -> Result<HttpResponse, SendError> {
        let result = match (self.over.get(), self.parts.mode) {
            (Some(denial), _) => Err(SendError::SecretSent(denial.clone())),
            (None, Mode::Sandbox) => self.answer(&request, number).await,
            (None, Mode::Live) => self.follow(request, number).await,
        };
        if let Err(SendError::SecretSent(denial)) = &result {
            // Another one may have been first.
            let _ = self.over.set(denial.clone());
        }
        let bound = match &result {
            Err(SendError::Bound { name, .. }) => Some(*name),
            Err(SendError::Unavailable(at)) => Some(at.limit.unwrap_or(at.reason.code())),
            _ => None,
        };
        if let Some(name) = bound {
            self.tally(|tally| *tally.bounds.entry(name).or_default() += 1);
        }
        result
    }

    /// Sends a request, and goes on to where it is redirected. Every hop is judged like the first request.
    async fn follow(&self, mut request: HttpRequest, number: u32) -> Result<HttpResponse, SendError> {
        let limits = &self.parts.limits;
        let deadline = Deadline::new(limits.request_ms);
        let mut url = self.parse(&request, number)?;
        let mut route = self.judge(&request, &url).map_err(|reason| self.denied(reason, &request, &url))?;
        self.take_turn(&request, route)?;
        let own_deadline = |deadline: Deadline, route: &OpenRoute| {
            route.limits.request_ms.map_or(deadline, |own| deadline.or_sooner(own))
        };
        let mut deadline = own_deadline(deadline, route);
        let mut whence: Option<String> = None;
        let mut hops = 0;
        loop {
            let mut response = retry::run(self, &request, &url, route, deadline)
                .await
                .map_err(|error| redirect::tell(error, whence.as_deref()))?;
            self.written.note(&mut response, &url, &self.parts).await?;
            if limits.redirects == 0 {
                return Ok(response);
            }
            let Some(location) = redirect::location(&response, &url) else { return Ok(response) };
            if hops == limits.redirects {
                return Err(SendError::Bound { name: "redirects", limit: limits.redirects.into() });
            }
            hops += 1;
            let from = redirect::whence(response.status, request.method, &url);
            let told = |error| redirect::tell(error, Some(&from));
            let location = location.map_err(|denial| told(SendError::Denied(denial)))?;
            request = redirect::hop(request, response.status, location);
            let next = self.parse(&request, self.next_number()).map_err(told)?;
            if next.origin() != url.origin() {
                redirect::reduce_headers(&mut request.headers);
            }
            url = next;
            route = self.judge_hop(&mut request, &url).map_err(told)?;
            self.take_turn(&request, route)?;
            deadline = own_deadline(deadline, route);
            whence = Some(from);
        }
    }

    /// Whether a request keeps its bounds and has a URL that can be judged.
    fn parse(&self, request: &HttpRequest, number: u32) -> Result<RequestUrl, SendError> {
        let limits = &self.parts.limits;
        check_sizes(request, number, limits)?;
        self.parts
            .powers
            .parse_url(&request.url, limits.url_bytes as usize)
            .map_err(|refusal| SendError::Denied(Denial::url(&request.url, &refusal)))
    }

    /// Holds a request against the bounds of its route's own, and counts it.
    fn take_turn(&self, request: &HttpRequest, route: &OpenRoute) -> Result<(), SendError> {
        let bound = |name, limit: u32| Err(SendError::Bound { name, limit: limit.into() });
        if let Some(most) = route.limits.request_bytes
            && request.body.as_ref().is_some_and(|body| body.len() > most as usize)
        {
            return bound("request_bytes", most);
        }
        let Some(most) = route.limits.requests else { return Ok(()) };
        let mut by_route = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = by_route.entry((route.method, route.template.as_str().to_owned())).or_default();
        if *sent >= most {
            return bound("requests", most);
        }
        *sent += 1;
        Ok(())
    }

    /// Asks the gate.
    fn judge(&self, request: &HttpRequest, url: &RequestUrl) -> Result<&OpenRoute, Reason> {
        let powers = &self.parts.powers;
        let written = self.written.places(url, powers);
        match decide(&as_judged(request, url, written.as_deref().unwrap_or_default()), powers) {
            // `decide` gives numbers of open routes only; were it ever to give another, nothing would leave.
            Decision::Allow(number) => powers.route(number).ok_or(Reason::Path),
            Decision::Deny(reason) => Err(reason),
        }
    }

    /// Tells why the gate said no.
    fn denied(&self, reason: Reason, request: &HttpRequest, url: &RequestUrl) -> SendError {
        let written = self.written.places(url, &self.parts.powers);
        let request = as_judged(request, url, written.as_deref().unwrap_or_default());
        SendError::Denied(Denial::new(reason, &request, &self.parts.powers))
    }

    /// Asks the gate about a hop. The credential, and the guest's own header fields, go on only where the hop's own route
    /// names them; where it does not, the hop goes without, and so do all that follow it.
    fn judge_hop(&self, request: &mut HttpRequest, url: &RequestUrl) -> Result<&OpenRoute, SendError> {
        // A route can take few of many; each time it is asked again.
        for left in (0..=MAX_LEFT_BEHIND).rev() {
            match self.judge(request, url) {
                Err(Reason::HeaderName(_)) if left == 0 => redirect::reduce_headers(&mut request.headers),
                Err(Reason::Slot(position)) if position < request.slots.len() => {
                    request.slots.remove(position);
                }
                Err(Reason::HeaderName(position)) if position < request.headers.len() => {
                    request.headers.remove(position);
                }
                judged => return judged.map_err(|reason| self.denied(reason, request, url)),
            }
        }
        self.judge(request, url).map_err(|reason| self.denied(reason, request, url))
    }

    /// Sandbox mode's answer. Nothing is sent, so nothing redirects.
    async fn answer(&self, request: &HttpRequest, number: u32) -> Result<HttpResponse, SendError> {
        let url = self.parse(request, number)?;
        let route = self.judge(request, &url).map_err(|reason| self.denied(reason, request, &url))?;
        self.take_turn(request, route)?;
        // What live mode would not send is not answered: neither of both asks for a secret.
        wanted::check_coding(self, request, route).await?;
        if route.slots.iter().any(|slot| matches!(slot.scheme, Scheme::Body { .. })) {
            let mut outgoing = exchange::outgoing(request, &url)?;
            body_fits(&route.slots, &mut outgoing).map_err(SendError::Credential)?;
        }
        // It is shown as it is and as lines for a shell.
        self.parts.work.charge(request.body.as_ref().map_or(0, |body| body.len() as u64) / SHOWN_BYTES_PER_UNIT)?;
        // Nothing here waits: without this, ten thousand answers would keep a thread from everybody else.
        tokio::task::yield_now().await;
        self.tally(|tally| {
            let would = would_send(request, &url, route, &mut tally.room);
            tally.would_send.push(would);
        });
        let under_way = UnderWay::start(self, request, &url, route, 1);
        let seed = self.parts.seed.wrapping_add(number.into());
        let mut response = match self.parts.responses.get(&route.id) {
            Some(schema) => answer(&url, schema, seed, &self.parts).await,
            None => answer_missing(&url, route),
        };
        under_way.end(&response);
        if let Ok(response) = &mut response {
            self.written.note(response, &url, &self.parts).await?;
        }
        response
    }

    /// One try, recorded however it ends. Also says whether it was refused for a credential in whose place there is another
    /// one now.
    pub(crate) async fn exchange(
        &self,
        request: &HttpRequest,
        url: &RequestUrl,
        route: &OpenRoute,
        attempt: u32,
        deadline: Deadline,
    ) -> (Result<HttpResponse, SendError>, bool) {
        // Hashed for the record, and handed to the connection.
        let hashed = request.body.as_ref().map_or(0, |body| body.len() as u64) / HASHED_BYTES_PER_UNIT;
        if let Err(spent) = self.parts.work.charge(hashed) {
            return (Err(spent.into()), false);
        }
        let mut under_way = UnderWay::start(self, request, url, route, attempt);
        let end = exchange::run(self, request, url, route, deadline, &mut under_way.found).await;
        let renewed = under_way.end(&end);
        (end, renewed)
    }
}

/// A request as the gate judges it. `written` says where its URL was found in answers.
fn as_judged<'a>(request: &'a HttpRequest, url: &'a RequestUrl, written: &'a [LinkPlace]) -> Request<'a> {
    Request {
        method: request.method,
        url,
        headers: &request.headers,
        body: request.body.is_some(),
        slots: &request.slots,
        written,
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
