//! Why a call has no output.

use std::{borrow::Cow, fmt};

use crate::{Value, json};

use crate::{
    Response,
    bindings::{
        exports::portcullis::adapter::operations as contract,
        portcullis::adapter::{
            credentials::CredentialError,
            http::{Error as HttpError, Phase, UnavailableReason},
        },
    },
    misread, value,
};

/// The work could not be done.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// let failure = Failure::new("postmark.inactive-recipient", "the address bounced before").retryable(false);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Stable and machine-readable, `provider.reason`: 1 to 128 ASCII letters, digits and `._:/-`; the host tells another
    /// one in the message and calls it `failure-without-code`. `host.…`, `http.…` and `adapter.…` are this crate's.
    pub code: Cow<'static, str>,
    /// One sentence for a person, at most 4 KiB.
    pub message: String,
    /// Whether the same call may succeed later without a change.
    pub retryable: bool,
    /// After how many milliseconds, where the provider said so.
    pub retry_after_ms: Option<u64>,
    /// What the provider said, where it helps.
    pub details: Option<Value>,
}

impl Failure {
    /// A failure that will not go away by itself and has no details.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false, retry_after_ms: None, details: None }
    }

    /// Says whether the same call may succeed later without a change.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Adds what the provider said.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// `http.STATUS`: what an answer means where nobody said anything better. Retryable are those of
    /// [`Failure::is_retryable_status`]. Details: `status`, and `body` (JSON, or the first 2,000 characters of text).
    #[must_use]
    pub fn from_status(response: &Response) -> Self {
        let status = response.status;
        let body = value::from_text(misread::without_mark(&response.body))
            .unwrap_or_else(|_| Value::String(response.text().chars().take(2_000).collect()));
        Self::new(format!("http.{status}"), format!("the provider answered with status {status}"))
            .retryable(Self::is_retryable_status(status))
            .details(json!({"status": status, "body": body}))
    }

    /// 408, 425, 429 and 5xx: statuses that say "not now" (RFC 9110, section 15, RFC 8470 and RFC 6585).
    #[must_use]
    pub fn is_retryable_status(status: u16) -> bool {
        matches!(status, 408 | 425 | 429 | 500..=599)
    }

    /// What the host said instead of a response, as a failure.
    ///
    /// | code | meaning | details | retryable |
    /// | --- | --- | --- | --- |
    /// | `host.denied` | the gate refused it | `rule`, `allowWith` | no |
    /// | `host.bound` | a size or a count was reached | `bound`, `limit` | no |
    /// | `host.credential` | the credential cannot be used | `reason` | no |
    /// | `host.dns`, `host.connect` | nothing was sent | `origin` | yes |
    /// | `host.tls` | no secure connection | `origin` | no |
    /// | `host.unavailable` | not asked now: a rate limit, or an open circuit; nothing was sent | `origin`, `reason`, `retryAfterMs` | yes |
    /// | `host.timeout` | too slow | `phase`, `limitMs` | if nothing was sent, or if `idempotent` |
    /// | `host.protocol` | the peer broke HTTP or went away | `origin` | if `idempotent` |
    ///
    /// `idempotent` says that sending the same request twice does what sending it once does.
    #[must_use]
    pub fn from_http(error: HttpError, idempotent: bool) -> Self {
        match error {
            HttpError::Denied(denial) => Self::new("host.denied", denial.message)
                .details(json!({"rule": denial.rule, "allowWith": denial.allow_with})),
            HttpError::Bound(bound) => {
                Self::new("host.bound", format!("the limit `{}` of {} was reached", bound.name, bound.limit))
                    .details(json!({"bound": bound.name, "limit": bound.limit}))
            }
            HttpError::Credential(error) => Self::from_credential(error),
            HttpError::Dns(fault) => Self::fault("host.dns", fault.message, fault.origin, true),
            HttpError::Connect(fault) => Self::fault("host.connect", fault.message, fault.origin, true),
            HttpError::Tls(fault) => Self::fault("host.tls", fault.message, fault.origin, false),
            HttpError::Protocol(fault) => Self::fault("host.protocol", fault.message, fault.origin, idempotent),
            HttpError::Unavailable(at) => {
                let (reason, why) = match at.reason {
                    UnavailableReason::RateLimited => ("rate-limited", "a rate limit is used up"),
                    UnavailableReason::CircuitOpen => ("circuit-open", "it failed too often in a row"),
                };
                let wait = at.retry_after_ms;
                let message = format!("{} is not asked now: {why}; try again in {wait} ms", at.origin);
                let failure = Self::new("host.unavailable", message).retryable(true);
                Self { retry_after_ms: Some(wait), ..failure }
                    .details(json!({"origin": at.origin, "reason": reason, "retryAfterMs": wait}))
            }
            HttpError::Timeout(timeout) => {
                let (phase, sent) = match timeout.phase {
                    Phase::Dns => ("dns", false),
                    Phase::Connect => ("connect", false),
                    Phase::FirstByte => ("first-byte", true),
                    Phase::Idle => ("idle", true),
                    Phase::Total => ("total", true),
                };
                let limit = timeout.limit_ms;
                Self::new("host.timeout", format!("no answer within {limit} ms ({phase})"))
                    .retryable(idempotent || !sent)
                    .details(json!({"phase": phase, "limitMs": limit}))
            }
        }
    }

    /// `host.credential`: why a slot's secret cannot be used. `reason` in the details is the contract's word for it.
    #[must_use]
    pub fn from_credential(error: CredentialError) -> Self {
        let (reason, message) = match error {
            CredentialError::NoSuchSlot(message) => ("no-such-slot", message),
            CredentialError::NotGranted(message) => ("not-granted", message),
            CredentialError::Unavailable(message) => ("unavailable", message),
            CredentialError::WrongUse(message) => ("wrong-use", message),
        };
        Self::new("host.credential", message).details(json!({"reason": reason}))
    }

    fn fault(code: &'static str, message: String, origin: String, retryable: bool) -> Self {
        Self::new(code, message).retryable(retryable).details(json!({"origin": origin}))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// Every way a call can end without an output. Operations that only fail return [`Failure`], which becomes one.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The adapter has no operation of this name.
    UnknownOperation(String),
    /// The input is valid against its schema and cannot be accepted all the same.
    InvalidInput {
        /// JSON Pointer (RFC 6901) to the value; empty for the whole.
        pointer: String,
        /// What is wrong and what would be right, in one sentence. Must not repeat sensitive values.
        message: String,
    },
    /// The config is valid against its schema and cannot be accepted all the same.
    InvalidConfig {
        /// JSON Pointer (RFC 6901) to the value; empty for the whole.
        pointer: String,
        /// What is wrong and what would be right, in one sentence.
        message: String,
    },
    /// The work could not be done.
    Failed(Failure),
}

impl Error {
    /// Refuses a part of the input that the schema allows: `Error::invalid_input("/To", "…")`.
    #[must_use]
    pub fn invalid_input(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidInput { pointer: pointer.into(), message: message.into() }
    }

    /// Refuses a part of the config that the schema allows.
    #[must_use]
    pub fn invalid_config(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidConfig { pointer: pointer.into(), message: message.into() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOperation(name) => write!(formatter, "no operation is named `{name}`"),
            Self::InvalidInput { pointer, message } => write!(formatter, "invalid input at `{pointer}`: {message}"),
            Self::InvalidConfig { pointer, message } => write!(formatter, "invalid config at `{pointer}`: {message}"),
            Self::Failed(failure) => failure.fmt(formatter),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for contract::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownOperation(name) => Self::UnknownOperation(name),
            Error::InvalidInput { pointer, message } => Self::InvalidInput(contract::Invalid { pointer, message }),
            Error::InvalidConfig { pointer, message } => Self::InvalidConfig(contract::Invalid { pointer, message }),
            Error::Failed(failure) => Self::Failed(contract::Failure {
                code: failure.code.into_owned(),
                message: failure.message,
                retryable: failure.retryable,
                retry_after_ms: failure.retry_after_ms,
                details: failure.details.map(|details| details.to_string()),
            }),
        }
    }
}

/// What JSON text lacks to be the wanted type, without the value that was found instead: that may be nobody's to read.
pub(crate) fn mismatch(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let repeats = ["invalid type", "invalid value", "unknown variant"].iter().any(|start| text.starts_with(start));
    // The last one, because the value may contain the words.
    match text.rfind(", expected ") {
        Some(at) if repeats => text.get(at + 2..).unwrap_or_default().to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::portcullis::adapter::http::{Bound, Denial, Fault, Timeout, Unavailable};

    #[test]
    fn a_status_without_a_meaning_of_its_own_becomes_its_number() {
        let failure = Failure::from_status(&Response::with_json(404, &json!({"no": "such"})));
        assert_eq!(failure.code, "http.404");
        assert_eq!(failure.details, Some(json!({"status": 404, "body": {"no": "such"}})));
        let text = Response { status: 502, url: String::new(), headers: Vec::new(), body: b"<html>".to_vec() };
        assert_eq!(Failure::from_status(&text).details, Some(json!({"status": 502, "body": "<html>"})));
    }

    #[test]
    fn a_mismatch_says_what_was_expected_and_not_what_was_found() {
        let of = |text: &str| mismatch(&serde_json::from_str::<u8>(text).unwrap_err());
        assert_eq!(of(r#""hunter2, expected nothing""#), "expected u8 at line 1 column 27");
        assert_eq!(of("-77"), "expected u8 at line 1 column 3");
        assert_eq!(of("tru"), "EOF while parsing a value at line 1 column 3");
    }

    #[test]
    fn only_statuses_that_say_not_now_are_retryable() {
        for status in [408, 425, 429, 500, 503, 599] {
            assert!(Failure::is_retryable_status(status), "{status}");
        }
        for status in [301, 400, 401, 404, 409, 422, 600] {
            assert!(!Failure::is_retryable_status(status), "{status}");
        }
    }

    #[test]
    fn a_denial_keeps_its_rule_and_what_would_allow_it() {
        let denial = Denial { rule: "path-not-granted".into(), message: "no".into(), allow_with: Some("x = 1".into()) };
        let failure = Failure::from_http(HttpError::Denied(denial), true);
        assert_eq!((failure.code.as_ref(), failure.message.as_str()), ("host.denied", "no"));
        assert_eq!(failure.details, Some(json!({"rule": "path-not-granted", "allowWith": "x = 1"})));
        assert!(!failure.retryable);
    }

    #[test]
    fn each_host_error_has_its_code_and_is_retryable_only_where_that_is_safe() {
        let fault = || Fault { origin: "https://a:443".into(), message: "m".into() };
        let timeout = |phase| HttpError::Timeout(Timeout { phase, limit_ms: 10 });
        let unavailable = HttpError::Unavailable(Unavailable {
            origin: "https://a:443".into(),
            reason: UnavailableReason::CircuitOpen,
            retry_after_ms: 10,
        });
        let bound = HttpError::Bound(Bound { name: "requests".into(), limit: 16 });
        for (error, code, when_idempotent, otherwise) in [
            (bound, "host.bound", false, false),
            (HttpError::Credential(CredentialError::Unavailable("s".into())), "host.credential", false, false),
            (HttpError::Dns(fault()), "host.dns", true, true),
            (HttpError::Connect(fault()), "host.connect", true, true),
            (HttpError::Tls(fault()), "host.tls", false, false),
            (HttpError::Protocol(fault()), "host.protocol", true, false),
            (unavailable, "host.unavailable", true, true),
            (timeout(Phase::Connect), "host.timeout", true, true),
            (timeout(Phase::Idle), "host.timeout", true, false),
        ] {
            let failure = Failure::from_http(error.clone(), true);
            assert_eq!((failure.code.as_ref(), failure.retryable), (code, when_idempotent));
            assert_eq!(Failure::from_http(error, false).retryable, otherwise, "{code}");
        }
    }
}
