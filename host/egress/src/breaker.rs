//! The circuit breaker of one origin: after five failures in a row it is left alone, for ten seconds at first.
//!
//! Closed, requests pass. Open, none do. When the pause is over, one passes to probe; what becomes of it closes the circuit
//! or opens it for twice as long, a minute at most. Ends are matched to beginnings by an epoch, so that a request from
//! before the circuit opened says nothing about after. Time is a parameter.

use std::time::{Duration, Instant};

use crate::{
    error::{Phase, SendError},
    outbound::HttpResponse,
};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// The first pause.
const FIRST: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// When to come back while a probe is out.
const PROBE: Duration = Duration::from_secs(1);

/// The circuit to one origin.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    /// Changes with the state's kind.
    epoch: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        State::Closed { failures: 0 }
    }
}

/// A request that was let pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    epoch: u64,
}

/// What a request says about its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It answers.
    Alive,
    /// It does not, or says itself that it cannot.
    Failing,
    /// Nothing: the request did not get that far, or nobody waited.
    None,
}

impl Sign {
    /// Reads a try's end. That an origin refuses, limits or answers too much means that it is there.
    pub(crate) fn of(end: &Result<HttpResponse, SendError>) -> Self {
        match end {
            Ok(response) if matches!(response.status, 502..=504) => Sign::Failing,
            Ok(_) | Err(SendError::Bound { .. }) => Sign::Alive,
            // How long all of it may take is ours to say, and says little of the origin.
            Err(SendError::Timeout { phase: Phase::Total, .. }) => Sign::None,
            Err(
                SendError::Connect(_)
                | SendError::Tls(_)
                | SendError::Timeout { .. }
                | SendError::Closed(_)
                | SendError::Protocol(_),
            ) => Sign::Failing,
            Err(_) => Sign::None,
        }
    }
}

impl Breaker {
    /// Whether a request would pass; if not, when to come back.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Open { until, .. } if now < until => Err(until - now),
            State::Probing { .. } => Err(PROBE),
            State::Closed { .. } | State::Open { .. } => Ok(()),
        }
    }

    /// Lets a request pass, or says when to come back.
    pub(crate) fn enter(&mut self, now: Instant) -> Result<Pass, Duration> {
        self.check(now)?;
        if let State::Open { pause, .. } = self.state {
            self.turn(State::Probing { pause });
        }
        Ok(Pass { epoch: self.epoch })
    }

    /// Learns from a request that was let pass.
    pub(crate) fn leave(&mut self, pass: Pass, sign: Sign, now: Instant) {
        if pass.epoch != self.epoch {
            return;
        }
        match (self.state, sign) {
            (State::Closed { .. }, Sign::Alive) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, Sign::Failing) if failures + 1 < FAILURES => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, Sign::Failing) => self.turn(State::Open { until: now + FIRST, pause: FIRST }),
            (State::Probing { .. }, Sign::Alive) => self.turn(State::Closed { failures: 0 }),
            (State::Probing { pause }, Sign::Failing) => {
                let pause = pause.saturating_mul(2).min(LONGEST);
                self.turn(State::Open { until: now + pause, pause });
            }
            // The probe's place is free for the next.
            (State::Probing { pause }, Sign::None) => self.turn(State::Open { until: now, pause }),
            (State::Closed { .. } | State::Open { .. }, _) => {}
        }
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Fault, Phase};

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A request that passes at this time and ends at once.
    fn request(breaker: &mut Breaker, now: Instant, sign: Sign) {
        let pass = breaker.enter(now).unwrap();
        breaker.leave(pass, sign, now);
    }

    fn open(start: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| request(&mut breaker, start, Sign::Failing));
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_four_do_not() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            (0..4).for_each(|_| request(&mut breaker, start, Sign::Failing));
            request(&mut breaker, start, Sign::Alive);
        }
        (0..4).for_each(|_| request(&mut breaker, start, Sign::Failing));
        request(&mut breaker, start, Sign::None);
        assert_eq!(breaker.check(start), Ok(()));
        request(&mut breaker, start, Sign::Failing);
        assert_eq!(breaker.enter(start + s(4)).unwrap_err(), s(6));
    }

    #[test]
    fn after_its_pause_exactly_one_request_probes() {
        let start = Instant::now();
        let mut breaker = open(start);
        assert!(breaker.enter(start + s(10) - Duration::from_nanos(1)).is_err());
        let probe = breaker.enter(start + s(10)).unwrap();
        assert_eq!(breaker.enter(start + s(11)).unwrap_err(), PROBE);
        breaker.leave(probe, Sign::Alive, start + s(12));
        assert!(breaker.enter(start + s(12)).is_ok() && breaker.enter(start + s(12)).is_ok());
        (0..4).for_each(|_| request(&mut breaker, start + s(12), Sign::Failing));
        assert_eq!(breaker.check(start + s(12)), Ok(()), "it counts from nothing again");
    }

    #[test]
    fn a_probe_that_fails_doubles_the_pause_up_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        for pause in [10, 20, 40, 60, 60] {
            assert_eq!(breaker.check(now), Err(s(pause)));
            now += s(pause);
            request(&mut breaker, now, Sign::Failing);
        }
        now += s(60);
        request(&mut breaker, now, Sign::Alive);
        (0..5).for_each(|_| request(&mut breaker, now, Sign::Failing));
        assert_eq!(breaker.check(now), Err(s(10)), "closed once, it begins anew");
    }

    #[test]
    fn a_probe_that_nobody_waits_for_gives_its_place_to_the_next() {
        let start = Instant::now();
        let mut breaker = open(start);
        request(&mut breaker, start + s(10), Sign::None);
        request(&mut breaker, start + s(10), Sign::Failing);
        assert_eq!(breaker.check(start + s(10)), Err(s(20)));
    }

    #[test]
    fn requests_from_before_say_nothing_about_after() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let old: Vec<Pass> = (0..8).map(|_| breaker.enter(start).unwrap()).collect();
        old[..5].iter().for_each(|pass| breaker.leave(*pass, Sign::Failing, start));
        breaker.leave(old[5], Sign::Alive, start);
        assert_eq!(breaker.check(start), Err(s(10)), "an answer from before does not close it");
        let probe = breaker.enter(start + s(10)).unwrap();
        breaker.leave(old[6], Sign::Failing, start + s(10));
        breaker.leave(old[7], Sign::None, start + s(10));
        assert_eq!(breaker.check(start + s(10)), Err(PROBE), "the probe is still out");
        breaker.leave(probe, Sign::Alive, start + s(10));
        assert_eq!(breaker.check(start + s(10)), Ok(()));
    }

    #[test]
    fn answers_are_answers_and_only_what_is_broken_counts() {
        let answer = |status| Ok(HttpResponse { status, url: String::new(), headers: Vec::new(), body: Vec::new() });
        for status in [200, 302, 400, 401, 404, 408, 429, 500, 501, 505] {
            assert_eq!(Sign::of(&answer(status)), Sign::Alive, "{status}");
        }
        for status in [502, 503, 504] {
            assert_eq!(Sign::of(&answer(status)), Sign::Failing, "{status}");
        }
        let fault = || Fault { origin: String::new(), message: String::new() };
        let timeout = SendError::Timeout { phase: Phase::Connect, limit_ms: 1 };
        for error in [
            SendError::Connect(fault()),
            SendError::Tls(fault()),
            SendError::Closed(fault()),
            SendError::Protocol(fault()),
            timeout,
        ] {
            assert_eq!(Sign::of(&Err(error)), Sign::Failing);
        }
        for error in [SendError::Dns(fault()), SendError::Credential(portcullis_vault::VaultError::Empty("x".into()))] {
            assert_eq!(Sign::of(&Err(error)), Sign::None);
        }
        assert_eq!(Sign::of(&Err(SendError::Bound { name: "response_bytes", limit: 1 })), Sign::Alive);
    }
}
