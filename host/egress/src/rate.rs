//! Rate limits: those the operator sets, and those an upstream tells.
//!
//! Turns are spaced by the generic cell rate algorithm: one instant for each limit says when the next turn would be due if
//! there were no burst. Forty lines of our own and no crate, because a turn is reserved ahead: a request whose turn comes
//! after its deadline is refused at once with the time at which to come back, and one that is given up hands its turn back.
//! Time is a parameter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{outbound::HttpResponse, retry::retry_after};

/// The longest that an upstream's word is taken for.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// So many in a second, and so many at once. None in a second means no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

impl Rate {
    fn interval(self) -> Duration {
        Duration::from_secs(1).checked_div(self.per_second).unwrap_or_default()
    }
}

/// The turns of one limit.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next turn is due without a burst.
    due: Option<Instant>,
}

impl Pace {
    /// The first turn not before `from`.
    pub(crate) fn next(&self, from: Instant, rate: Rate) -> Instant {
        let ahead = rate.interval().saturating_mul(rate.burst.saturating_sub(1));
        let turn = self.due.and_then(|due| due.checked_sub(ahead));
        turn.map_or(from, |turn| turn.max(from))
    }

    /// Takes the turn at this time. What is returned can be handed back.
    pub(crate) fn take(&mut self, at: Instant, rate: Rate) -> Instant {
        let due = self.due.map_or(at, |due| due.max(at)) + rate.interval();
        self.due = Some(due);
        due
    }

    /// Hands a turn back. If later ones are taken already it is lost: giving it to somebody else would put two in one place.
    pub(crate) fn hand_back(&mut self, taken: Instant, rate: Rate) {
        if self.due == Some(taken) {
            self.due = taken.checked_sub(rate.interval());
        }
    }
}

/// For how long an upstream says that it is not to be asked: 429 with Retry-After, or a limit with nothing remaining.
///
/// Read are the older fields (`RateLimit-Remaining` and `-Reset`, with and without `X-`; seconds, or an epoch in seconds or
/// milliseconds) and both forms of `RateLimit`: `limit=…, remaining=…, reset=…` and `"name";r=…;t=…` (IETF draft
/// "RateLimit header fields for HTTP", versions 3 to 7 and 8 on).
pub(crate) fn told(response: &HttpResponse, now: SystemTime) -> Option<Duration> {
    let refused = (response.status == 429).then(|| retry_after(response, now)).flatten();
    let pairs = ["ratelimit", "x-ratelimit", "x-rate-limit"].map(|family| {
        let number = |what: &str| number(response.header(&format!("{family}-{what}"))?);
        (number("remaining")? == 0).then(|| number("reset")).flatten()
    });
    let fields = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("ratelimit"));
    let structured = fields.filter_map(|field| field_says(std::str::from_utf8(&field.value).ok()?)).max();
    let resets = pairs.into_iter().flatten().chain(structured).map(|reset| until(reset, now));
    let longest = resets.chain(refused).max()?;
    (!longest.is_zero()).then(|| longest.min(LONGEST))
}

/// The longest reset in a `RateLimit` field among its limits with nothing remaining.
fn field_says(field: &str) -> Option<u64> {
    let value = |part: &str, name: &str| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| number(value)).flatten()
    };
    let find = |parts: &mut dyn Iterator<Item = &str>, remaining: &str, reset: &str| {
        let parts: Vec<&str> = parts.collect();
        let of = |name: &str| parts.iter().find_map(|part| value(part, name));
        (of(remaining)? == 0).then(|| of(reset)).flatten()
    };
    let old = find(&mut field.split([',', ';']), "remaining", "reset");
    let new = field.split(',').filter_map(|limit| find(&mut limit.split(';'), "r", "t")).max();
    old.max(new)
}

/// A number of seconds; a fraction is rounded up.
fn number(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let more = fraction.bytes().any(|b| b != b'0');
    whole.parse::<u64>().ok()?.checked_add(more.into())
}

/// From seconds, or from an epoch.
fn until(reset: u64, now: SystemTime) -> Duration {
    let epoch = match reset {
        0..=1_000_000_000 => return Duration::from_secs(reset),
        1_000_000_001..=1_000_000_000_000 => Duration::from_secs(reset),
        _ => Duration::from_millis(reset),
    };
    epoch.saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use portcullis_gate::Header;

    use super::*;

    const TEN: Rate = Rate { per_second: 10, burst: 3 };
    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Takes the next turn, and says how long after `start` it is.
    fn turn(pace: &mut Pace, start: Instant, now: u64, rate: Rate) -> Duration {
        let at = pace.next(start + ms(now), rate);
        pace.take(at, rate);
        at - start
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_evenly() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let turns: Vec<Duration> = (0..6).map(|_| turn(&mut pace, start, 0, TEN)).collect();
        assert_eq!(turns, [ms(0), ms(0), ms(0), ms(100), ms(200), ms(300)]);
        // After a second of silence there is a whole burst again, and no more.
        let turns: Vec<Duration> = (0..4).map(|_| turn(&mut pace, start, 1_300, TEN)).collect();
        assert_eq!(turns, [ms(1_300), ms(1_300), ms(1_300), ms(1_400)]);
    }

    #[test]
    fn no_limit_lets_everything_leave_at_once() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let off = Rate { per_second: 0, burst: 1 };
        assert!((0..100).all(|_| turn(&mut pace, start, 5, off) == ms(5)));
    }

    #[test]
    fn a_turn_that_is_handed_back_is_the_next_ones_unless_others_queue_behind_it() {
        let one = Rate { per_second: 1, burst: 1 };
        let (start, mut pace) = (Instant::now(), Pace::default());
        let first = pace.take(start, one);
        let second = pace.take(pace.next(start, one), one);
        pace.hand_back(second, one);
        assert_eq!(pace.next(start, one), start + ms(1_000));
        pace.take(pace.next(start, one), one);
        pace.hand_back(first, one);
        assert_eq!(pace.next(start, one), start + ms(2_000), "nobody moves up");
    }

    fn answer(status: u16, fields: &[(&str, &str)]) -> HttpResponse {
        let headers =
            fields.iter().map(|(name, value)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() });
        HttpResponse { status, url: String::new(), headers: headers.collect(), body: Vec::new() }
    }

    type Case<'a> = (u16, &'a [(&'a str, &'a str)], Option<u64>);

    #[test]
    fn what_an_upstream_says_of_its_limits_is_read_in_all_forms() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let cases: [Case; 20] = [
            (429, &[("Retry-After", "7")], Some(7)),
            (429, &[("Retry-After", "3600")], Some(60)),
            (429, &[], None),
            (503, &[("Retry-After", "7")], None),
            (200, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "30")], Some(30)),
            (200, &[("RateLimit-Remaining", "1"), ("RateLimit-Reset", "30")], None),
            (200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000012")], Some(12)),
            (200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000012000")], Some(12)),
            (200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")], None),
            (200, &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1.5")], Some(2)),
            (403, &[("x-ratelimit-remaining", "0")], None),
            (200, &[("RateLimit", "limit=100, remaining=0, reset=30")], Some(30)),
            (200, &[("RateLimit", "limit=100, remaining=5, reset=30")], None),
            (200, &[("RateLimit", "\"default\";r=0;t=30")], Some(30)),
            (200, &[("RateLimit", "\"default\";r=9;t=30")], None),
            (200, &[("RateLimit", "\"minute\";r=9;t=50, \"second\";r=0;t=1")], Some(1)),
            (200, &[("RateLimit", "\"a\";r=5;t=30"), ("RateLimit", "\"b\"; r=0; t=4")], Some(4)),
            (200, &[("RateLimit", "\"default\";r=0")], None),
            (200, &[("RateLimit", ";;;,,=r=0=t"), ("X-RateLimit-Remaining", "-1")], None),
            (429, &[("Retry-After", "9"), ("RateLimit", "\"d\";r=0;t=20")], Some(20)),
        ];
        for (status, fields, expected) in cases {
            assert_eq!(told(&answer(status, fields), now), expected.map(Duration::from_secs), "{status} {fields:?}");
        }
    }
}
