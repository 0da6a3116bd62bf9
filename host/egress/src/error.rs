//! Why there is no response, told without addresses or secrets.
//!
//! A library's error may print the URL it was sent to, a resolved address or a header. None of its texts is passed on; what
//! went wrong is read off its kind.

use std::{borrow::Cow, error::Error, io};

use portcullis_gate::Denial;
use portcullis_vault::VaultError;

/// Which part of an exchange took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    Dns,
    Connect,
    FirstByte,
    Idle,
    Total,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Dns => "resolving the name",
            Phase::Connect => "connecting",
            Phase::FirstByte => "the answer's first byte, with connecting,",
            Phase::Idle => "the next piece of the answer",
            Phase::Total => "the whole request",
        })
    }
}

impl Phase {
    /// What is not known where it was too slow.
    fn aftermath(self) -> &'static str {
        match self {
            Phase::Dns | Phase::Connect => "; nothing was sent",
            Phase::FirstByte | Phase::Idle | Phase::Total => "; the request may have been carried out",
        }
    }
}

/// The exchange failed below HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it was going, as the guest named it.
    pub origin: String,
    /// What went wrong.
    pub message: String,
}

/// Why an origin is not asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnavailableReason {
    /// A rate limit is used up: the operator's, or one that the upstream told.
    RateLimited,
    /// It failed too often in a row.
    CircuitOpen,
}

impl UnavailableReason {
    /// Stable, and the same in errors, ledger and documentation.
    pub fn code(self) -> &'static str {
        match self {
            UnavailableReason::RateLimited => "rate-limited",
            UnavailableReason::CircuitOpen => "circuit-open",
        }
    }
}

/// An origin is not asked now. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin} is not asked now: {}; come back in {retry_after_ms} ms", self.why())]
pub struct Unavailable {
    /// Which.
    pub origin: String,
    /// Why.
    pub reason: UnavailableReason,
    /// The limit in `[limits]` that is used up; none where it is the upstream's own or the circuit is open.
    pub limit: Option<&'static str>,
    /// When it is worth asking again.
    pub retry_after_ms: u64,
}

impl Unavailable {
    pub(crate) fn new(
        origin: &str,
        reason: UnavailableReason,
        limit: Option<&'static str>,
        wait: std::time::Duration,
    ) -> Self {
        let retry_after_ms = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        Self { origin: origin.to_owned(), reason, limit, retry_after_ms }
    }

    fn why(&self) -> String {
        match (self.reason, self.limit) {
            (UnavailableReason::CircuitOpen, _) => "it failed several times in a row".to_owned(),
            (UnavailableReason::RateLimited, Some(limit)) => format!("the limit {limit} is used up"),
            (UnavailableReason::RateLimited, None) => "it said that its own rate limit is used up".to_owned(),
        }
    }
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The gate refused.
    #[error("denied by the rule {}: {}", .0.rule, .0.message)]
    Denied(Denial),
    /// It holds a secret, which its sender cannot know. The call ends here, and the guest is not told.
    #[error("denied by the rule {}: {}", .0.rule, .0.message)]
    SecretSent(Denial),
    /// A bound was hit.
    #[error("the bound {name} was hit: at most {limit}")]
    Bound {
        /// Its name in `[limits]`.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The credential cannot be used. Nothing was sent.
    #[error("{0}")]
    Credential(VaultError),
    /// The credential was revoked or replaced while the request was on its way. It may have been carried out.
    #[error("the credential in the slot `{0}` was revoked while the request was on its way")]
    CredentialCut(String),
    /// The name did not resolve.
    #[error("{}: {}", .0.origin, .0.message)]
    Dns(Fault),
    /// No connection.
    #[error("{}: {}", .0.origin, .0.message)]
    Connect(Fault),
    /// No secure connection.
    #[error("{}: {}", .0.origin, .0.message)]
    Tls(Fault),
    /// Too slow.
    #[error("too slow: {phase} took longer than {limit_ms} ms{}", .phase.aftermath())]
    Timeout {
        /// Which part.
        phase: Phase,
        /// The limit.
        limit_ms: u32,
    },
    /// The origin is not asked now. Nothing was sent.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// The peer went away before a response came.
    #[error("{}: {}", .0.origin, .0.message)]
    Closed(Fault),
    /// The peer broke HTTP, or went away in the middle of a response.
    #[error("{}: {}", .0.origin, .0.message)]
    Protocol(Fault),
}

impl SendError {
    /// How the ledger names it.
    pub(crate) fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            SendError::Denied(denial) | SendError::SecretSent(denial) => return Cow::Owned(denial.rule.clone()),
            SendError::Bound { name, .. } => name,
            SendError::Credential(_) => "credential",
            SendError::CredentialCut(_) => "credential-revoked",
            SendError::Dns(_) => "dns",
            SendError::Connect(_) => "connect",
            SendError::Tls(_) => "tls",
            SendError::Timeout { .. } => "timeout",
            SendError::Unavailable(at) => at.reason.code(),
            SendError::Closed(_) => "closed",
            SendError::Protocol(_) => "protocol",
        })
    }

    /// Whether the request cannot have reached the peer, so that another address may be tried.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        matches!(self, SendError::Connect(_))
    }
}

/// Reads off a client error what went wrong.
pub(crate) fn classify(origin: &str, error: &reqwest::Error, connect_ms: u32, header_count: u32) -> SendError {
    let fault = |message: &str| Fault { origin: origin.to_owned(), message: message.to_owned() };
    if error.is_connect() {
        if error.is_timeout() {
            return SendError::Timeout { phase: Phase::Connect, limit_ms: connect_ms };
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            return SendError::Tls(fault(&tls_words(tls)));
        }
        return SendError::Connect(fault(io_words(error).unwrap_or("no connection")));
    }
    if let Some(rustls::Error::AlertReceived(alert)) = find::<rustls::Error>(error)
        && is_of_certificate(*alert)
    {
        // Since TLS 1.3 a server says so after the client has ended its handshake, and reads no request before.
        return SendError::Tls(fault(&format!("it does not take the client certificate: {alert:?}")));
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return SendError::Protocol(fault(&format!("the secure connection broke: {}", tls_words(tls))));
    }
    // The parser's own words for "more header fields than it may take".
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.to_string().contains("message head is too large") {
            return SendError::Bound { name: "header_count", limit: header_count.into() };
        }
        source = cause.source();
    }
    let before = error.is_request();
    let words = io_words(error);
    if before && (words.is_some() || find::<hyper::Error>(error).is_some_and(went_away)) {
        return SendError::Closed(fault(words.unwrap_or("the connection closed before a response came")));
    }
    SendError::Protocol(fault(words.unwrap_or(if before {
        "what came was not HTTP/1.1"
    } else {
        "the response broke off or was malformed"
    })))
}

/// Whether a server refuses a client's certificate by this alert (RFC 8446, section 6.2).
fn is_of_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::CertificateRequired
            | Alert::AccessDenied
    )
}

/// Whether nothing came at all, or not the whole of a response's head.
fn went_away(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}

fn tls_words(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is not signed by an authority that this host trusts".to_owned()
        }
        Error::InvalidCertificate(_) => "its certificate is not valid".to_owned(),
        Error::AlertReceived(alert) => format!("it ended the connection with the alert {alert:?}"),
        _ => "it does not speak TLS as it should".to_owned(),
    }
}

fn io_words(error: &reqwest::Error) -> Option<&'static str> {
    Some(match find::<io::Error>(error)?.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::ConnectionReset => "the connection was reset",
        io::ErrorKind::ConnectionAborted => "the connection was aborted",
        io::ErrorKind::BrokenPipe => "the connection broke",
        io::ErrorKind::UnexpectedEof => "the connection ended in the middle",
        io::ErrorKind::HostUnreachable => "the host cannot be reached",
        io::ErrorKind::NetworkUnreachable => "the network cannot be reached",
        io::ErrorKind::TimedOut => "the connection timed out",
        _ => return None,
    })
}

/// The first error of this type among the causes, inside `io::Error`s too.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| find::<T>(inner)) {
            return Some(found);
        }
        next = current.source();
    }
    None
}
