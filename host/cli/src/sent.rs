//! Which requests may have been carried out although no answer to them is known, and what is said of them.
//!
//! A request without an answer is in one of two states, and the caller must not take one for the other: it never reached
//! the upstream, or nobody here can say. What changes nothing (GET, HEAD, OPTIONS) can be asked again in either case.

use portcullis_runtime::{Exchange, Method, printable};

use crate::look;

/// Ends of a try before any byte of the request can have reached the upstream.
const NEVER_LEFT: [&str; 8] =
    ["dns", "connect", "tls", "credential", "rate-limited", "circuit-open", "request_bytes", "bytes_out"];

/// What to do where something may have been carried out.
pub(crate) const LOOK: &str = "Look at the upstream before you call again. Where it knows idempotency keys, a call with \
                               --idempotency-key can be repeated without being carried out twice.";

/// Whether a request may have been carried out although no answer to it is known.
pub(crate) fn is_open(exchange: &Exchange) -> bool {
    exchange.status.is_none() && exchange.error.as_deref().is_none_or(|error| !NEVER_LEFT.contains(&error))
}

/// Whether a request changes something, as HTTP has it (RFC 9110, section 9.2.1).
pub(crate) fn changes(exchange: &Exchange) -> bool {
    !matches!(exchange.method, Method::Get | Method::Head | Method::Options)
}

/// The requests that may have changed something although no answer to them is known.
pub(crate) fn open_changes(exchanges: &[Exchange]) -> Vec<&Exchange> {
    exchanges.iter().filter(|exchange| is_open(exchange) && changes(exchange)).collect()
}

/// A sentence that says so, and which requests they are; none where nothing can have been changed.
pub(crate) fn told(exchanges: &[Exchange]) -> Option<String> {
    let open = open_changes(exchanges);
    let (last, rest) = open.split_last()?;
    let all = rest.iter().take(3).chain([last]).map(|exchange| name(exchange)).collect::<Vec<_>>().join(", ");
    let more = rest.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{all}{more}: no answer came, and it may have been carried out."))
}

/// `POST https://api.example.com/things/{id}`
pub(crate) fn name(exchange: &Exchange) -> String {
    format!("{} {}", exchange.method, printable(&exchange.template, 300))
}

/// What became of a request, in a line.
pub(crate) fn line(exchange: &Exchange) -> String {
    let how = match (exchange.status, exchange.error.as_deref()) {
        (Some(status), _) => format!("answered {status}"),
        (None, _) if is_open(exchange) && changes(exchange) => {
            let why = exchange.error.as_deref().map(|error| format!(" ({})", printable(error, 64)));
            format!("no answer{}, may have been carried out", why.unwrap_or_default())
        }
        (None, Some(error)) => format!("no answer ({})", printable(error, 64)),
        (None, None) => "no answer".to_owned(),
    };
    let attempt = if exchange.attempt > 1 { format!(", try {}", exchange.attempt) } else { String::new() };
    format!("{}: {how} after {}{attempt}", name(exchange), look::micros(exchange.duration_us))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn exchange(method: Method, status: Option<u16>, error: Option<&'static str>) -> Exchange {
        Exchange {
            attempt: 1,
            duration_us: 1_500,
            error: error.map(Into::into),
            method,
            origin: "https://api.example.com".to_owned(),
            payload: None,
            redactions: 0,
            route: "send".to_owned(),
            slots: Vec::new(),
            status,
            template: "https://api.example.com/send".to_owned(),
        }
    }

    #[test]
    fn what_may_have_been_carried_out_is_what_changes_something_and_may_have_arrived() {
        for (method, status, error, open) in [
            (Method::Post, None, Some("timeout"), true),
            (Method::Delete, None, Some("cut-off"), true),
            (Method::Patch, None, Some("closed"), true),
            (Method::Put, None, Some("response_bytes"), true),
            (Method::Post, None, Some("credential-revoked"), true),
            (Method::Get, None, Some("timeout"), false),
            (Method::Post, None, Some("dns"), false),
            (Method::Post, None, Some("connect"), false),
            (Method::Post, None, Some("circuit-open"), false),
            (Method::Post, Some(500), None, false),
        ] {
            let exchanges = [exchange(method, status, error)];
            assert_eq!(told(&exchanges).is_some(), open, "{method} {error:?}");
            assert_eq!(line(&exchanges[0]).contains("may have been carried out"), open, "{method} {error:?}");
        }
        let many: Vec<Exchange> = (0..6).map(|_| exchange(Method::Post, None, Some("timeout"))).collect();
        assert!(told(&many).unwrap().contains(" and 2 more: no answer came"));
    }
}
