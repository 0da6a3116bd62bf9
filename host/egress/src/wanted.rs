//! What a call's requests and answers are searched for: the integration's secrets, and the signatures that were made with
//! them for this call's requests.
//!
//! Requests first. A guest cannot know a secret, so a request that holds one is a guess, or a secret that was pasted where it
//! does not belong. Either way it is not sent: an upstream that echoes would send it back, it would be replaced in the
//! answer, and the guest would have learnt that it guessed right. For the same reason the call ends there, and the guest is
//! not told. An input that holds a secret makes no difference: whoever could have guesses sent by writing them into the
//! input would be answered as well.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::CONTENT_ENCODING;
use portcullis_gate::{Denial, Header, Limits, OpenRoute, RequestUrl};
use portcullis_vault::{Scrubbed, Scrubber, Secret};
use zeroize::Zeroizing;

use crate::{
    decode::{self, Intake},
    error::SendError,
    outbound::HttpRequest,
};

/// Longest text that is searched for secrets on the spot, in bytes: at the worst that takes three milliseconds.
pub(crate) const LONG_SEARCH: usize = 64 * 1024;

/// What is searched for.
#[derive(Clone)]
pub(crate) struct Wanted {
    kept: Arc<Scrubber>,
    made: Option<Arc<Scrubber>>,
}

impl Wanted {
    /// What the vault keeps, and the signatures of this call so far.
    pub(crate) fn new(kept: Arc<Scrubber>, signatures: &Signatures) -> Self {
        Self { kept, made: signatures.scrubber() }
    }

    /// What may be handed on; none where that is all of it.
    pub(crate) fn scrub(&self, bytes: &[u8]) -> Option<Scrubbed> {
        let kept = self.kept.scrub(bytes);
        let Some(made) = &self.made else { return kept };
        let Some(kept) = kept else { return made.scrub(bytes) };
        Some(match made.scrub(&kept.bytes) {
            Some(scrubbed) => Scrubbed { found: kept.found.saturating_add(scrubbed.found), ..scrubbed },
            None => kept,
        })
    }

    fn finds_in(&self, text: &[u8]) -> Option<String> {
        let made = self.made.as_ref().and_then(|made| made.finds_in(text));
        self.kept.finds_in(text).or(made).map(str::to_owned)
    }
}

/// The signatures that were made for the requests of one call: a later answer may echo an earlier request.
#[derive(Default)]
pub(crate) struct Signatures(Mutex<Made>);

#[derive(Default)]
struct Made {
    signatures: Vec<(String, Secret)>,
    scrubber: Option<Arc<Scrubber>>,
}

impl Signatures {
    /// Adds those of one request.
    pub(crate) fn add(&self, signatures: Vec<(String, Secret)>) {
        if signatures.is_empty() {
            return;
        }
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.signatures.extend(signatures);
        made.scrubber = Some(Arc::new(Scrubber::new(made.signatures.iter().map(|(slot, secret)| (slot, secret)))));
    }

    fn scrubber(&self) -> Option<Arc<Scrubber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).scrubber.clone()
    }
}

/// Refuses a request that holds a secret, wherever in it and however it is written.
pub(crate) async fn search_request(
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    limits: &Limits,
    wanted: &Wanted,
) -> Result<(), SendError> {
    let refused = |slot: String, place| {
        let denial = Denial::secret(request.method, &route.template, &slot, place);
        Err(SendError::SecretSent(denial))
    };
    if let Some(slot) = wanted.finds_in(url.as_url().as_str().as_bytes()) {
        return refused(slot, "its URL");
    }
    let bytes = request.headers.iter().map(|header| header.name.len() + header.value.len() + 2).sum();
    let fields = request.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
    if let Some(slot) = wanted.finds_in(&in_lines(bytes, fields)) {
        return refused(slot, "a header field");
    }
    let Some(body) = request.body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
    let unpacked = unpack(&request.headers, body, limits)
        .map_err(|what| SendError::Denied(Denial::unsearchable(request.method, &route.template, &what)))?;
    let found = match unpacked {
        None if body.len() <= LONG_SEARCH => wanted.finds_in(body),
        unpacked => {
            let (wanted, body) = (wanted.clone(), body.clone());
            // One made to be slow to search takes a quarter of a second, which nobody else's call should wait for.
            let search = tokio::task::spawn_blocking(move || {
                let text: &[u8] = match &unpacked {
                    Some(unpacked) => unpacked,
                    None => &body,
                };
                wanted.finds_in(text)
            });
            // Were the search to break, nothing would be known of the body.
            search.await.unwrap_or_else(|_| Some(String::new()))
        }
    };
    found.map_or(Ok(()), |slot| refused(slot, "its body"))
}

/// Whether a request's body can be searched; asks for no secret.
pub(crate) fn check_coding(request: &HttpRequest, route: &OpenRoute, limits: &Limits) -> Result<(), SendError> {
    let Some(body) = request.body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
    let unpacked = unpack(&request.headers, body, limits).map(drop);
    unpacked.map_err(|what| SendError::Denied(Denial::unsearchable(request.method, &route.template, &what)))
}

/// Header fields as one text, a line for each name and each value: so many bytes, which must not move while they are written.
/// No secret holds a newline.
pub(crate) fn in_lines<'a>(bytes: usize, fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(bytes));
    for (name, value) in fields {
        for text in [name.as_bytes(), value] {
            all.extend_from_slice(text);
            all.push(b'\n');
        }
    }
    all
}

/// The body as the upstream will read it, where the guest says that it is packed. Says what is wrong where it cannot be
/// unpacked: what cannot be searched is not sent.
fn unpack(headers: &[Header], body: &[u8], limits: &Limits) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let said: Vec<&[u8]> = headers
        .iter()
        .filter(|header| header.name.replace('_', "-").eq_ignore_ascii_case(CONTENT_ENCODING.as_str()))
        .map(|header| header.value.as_slice())
        .collect();
    let coding = decode::Coding::of(said.into_iter()).map_err(|unknown| format!("the coding `{unknown}`"))?;
    if coding == decode::Coding::Identity {
        return Ok(None);
    }
    let (intake, caps) = (Intake::default(), Limits { response_bytes: limits.request_bytes, ..limits.clone() });
    let mut unpacked = decode::Body::new(coding, &caps, &intake);
    let whole = unpacked.push(body).and_then(|()| unpacked.finish());
    whole.map(Some).map_err(|_| "a body that does not unpack as gzip within `request_bytes`".to_owned())
}
