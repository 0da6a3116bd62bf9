//! One try of a request that the gate has allowed: resolve, judge, attach, send, cap, scrub.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_gate::{
    Denial, Header, Limits, Method, OpenRoute, RequestUrl, Scheme, Spent, Work, embedded_address, judge_address,
};
use portcullis_vault::{Outgoing, Ready};
use reqwest::{Body, Response};
use tokio::time::{timeout, timeout_at};
use zeroize::Zeroizing;

use crate::{
    decode::{self, Coding, Refusal},
    derived,
    error::{Fault, Phase, SendError, classify},
    honest,
    outbound::{HttpRequest, HttpResponse, Outbound},
    wanted::{LONG, Wanted, in_lines, search_request},
};

/// What the host calls itself where the guest does not say.
const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// The status by which an upstream refuses a credential (RFC 9110, section 15.5.2).
const UNAUTHORIZED: u16 = 401;
/// The status by which AWS does (Amazon S3, "Error responses": `InvalidAccessKeyId`, `SignatureDoesNotMatch`).
const FORBIDDEN: u16 = 403;

/// Carries out one exchange within the limits.
pub(crate) async fn run(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    deadline: Deadline,
    found: &mut Found,
) -> Result<HttpResponse, SendError> {
    deadline.bound(steps(outbound, request, url, route, found)).await?
}

/// What was found out about a try, beside its response.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Secrets found in the response.
    pub(crate) redactions: u32,
    /// The upstream refused the credential, and there is another one now.
    pub(crate) renewed: bool,
}

/// When a request must have ended, with all of its hops and tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit_ms: u32,
}

impl Deadline {
    /// `request_ms` from now.
    pub(crate) fn new(limit_ms: u32) -> Self {
        Self { at: Instant::now() + millis(limit_ms), limit_ms }
    }

    /// The same, or `limit_ms` from now where that is sooner.
    pub(crate) fn or_sooner(self, limit_ms: u32) -> Self {
        let own = Self::new(limit_ms);
        if own.at < self.at { own } else { self }
    }

    /// Whether there is time left after this wait.
    pub(crate) fn leaves(self, wait: Duration) -> bool {
        wait < self.at.saturating_duration_since(Instant::now())
    }

    /// Whether there is time left then.
    pub(crate) fn is_after(self, then: Instant) -> bool {
        then < self.at
    }

    /// Does this work, if it ends in time.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, SendError> {
        let late = |_| SendError::Timeout { phase: Phase::Total, limit_ms: self.limit_ms };
        timeout_at(self.at.into(), work).await.map_err(late)
    }
}

/// Gets the secrets ready, and does the rest for as long as none of them is revoked.
async fn steps(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    found: &mut Found,
) -> Result<HttpResponse, SendError> {
    let vault = &outbound.parts.vault;
    let ready = vault.ready(&route.slots, url.origin(), &outbound.parts.powers.operation).await;
    let ready = ready.map_err(SendError::Credential)?;
    let wanted = Wanted::new(ready.scrubber().clone(), &outbound.signatures);
    search_request(outbound, request, url, route, &wanted).await?;
    if route.slots.is_empty() {
        return send(outbound, request, url, route, &ready, found).await;
    }
    let answer = tokio::select! {
        biased;
        slot = ready.cut() => return Err(SendError::CredentialCut(slot)),
        answer = send(outbound, request, url, route, &ready, found) => answer,
    };
    if is_refused(&answer, route) {
        found.renewed = vault.refused(&ready).await;
    }
    answer
}

/// Whether the upstream does not take the credential. AWS says that a key or a signature is not known with 403; a client
/// certificate is refused in the handshake, before the request is read.
fn is_refused(answer: &Result<HttpResponse, SendError>, route: &OpenRoute) -> bool {
    let any = |is: fn(&Scheme) -> bool| route.slots.iter().any(|slot| is(&slot.scheme));
    match answer {
        Ok(response) => match response.status {
            UNAUTHORIZED => true,
            FORBIDDEN => any(|scheme| matches!(scheme, Scheme::Sigv4 { .. })),
            _ => false,
        },
        Err(SendError::Tls(_)) => any(|scheme| matches!(scheme, Scheme::ClientCertificate)),
        Err(_) => false,
    }
}

async fn send(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    ready: &Ready,
    found: &mut Found,
) -> Result<HttpResponse, SendError> {
    let limits = &outbound.parts.limits;
    let connections = &outbound.parts.connections;
    let generation = ready.generation();
    let addresses = resolve(outbound, url, generation).await?;
    let mut sendable = request_for(outbound, request, url, ready)?;
    outbound.tally(|tally| tally.bytes_out += wire_bytes(&sendable));

    // One that there is a connection to, if any; then in the resolver's order.
    let known = addresses.iter().position(|a| connections.knows(url, *a, generation));
    let first = known.unwrap_or(0);
    let order = addresses.iter().skip(first).chain(addresses.iter().take(first));
    let mut last = None;
    for (address, tried) in order.zip(1..) {
        let client = connections
            .client(url, *address, generation, limits, ready.identity())
            .map_err(|_| protocol(url, "no client could be made"))?;
        // For the next address, should there be one and this one take no connection.
        let again = if tried < addresses.len() { sendable.try_clone() } else { None };
        // Where there was a connection before, there is none to be waited for.
        let connect_ms = if known.is_some() && tried == 1 { 0 } else { limits.connect_ms };
        let wait = connect_ms.saturating_add(limits.first_byte_ms);
        let answer = match timeout(millis(wait), client.execute(sendable)).await {
            Ok(answer) => {
                answer.map_err(|error| classify(url.origin(), &error, limits.connect_ms, limits.header_count))
            }
            // How much of it the connection took is not known: it is what was waited that is told.
            Err(_) => Err(SendError::Timeout { phase: Phase::FirstByte, limit_ms: wait }),
        };
        match (answer, again) {
            (Ok(response), _) => {
                let wanted = Wanted::new(ready.scrubber().clone(), &outbound.signatures);
                return receive(outbound, response, (url, route), &wanted, &mut found.redactions).await;
            }
            (Err(error), Some(next)) if error.nothing_was_sent() => {
                sendable = next;
                last = Some(error);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Err(last
        .unwrap_or_else(|| SendError::Dns(Fault { origin: url.origin().to_owned(), message: "no address".to_owned() })))
}

/// All addresses of the URL's host, each of them judged: one that may not be dialled spoils the answer.
async fn resolve(outbound: &Outbound, url: &RequestUrl, generation: u64) -> Result<Arc<[IpAddr]>, SendError> {
    let limits = &outbound.parts.limits;
    let addresses: Arc<[IpAddr]> = match url.address() {
        Some(address) => Arc::new([address]),
        None => {
            let asked = outbound.parts.connections.resolver.resolve(url.host());
            let answer = within(limits.dns_ms, Phase::Dns, asked).await?;
            let fault =
                |message: &str| SendError::Dns(Fault { origin: url.origin().to_owned(), message: message.to_owned() });
            let addresses = answer.map_err(|_| fault("the name does not resolve"))?;
            if addresses.is_empty() {
                return Err(fault("the name has no address"));
            }
            addresses
        }
    };
    let secure = url.scheme() == "https";
    let connections = &outbound.parts.connections;
    let carve_outs = &outbound.parts.powers.carve_outs;
    for address in addresses.iter() {
        let denied = |refusal| SendError::Denied(Denial::address(url, refusal, &outbound.parts.powers));
        judge_address(*address, url.port(), secure, carve_outs).map_err(denied)?;
        // This host's own addresses come and go, so they are asked for whenever this origin has no connection there.
        if !connections.knows(url, *address, generation) {
            let leads_to: Vec<IpAddr> = [Some(*address), embedded_address(*address)].into_iter().flatten().collect();
            let own: Vec<IpAddr> = leads_to.into_iter().filter(|one| connections.resolver.is_own(*one)).collect();
            if !own.is_empty() {
                judge_address(*address, url.port(), secure, &carve_outs.clone().own(&own)).map_err(denied)?;
            }
        }
    }
    Ok(addresses)
}

/// The request that goes on the wire: the very URL that was judged, and the secrets.
fn request_for(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    ready: &Ready,
) -> Result<reqwest::Request, SendError> {
    let mut outgoing = outgoing(request, url)?;
    let signatures = ready.attach(&mut outgoing).map_err(SendError::Credential)?;
    outbound.signatures.add(signatures, &outbound.parts.work)?;
    let mut sendable = reqwest::Request::new(outgoing.method, outgoing.url);
    *sendable.headers_mut() = outgoing.headers;
    *sendable.body_mut() = outgoing.body.map(Body::from);
    Ok(sendable)
}

/// The request as it goes on the wire, without its secrets.
pub(crate) fn outgoing(request: &HttpRequest, url: &RequestUrl) -> Result<Outgoing, SendError> {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
        Method::Options => reqwest::Method::OPTIONS,
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 4);
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPTED));
    let mut own_agent = false;
    for Header { name, value } in &request.headers {
        // The gate has judged both; what this parser would still not take is not sent.
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| protocol(url, "a header name cannot be sent"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| protocol(url, "a header value cannot be sent"))?;
        if name == http::header::USER_AGENT && !own_agent {
            own_agent = true;
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    Ok(Outgoing { method, url: url.as_url().clone(), headers, body: request.body.clone() })
}

/// Reads a response within its caps, and takes out what secrets it echoes.
async fn receive(
    outbound: &Outbound,
    mut response: Response,
    (url, route): (&RequestUrl, &OpenRoute),
    wanted: &Wanted,
    redactions: &mut u32,
) -> Result<HttpResponse, SendError> {
    let limits: &Limits = &route.limits.below(&outbound.parts.limits);
    let header_bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    outbound.tally(|tally| tally.bytes_in += header_bytes as u64);
    if response.headers().len() > limits.header_count as usize {
        return Err(SendError::Bound { name: "header_count", limit: limits.header_count.into() });
    }
    if header_bytes > limits.header_bytes as usize {
        return Err(SendError::Bound { name: "header_bytes", limit: limits.header_bytes.into() });
    }
    let refused = |refusal: Refusal| {
        refusal
            .bound(limits)
            .unwrap_or_else(|| protocol(url, "its Content-Encoding says gzip, and the body is none or breaks off"))
    };
    if let Some(problem) = honest::problem(response.status().as_u16(), response.headers()) {
        return Err(protocol(url, &problem));
    }
    // Nobody asked for another coding, and a secret in it would not be found.
    let coding = Coding::of_response(response.headers()).map_err(|unknown| {
        let asked = decode::ACCEPTED;
        protocol(url, &format!("its Content-Encoding is `{unknown}`, which was not asked for; only {asked} was"))
    })?;
    if response.content_length().is_some_and(|announced| announced > limits.response_bytes.into()) {
        return Err(refused(Refusal::TooLarge));
    }
    let mut body = decode::Body::new(coding, limits, &outbound.intake);
    while let Some(piece) = within(limits.idle_ms, Phase::Idle, response.chunk())
        .await?
        .map_err(|error| classify(url.origin(), &error, limits.connect_ms, limits.header_count))?
    {
        outbound.tally(|tally| tally.bytes_in += piece.len() as u64);
        let held = body.held();
        body.push(&piece).map_err(refused)?;
        if coding == Coding::Gzip {
            outbound.parts.work.charge(decode::price(piece.len() + body.held() - held))?;
        }
    }
    let body = body.finish().map_err(refused)?;
    if let Some(problem) = honest::body_problem(response.headers(), &body) {
        return Err(protocol(url, &problem));
    }
    if coding == Coding::Gzip {
        // They tell of a body that the guest does not get.
        response.headers_mut().remove(http::header::CONTENT_ENCODING);
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    let status = response.status().as_u16();
    let (mut headers, body) = cleaned(outbound, url, response.headers(), body, wanted, redactions).await?;
    if *redactions > 0 {
        derived::remove(&mut headers, body.len());
    }
    Ok(HttpResponse { status, url: url.to_string(), headers, body })
}

/// Header fields and body without what secrets they echo.
async fn cleaned(
    outbound: &Outbound,
    url: &RequestUrl,
    received: &HeaderMap,
    body: Zeroizing<Vec<u8>>,
    wanted: &Wanted,
    redactions: &mut u32,
) -> Result<(Vec<Header>, Vec<u8>), SendError> {
    let work = &outbound.parts.work;
    let bytes: usize = received.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes + body.len() <= LONG
        && let Some(found) = work.quickly(|work| Echoes::in_answer(received, &body, wanted, work))
    {
        return Ok(found?.take_out(received, body, redactions));
    }
    // One made to be slow to search takes a second, which nobody else's call should wait for.
    let search = outbound.parts.traffic.aside(work, {
        let (received, wanted) = (received.clone(), wanted.clone());
        move |work| (Echoes::in_answer(&received, &body, &wanted, work), received, body)
    });
    let (found, received, body) =
        search.await.ok_or_else(|| protocol(url, "the response could not be searched for secrets"))?;
    Ok(found?.take_out(&received, body, redactions))
}

/// What of an answer is replaced.
struct Echoes {
    /// The header fields, where any of them echoes a secret. Names are searched as well: they are the upstream's text too.
    headers: Option<Vec<Header>>,
    body: Option<Vec<u8>>,
    found: u32,
}

impl Echoes {
    fn in_answer(received: &HeaderMap, body: &[u8], wanted: &Wanted, work: &Work) -> Result<Self, Spent> {
        let mut found = 0_u32;
        let mut searched = |text: &[u8]| {
            let scrubbed = wanted.scrub(text, work)?;
            found = found.saturating_add(scrubbed.as_ref().map_or(0, |scrubbed| scrubbed.found));
            Ok::<_, Spent>(scrubbed.map(|scrubbed| scrubbed.bytes))
        };
        // One search over all of them first; no secret holds the newline between two.
        let bytes: usize = received.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let fields = received.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let all = in_lines(bytes + 2 * received.len(), fields);
        let headers = match wanted.scrub(&all, work)? {
            None => None,
            Some(_) => {
                let mut clean = |text: &[u8]| Ok::<_, Spent>(searched(text)?.unwrap_or_else(|| text.to_vec()));
                let field = |(name, value): (&HeaderName, &HeaderValue)| {
                    let name = String::from_utf8_lossy(&clean(name.as_str().as_bytes())?).into_owned();
                    Ok(Header { name, value: clean(value.as_bytes())? })
                };
                Some(received.iter().map(field).collect::<Result<_, Spent>>()?)
            }
        };
        let body = searched(body)?;
        Ok(Self { headers, body, found })
    }

    /// The answer without it. Where that is not all of it, what it was taken from is wiped.
    fn take_out(
        self,
        received: &HeaderMap,
        mut body: Zeroizing<Vec<u8>>,
        redactions: &mut u32,
    ) -> (Vec<Header>, Vec<u8>) {
        *redactions = redactions.saturating_add(self.found);
        let as_received = |(name, value): (&HeaderName, &HeaderValue)| Header {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let headers = self.headers.unwrap_or_else(|| received.iter().map(as_received).collect());
        (headers, self.body.unwrap_or_else(|| std::mem::take(&mut *body)))
    }
}

/// Request line, header fields and body, as they are handed to the connection.
fn wire_bytes(request: &reqwest::Request) -> u64 {
    let url = request.url();
    let line = request.method().as_str().len() + url.path().len() + url.query().map_or(0, |q| q.len() + 1) + 12;
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let body = request.body().and_then(Body::as_bytes).map_or(0, <[u8]>::len);
    (line + headers + body) as u64
}

fn protocol(url: &RequestUrl, message: &str) -> SendError {
    SendError::Protocol(Fault { origin: url.origin().to_owned(), message: message.to_owned() })
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

async fn within<T>(limit_ms: u32, phase: Phase, work: impl Future<Output = T>) -> Result<T, SendError> {
    timeout(millis(limit_ms), work).await.map_err(|_| SendError::Timeout { phase, limit_ms })
}
