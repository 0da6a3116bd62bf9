//! What something on a host may be called: workspaces, integrations, adapters and slots. One rule, for every door by which a
//! name comes in: commands, ledger, credentials, ceilings, retention policies.
//!
//! A name stands in keys of the store, in file names of exports, in patterns such as `acme/*`, and in front of people. So it
//! has nothing that one of these would read as something else: no `/`, `*` or `@`, nothing that only looks like another
//! character or like none, and it is neither `.` nor `..` nor a word that means more than one.

use crate::printable::{is_plain, printable};

/// Words that stand for something else than one workspace or integration, or may come to.
const RESERVED: [&str; 4] = ["all", "any", "host", "none"];

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A workspace. May have letters and digits of any script.
    Workspace,
    /// An integration.
    Integration,
    /// An adapter.
    Adapter,
    /// A slot of an adapter.
    Slot,
}

/// Something cannot be called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name of {}: {why}; write 1 to {} {}, beginning with a letter or a digit", .what.told(), .what.longest(), .what.made_of())]
pub struct NameError {
    /// Of what.
    pub what: Named,
    /// The name, fit to be shown.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Named {
    /// Longest name, in bytes.
    pub fn longest(self) -> usize {
        match self {
            Self::Workspace => 128,
            Self::Integration | Self::Adapter | Self::Slot => 64,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Workspace => "a workspace",
            Self::Integration => "an integration",
            Self::Adapter => "an adapter",
            Self::Slot => "a slot",
        }
    }

    fn made_of(self) -> &'static str {
        match self {
            Self::Workspace => "bytes of letters, digits, `-`, `_` and `.`",
            _ => "letters of ASCII, digits, `-`, `_` and `.`",
        }
    }

    /// Whether something can be called that.
    pub fn check(self, name: &str) -> Result<(), NameError> {
        let refuse = |why| Err(NameError { what: self, name: printable(name, 100), why });
        let letter = |c: char| match self {
            Self::Workspace => c.is_alphanumeric() && is_plain(c),
            _ => c.is_ascii_alphanumeric(),
        };
        let Some(first) = name.chars().next() else { return refuse("it is empty") };
        if name.len() > self.longest() {
            return refuse("it is too long");
        }
        if first == '@' {
            return refuse("names that begin with `@` are the host's own");
        }
        if !letter(first) {
            return refuse("it begins with something else");
        }
        if !name.chars().all(|c| letter(c) || matches!(c, '-' | '_' | '.')) {
            return refuse("it has other characters");
        }
        if name.ends_with('.') {
            return refuse("it ends with a dot");
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) && self != Self::Slot {
            return refuse("the word is reserved");
        }
        Ok(())
    }
}

/// Checks the name of an integration on the whole host, `WORKSPACE/NAME`.
pub fn check_full_name(full: &str) -> Result<(), NameError> {
    let Some((workspace, name)) = full.split_once('/') else {
        let why = "it has no workspace before it, as in `acme/mail`";
        return Err(NameError { what: Named::Integration, name: printable(full, 100), why });
    };
    Named::Workspace.check(workspace)?;
    Named::Integration.check(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Named; 4] = [Named::Workspace, Named::Integration, Named::Adapter, Named::Slot];

    #[test]
    fn names_that_people_give_are_names() {
        for what in ALL {
            for name in ["acme", "a", "7", "Acme-2.eu_west", "server-token", "a..b", &"x".repeat(what.longest())] {
                assert_eq!(what.check(name), Ok(()), "{what:?}");
            }
        }
        assert_eq!(Named::Workspace.check("größe-日本"), Ok(()));
        assert!(Named::Integration.check("größe").is_err());
        assert!(check_full_name("acme/mail").is_ok());
    }

    #[test]
    fn what_something_else_would_read_as_more_than_a_name_is_none() {
        let strange = [
            "",
            ".",
            "..",
            "...",
            ".a",
            "a.",
            "-a",
            "_a",
            "@host",
            "@",
            "@key/state",
            "a/b",
            "/",
            "*",
            "a*",
            "a b",
            " a",
            "a ",
            "a\0",
            "a\n",
            "a\u{202e}b",
            "a\u{200b}",
            "\u{feff}a",
            "a\\b",
            "a:b",
            "a%2f",
            "~",
            "$x",
            "a\u{301}",
            "all",
            "ALL",
            "Host",
            "any",
            "none",
            "{a}",
            "\u{1f600}",
        ];
        for what in ALL {
            for name in strange {
                let reserved = RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
                assert_eq!(what.check(name).is_err(), !(what == Named::Slot && reserved), "{what:?} {name:?}");
            }
            assert!(what.check(&"x".repeat(what.longest() + 1)).is_err());
        }
        for full in ["mail", "acme/", "/mail", "acme/mail/x", "acme/..", "@host/mail", "*/mail", "acme/*"] {
            assert!(check_full_name(full).is_err(), "{full}");
        }
        let error = Named::Integration.check("..").unwrap_err().to_string();
        assert!(error.contains("`..` is no name of an integration") && error.contains("1 to 64 letters"), "{error}");
    }
}
