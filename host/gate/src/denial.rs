//! How a refusal is told: the rule, what was asked and granted, and the lines that would allow it.
//!
//! The text reaches the guest, the caller and the ledger, so it names nothing that the guest did not name itself: no
//! resolved address, no secret, no route of another operation.

mod least;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    address::{AddressRefusal, judge_address},
    body::BodyKind,
    decide::{Reason, Request, shortfall},
    grant::GrantedRoute,
    header::HeaderRefusal,
    intersect::{Declared, MAX_COVERING},
    link,
    method::Method,
    powers::{OpenRoute, OperationPowers},
    printable::printable,
    query::{Decoded, is_slots, pairs, rules_for},
    scheme::Scheme,
    template::Template,
    url::{RequestUrl, UrlRefusal},
};

use least::least;

/// Longest piece of guest text repeated in a denial, in characters.
const QUOTE: usize = 200;

/// Most routes or origins that a denial lists.
const LISTED: usize = 5;
/// What the ceiling lacks where no grant can carve an address out.
const NOT_CARVED: &str = "`carve_outs` has nothing that holds it for this integration";
/// Longest lines that a denial gives, in bytes.
const MAX_LINES: usize = 4 * 1024;

/// A refusal. Its fields stand in the order of their names, which is how the ledger writes it (RFC 8785).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The least that would allow this request and no other: lines to add to the grant, with the request's own path and its own
    /// query names. None where `allow_with` is the least, or where there is nothing to add. Like `asked` these are a guest's
    /// words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_request: Option<String>,
    /// All that the adapter declares of this kind: the lines to add to the grant; none where no grant would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_with: Option<String>,
    /// What was asked, as far as it was judged: method and URL without its query, or an operation's name. Empty in a record
    /// whose words are kept beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked: String,
    /// Whether the host's ceiling is below it, so that no grant would help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ceiling: bool,
    /// What is granted in its place, at most five items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// What was asked, what is granted and why that is not enough, in one or two sentences. Empty in a record whose words are
    /// kept beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The rule's name.
    pub rule: String,
}

/// What a denial repeats of what a guest or an upstream wrote. The rest of it is rules, and what operators and adapters
/// declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialWords {
    /// [`Denial::allow_request`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_request: Option<String>,
    /// [`Denial::asked`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked: String,
    /// [`Denial::message`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Denial {
    /// The words of strangers in it, and what is left without them.
    #[must_use]
    pub fn split(self) -> (Self, DenialWords) {
        let Self { allow_request, allow_with, asked, ceiling, granted, message, rule } = self;
        let words = DenialWords { allow_request, asked, message };
        let (asked, message) = (String::new(), String::new());
        (Self { allow_request: None, allow_with, asked, ceiling, granted, message, rule }, words)
    }

    /// The same with these words.
    #[must_use]
    pub fn with_words(self, words: DenialWords) -> Self {
        let DenialWords { allow_request, asked, message } = words;
        Self { allow_request, asked, message, ..self }
    }

    /// Why, in a sentence: its message, or where its words are not there what the rule alone tells.
    #[must_use]
    pub fn told(&self) -> String {
        if !self.message.is_empty() {
            return self.message.clone();
        }
        let granted = match self.granted.is_empty() {
            true => String::new(),
            false => format!(" Granted: {}.", self.granted.join(", ")),
        };
        format!("the rule `{}` refused it.{granted}", self.rule)
    }

    /// Tells why the gate denied a request.
    pub fn new(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Self {
        let Request { method, url, .. } = *request;
        if let Reason::Address(refusal) = reason {
            return Self { asked: asked(method, url), ..Self::address(url, refusal, powers) };
        }
        let asked = asked(method, url);
        let granted = granted(reason, request, powers);
        let what = what(reason, request, powers);
        let kept_closed = || is_kept_closed(url, powers).then(|| NOT_CARVED.to_owned());
        let above = match (powers.declared(method, url).next(), powers.left_open(method, url)) {
            (Some(declared), _) => powers.above_ceiling(declared).or_else(kept_closed),
            (None, Some(route)) => powers.ceiling_forbids(&route).or_else(kept_closed),
            (None, None) => None,
        };
        // What would help, and who would have to do it.
        let route_is_open = !is_route_missing(reason);
        let helping = helping(reason, request, powers);
        let (allow_with, allow_request) = helping.map_or((None, None), |(lines, least)| (Some(lines), least));
        let (helps, allow_with) = match (reason, above, allow_with) {
            (Reason::Slot(_) | Reason::SlotMissing | Reason::Body | Reason::BodyKind | Reason::Header(..), ..) => {
                ("", None)
            }
            (_, Some(ceiling), _) => {
                let message = format!("{asked}: {what}. The host's ceiling is below it: {ceiling}.");
                let rule = reason.rule().to_owned();
                return Self { rule, asked, ceiling: true, granted, message, allow_request: None, allow_with: None };
            }
            (_, None, Some(lines)) if route_is_open => {
                (" The adapter declares more than the grant allows.", Some(lines))
            }
            (_, None, Some(lines)) => (" The adapter declares it; the grant leaves it out.", Some(lines)),
            (_, None, None) if route_is_open => {
                (" The adapter declares no route that allows this request, so no grant can allow it.", None)
            }
            (_, None, None) => (" The adapter does not declare it, so no grant can allow it.", None),
        };
        let told = if granted.is_empty() { String::new() } else { format!(" Granted: {}.", granted.join(", ")) };
        let message = format!("{asked}: {what}.{helps}{told}");
        let allow_request = allow_request.filter(|lines| allow_with.is_some() && lines.len() <= MAX_LINES);
        let rule = reason.rule().to_owned();
        Self { rule, asked, ceiling: false, granted, message, allow_request, allow_with: allow_with.map(bounded) }
    }

    /// Tells why a text is not a URL that can be judged.
    pub fn url(text: &str, refusal: &UrlRefusal) -> Self {
        let asked = quote(&without_secrets(text));
        let message = format!("`{asked}`: {}.", printable(&refusal.to_string(), 2 * QUOTE));
        Self {
            rule: refusal.rule().to_owned(),
            asked,
            ceiling: false,
            granted: Vec::new(),
            message,
            allow_request: None,
            allow_with: None,
        }
    }

    /// Tells that a URL's address, or one that its name resolved to, may not be dialled. Resolved addresses are not told.
    pub fn address(url: &RequestUrl, refusal: AddressRefusal, powers: &OperationPowers) -> Self {
        let (what, address) = match url.address() {
            Some(_) => ("is an address that may not be dialled", url.host()),
            None => ("resolves to an address that may not be dialled", "ADDRESS"),
        };
        let (above, allow_with) = match powers.may_be_carved_out(url) {
            true => (String::new(), Some(format!("carve_outs = [\"{address}:{}\"]\n", url.port()))),
            false => (format!(" The host's ceiling is below it: {NOT_CARVED}."), None),
        };
        Self {
            rule: "address-not-allowed".to_owned(),
            asked: quote(url.origin()),
            ceiling: allow_with.is_none(),
            granted: Vec::new(),
            message: format!("{} {what}: {refusal}.{above}", quote(url.host())),
            allow_request: None,
            allow_with,
        }
    }

    /// Tells that a slot may not be used. `rule` and `message` say why.
    pub fn slot(rule: &str, slot: &str, powers: &OperationPowers, message: String, allow_with: Option<String>) -> Self {
        let granted = powers.slots().take(LISTED).map(str::to_owned).collect();
        let (rule, asked, allow_with) = (rule.to_owned(), quote(slot), allow_with.map(bounded));
        Self { rule, asked, ceiling: false, granted, message, allow_request: None, allow_with }
    }

    /// Tells that a request holds what is stored in a slot, and where in it. Names the route, not the URL: the secret may
    /// stand in that.
    pub fn secret(method: Method, template: &Template, slot: &str, place: &str) -> Self {
        let asked = quote(&format!("{method} {}", template.as_str()));
        let of = if slot.is_empty() { "a slot".to_owned() } else { format!("the slot `{}`", quote(slot)) };
        let message = format!(
            "{asked}: {place} holds what is stored in {of}, which an adapter cannot know. Nothing was sent, and the call \
             was ended. Where the input or the config holds it, take it out there; where it is no secret, put it into the \
             config and not into a slot."
        );
        Self {
            rule: "secret-in-request".to_owned(),
            asked,
            ceiling: false,
            granted: Vec::new(),
            message,
            allow_request: None,
            allow_with: None,
        }
    }

    /// Tells that a request's body is packed so that it cannot be searched for secrets.
    pub fn unsearchable(method: Method, template: &Template, what: &str) -> Self {
        let asked = quote(&format!("{method} {}", template.as_str()));
        let message = format!(
            "{asked}: its Content-Encoding says {}, which cannot be searched for secrets. Send it as gzip or as it is.",
            quote(what)
        );
        Self {
            rule: "request-coding".to_owned(),
            asked,
            ceiling: false,
            granted: Vec::new(),
            message,
            allow_request: None,
            allow_with: None,
        }
    }

    /// Tells that an operation is not granted: it is not declared (`None`), or these are the routes it needs.
    pub fn operation(name: &str, granted: &[&str], needs: Option<&[GrantedRoute]>) -> Self {
        let told: Vec<&str> = granted.iter().copied().take(LISTED).collect();
        let more = if granted.len() > LISTED { format!(" and {} more", granted.len() - LISTED) } else { String::new() };
        let told = if granted.is_empty() { "none".to_owned() } else { told.join(", ") + &more };
        let name = quote(name);
        let rule = "operation-not-granted".to_owned();
        let listed = granted.iter().take(LISTED).map(|granted| (*granted).to_owned()).collect();
        let Some(routes) = needs else {
            let message = format!("the adapter has no operation `{name}`; granted: {told}.");
            return Self {
                rule,
                asked: name,
                ceiling: false,
                granted: listed,
                message,
                allow_request: None,
                allow_with: None,
            };
        };
        let all: Vec<String> =
            granted.iter().map(|granted| format!("\"{granted}\"")).chain([format!("\"{name}\"")]).collect();
        let routes: String = routes.iter().map(|route| format!("\n{}", route.to_toml_lines())).collect();
        let message = format!("the operation `{name}` is not granted; granted: {told}.");
        let allow_with = format!("operations = [{}]\n{routes}", all.join(", "));
        let allow_with = Some(bounded(allow_with));
        Self { rule, asked: name, ceiling: false, granted: listed, message, allow_request: None, allow_with }
    }
}

/// Whether no open route leads there at all.
fn is_route_missing(reason: Reason) -> bool {
    matches!(reason, Reason::Origin | Reason::Method | Reason::Path)
}

/// Lines, or where they are too many to be recorded with every refusal, where to find them.
fn bounded(lines: String) -> String {
    if lines.len() <= MAX_LINES {
        return lines;
    }
    "# Too long to be told here; `portcullis inspect ADAPTER --grant` prints all that can be granted.\n".to_owned()
}

/// A text that is no good URL, without what nobody should read: user information, query and fragment.
fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("//").unwrap_or(("", text));
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}//…{}", rest.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Method and URL without its query, which may hold what nobody should read.
fn asked(method: Method, url: &RequestUrl) -> String {
    format!("{method} {}", quote(&format!("{}{}", url.origin(), url.path())))
}

/// What is wrong, in half a sentence.
fn what(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> String {
    let Request { method, url, headers, .. } = *request;
    let during = match powers.token_for() {
        Some(slot) => format!("for the tokens of the slot `{slot}`"),
        None => format!("during `{}`", powers.operation),
    };
    let pair = |position| pairs(url).nth(position);
    // A name without a value may be a value: `?TOKEN`.
    let name = |position| match pair(position) {
        Some((name, value)) if value.clone().next().is_some() => text(name),
        _ => "…".to_owned(),
    };
    let own = |name: Decoded<'_>| {
        let schemes = request.slots.iter().filter_map(|slot| powers.slot(slot));
        schemes.filter_map(Scheme::query_name).any(|own| is_slots(Some(own), name.clone()))
    };
    let header = |position: usize| quote(headers.get(position).map(|h| h.name.as_str()).unwrap_or_default());
    match reason {
        Reason::Origin => format!("no route to {} is open {during}", quote(url.origin())),
        Reason::Method => format!("no {method} route to {} is open {during}", quote(url.origin())),
        Reason::Path => format!("no {method} route to this path is open {during}"),
        Reason::Link => format!(
            "only links that {} writes itself lead there {during}, and no answer of this call had this very URL at {} \
             (the newest links of a call are kept)",
            quote(url.origin()),
            link::told(powers.link_places()),
        ),
        Reason::Query(position) if pair(position).is_some_and(|(name, _)| own(name)) => {
            format!("the query parameter `{}` is the credential's to write", name(position))
        }
        Reason::Query(position) => format!("the query parameter `{}` is not granted for this route", name(position)),
        Reason::QueryValue(position) => {
            format!("the query parameter `{}` may not have this value on this route", name(position))
        }
        Reason::Slot(position) => {
            let slot = quote(request.slots.get(position).map(String::as_str).unwrap_or_default());
            format!("the credential `{slot}` does not belong to this route")
        }
        Reason::SlotMissing => missing(request, powers),
        Reason::Body => "this route has no request body".to_owned(),
        Reason::BodyKind => {
            "the body's Content-Type must stand there once, and be one of this route's; JSON and forms are UTF-8"
                .to_owned()
        }
        Reason::Header(position, refusal) => {
            let why = match refusal {
                HeaderRefusal::Name => "its name is not a header name",
                HeaderRefusal::Value => "its value holds control characters",
                HeaderRefusal::Reserved => "only the host writes it",
                HeaderRefusal::Slot => "the credential's scheme writes it",
            };
            format!("the header `{}`: {why}", header(position))
        }
        Reason::HeaderName(position) => format!("the header `{}` is not granted for this route", header(position)),
        Reason::HeaderValue(position) => {
            format!("the header `{}` may not have this value on this route", header(position))
        }
        Reason::Address(refusal) => refusal.to_string(),
    }
}

/// Which credentials are not there, of the route that the request came nearest to.
fn missing(request: &Request<'_>, powers: &OperationPowers) -> String {
    let is_it = |route: &&Arc<OpenRoute>| {
        route.method == request.method
            && route.template.origin() == request.url.origin()
            && route.template.matches_path(request.url.path())
            && shortfall(request, route) == Some(Reason::SlotMissing)
    };
    let route = powers.routes().iter().find(is_it);
    let slots = route.iter().flat_map(|route| &route.slots).filter(|slot| !request.slots.contains(&slot.name));
    let slots: Vec<String> = slots.map(|slot| format!("`{}`", slot.name)).collect();
    let what = if slots.len() == 1 { "credential" } else { "credentials" };
    format!(
        "this route carries the {what} {}, which the request does not attach; open each slot and pass its handle",
        slots.join(", ")
    )
}

/// What of the open routes comes nearest to what was asked.
fn granted(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Vec<String> {
    let Request { method, url, .. } = *request;
    let routes = powers.routes().iter();
    let here = || powers.routes().iter().filter(|route| route.template.origin() == url.origin());
    let to_path = || here().filter(|route| route.method == method && route.template.matches_path(url.path()));
    let mut listed: Vec<String> = match reason {
        Reason::Origin => routes.map(|route| route.template.origin().to_owned()).collect(),
        Reason::Method => here().map(|route| format!("{} {}", route.method, route.template)).collect(),
        Reason::Path => {
            here().filter(|route| route.method == method).map(|route| format!("{method} {}", route.template)).collect()
        }
        Reason::Link => to_path()
            .map(|route| format!("{} {} at {}", route.method, route.template, link::told(&route.links)))
            .collect(),
        Reason::Query(_) => to_path().flat_map(|route| &route.query).map(ToString::to_string).collect(),
        // The rules that stand for its name: beside them a `*` says nothing.
        Reason::QueryValue(position) => {
            let rules = |(name, _): (Decoded<'_>, _)| {
                to_path()
                    .flat_map(move |route| rules_for(&route.query, &[], name.clone()))
                    .map(ToString::to_string)
                    .collect()
            };
            pairs(url).nth(position).map(rules).unwrap_or_default()
        }
        Reason::HeaderName(_) | Reason::HeaderValue(_) => {
            to_path().flat_map(|route| &route.headers).map(ToString::to_string).collect()
        }
        Reason::BodyKind => to_path().filter_map(|route| route.body.as_ref()).map(BodyKind::told).collect(),
        Reason::Slot(_) | Reason::SlotMissing => {
            to_path().flat_map(|route| &route.slots).map(|slot| slot.name.clone()).collect()
        }
        Reason::Body | Reason::Header(..) | Reason::Address(_) => Vec::new(),
    };
    let mut seen = std::collections::BTreeSet::new();
    listed.retain(|item| seen.insert(item.clone()));
    listed.truncate(LISTED);
    listed
}

/// The lines for a grant by which the request would get furthest, if it would get further than this reason: all that is
/// declared, and the least that allows this request, where that is less.
fn helping(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Option<(String, Option<String>)> {
    let mut best: Option<(u8, &Declared)> = None;
    // No more of them than a grant can open: a refusal must not take longer than a decision.
    for declared in powers.declared(request.method, request.url).take(MAX_COVERING) {
        let reached = shortfall(request, &declared.open).map_or(u8::MAX, Reason::rank);
        if reached > best.map_or(reason.rank(), |(reached, _)| reached) {
            best = Some((reached, declared));
        }
    }
    let lines = |route: &GrantedRoute| carve_out_lines(request.url, powers) + &route.to_toml_lines();
    match best {
        Some((_, declared)) => Some((lines(&declared.granted), least(request, declared).as_ref().map(lines))),
        None => {
            let route = powers.left_open(request.method, request.url).filter(|_| is_route_missing(reason))?;
            Some((lines(&route), None))
        }
    }
}

/// Whether a URL needs a carve-out that the ceiling leaves to no grant of this integration.
fn is_kept_closed(url: &RequestUrl, powers: &OperationPowers) -> bool {
    let secure = url.scheme() == "https";
    let is_closed = |address| judge_address(address, url.port(), secure, &powers.carve_outs).is_err();
    url.address().map_or(!secure, is_closed) && !powers.may_be_carved_out(url)
}

/// The line without which a grant of a plain http route is refused; none where an open route shows that it is there.
fn carve_out_lines(url: &RequestUrl, powers: &OperationPowers) -> String {
    let is_alike = |other: &RequestUrl| other.scheme() == "http" && other.port() == url.port();
    if url.scheme() == "https" || powers.routes().iter().any(|route| is_alike(route.template.origin_url())) {
        return String::new();
    }
    let address = if url.address().is_some() { url.host() } else { "ADDRESS" };
    format!("carve_outs = [\"{address}:{}\"]\n", url.port())
}

/// A decoded piece of a query, fit to be shown.
fn text(decoded: Decoded<'_>) -> String {
    quote(&String::from_utf8_lossy(&decoded.collect::<Vec<u8>>()))
}

/// A piece of guest text, fit to be shown.
fn quote(text: &str) -> String {
    printable(text, QUOTE)
}

#[cfg(test)]
mod tests;
