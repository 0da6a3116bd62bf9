//! Sending again what failed for now: which ends are worth another try, how long to wait, and when to stop.
//!
//! A loop of our own and no crate: each try is counted, recorded, judged and bounded by the request's one deadline, and the
//! waiting obeys the upstream's word. Only routes that say so are repeated. So that repeating cannot multiply an outage,
//! each integration has a budget: a request earns a fifth of a retry.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime},
};

use portcullis_gate::{OpenRoute, RequestUrl};
use tokio::time::sleep;

use crate::{
    error::{Phase, SendError},
    exchange::Deadline,
    outbound::{HttpRequest, HttpResponse, Outbound},
};

/// The longest wait before the first retry; doubled with each.
const BASE: Duration = Duration::from_millis(200);
/// The longest wait before any, unless the upstream asks for more.
const CAP: Duration = Duration::from_secs(10);

/// Sends a request, and again while that may help, is allowed and fits.
pub(crate) async fn run(
    outbound: &Outbound,
    request: &HttpRequest,
    url: &RequestUrl,
    route: &OpenRoute,
    deadline: Deadline,
) -> Result<HttpResponse, SendError> {
    let mut retries = if route.repeat.allows(&request.headers) { outbound.parts.limits.retries } else { 0 };
    let traffic = &outbound.parts.traffic;
    traffic.budget(Budget::deposit);
    let mut attempt = 1;
    let mut last = None;
    let mut with_another = false;
    loop {
        let permit = match traffic.admit(url.origin(), &outbound.parts.limits, deadline).await {
            Ok(permit) => permit,
            // What came of the try before says more than why there is no other.
            Err(refused) => return last.unwrap_or(Err(refused)),
        };
        let (end, renewed) = outbound.exchange(request, url, route, attempt, deadline).await;
        permit.end(&end);
        // Refused for its credential, a request was not carried out, so any may be sent again; once.
        if renewed && !with_another {
            with_another = true;
            retries += 1;
            attempt += 1;
            last = Some(end);
            continue;
        }
        let Some(asked) = worth_another(&end, SystemTime::now()).filter(|_| attempt <= retries) else { return end };
        let wait = asked.max(backoff(attempt, random()));
        if !deadline.leaves(wait) || !traffic.budget(Budget::withdraw) {
            return end;
        }
        last = Some(end);
        sleep(wait).await;
        attempt += 1;
    }
}

/// Whether another try may end better, and how long the upstream asks to wait before it.
fn worth_another(end: &Result<HttpResponse, SendError>, now: SystemTime) -> Option<Duration> {
    match end {
        Ok(response) if matches!(response.status, 408 | 429 | 502 | 503 | 504) => {
            Some(retry_after(response, now).unwrap_or_default())
        }
        Err(SendError::Timeout { phase: Phase::Total, .. }) => None,
        Err(SendError::Connect(_) | SendError::Closed(_) | SendError::Timeout { .. }) => Some(Duration::ZERO),
        _ => None,
    }
}

/// How long `Retry-After` (RFC 9110, section 10.2.3) asks to wait: seconds, or a date.
pub(crate) fn retry_after(response: &HttpResponse, now: SystemTime) -> Option<Duration> {
    let text = response.header("retry-after")?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Some(Duration::MAX),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

/// Exponential, with full jitter: anything from nothing to the longest wait, so that those who failed together do not come
/// back together. `random` is uniform.
fn backoff(attempt: u32, random: u64) -> Duration {
    let longest = BASE.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(CAP);
    let nanos = (longest.as_nanos() * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Random enough to spread waits: the keys of the standard library's hash maps.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// What retries an integration has left, in fifths.
#[derive(Debug)]
pub(crate) struct Budget(u32);

impl Budget {
    const RETRY: u32 = 5;
    const MOST: u32 = 10 * Self::RETRY;

    /// For a request's first try.
    pub(crate) fn deposit(&mut self) {
        self.0 = (self.0 + 1).min(Self::MOST);
    }

    /// For a retry; no if there is not a whole one left.
    pub(crate) fn withdraw(&mut self) -> bool {
        let left = self.0.checked_sub(Self::RETRY);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_gate::Header;

    use super::*;
    use crate::error::Fault;

    fn answer(status: u16, retry_after: Option<&str>) -> HttpResponse {
        let header = |value: &str| Header { name: "Retry-After".to_owned(), value: value.into() };
        let headers = retry_after.map(header).into_iter().collect();
        HttpResponse { status, url: String::new(), headers, body: Vec::new() }
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread_over_all_of_it() {
        for (attempt, longest) in [(1, 200), (2, 400), (3, 800), (6, 6_400), (7, 10_000), (40, 10_000)] {
            assert_eq!(backoff(attempt, 0), Duration::ZERO);
            assert_eq!(backoff(attempt, 1 << 63), Duration::from_millis(longest) / 2, "{attempt}");
            let most = backoff(attempt, u64::MAX);
            assert!(most <= Duration::from_millis(longest) && most > Duration::from_millis(longest - 1));
        }
        assert_ne!(random(), random());
    }

    #[test]
    fn only_ends_that_say_not_now_are_worth_another_try() {
        let now = SystemTime::now();
        let worth = |end: Result<HttpResponse, SendError>| worth_another(&end, now).is_some();
        for status in [408, 429, 502, 503, 504] {
            assert!(worth(Ok(answer(status, None))), "{status}");
        }
        for status in [200, 301, 400, 401, 404, 409, 425, 500, 501] {
            assert!(!worth(Ok(answer(status, None))), "{status}");
        }
        let fault = || Fault { origin: String::new(), message: String::new() };
        assert!(worth(Err(SendError::Connect(fault()))) && worth(Err(SendError::Closed(fault()))));
        assert!(!worth(Err(SendError::Tls(fault()))) && !worth(Err(SendError::Protocol(fault()))));
        assert!(!worth(Err(SendError::Dns(fault()))) && !worth(Err(SendError::Bound { name: "x", limit: 1 })));
        for phase in [Phase::Dns, Phase::Connect, Phase::FirstByte, Phase::Idle] {
            assert!(worth(Err(SendError::Timeout { phase, limit_ms: 1 })), "{phase:?}");
        }
        assert!(!worth(Err(SendError::Timeout { phase: Phase::Total, limit_ms: 1 })));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |text| retry_after(&answer(503, Some(text)), now);
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "it has passed");
        assert_eq!(after("99999999999999999999999"), Some(Duration::MAX));
        for odd in ["", "soon", "-1", "1.5"] {
            assert_eq!(after(odd), None, "{odd}");
        }
        assert_eq!(retry_after(&answer(503, None), now), None);
    }

    #[test]
    fn a_request_earns_a_fifth_of_a_retry_and_ten_are_the_most_there_are() {
        let mut budget = Budget::default();
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 10);
        (0..4).for_each(|_| budget.deposit());
        assert!(!budget.withdraw());
        budget.deposit();
        assert!(budget.withdraw() && !budget.withdraw());
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 10);
    }
}
