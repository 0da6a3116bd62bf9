//! What SIEMs want to know of a record that it does not say in one word: how it went, how much it matters, what it is called,
//! and a sentence. Both formats for SIEMs take it from here, so that they never tell two stories.

use std::net::IpAddr;

use crate::record::{Caller, Change, Exchange, Kind, KnownBy, Record, Status};

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    Well,
    Wrong,
    /// Nobody can say: the host ended in the middle of it.
    Unknown,
    /// It has only begun.
    Begun,
}

impl Went {
    pub(super) fn of(record: &Record) -> Self {
        match record.kind {
            Kind::Intent => Self::Begun,
            Kind::Outcome => match record.status {
                Some(Status::Done) => Self::Well,
                Some(Status::Unknown) | None => Self::Unknown,
                Some(_) => Self::Wrong,
            },
            Kind::Denial | Kind::Refusal => Self::Wrong,
            Kind::SignIn if action(record).contains("fail") || action(record).contains("refus") => Self::Wrong,
            Kind::Token if action(record) == "asking" => Self::Begun,
            Kind::Token if record.error.is_some() => Self::Wrong,
            _ => Self::Well,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Well => "success",
            Self::Wrong => "failure",
            Self::Unknown => "unknown",
            Self::Begun => "begun",
        }
    }
}

/// How much it matters to somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nobody has to do anything.
    Informational,
    /// Something did not go well.
    Low,
    /// Something was asked for that is not granted.
    Medium,
    /// Somebody has to look whether it was done.
    High,
}

impl Weight {
    pub(super) fn of(record: &Record) -> Self {
        match (record.kind, Went::of(record)) {
            (_, Went::Unknown) => Self::High,
            (Kind::Denial | Kind::Refusal | Kind::SignIn | Kind::Token, Went::Wrong) => Self::Medium,
            (_, Went::Wrong) => Self::Low,
            (Kind::Clock, _) if record.caller.as_ref().is_some_and(|caller| caller.principal == "host") => Self::Medium,
            _ => Self::Informational,
        }
    }
}

/// What was done, for the kinds that are no calls.
pub(super) fn action(record: &Record) -> &str {
    record.change.as_ref().map_or("", |change| change.action.as_str())
}

/// What was asked for: the operation; where there is none, what was done instead.
pub(super) fn operation(record: &Record) -> String {
    if let Some(operation) = &record.operation {
        return operation.clone();
    }
    match (&record.change, record.step) {
        (Some(Change { action, .. }), _) if !action.is_empty() => format!("{}.{action}", record.kind.as_str()),
        (_, Some(step)) => step.as_str().to_owned(),
        _ => record.kind.as_str().to_owned(),
    }
}

/// Why not, in one word: the rule that said no, or the error's code.
pub(super) fn reason(record: &Record) -> Option<&str> {
    record.denial.as_ref().map(|denial| denial.rule.as_str()).or(record.error.as_deref())
}

/// What happened, in a few words that are the same for everything of its kind.
pub(super) fn title(record: &Record) -> &'static str {
    match record.kind {
        Kind::Intent => "Call begun",
        Kind::Outcome => match record.status {
            Some(Status::Done) => "Call done",
            Some(Status::Denied) => "Call denied",
            Some(Status::Refused) => "Call refused",
            Some(Status::AdapterFailed) => "Adapter failed",
            Some(Status::BoundHit) => "Bound hit",
            Some(Status::UpstreamFailed) => "Upstream failed",
            Some(Status::Abandoned) => "Call abandoned",
            Some(Status::Unknown) | None => "Call with unknown end",
        },
        Kind::Denial => "Request denied",
        Kind::Refusal => "Refused before a call",
        Kind::Approval => "Approval",
        Kind::Grant => "Grant changed",
        Kind::Credential => "Credential changed",
        Kind::Token => "Authorization server asked",
        Kind::Configuration => "Configuration changed",
        Kind::SignIn => "Sign-in",
        Kind::Export => "Records exported",
        Kind::Erasure => "Payloads erased",
        Kind::Clock => "Clock",
    }
}

/// Who asked, and what that name is worth where nothing vouches for it.
fn who(caller: &Caller) -> String {
    let stated = if caller.known_by == Some(KnownBy::Stated) { " (a stated name)" } else { "" };
    format!("{}{stated}", caller.principal)
}

/// What happened, in a sentence.
pub(super) fn message(record: &Record) -> String {
    if let Some(denial) = &record.denial {
        return denial.told();
    }
    if let Some(message) = &record.message {
        return message.clone();
    }
    let who = record.caller.as_ref().map_or_else(|| "the host".to_owned(), who);
    let of = record.integration.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    match record.kind {
        Kind::Intent => format!("{who} called {}{of}", operation(record)),
        Kind::Outcome => {
            let why = reason(record).map(|code| format!(" ({code})")).unwrap_or_default();
            let how = record.status.map_or("unknown", Status::as_str);
            format!("{}{of}, called by {who}: {how}{why}", operation(record))
        }
        Kind::SignIn => {
            let whom =
                record.change.as_ref().map(|change| change.of.as_str()).filter(|of| !of.is_empty()).unwrap_or(&who);
            format!("sign-in of {whom}: {}", action(record))
        }
        _ => {
            let what = record.change.as_ref().map_or("", |change| change.of.as_str());
            let kind = match record.kind {
                Kind::Credential => " the credential",
                Kind::Token => " the authorization server of",
                Kind::Configuration => " the configuration",
                _ => "",
            };
            // Of a grant or a configuration the integration is told already.
            let of = if record.integration.as_deref() == Some(what) { "" } else { &of };
            format!("{who} {}{kind} {what}{of}", action(record)).trim_end().to_owned()
        }
    }
}

/// The request that decided how a call ended: its last one.
pub(super) fn last_exchange(record: &Record) -> Option<&Exchange> {
    record.exchanges.last()
}

/// A place on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    pub(super) scheme: &'a str,
    /// A name, or an address as text.
    pub(super) host: &'a str,
    pub(super) is_address: bool,
    pub(super) port: Option<u16>,
}

/// Takes an origin such as `https://api.example.com:8443` apart.
pub(super) fn endpoint(origin: &str) -> Option<Endpoint<'_>> {
    let (scheme, authority) = origin.split_once("://")?;
    // A colon within brackets belongs to an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.or(match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    });
    Some(Endpoint { scheme, host, is_address: host.parse::<IpAddr>().is_ok(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_apart() {
        let told = |origin| endpoint(origin).map(|e| (e.scheme, e.host, e.is_address, e.port));
        assert_eq!(told("https://api.example.com"), Some(("https", "api.example.com", false, Some(443))));
        assert_eq!(told("http://127.0.0.1:8025"), Some(("http", "127.0.0.1", true, Some(8025))));
        assert_eq!(told("https://[::1]"), Some(("https", "::1", true, Some(443))));
        assert_eq!(told("https://[::1]:8443"), Some(("https", "::1", true, Some(8443))));
        assert_eq!(told("nothing"), None);
    }
}
