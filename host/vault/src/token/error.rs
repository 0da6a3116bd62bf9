//! Why there is no token. Says nothing about secrets: a server's words are scrubbed, made printable and cut.

use crate::{
    VaultError,
    client::{TokenResponse, TokenSendError},
    scrub::Scrubber,
};

/// Most of a server's code and of its description that is told, in characters.
pub(super) const MAX_CODE: usize = 64;
const MAX_DESCRIPTION: usize = 300;
/// Codes that say that it may end better later (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628; Slack).
const LATER: [&str; 4] = ["temporarily_unavailable", "server_error", "slow_down", "ratelimited"];

/// There is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// The request did not come through.
    #[error("{0}")]
    Sending(#[from] TokenSendError),
    /// The server refused.
    #[error("the authorization server refused with {error}{}", told(.description))]
    Refused {
        /// The status.
        status: u16,
        /// Its code.
        error: String,
        /// Its words.
        description: Option<String>,
    },
    /// A person has to agree again.
    #[error("{0}")]
    Reconnect(String),
    /// The answer cannot be read.
    #[error("the authorization server's answer (status {status}) cannot be used: {problem}")]
    Unreadable {
        /// The status.
        status: u16,
        /// Why.
        problem: String,
    },
    /// What the server says about itself does not fit.
    #[error("the authorization server's metadata: {0}")]
    Metadata(String),
    /// Nothing that can be sent.
    #[error("{0}")]
    Request(String),
    /// The answer to an authorization request cannot be taken.
    #[error("the answer to the authorization request: {0}")]
    Callback(String),
}

fn told(description: &Option<String>) -> String {
    description.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
}

impl TokenError {
    /// What a server said, as it can be shown: its secrets taken out.
    pub(super) fn refused(status: u16, error: &str, description: Option<&str>, scrubber: &Scrubber) -> Self {
        let error = match shown(error, MAX_CODE, scrubber) {
            none if none.is_empty() => format!("status {status}"),
            error => error,
        };
        let description = description.map(|text| shown(text, MAX_DESCRIPTION, scrubber));
        Self::Refused { status, error, description: description.filter(|text| !text.is_empty()) }
    }

    pub(super) fn unreadable(answer: &TokenResponse, problem: impl Into<String>) -> Self {
        Self::Unreadable { status: answer.status, problem: problem.into() }
    }

    /// The same, without what this finds.
    pub(crate) fn scrubbed(self, scrubber: &Scrubber) -> Self {
        let clean = |text: String| match scrubber.scrub(text.as_bytes()) {
            Some(scrubbed) => String::from_utf8_lossy(&scrubbed.bytes).into_owned(),
            None => text,
        };
        match self {
            Self::Sending(mut error) => {
                error.message = clean(error.message);
                Self::Sending(error)
            }
            Self::Refused { status, error, description } => {
                Self::Refused { status, error: clean(error), description: description.map(clean) }
            }
            Self::Reconnect(why) => Self::Reconnect(clean(why)),
            Self::Unreadable { status, problem } => Self::Unreadable { status, problem: clean(problem) },
            other => other,
        }
    }

    /// Whether it may end better later.
    pub(crate) fn retryable(&self) -> bool {
        match self {
            Self::Sending(error) => error.retryable,
            Self::Refused { status, error, .. } => later(*status) || LATER.contains(&error.as_str()),
            Self::Unreadable { status, .. } => later(*status),
            Self::Reconnect(_) | Self::Metadata(_) | Self::Request(_) | Self::Callback(_) => false,
        }
    }

    /// Whether the server does not take the client, or what it proves itself with: while another secret of the client's is
    /// still good, it is tried with that one.
    pub(crate) fn is_of_client(&self) -> bool {
        match self {
            Self::Refused { status, error, .. } => {
                *status == 401 || ["invalid_client", "unauthorized_client", "invalid_grant"].contains(&error.as_str())
            }
            Self::Reconnect(_) => true,
            _ => false,
        }
    }

    /// Its code, for records.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Sending(error) => &error.code,
            Self::Refused { .. } => "refused",
            Self::Reconnect(_) => "reconnect",
            Self::Unreadable { .. } => "unreadable",
            Self::Metadata(_) => "metadata",
            Self::Request(_) => "request",
            Self::Callback(_) => "callback",
        }
    }

    /// For whoever wanted to use the slot.
    pub(crate) fn at(&self, slot: &str) -> VaultError {
        let slot = slot.to_owned();
        match self {
            Self::Reconnect(why) => VaultError::Reconnect { slot, why: why.clone() },
            error => VaultError::Token {
                slot,
                code: error.code().to_owned(),
                why: error.to_string(),
                retryable: error.retryable(),
            },
        }
    }
}

fn later(status: u16) -> bool {
    status == 429 || (500..600).contains(&status)
}

/// What somebody else wrote, without secrets, printable, and cut.
pub(super) fn shown(text: &str, max: usize, scrubber: &Scrubber) -> String {
    // Scrubbed first: what is cut or replaced is not found any more.
    let scrubbed = scrubber.scrub(text.as_bytes());
    let text = scrubbed.as_ref().map_or(text.into(), |scrubbed| String::from_utf8_lossy(&scrubbed.bytes));
    text.chars().take(max).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
