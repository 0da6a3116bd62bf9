//! URL references and `Link` header fields, as text.
//!
//! Use this crate to learn where a reference that a provider wrote leads, and which links a `Link` field holds. It does not
//! say whether a request may go there: the result is a text that the gate parses and judges like any other URL.
//!
//! # Why it exists
//!
//! **Context.** Providers write next pages and redirects in every form that RFC 3986 allows: absolute, `/path`, `?page=2`,
//! `items?page=2`, `../items`, with spaces or letters outside ASCII. The host resolves them (redirects, and the links that it
//! records as capabilities), and adapters resolve them (to ask for the next page). If both did not read a reference alike,
//! a link that the host recorded would not be the URL that the adapter asks for.
//!
//! **Decision.** One crate without dependencies, small enough for a guest, that both use. It resolves by the algorithm of RFC
//! 3986, section 5.2, dot segments included: they are legal in a reference. The gate still refuses dot segments in what
//! it is asked to send, and judges the result, so `..` leads nowhere that was not granted.
//!
//! **Alternatives.** A URL library (`Url::join`) repairs more than the RFC says: it drops tabs, reads `\` as `/`, and turns
//! `https:host` into an authority. What two parsers could read differently has to stay as it is, for the gate to refuse.
//! Two implementations, one for the host and one for guests, would differ some day.

mod link;
mod resolve;

pub use link::{Link, links, targets};
pub use resolve::resolve;
