//! Credential slots: which secrets an adapter needs and how the host puts them on the wire.

mod hmac;
mod oauth;
mod signing_key;
mod text;

pub use hmac::Hmac;
pub use oauth::OAuth;
pub use signing_key::SigningKey;
pub(crate) use text::is_name;
use text::{Reading, is_same};

use crate::{
    bindings::portcullis::adapter::descriptor::{self, HeaderScheme, PathScheme, Scheme, Sigv4Scheme},
    describe::Declared,
};

/// A named secret the adapter needs, which the host adds to requests. A constant, or made from a config; the secret itself
/// never reaches the adapter. Name it at the routes that need it: [`Route::slot`](crate::Route::slot).
///
/// Names are lower-case letters, digits and `-`, 1 to 64 bytes, unique in the adapter; another name does not compile.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// const TOKEN: Slot = Slot::bearer("token").describe("An API token, from Settings, API.");
/// const KEY: Slot = Slot::header("key", "X-Api-Key").describe("The project's key.");
/// // https://api.example.org/bot-credential-/sendMessage is what the adapter asks for.
/// const BOT: Slot = Slot::path("bot", "token").prefix("bot").describe("The bot's token, from the BotFather.");
/// const SEND: Route<Message, Value> = Route::post("send", "https://api.example.org/{token}/sendMessage").slot(&BOT);
/// # #[model]
/// # struct Message { text: String }
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const TOKEN: Slot = Slot::bearer("API token");
/// ```
///
/// Only what stands in a header or a path has a prefix, and only what is one secret can be a token:
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const KEY: Slot = Slot::query("key", "key").prefix("Token ");
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const KEY: Slot = Slot::basic("key").oauth(OAuth::server().token_url("https://a.example/token"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    name: &'a str,
    description: &'a str,
    placement: Placement<'a>,
    oauth: Option<OAuth<'a>>,
}

#[derive(Debug, Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "slots are constants, and nothing can be boxed in those")]
enum Placement<'a> {
    Bearer,
    Basic,
    Header { name: &'a str, prefix: &'a str },
    Query(&'a str),
    Path { name: &'a str, prefix: &'a str },
    Cookie(&'a str),
    Body(&'a str),
    Sigv4 { service: &'a str, region: &'a str },
    Hmac(Hmac<'a>),
    ClientCertificate,
}

/// The header fields that a signature of AWS's version 4 writes.
const SIGV4: [&str; 4] = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

impl<'a> Slot<'a> {
    /// `Authorization: Bearer SECRET` (RFC 6750, section 2.1).
    #[must_use]
    pub const fn bearer(name: &'a str) -> Self {
        Self::new(name, Placement::Bearer)
    }

    /// `Authorization: Basic base64(SECRET)`, where the secret is `user:password` (RFC 7617).
    #[must_use]
    pub const fn basic(name: &'a str) -> Self {
        Self::new(name, Placement::Basic)
    }

    /// A header of the provider's own: `header: SECRET`. See [`Slot::prefix`] for a word before the secret.
    #[must_use]
    pub const fn header(name: &'a str, header: &'a str) -> Self {
        Self::new(name, Placement::Header { name: header, prefix: "" })
    }

    /// A query parameter of this name. Only where a provider offers nothing better: URLs end up in logs.
    #[must_use]
    pub const fn query(name: &'a str, parameter: &'a str) -> Self {
        Self::new(name, Placement::Query(parameter))
    }

    /// The segment `{parameter}` of its routes' URLs, for providers that want the secret there. It is no field of the
    /// request: the SDK writes `-credential-` in its place, and the host puts the secret there.
    #[must_use]
    pub const fn path(name: &'a str, parameter: &'a str) -> Self {
        Self::new(name, Placement::Path { name: parameter, prefix: "" })
    }

    /// `Cookie: cookie=SECRET` (RFC 6265, section 4.2).
    #[must_use]
    pub const fn cookie(name: &'a str, cookie: &'a str) -> Self {
        Self::new(name, Placement::Cookie(cookie))
    }

    /// The member of this name in the JSON object, or the field of this name in the form, that its routes send. It is no
    /// field of the request.
    #[must_use]
    pub const fn body(name: &'a str, member: &'a str) -> Self {
        Self::new(name, Placement::Body(member))
    }

    /// The request is signed with AWS Signature Version 4: `Slot::sigv4("key", "s3", "eu-central-1")`.
    #[must_use]
    pub const fn sigv4(name: &'a str, service: &'a str, region: &'a str) -> Self {
        assert!(
            !service.is_empty() && !region.is_empty(),
            "write service and region, as in `\"s3\", \"eu-central-1\"`"
        );
        Self::new(name, Placement::Sigv4 { service, region })
    }

    /// The request is signed with a keyed hash over parts of it.
    #[must_use]
    pub const fn hmac(name: &'a str, hmac: Hmac<'a>) -> Self {
        assert!(
            hmac.is_written(),
            "nothing says where the signature goes; add `.header(\"X-Signature\", \"{{signature}}\")`"
        );
        Self::new(name, Placement::Hmac(hmac))
    }

    /// The connection is made with a client certificate (RFC 8446, section 4.4.2).
    #[must_use]
    pub const fn client_certificate(name: &'a str) -> Self {
        Self::new(name, Placement::ClientCertificate)
    }

    /// Put before the secret in a header or a path segment, as it is: `Slot::header("key", "Authorization").prefix("Token ")`.
    #[must_use]
    pub const fn prefix(mut self, prefix: &'a str) -> Self {
        let has_prefix = matches!(self.placement, Placement::Header { .. } | Placement::Path { .. });
        assert!(has_prefix, "a prefix is for header and path slots; write Slot::header(name, header).prefix(…)");
        self.placement = match self.placement {
            Placement::Header { name, .. } => Placement::Header { name, prefix },
            Placement::Path { name, .. } => Placement::Path { name, prefix },
            other => other,
        };
        self
    }

    /// Who issues tokens for it: the slot then takes tokens that the host asks for, and goes on taking those that an
    /// operator gives.
    #[must_use]
    pub const fn oauth(mut self, server: OAuth<'a>) -> Self {
        let is_one_secret = !matches!(
            self.placement,
            Placement::Basic | Placement::Sigv4 { .. } | Placement::Hmac(_) | Placement::ClientCertificate
        );
        assert!(is_one_secret, "tokens are for slots that send one secret as it is, such as Slot::bearer(name)");
        self.oauth = Some(server);
        self
    }

    /// One sentence for the operator: which secret, and where to find it.
    #[must_use]
    pub const fn describe(mut self, description: &'a str) -> Self {
        self.description = description;
        self
    }

    /// The slot's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Whether both write the same place of a request or sign the whole of it, so that no route can carry the two.
    #[must_use]
    pub const fn clashes(&self, other: &Slot<'_>) -> bool {
        match (&self.placement, &other.placement) {
            (Placement::Query(one), Placement::Query(other))
            | (Placement::Cookie(one), Placement::Cookie(other))
            | (Placement::Body(one), Placement::Body(other)) => is_same(one, other, Reading::AnyCase),
            (Placement::Path { name: one, .. }, Placement::Path { name: other, .. }) => {
                is_same(one, other, Reading::Exact)
            }
            // Of two signatures, each would have to be signed by the other.
            (Placement::ClientCertificate, Placement::ClientCertificate)
            | (Placement::Sigv4 { .. } | Placement::Hmac(_), Placement::Sigv4 { .. } | Placement::Hmac(_)) => true,
            _ => {
                let mut at = 0;
                while let Some(own) = self.writes_header(at) {
                    let mut other_at = 0;
                    while let Some(others) = other.writes_header(other_at) {
                        if is_same(own, others, Reading::Field) {
                            return true;
                        }
                        other_at += 1;
                    }
                    at += 1;
                }
                false
            }
        }
    }

    /// The header field that it writes, the first by 0, but for cookies, which share theirs.
    #[must_use]
    pub const fn writes_header(&self, at: usize) -> Option<&'a str> {
        match self.placement {
            Placement::Bearer | Placement::Basic if at == 0 => Some("authorization"),
            Placement::Header { name, .. } if at == 0 => Some(name),
            Placement::Sigv4 { .. } => text::nth(&SIGV4, at),
            Placement::Hmac(hmac) => hmac.field(at),
            _ => None,
        }
    }

    /// The parameter of the URL that it fills.
    pub(crate) const fn path_parameter(&self) -> Option<&'a str> {
        match self.placement {
            Placement::Path { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The member of the body that it adds.
    pub(crate) const fn body_member(&self) -> Option<&'a str> {
        match self.placement {
            Placement::Body(name) => Some(name),
            _ => None,
        }
    }

    const fn new(name: &'a str, placement: Placement<'a>) -> Self {
        assert!(is_name(name), "a slot's name is 1 to 64 lower-case letters, digits and `-`, as in `server-token`");
        Self { name, description: "", placement, oauth: None }
    }

    pub(crate) fn declare(&self, declared: &mut Declared) {
        let scheme = match self.placement {
            Placement::Bearer => Scheme::Bearer,
            Placement::Basic => Scheme::Basic,
            Placement::Header { name, prefix } => {
                Scheme::Header(HeaderScheme { name: name.to_owned(), prefix: prefix.to_owned() })
            }
            Placement::Query(parameter) => Scheme::Query(parameter.to_owned()),
            Placement::Path { name, prefix } => {
                Scheme::Path(PathScheme { name: name.to_owned(), prefix: prefix.to_owned() })
            }
            Placement::Cookie(cookie) => Scheme::Cookie(cookie.to_owned()),
            Placement::Body(member) => Scheme::Body(member.to_owned()),
            Placement::Sigv4 { service, region } => {
                Scheme::Sigv4(Sigv4Scheme { service: service.to_owned(), region: region.to_owned() })
            }
            Placement::Hmac(hmac) => Scheme::Hmac(hmac.declared()),
            Placement::ClientCertificate => Scheme::ClientCertificate,
        };
        let oauth = self.oauth.map(|server| server.declared(declared.base()));
        declared.add_slot(descriptor::Slot {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            scheme,
            oauth,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_clash_where_they_write_the_same_place() {
        let signed = Slot::hmac("h", Hmac::sha256("{body}").header("X-Sig", "{signature}").header("X-Key", "{key-id}"));
        for (one, other) in [
            (Slot::bearer("a"), Slot::basic("b")),
            (Slot::bearer("a"), Slot::header("b", "AUTHORIZATION")),
            (Slot::bearer("a"), Slot::sigv4("b", "s3", "eu-central-1")),
            (Slot::header("a", "x_key"), signed),
            (signed, Slot::sigv4("b", "s3", "eu-central-1")),
            (Slot::query("a", "key"), Slot::query("b", "Key")),
            (Slot::cookie("a", "sid"), Slot::cookie("b", "sid")),
            (Slot::body("a", "key"), Slot::body("b", "key")),
            (Slot::path("a", "key"), Slot::path("b", "key")),
            (Slot::client_certificate("a"), Slot::client_certificate("b")),
        ] {
            assert!(one.clashes(&other) && other.clashes(&one), "{one:?} {other:?}");
        }
        for (one, other) in [
            (Slot::bearer("a"), Slot::header("b", "X-Key")),
            (Slot::query("a", "key"), Slot::query("b", "keys")),
            (Slot::query("a", "key"), Slot::body("b", "key")),
            (Slot::cookie("a", "sid"), Slot::cookie("b", "tid")),
            (Slot::client_certificate("a"), Slot::bearer("b")),
        ] {
            assert!(!one.clashes(&other) && !other.clashes(&one), "{one:?} {other:?}");
        }
    }
}
