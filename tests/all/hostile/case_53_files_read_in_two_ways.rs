//! A file that two readers read differently, and files that have no end: the rules of an operator are what was reviewed.

use std::fmt::Write as _;

use portcullis_runtime::{
    Ceiling, Grant,
    ledger::RetentionPolicy,
    strict::{self, StrictError},
};
use serde_json::Value;

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Every spelling of a name that JSON reads as that name.
fn spellings(name: &str) -> Vec<String> {
    let escaped = |upper: bool| {
        name.chars().fold(String::new(), |mut text, c| {
            let code = u32::from(c);
            let _ = if upper { write!(text, "\\u{code:04X}") } else { write!(text, "\\u{code:04x}") };
            text
        })
    };
    let mut mixed: Vec<char> = name.chars().collect();
    let first = format!("\\u{:04x}", u32::from(mixed.remove(0)));
    vec![name.to_owned(), escaped(false), escaped(true), first + &mixed.into_iter().collect::<String>()]
}

#[test]
fn no_rule_of_an_operator_is_the_last_of_two() {
    for name in spellings("requests") {
        let limits = format!("\"limits\": {{\"requests\": 1, \"fuel\": 10000, \"{name}\": 9999}}");
        let ceiling = Ceiling::parse(&format!("{{{limits}}}")).unwrap_err().to_string();
        assert!(ceiling.contains("`/limits` has `requests` twice"), "{ceiling}");
        let grant = Grant::parse(&format!("{{\"adapter\": \"{DIGEST}\", {limits}}}")).unwrap_err().to_string();
        assert!(grant.contains("`/limits` has `requests` twice"), "{grant}");
    }
    for name in spellings("what") {
        let keep = format!("{{\"keep\": [{{\"what\": \"nothing\", \"{name}\": \"whole\"}}]}}");
        let policy = RetentionPolicy::parse(&keep).unwrap_err().to_string();
        assert!(policy.contains("`/keep/0` has `what` twice"), "{policy}");
    }
    // In TOML the same is refused by TOML.
    assert!(Ceiling::parse("[limits]\nrequests = 1\n\"requests\" = 9999\n").is_err());
    assert!(Ceiling::parse("[limits]\nrequests = 1\n[limits]\nrequests = 9999\n").is_err());
    assert!(Ceiling::parse("limits.requests = 1\nlimits.\"requests\" = 9999\n").is_err());
}

#[test]
fn no_config_or_input_is_read_in_two_ways_at_any_depth() {
    // Below what the reader takes, at each depth.
    for depth in 0..120 {
        let text = format!("{}{{\"a\": 1, \"b\": [], \"\\u0061\": 2}}{}", "[{\"x\": ".repeat(depth / 2), "}]".repeat(depth / 2));
        let refused = strict::parse_json::<Value>(&text).unwrap_err();
        assert!(matches!(&refused, StrictError::Twice { name, .. } if name == "a"), "{depth}: {refused}");
    }
    // A number that one parser takes and another one does not hides nothing that comes after it.
    for number in ["1e999", "-0", "1E+400", "123456789012345678901234567890"] {
        let refused = strict::check_names(&format!("{{\"n\": {number}, \"a\": 1, \"a\": 2}}")).unwrap_err().to_string();
        assert!(refused.contains("has `a` twice"), "{number}: {refused}");
    }
    // Many names, the last of them again.
    let names: String = (0..50_000).map(|number| format!("\"n{number}\": 0, ")).collect();
    let refused = strict::parse_json::<Value>(&format!("{{{names}\"n7\": 1}}")).unwrap_err().to_string();
    assert!(refused.contains("the outermost object has `n7` twice"), "{refused}");
    assert!(strict::parse_json::<Value>(&format!("{{{names}\"last\": 1}}")).is_ok());
}

#[test]
fn a_file_of_rules_has_a_bound_that_its_error_names() {
    let long = format!("# {}", "x".repeat(strict::MAX_RULES_BYTES));
    for refused in [
        Grant::parse(&long).unwrap_err().to_string(),
        Ceiling::parse(&long).unwrap_err().to_string(),
        RetentionPolicy::parse(&long).unwrap_err().to_string(),
    ] {
        assert!(refused.contains(&strict::MAX_RULES_BYTES.to_string()), "{refused}");
    }
}
