//! What an integration remembers of its traffic, over all of its calls: the pace of its requests, what its upstreams said
//! of their limits, and what retries it has left.
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

    /// Waits until a request to this origin may leave. Fails at once if that is after the deadline.
    pub(crate) async fn admit(&self, origin: &str, limits: &Limits, deadline: Deadline) -> Result<(), SendError> {
        loop {
            // The origin's turn first: a long wait for one origin must not take turns from others.
            for scope in [Scope::Origin(origin), Scope::Integration] {
                if let Some(turn) = self.reserve(origin, scope, limits, deadline)? {
                    sleep_until(turn.at.into()).await;
                    turn.used();
                }
            }
            // Again if the upstream said meanwhile that it is not to be asked.
            if self.state(|state| state.blocked(origin, Instant::now())).is_none() {
                return Ok(());
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
    pub(crate) fn learn(&self, origin: &str, response: &HttpResponse) {
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

fn rate_limited(origin: &str, limit: Option<&'static str>, wait: Duration) -> SendError {
    SendError::Unavailable(Unavailable::new(origin, UnavailableReason::RateLimited, limit, wait))
}
