//! What a slot holds, ready to be used.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;

use crate::{identity::Identity, secret::Secret};

/// What a slot holds, decrypted and taken apart, or received from an authorization server.
#[derive(Debug)]
pub(crate) enum Usable {
    /// One secret: a key, a token that does not change, `user:password`.
    Secret(Secret),
    /// A key that has a name.
    KeyPair(KeyPair),
    /// A client certificate and its key.
    Certificate(Arc<Identity>),
    /// A token that was asked for.
    Token(Arc<Token>),
}

/// A key that has a name, and, of AWS, a session.
#[derive(Debug)]
pub(crate) struct KeyPair {
    /// The key's name, which is no secret.
    pub(crate) id: String,
    /// The key.
    pub(crate) secret: Secret,
    /// What AWS calls the session token of temporary credentials.
    pub(crate) session_token: Option<Secret>,
}

/// What an authorization server gave.
pub(crate) struct Token {
    /// The access token.
    pub(crate) access: Secret,
    /// The refresh token, where it gave one.
    pub(crate) refresh: Option<Secret>,
    /// When it was received.
    pub(crate) received: Timestamp,
    /// When it stops working, where it said so.
    pub(crate) expires: Option<Timestamp>,
    /// What it gave beside, by the names that the slot declares.
    pub(crate) values: BTreeMap<String, String>,
}

impl Usable {
    /// All that is secret in it and may be found in a response.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let pair = match self {
            Usable::KeyPair(pair) => [Some(&pair.secret), pair.session_token.as_ref()],
            Usable::Secret(_) | Usable::Token(_) | Usable::Certificate(_) => [None, None],
        };
        self.secret().into_iter().chain(pair.into_iter().flatten())
    }

    /// The one secret that goes on the wire, where it is one.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Usable::Secret(secret) => Some(secret),
            Usable::Token(token) => Some(&token.access),
            Usable::KeyPair(_) | Usable::Certificate(_) => None,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("received", &self.received)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
