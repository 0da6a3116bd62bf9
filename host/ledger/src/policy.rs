//! What is kept of inputs and outputs, and for how long: the operator's rules, written as TOML or JSON, one file for the host.
//!
//! Without a rule an input or output is kept without what its schema marks as sensitive, until somebody erases it. `[[redact]]`
//! takes more out of it. `[[keep]]` says that nothing is kept, or all of it, or for how many days; of several that apply the
//! last one counts. *Whole* is whole: what `[[redact]]` names is in it too, or it could not be proved by its hash to be what
//! was sent. A policy holds for what is recorded from then on, and takes nothing back: that is what erasing is for.

use std::{fmt, sync::Arc};

use portcullis_gate::Named;
use portcullis_gate::strict::{self, MAX_RULES_BYTES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{pointer::Pointer, record::Kept};

/// Most rules of one kind.
const MAX_RULES: usize = 1_000;
/// Longest time that can be asked for, in days: a hundred years.
const MAX_DAYS: u32 = 36_500;

/// What a call was given, what it gave, or what was said on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The input.
    Input,
    /// The output.
    Output,
    /// What the adapter and the upstream wrote into its refusals and into its failure: URLs, names, codes, messages.
    Words,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Input, Self::Output, Self::Words];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Words => "words",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is kept of inputs and outputs. Without rules: redacted, until it is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// What is taken out of inputs and outputs, beside what their schemas mark with `"x-sensitive": true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<RedactRule>,
    /// What is kept otherwise than by default. Of several rules that apply to a call, the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<KeepRule>,
}

/// Takes parts out of what is kept redacted; not out of what is kept whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactRule {
    /// Which integrations: `acme/mail`, `acme/*` for all of a workspace, or `*`; the command's workspace is `local`. All, where
    /// it is left out.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub integration: String,
    /// Which operation, or `*`. All, where it is left out.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub operation: String,
    /// Of the input or of the output. Of both, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// What is taken out: a JSON Pointer such as `/To` or `/customers/*/phone`, with `*` for each item and each property. The
    /// empty one is all of it.
    pub pointer: Pointer,
}

/// Says how much is kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepRule {
    /// Which integrations: `acme/mail`, `acme/*` for all of a workspace, or `*`; the command's workspace is `local`. All, where
    /// it is left out.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub integration: String,
    /// Which operation, or `*`. All, where it is left out.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub operation: String,
    /// The input, the output, or the words of refusals and failures. All, where it is left out. Words without a rule of their
    /// own are kept as the input and the output are: not at all where one of these is not, and no longer than either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// `nothing`, `redacted` or `whole`.
    pub what: Kept,
    /// For how many days, 1 to 36,500. Until it is erased, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

fn any() -> String {
    "*".to_owned()
}

fn is_any(text: &str) -> bool {
    text == "*"
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML or JSON of the right shape.
    #[error("the retention policy cannot be read: {0}")]
    Syntax(String),
    /// Too large.
    #[error("the retention policy has {0} bytes; at most {MAX_RULES_BYTES}")]
    TooLong(usize),
    /// Too many rules.
    #[error(
        "the retention policy has {found} rules `[[{kind}]]`; at most {MAX_RULES}: let one with `*` stand for several"
    )]
    TooMany {
        /// Of which kind.
        kind: &'static str,
        /// How many there are.
        found: usize,
    },
    /// Not the name of integrations.
    #[error("`{kind}[{index}].integration` is `{found}`; write `WORKSPACE/NAME`, `WORKSPACE/*` or `*`")]
    Integration {
        /// In a rule of which kind.
        kind: &'static str,
        /// Which rule, from 0.
        index: usize,
        /// What it says.
        found: String,
    },
    /// Not the name of an operation.
    #[error("`{kind}[{index}].operation` is `{found}`; write an operation's whole name, or `*`")]
    Operation {
        /// In a rule of which kind.
        kind: &'static str,
        /// Which rule, from 0.
        index: usize,
        /// What it says.
        found: String,
    },
    /// There is nothing to be taken out of words.
    #[error(
        "`redact[{index}].side` is `words`, which have no places to be taken out; write a `[[keep]]` with `side = \"words\"` and \
         `what = \"nothing\"`"
    )]
    RedactWords {
        /// Which rule, from 0.
        index: usize,
    },
    /// A time out of range.
    #[error("`keep[{index}].days` is {days}; write 1 to {MAX_DAYS}, or leave it out to keep until it is erased")]
    Days {
        /// Which rule, from 0.
        index: usize,
        /// What it says.
        days: u32,
    },
    /// Nothing is kept for some days.
    #[error(
        "`keep[{index}]` keeps nothing, and says for how many days; leave `days` out, or write `what = \"redacted\"`"
    )]
    DaysOfNothing {
        /// Which rule, from 0.
        index: usize,
    },
}

impl RetentionPolicy {
    /// Reads a policy from TOML, or from JSON where the text starts with `{`, and checks it.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_RULES_BYTES {
            return Err(PolicyError::TooLong(text.len()));
        }
        let policy: Self = strict::parse(text).map_err(|error| PolicyError::Syntax(error.to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks what the shape alone cannot say.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (kind, found) in [("redact", self.redact.len()), ("keep", self.keep.len())] {
            if found > MAX_RULES {
                return Err(PolicyError::TooMany { kind, found });
            }
        }
        let redact = self.redact.iter().map(|rule| (&rule.integration, &rule.operation)).enumerate();
        let keep = self.keep.iter().map(|rule| (&rule.integration, &rule.operation)).enumerate();
        for (kind, (index, (integration, operation))) in
            redact.map(|rule| ("redact", rule)).chain(keep.map(|rule| ("keep", rule)))
        {
            let shown = |text: &str| portcullis_gate::printable(text, 80);
            if !names_integrations(integration) {
                return Err(PolicyError::Integration { kind, index, found: shown(integration) });
            }
            if operation != "*" && (operation.is_empty() || operation.contains('*')) {
                return Err(PolicyError::Operation { kind, index, found: shown(operation) });
            }
        }
        if let Some(index) = self.redact.iter().position(|rule| rule.side == Some(Side::Words)) {
            return Err(PolicyError::RedactWords { index });
        }
        for (index, rule) in self.keep.iter().enumerate() {
            match rule.days {
                Some(_) if rule.what == Kept::Nothing => return Err(PolicyError::DaysOfNothing { index }),
                Some(days) if !(1..=MAX_DAYS).contains(&days) => return Err(PolicyError::Days { index, days }),
                _ => {}
            }
        }
        Ok(())
    }

    /// What holds for the calls of one operation. Asked once for each, and not at each call.
    #[must_use]
    pub fn of(&self, workspace: &str, integration: &str, operation: &str) -> Retention {
        let about = |integrations: &str, of: &str| {
            let named = match integrations.split_once('/') {
                Some((of, name)) => of == workspace && (name == "*" || name == integration),
                None => true,
            };
            named && (of == "*" || of == operation)
        };
        let of_side = |side: Side| {
            let is_of = |of: Option<Side>| of.is_none_or(|of| of == side);
            let keep = self.keep.iter().rfind(|rule| is_of(rule.side) && about(&rule.integration, &rule.operation));
            let redact =
                self.redact.iter().filter(|rule| is_of(rule.side) && about(&rule.integration, &rule.operation));
            Rule {
                kept: keep.map_or(Kept::Redacted, |rule| rule.what),
                days: keep.and_then(|rule| rule.days),
                hide: redact.map(|rule| rule.pointer.clone()).collect(),
                asked: keep.is_some(),
            }
        };
        let (input, output) = (of_side(Side::Input), of_side(Side::Output));
        let own =
            self.keep.iter().any(|rule| rule.side == Some(Side::Words) && about(&rule.integration, &rule.operation));
        let words = if own { of_side(Side::Words) } else { Rule::shorter(&input, &output) };
        Retention(Arc::new([input, output, Rule { hide: Vec::new(), ..words }]))
    }

    /// The JSON Schema of policy files.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(RetentionPolicy);
        schema.insert("title".to_owned(), "Portcullis retention policy".into());
        schema.to_value()
    }
}

fn names_integrations(text: &str) -> bool {
    match text.split_once('/') {
        Some((workspace, name)) => {
            Named::Workspace.check(workspace).is_ok() && (name == "*" || Named::Integration.check(name).is_ok())
        }
        None => text == "*",
    }
}

/// What is kept of the inputs and outputs of one operation. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention(Arc<[Rule; 3]>);

/// What is kept of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How much.
    pub kept: Kept,
    /// For how many days; until it is erased where there is none.
    pub days: Option<u32>,
    /// What the operator has taken out of what is kept redacted.
    pub hide: Vec<Pointer>,
    /// Whether a `[[keep]]` says so. Of calls in sandbox mode nothing is kept otherwise.
    pub asked: bool,
}

impl Rule {
    /// What holds for what may repeat both: nothing where one of them keeps nothing, and no longer than either.
    fn shorter(a: &Self, b: &Self) -> Self {
        let kept = if a.kept == Kept::Nothing || b.kept == Kept::Nothing { Kept::Nothing } else { Kept::Whole };
        let days = a.days.into_iter().chain(b.days).min().filter(|_| kept != Kept::Nothing);
        Self { kept, days, hide: Vec::new(), asked: a.asked || b.asked }
    }
}

impl Retention {
    /// What holds for one side.
    #[must_use]
    pub fn side(&self, side: Side) -> &Rule {
        let [input, output, words] = self.0.as_ref();
        match side {
            Side::Input => input,
            Side::Output => output,
            Side::Words => words,
        }
    }
}

impl Default for Retention {
    /// What holds without a policy.
    fn default() -> Self {
        RetentionPolicy::default().of("", "", "")
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
