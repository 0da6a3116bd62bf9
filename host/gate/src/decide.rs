//! The decision: may this request leave?
//!
//! Default deny. A request is allowed when one open route agrees with it in every respect: origin, method, path,
//! credential slot, query, body, header fields. There is no rule that forbids: what no route allows does not happen.
//!
//! `decide` is total and pure, and allocates nothing on the way to `Allow`. Of several routes that allow it takes the first
//! of the grant; if none does, it names the first respect in which the request fell short of the route that came nearest.
//! `specification.rs` says the same without an index, to be read; both are held against each other on random requests.

use std::net::IpAddr;

use crate::{
    address::{AddressRefusal, judge_address},
    header::{Header, HeaderRefusal, is_always_granted, judge_header},
    link::LinkPlace,
    method::Method,
    parameter::Parameter,
    powers::{OpenRoute, OperationPowers, RouteId},
    query::{pairs, rules_for},
    url::RequestUrl,
};

/// An outbound request, as it will be sent but for the secret.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The URL, parsed.
    pub url: &'a RequestUrl,
    /// The header fields the guest set.
    pub headers: &'a [Header],
    /// Whether there is a body, even an empty one.
    pub body: bool,
    /// The slots of the credentials the guest attached, in any order.
    pub slots: &'a [String],
    /// Where this very URL was found in answers that its own origin gave in this call.
    pub written: &'a [LinkPlace],
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may leave, by this open route.
    Allow(RouteId),
    /// It may not.
    Deny(Reason),
}

/// Why a request may not leave. [`Denial`](crate::Denial) tells it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No open route has this origin.
    Origin,
    /// Routes at this origin, none with this method.
    Method,
    /// Routes at this origin with this method, none for this path.
    Path,
    /// Only routes of links lead there, and nobody wrote this URL where they want it.
    Link,
    /// A credential (the one of this number) that is none of the route's.
    Slot(usize),
    /// Not every credential of the route.
    SlotMissing,
    /// A query parameter (the one of this number) that the route does not have.
    Query(usize),
    /// A value that the query parameter of this number may not have.
    QueryValue(usize),
    /// A body where the route has none.
    Body,
    /// A body whose `Content-Type` is missing, doubled or not of the route's kind.
    BodyKind,
    /// A header field (the one of this number) that no guest may write.
    Header(usize, HeaderRefusal),
    /// A header field (the one of this number) that the route does not have.
    HeaderName(usize),
    /// A value that the header field of this number may not have.
    HeaderValue(usize),
    /// An address in the URL that may not be dialled.
    Address(AddressRefusal),
}

impl Reason {
    /// The rule's name: stable, and the same in denials, ledger and documentation.
    pub fn rule(self) -> &'static str {
        match self {
            Reason::Origin => "origin-not-granted",
            Reason::Method => "method-not-granted",
            Reason::Path => "path-not-granted",
            Reason::Link => "link-not-written",
            Reason::Slot(_) => "slot-not-granted",
            Reason::SlotMissing => "slot-missing",
            Reason::Query(_) => "query-not-granted",
            Reason::QueryValue(_) => "query-value-not-granted",
            Reason::Body => "body-not-granted",
            Reason::BodyKind => "body-kind-not-granted",
            Reason::Header(_, HeaderRefusal::Name | HeaderRefusal::Value) => "header-invalid",
            Reason::Header(_, HeaderRefusal::Reserved | HeaderRefusal::Slot) => "header-reserved",
            Reason::HeaderName(_) => "header-not-granted",
            Reason::HeaderValue(_) => "header-value-not-granted",
            Reason::Address(_) => "address-not-allowed",
        }
    }

    /// How much of a request was right before this: the higher, the nearer was the route.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Reason::Origin => 0,
            Reason::Method => 1,
            Reason::Path => 2,
            Reason::Link => 3,
            Reason::Slot(_) | Reason::SlotMissing => 4,
            Reason::Query(_) | Reason::QueryValue(_) => 5,
            Reason::Body | Reason::BodyKind => 6,
            Reason::Header(..) | Reason::HeaderName(_) | Reason::HeaderValue(_) => 7,
            Reason::Address(_) => 8,
        }
    }
}

/// Decides about one request. Redirect hops are requests like any other.
pub fn decide(request: &Request<'_>, powers: &OperationPowers) -> Decision {
    let Some(methods) = powers.index.origin(request.url.origin()) else {
        return Decision::Deny(Reason::Origin);
    };
    let Some(Some(tree)) = methods.get(request.method.index()) else {
        return Decision::Deny(Reason::Method);
    };
    let mut allowed: Option<usize> = None;
    let mut nearest: Option<(usize, Reason)> = None;
    tree.find(request.url.path(), &mut |number| {
        let Some(route) = powers.routes.get(number) else { return };
        if allowed.is_some_and(|first| first < number) {
            return;
        }
        match shortfall(request, route) {
            None => allowed = Some(allowed.map_or(number, |first| first.min(number))),
            Some(reason) => {
                let nearer = nearest.is_none_or(|(first, known)| {
                    reason.rank() > known.rank() || (reason.rank() == known.rank() && number < first)
                });
                if nearer {
                    nearest = Some((number, reason));
                }
            }
        }
    });
    match (allowed, nearest) {
        (Some(number), _) => address(request, powers).map_or(Decision::Allow(RouteId(number)), Decision::Deny),
        (None, Some((_, reason))) => Decision::Deny(reason),
        (None, None) => Decision::Deny(Reason::Path),
    }
}

/// The first respect in which a request falls short of a route to its path; none if it agrees in all.
pub(crate) fn shortfall(request: &Request<'_>, route: &OpenRoute) -> Option<Reason> {
    if !route.links.is_empty() && !route.links.iter().any(|place| request.written.contains(place)) {
        return Some(Reason::Link);
    }
    let is_own = |asked: &&String| route.slots.iter().any(|own| own.name == **asked);
    if let Some(position) = request.slots.iter().position(|asked| !is_own(&asked)) {
        return Some(Reason::Slot(position));
    }
    if !route.slots.iter().all(|own| request.slots.contains(&own.name)) {
        return Some(Reason::SlotMissing);
    }
    for (position, (name, value)) in pairs(request.url).enumerate() {
        match judge(rules_for(&route.query, &route.slots, name), value) {
            Some(true) => {}
            Some(false) => return Some(Reason::QueryValue(position)),
            None => return Some(Reason::Query(position)),
        }
    }
    if request.body {
        match &route.body {
            None => return Some(Reason::Body),
            Some(kind) if !kind.is_said_by(request.headers) => return Some(Reason::BodyKind),
            Some(_) => {}
        }
    }
    for (position, header) in request.headers.iter().enumerate() {
        if let Err(refusal) = judge_header(&header.name, &header.value, &route.slots) {
            return Some(Reason::Header(position, refusal));
        }
        match allows_header(header, route) {
            Some(true) => {}
            Some(false) => return Some(Reason::HeaderValue(position)),
            None => return Some(Reason::HeaderName(position)),
        }
    }
    None
}

/// Whether a header field that a guest may write may be sent with this value; none if not at all.
fn allows_header(header: &Header, route: &OpenRoute) -> Option<bool> {
    if is_always_granted(&header.name) {
        return Some(true);
    }
    let is = |name: &str| name.eq_ignore_ascii_case(&header.name);
    let granted = route.headers.iter().filter(|parameter| is(&parameter.name));
    judge(granted, header.value.iter().copied())
}

/// Whether one of the parameters allows this value; none if there is none.
fn judge<'a>(parameters: impl Iterator<Item = &'a Parameter>, value: impl Iterator<Item = u8> + Clone) -> Option<bool> {
    parameters.fold(None, |so_far, parameter| Some(so_far == Some(true) || parameter.allows(value.clone())))
}

/// An address in the URL is never seen by a resolver, so it is judged here.
fn address(request: &Request<'_>, powers: &OperationPowers) -> Option<Reason> {
    let address: IpAddr = request.url.address()?;
    let secure = request.url.scheme() == "https";
    judge_address(address, request.url.port(), secure, &powers.carve_outs).err().map(Reason::Address)
}

#[cfg(test)]
mod tests;
