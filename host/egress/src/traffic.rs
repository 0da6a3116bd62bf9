//! What an integration remembers of its traffic, over all of its calls: the pace of its requests, what its upstreams said
//! of their limits, which of them fail, and what retries it has left.
//!
//! Nothing here outlives the integration, and nothing is shared with another: one tenant's traffic does not slow another's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use portcullis_gate::Limits;
use tokio::time::sleep_until;

use crate::{
    aside::Places,
    breaker::{Breaker, Pass, Sign},
    error::{SendError, Unavailable, UnavailableReason},
    exchange::Deadline,
    outbound::HttpResponse,
    rate::{Pace, Rate, told},
    retry::Budget,
};

/// Most origins remembered. A grant names them, so this is seldom reached; the one unused for longest makes room.
const MAX_ORIGINS: usize = 256;

/// One integration's traffic.
#[derive(Debug, Default)]
pub struct Traffic {
    state: Mutex<State>,
    pub(crate) places: Places,
}

#[derive(Debug, Default)]
struct State {
    budget: Budget,
    pace: Pace,
    origins: HashMap<String, Origin>,
}

#[derive(Debug)]
struct Origin {
    used: Instant,
    pace: Pace,
    /// The upstream said not to be asked before.
    not_before: Option<Instant>,
    breaker: Breaker,
}

/// Which limit a turn belongs to.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Origin(&'a str),
    Integration,
}

impl Scope<'_> {
    fn rate(self, limits: &Limits) -> Rate {
        match self {
            Scope::Origin(_) => Rate { per_second: limits.origin_requests_per_second, burst: limits.origin_burst },
            Scope::Integration => Rate { per_second: limits.requests_per_second, burst: limits.burst },
        }
    }

    fn limit(self) -> &'static str {
        match self {
            Scope::Origin(_) => "origin_requests_per_second",
            Scope::Integration => "requests_per_second",
        }
    }
}

impl Traffic {
    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        self.state(|state| change(&mut state.budget))
    }

    /// Waits until a request to this origin may leave. Fails at once if that is after the deadline, or if the origin's
    /// circuit is open.
    pub(crate) async fn admit<'a>(
        &'a self,
        origin: &'a str,
        limits: &Limits,
        deadline: Deadline,
    ) -> Result<Permit<'a>, SendError> {
        loop {
            let now = Instant::now();
            self.state(|state| state.origin(origin, now).breaker.check(now)).map_err(|wait| open(origin, wait))?;
            // The origin's turn first: a long wait for one origin must not take turns from others.
            for scope in [Scope::Origin(origin), Scope::Integration] {
                if let Some(turn) = self.reserve(origin, scope, limits, deadline)? {
                    sleep_until(turn.at.into()).await;
                    turn.used();
                }
            }
            // Again if the upstream said meanwhile that it is not to be asked.
            let now = Instant::now();
            if self.state(|state| state.blocked(origin, now)).is_none() {
                let entered = self.state(|state| state.origin(origin, now).breaker.enter(now));
                let pass = entered.map_err(|wait| open(origin, wait))?;
                return Ok(Permit { traffic: self, origin, pass, sign: Sign::None });
            }
        }
    }

    /// The next turn, if there is one to be waited for.
    fn reserve<'a>(
        &'a self,
        origin: &'a str,
        scope: Scope<'a>,
        limits: &Limits,
        deadline: Deadline,
    ) -> Result<Option<Turn<'a>>, SendError> {
        let now = Instant::now();
        let rate = scope.rate(limits);
        self.state(|state| {
            let blocked = match scope {
                Scope::Origin(_) => state.blocked(origin, now),
                Scope::Integration => None,
            };
            let from = blocked.unwrap_or(now);
            // Both are asked, so that nobody waits for the one to be refused by the other.
            let whole = state.pace.next(now, Scope::Integration.rate(limits));
            let pace = state.pace(scope, now);
            let at = pace.next(from, rate);
            if !deadline.is_after(at.max(whole)) {
                let limit = match (blocked, at == from) {
                    _ if whole > at => Some(Scope::Integration.limit()),
                    (Some(_), true) => None,
                    _ => Some(scope.limit()),
                };
                return Err(rate_limited(origin, limit, at.max(whole) - now));
            }
            let taken = pace.take(at, rate);
            // Made only where it is kept: to drop one asks for this very lock.
            Ok((at > now).then(|| Turn { traffic: self, scope, at, taken, rate, kept: false }))
        })
    }

    /// Learns from an answer when the origin wants to be asked again.
    fn learn(&self, origin: &str, response: &HttpResponse) {
        let Some(wait) = told(response, SystemTime::now()) else { return };
        let now = Instant::now();
        self.state(|state| {
            let known = state.origin(origin, now);
            known.not_before = known.not_before.max(Some(now + wait));
        });
    }
}

impl State {
    fn origin(&mut self, name: &str, now: Instant) -> &mut Origin {
        if !self.origins.contains_key(name) && self.origins.len() >= MAX_ORIGINS {
            let oldest = self.origins.iter().min_by_key(|(_, origin)| origin.used).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.origins.remove(&name));
        }
        let origin = self.origins.entry(name.to_owned()).or_insert_with(|| Origin {
            used: now,
            pace: Pace::default(),
            not_before: None,
            breaker: Breaker::default(),
        });
        origin.used = now;
        origin
    }

    fn pace(&mut self, scope: Scope<'_>, now: Instant) -> &mut Pace {
        match scope {
            Scope::Origin(name) => &mut self.origin(name, now).pace,
            Scope::Integration => &mut self.pace,
        }
    }

    /// Until when the upstream is not to be asked, if that is after `now`.
    fn blocked(&self, origin: &str, now: Instant) -> Option<Instant> {
        self.origins.get(origin)?.not_before.filter(|until| *until > now)
    }
}

/// A turn that is waited for. Dropped before it came, it is handed back.
struct Turn<'a> {
    traffic: &'a Traffic,
    scope: Scope<'a>,
    at: Instant,
    taken: Instant,
    rate: Rate,
    kept: bool,
}

impl Turn<'_> {
    fn used(mut self) {
        self.kept = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.traffic.state(|state| state.pace(self.scope, self.at).hand_back(self.taken, self.rate));
        }
    }
}

/// A request that may leave. Dropped before its end, it says nothing, and the place of a probe is free again.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    traffic: &'a Traffic,
    origin: &'a str,
    pass: Pass,
    sign: Sign,
}

impl Permit<'_> {
    /// Learns from how it ended.
    pub(crate) fn end(mut self, end: &Result<HttpResponse, SendError>) {
        self.sign = Sign::of(end);
        if let Ok(response) = end {
            self.traffic.learn(self.origin, response);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.traffic.state(|state| {
            if let Some(origin) = state.origins.get_mut(self.origin) {
                origin.breaker.leave(self.pass, self.sign, now);
            }
        });
    }
}

fn open(origin: &str, wait: Duration) -> SendError {
    SendError::Unavailable(Unavailable::new(origin, UnavailableReason::CircuitOpen, None, wait))
}

fn rate_limited(origin: &str, limit: Option<&'static str>, wait: Duration) -> SendError {
    SendError::Unavailable(Unavailable::new(origin, UnavailableReason::RateLimited, limit, wait))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    const ORIGIN: &str = "https://a.example";

    fn wait_of(error: &SendError) -> (UnavailableReason, u64) {
        let SendError::Unavailable(at) = error else { panic!("{error}") };
        (at.reason, at.retry_after_ms)
    }

    async fn admit(traffic: &Traffic) -> Result<Permit<'_>, SendError> {
        traffic.admit(ORIGIN, &Limits::default(), Deadline::new(1_000)).await
    }

    async fn fail(traffic: &Traffic, times: usize) {
        let bad = Ok(HttpResponse { status: 503, url: String::new(), headers: Vec::new(), body: Vec::new() });
        for _ in 0..times {
            admit(traffic).await.unwrap().end(&bad);
        }
    }

    /// Lets the pause of an open circuit be over.
    fn forward(traffic: &Traffic) {
        let now = Instant::now();
        traffic.state(|state| {
            let breaker = &mut state.origin(ORIGIN, now).breaker;
            let pass = breaker.enter(now + Duration::from_secs(3_600)).unwrap();
            breaker.leave(pass, Sign::None, now);
        });
    }

    #[tokio::test]
    async fn many_at_once_send_one_probe_and_its_place_is_free_when_it_is_dropped() {
        let traffic = Traffic::default();
        fail(&traffic, 5).await;
        assert_eq!(wait_of(&admit(&traffic).await.unwrap_err()).0, UnavailableReason::CircuitOpen);
        forward(&traffic);
        let mut permits: Vec<_> = join_all((0..8).map(|_| admit(&traffic))).await;
        assert_eq!(permits.iter().filter(|permit| permit.is_ok()).count(), 1);
        permits.clear();
        let probe = admit(&traffic).await.unwrap();
        assert!(admit(&traffic).await.is_err());
        probe.end(&Ok(HttpResponse { status: 200, url: String::new(), headers: Vec::new(), body: Vec::new() }));
        assert!(join_all((0..8).map(|_| admit(&traffic))).await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn no_more_origins_are_remembered_than_there_is_room_for() {
        let traffic = Traffic::default();
        let now = Instant::now();
        for number in 0..1_000 {
            let name = format!("https://{number}.example");
            traffic.state(|state| state.origin(&name, now + Duration::from_nanos(number)).used);
        }
        let kept = traffic.state(|state| state.origins.contains_key("https://999.example"));
        assert_eq!((traffic.state(|state| state.origins.len()), kept), (MAX_ORIGINS, true));
    }

    #[tokio::test]
    async fn a_long_wait_for_one_origin_takes_no_turn_from_another() {
        let traffic = Traffic::default();
        let limits = Limits { requests_per_second: 10, ..Limits::default() };
        let header = portcullis_gate::Header { name: "retry-after".to_owned(), value: b"30".to_vec() };
        traffic
            .learn(ORIGIN, &HttpResponse { status: 429, url: String::new(), headers: vec![header], body: Vec::new() });
        let blocked = traffic.admit(ORIGIN, &limits, Deadline::new(60_000));
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, blocked).await.is_err(), "it waits");
        let refused = traffic.admit(ORIGIN, &limits, Deadline::new(1_000)).await.unwrap_err();
        let (reason, wait) = wait_of(&refused);
        assert!(reason == UnavailableReason::RateLimited && (29_000..=30_000).contains(&wait), "{refused}");
        let other = traffic.admit("https://b.example", &limits, Deadline::new(50));
        assert!(other.await.is_ok());
    }
}
