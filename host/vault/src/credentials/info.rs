//! What is told of a credential. Nothing of it is secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CredentialId, error::ReadError};
use crate::material::Kind;

/// How a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can be used.
    Active,
    /// It can be used, and not for long.
    Expiring,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// A person has to agree again.
    NeedsReconnect,
}

impl State {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NeedsReconnect => "needs_reconnect",
        }
    }
}

/// When a credential counts as about to expire: in the last part of its life, and no sooner than so long before its end. What
/// lives for a year is told of 14 days before, what lives for ten days one day before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// No sooner than so long before it expires. 14 days unless set.
    pub within: Duration,
    /// In the last so many percent of its life. 10 unless set.
    pub percent: u8,
}

impl Default for Expiring {
    fn default() -> Self {
        Self { within: Duration::from_hours(14 * 24), percent: 10 }
    }
}

impl Expiring {
    /// How something is that lives from one time to another.
    pub(super) fn state(&self, created: Timestamp, expires: Option<Timestamp>, now: Timestamp) -> State {
        let Some(expires) = expires else { return State::Active };
        if now >= expires {
            return State::Expired;
        }
        let millis = |from: Timestamp, to: Timestamp| to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
        let within = i64::try_from(self.within.as_millis()).unwrap_or(i64::MAX);
        let part = (millis(created, expires) / 100).saturating_mul(i64::from(self.percent));
        if millis(now, expires) <= within.min(part) { State::Expiring } else { State::Active }
    }
}

/// The credential before the one in the slot, while both are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Its generation.
    pub generation: u64,
    /// Until when it is good.
    pub until: Timestamp,
}

/// What is told of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialInfo {
    /// Which one.
    #[serde(flatten)]
    pub id: CredentialId,
    /// What was handed over.
    pub kind: Kind,
    /// How it is.
    pub state: State,
    /// Why it is so, where somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Which one in this slot, from 1.
    pub generation: u64,
    /// Those of its fields that are no secrets.
    pub fields: BTreeMap<String, String>,
    /// When it was handed over.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The one before it, while both are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// Which of its secrets can be guessed: too short, or of too few sorts of characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<String>,
    /// The origins that it was given for, and is sent to; none where that was not said yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<BTreeSet<String>>,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// By what it was used: the first few names.
    pub used_by: BTreeSet<String>,
}

impl CredentialInfo {
    /// Whether it was given to be sent there.
    pub fn is_for(&self, origin: &str) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.contains(origin))
    }
}

/// The credentials there are, and those of which nothing can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Those that there are.
    pub credentials: Vec<CredentialInfo>,
    /// Records whose header cannot be read.
    pub unreadable: Vec<ReadError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_long_is_told_of_two_weeks_before_and_what_lives_short_in_its_last_tenth() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let at = |lives: i64, now: i64| Expiring::default().state(day(0), Some(day(lives)), day(now));
        assert_eq!(
            [at(365, 350), at(365, 351), at(365, 364), at(365, 365)],
            [State::Active, State::Expiring, State::Expiring, State::Expired]
        );
        assert_eq!([at(10, 8), at(10, 9), at(10, 10)], [State::Active, State::Expiring, State::Expired]);
        assert_eq!(Expiring::default().state(day(0), None, day(9_999)), State::Active);
        let sooner = Expiring { within: Duration::from_hours(24), percent: 50 };
        assert_eq!(sooner.state(day(0), Some(day(10)), day(8)), State::Active);
    }
}
