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
use portcullis_gate::{Denial, Header, Limits, OpenRoute, RequestUrl, Spent, Work};
use portcullis_vault::{Scrubbed, Scrubber, Secret};
use zeroize::Zeroizing;

use crate::{
    decode::{self, Coding, Intake},
    error::SendError,
    outbound::{HttpRequest, Outbound},
};

/// Longest text that is tried on the spot, in bytes; what takes more than a millisecond then is done again on another thread.
pub(crate) const LONG: usize = 64 * 1024;

/// A packed body is unpacked in pieces of so many bytes.
const PIECE: usize = 4 * 1024;
/// Making one signature ready to be searched for.
const SIGNATURE: u64 = 40;

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
    pub(crate) fn scrub(&self, bytes: &[u8], work: &Work) -> Result<Option<Scrubbed>, Spent> {
        let kept = self.kept.scrub_within(bytes, work)?;
        let Some(made) = &self.made else { return Ok(kept) };
        let Some(kept) = kept else { return made.scrub_within(bytes, work) };
        Ok(Some(match made.scrub_within(&kept.bytes, work)? {
            Some(scrubbed) => Scrubbed { found: kept.found.saturating_add(scrubbed.found), ..scrubbed },
            None => kept,
        }))
    }

    fn finds_in(&self, text: &[u8], work: &Work) -> Result<Option<String>, Spent> {
        if let Some(slot) = self.kept.finds_in(text, work)? {
            return Ok(Some(slot.to_owned()));
        }
        let Some(made) = &self.made else { return Ok(None) };
        Ok(made.finds_in(text, work)?.map(str::to_owned))
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
    pub(crate) fn add(&self, signatures: Vec<(String, Secret)>, work: &Work) -> Result<(), Spent> {
        if signatures.is_empty() {
            return Ok(());
        }
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.signatures.extend(signatures);
        // Each is made ready to be searched for anew, and held against each.
        let count = made.signatures.len() as u64;
        work.charge(count * (SIGNATURE + count / 8))?;
        made.scrubber = Some(Arc::new(Scrubber::new(made.signatures.iter().map(|(slot, secret)| (slot, secret)))));
        Ok(())
    }

    fn scrubber(&self) -> Option<Arc<Scrubber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).scrubber.clone()
    }
}

/// Refuses a request that holds a secret, wherever in it and however it is written.
pub(crate) async fn search_request(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    wanted: &Wanted,
) -> Result<(), SendError> {
    let limits = &outbound.parts.limits;
    let refused = |slot: String, place| {
        let denial = Denial::secret(request.method, &route.template, &slot, place);
        Err(SendError::SecretSent(denial))
    };
    if let Some(slot) = finds(outbound, wanted, url.as_url().as_str().to_owned()).await? {
        return refused(slot, "its URL");
    }
    let bytes = request.headers.iter().map(|header| header.name.len() + header.value.len() + 2).sum();
    let fields = request.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
    if let Some(slot) = finds(outbound, wanted, in_lines(bytes, fields)).await? {
        return refused(slot, "a header field");
    }
    let Some(body) = request.body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
    let unsearchable = |what: String| SendError::Denied(Denial::unsearchable(request.method, &route.template, &what));
    let found = match coding(&request.headers).map_err(unsearchable)? {
        Coding::Identity => finds(outbound, wanted, body.clone()).await?,
        Coding::Gzip => {
            let (wanted, body, most) = (wanted.clone(), body.clone(), limits.request_bytes);
            let search = outbound.parts.traffic.aside(&outbound.parts.work, move |work| {
                let unpacked = unpack(&body, most, work)?;
                unpacked.map(|unpacked| wanted.finds_in(&unpacked, work)).transpose()
            });
            // Were the search to break, nothing would be known of the body.
            let found = search.await.unwrap_or_else(|| Ok(Some(Some(String::new()))))?;
            found.ok_or_else(|| unsearchable(NOT_GZIP.to_owned()))?
        }
    };
    found.map_or(Ok(()), |slot| refused(slot, "its body"))
}

/// The slot of a secret that this text holds.
async fn finds(
    outbound: &Outbound,
    wanted: &Wanted,
    text: impl AsRef<[u8]> + Send + 'static,
) -> Result<Option<String>, SendError> {
    let work = &outbound.parts.work;
    if text.as_ref().len() <= LONG
        && let Some(found) = work.quickly(|work| wanted.finds_in(text.as_ref(), work))
    {
        return Ok(found?);
    }
    let wanted = wanted.clone();
    let search = outbound.parts.traffic.aside(work, move |work| wanted.finds_in(text.as_ref(), work));
    // Were the search to break, nothing would be known of the text.
    Ok(search.await.unwrap_or_else(|| Ok(Some(String::new())))?)
}

/// Whether a request's body can be searched; asks for no secret.
pub(crate) async fn check_coding(
    outbound: &Outbound,
    request: &HttpRequest,
    route: &OpenRoute,
) -> Result<(), SendError> {
    let Some(body) = request.body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
    let unsearchable = |what: String| SendError::Denied(Denial::unsearchable(request.method, &route.template, &what));
    if coding(&request.headers).map_err(unsearchable)? == Coding::Identity {
        return Ok(());
    }
    let (body, most) = (body.clone(), outbound.parts.limits.request_bytes);
    let unpacking = outbound.parts.traffic.aside(&outbound.parts.work, move |work| unpack(&body, most, work));
    let unpacked = unpacking.await.unwrap_or(Ok(None))?;
    unpacked.map(drop).ok_or_else(|| unsearchable(NOT_GZIP.to_owned()))
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

/// How a guest says that its body is packed. Says what is wrong where that cannot be unpacked: what cannot be searched is
/// not sent.
fn coding(headers: &[Header]) -> Result<Coding, String> {
    let said: Vec<&[u8]> = headers
        .iter()
        .filter(|header| header.name.replace('_', "-").eq_ignore_ascii_case(CONTENT_ENCODING.as_str()))
        .map(|header| header.value.as_slice())
        .collect();
    Coding::of(said.into_iter()).map_err(|unknown| format!("the coding `{unknown}`"))
}

/// What is told of a body that does not unpack.
const NOT_GZIP: &str = "a body that does not unpack as gzip within `request_bytes`";

/// A body as the upstream will read it; none where it does not unpack to at most so many bytes.
fn unpack(body: &[u8], most: u32, work: &Work) -> Result<Option<Zeroizing<Vec<u8>>>, Spent> {
    let (intake, caps) = (Intake::default(), Limits { response_bytes: most, bytes_in: most, ..Limits::default() });
    let mut unpacked = decode::Body::new(Coding::Gzip, &caps, &intake);
    for piece in body.chunks(PIECE) {
        work.charge(decode::price(piece.len()))?;
        let before = unpacked.held();
        if unpacked.push(piece).is_err() {
            return Ok(None);
        }
        work.charge(decode::price(unpacked.held() - before))?;
    }
    Ok(unpacked.finish().ok())
}
