//! A request that the gate has allowed, before its secrets are put on.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

/// A request that the gate has allowed, as it will be sent but for its secrets.
#[derive(Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The very URL that the gate judged.
    pub url: Url,
    /// Header fields, the host's own among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
}
