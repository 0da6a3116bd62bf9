//! When a provider wants to be asked again, in the ways in which providers say it.
//!
//! Adapters have no clock. What is told as a moment is held against the answer's own `Date`, so that the provider's clock is compared
//! with itself.

use crate::{Response, date};

/// Longest wait that is told: a day.
const MAX_SECONDS: u64 = 86_400;
/// Numbers from here on are moments and no waits: 2001-09-09 in seconds since 1970.
const EPOCH_SECONDS: u64 = 1_000_000_000;
/// The same in milliseconds, and in microseconds.
const EPOCH_MILLIS: u64 = 1_000_000_000_000;
const EPOCH_MICROS: u64 = 1_000_000_000_000_000;

/// Header fields that say when a limit starts anew, in the order in which they are asked.
const RESETS: [&str; 7] = [
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-requests-reset",
    "x-ratelimit-reset-after",
    "x-retry-after",
];

/// Milliseconds from now, in the way of `Retry-After`, else of a limit that is used up.
pub(crate) fn after_ms(response: &Response) -> Option<u64> {
    let now = || response.header("date").and_then(date::seconds);
    let of = |name: &str| response.header(name).and_then(|text| wait(text.trim(), now));
    // Without a clock to compare it with, a large number is what the header's grammar says, which is a long wait.
    let as_delay = || response.header("retry-after").and_then(|text| millis(text.trim()));
    if let Some(wait) = of("retry-after").or_else(as_delay) {
        return Some(wait.min(MAX_SECONDS * 1_000));
    }
    // A limit's start is told with every answer; it is a wait where there is nothing left.
    let used_up = |name: &str| response.header(name).is_some_and(|left| left.trim().parse() == Ok(0.0_f64));
    let says_so = matches!(response.status, 429 | 503)
        || ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"].into_iter().any(used_up);
    if !says_so {
        return None;
    }
    of_field(response).or_else(|| RESETS.into_iter().find_map(of))
}

/// A wait in seconds, or a moment: a date, or seconds, milliseconds or microseconds since 1970.
fn wait(text: &str, now: impl Fn() -> Option<u64>) -> Option<u64> {
    let until = |millis: u64| Some(millis.saturating_sub(now()?.checked_mul(1_000)?));
    let text = text.strip_suffix('s').filter(|text| text.ends_with(|c: char| c.is_ascii_digit())).unwrap_or(text);
    let millis = match millis(text) {
        Some(millis) if millis < EPOCH_SECONDS.saturating_mul(1_000) => millis,
        Some(millis) if millis < EPOCH_MILLIS.saturating_mul(1_000) => until(millis)?,
        Some(millis) if millis < EPOCH_MICROS.saturating_mul(1_000) => until(millis / 1_000)?,
        Some(millis) => until(millis / 1_000_000)?,
        None => until(date::seconds(text)?.checked_mul(1_000)?)?,
    };
    Some(millis.min(MAX_SECONDS * 1_000))
}

/// A count of seconds with a fraction, in milliseconds, never told shorter than it is.
fn millis(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let rest = fraction.get(3..).is_some_and(|rest| rest.bytes().any(|byte| byte != b'0'));
    // More digits than fit are a long time.
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    Some(whole.saturating_mul(1_000).saturating_add(thousandths.parse().ok()?).saturating_add(u64::from(rest)))
}

/// `RateLimit: limit=10, remaining=0, reset=5` of the first drafts and `RateLimit: "default";r=0;t=5` of the later ones: the longest of
/// the waits for limits that are used up, else of all.
fn of_field(response: &Response) -> Option<u64> {
    let text = response.header("ratelimit")?;
    let mut waits: Vec<(bool, u64)> = Vec::new();
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').parse::<u64>().ok()?))
    };
    let is_list = text.contains("reset=") && !text.contains(';');
    // The first drafts have one limit, whose members stand between commas.
    let limits: Vec<Vec<&str>> = match is_list {
        true => vec![text.split(',').collect()],
        false => text.split(',').map(|limit| limit.split(';').collect()).collect(),
    };
    for limit in limits {
        let parts: Vec<(String, u64)> = limit.into_iter().filter_map(pair).collect();
        let of =
            |names: [&str; 2]| parts.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| *value);
        if let Some(reset) = of(["t", "reset"]) {
            waits.push((of(["r", "remaining"]) == Some(0), reset));
        }
    }
    let any_used_up = waits.iter().any(|(used_up, _)| *used_up);
    let longest = waits.into_iter().filter(|(used_up, _)| *used_up || !any_used_up).map(|(_, reset)| reset).max()?;
    Some(longest.min(MAX_SECONDS) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    const DATE: (&str, &str) = ("Date", "Sat, 21 Nov 2026 10:00:00 GMT");
    /// That moment in seconds since 1970.
    const NOW: u64 = 1_795_255_200;

    fn of(status: u16, headers: &[(&str, &str)]) -> Option<u64> {
        let header =
            |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
        after_ms(&Response {
            status,
            url: String::new(),
            headers: headers.iter().map(header).collect(),
            body: Vec::new(),
        })
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_moment_in_each_form() {
        assert_eq!(date::seconds(DATE.1), Some(NOW));
        for (name, text, wait) in [
            ("Retry-After", " 7 ".to_owned(), 7_000),
            ("Retry-After", "1.2345".to_owned(), 1_235),
            ("Retry-After", "Sat, 21 Nov 2026 10:01:30 GMT".to_owned(), 90_000),
            ("Retry-After", "Saturday, 21-Nov-26 10:01:30 GMT".to_owned(), 90_000),
            ("Retry-After", "Sat Nov 21 10:01:30 2026".to_owned(), 90_000),
            ("Retry-After", (NOW + 5).to_string(), 5_000),
            ("X-RateLimit-Reset", (NOW + 60).to_string(), 60_000),
            ("X-RateLimit-Reset", ((NOW + 60) * 1_000 + 250).to_string(), 60_250),
            ("X-RateLimit-Reset", ((NOW + 60) * 1_000_000).to_string(), 60_000),
            ("X-RateLimit-Reset", format!("{}.5", NOW + 60), 60_500),
            ("X-RateLimit-Reset", "30".to_owned(), 30_000),
            ("X-RateLimit-Reset", (NOW - 60).to_string(), 0),
            ("X-Rate-Limit-Reset", (NOW + 1).to_string(), 1_000),
            ("RateLimit-Reset", "41".to_owned(), 41_000),
            ("x-ratelimit-reset-requests", "2s".to_owned(), 2_000),
            ("RateLimit", "limit=100, remaining=0, reset=50".to_owned(), 50_000),
            ("RateLimit", "\"burst\";r=0;t=2, \"day\";r=5;t=900".to_owned(), 2_000),
            ("RateLimit", "\"burst\";r=1;t=2, \"day\";r=5;t=900".to_owned(), 900_000),
            ("Retry-After", "99999999999999999999999".to_owned(), 86_400_000),
        ] {
            assert_eq!(of(429, &[(name, &text), DATE]), Some(wait), "{name}: {text}");
        }
    }

    #[test]
    fn what_is_no_wait_is_none() {
        for text in ["", "-1", "soon", "Sat, 21 Nov 2026", "1e3", "."] {
            assert_eq!(of(429, &[("Retry-After", text), DATE]), None, "{text}");
        }
        assert_eq!(of(429, &[("Retry-After", "99999999999999999")]), Some(86_400_000));
        // A moment without a clock to compare it with.
        assert_eq!(of(429, &[("X-RateLimit-Reset", "1795255260")]), None);
        // Told with every answer.
        assert_eq!(of(500, &[("X-RateLimit-Reset", "30"), ("X-RateLimit-Remaining", "9")]), None);
        assert_eq!(of(403, &[("X-RateLimit-Reset", "30"), ("X-RateLimit-Remaining", "0")]), Some(30_000));
    }
}
