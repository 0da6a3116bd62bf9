//! What a policy says of a call, and what is told of one that is not right.

use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"
    [[redact]]
    pointer = "/To"
    [[redact]]
    integration = "acme/mail"
    operation = "sendEmail"
    side = "input"
    pointer = "/Attachments/*/Content"

    [[keep]]
    integration = "acme/*"
    what = "redacted"
    days = 30
    [[keep]]
    integration = "acme/mail"
    operation = "sendEmail"
    side = "input"
    what = "whole"
    days = 7
    [[keep]]
    operation = "health"
    what = "nothing"
"#;

#[test]
fn without_a_rule_it_is_redacted_until_it_is_erased() {
    let rule = Rule { kept: Kept::Redacted, days: None, hide: Vec::new(), asked: false };
    assert_eq!(Retention::default().side(Side::Input), &rule);
    assert_eq!(RetentionPolicy::parse("").unwrap().of("acme", "mail", "send").side(Side::Output), &rule);
}

#[test]
fn words_are_kept_no_longer_than_what_they_may_repeat_unless_a_rule_is_about_them() {
    let says = |policy: &str| {
        let retention = RetentionPolicy::parse(policy).unwrap().of("acme", "mail", "send");
        let rule = retention.side(Side::Words);
        (rule.kept, rule.days)
    };
    assert_eq!(says(""), (Kept::Whole, None));
    assert_eq!(says("[[keep]]\nwhat = \"redacted\"\ndays = 7"), (Kept::Whole, Some(7)));
    let input = "[[keep]]\nside = \"input\"\nwhat = \"redacted\"\ndays = 7\n";
    assert_eq!(says(input), (Kept::Whole, Some(7)));
    assert_eq!(says(&format!("{input}[[keep]]\nside = \"output\"\nwhat = \"nothing\"")), (Kept::Nothing, None));
    let own = "[[keep]]\nside = \"words\"\nwhat = \"redacted\"\ndays = 90";
    assert_eq!(says(&format!("{input}{own}")), (Kept::Redacted, Some(90)));
    let none = "[[keep]]\nside = \"words\"\nwhat = \"nothing\"";
    assert_eq!(says(none), (Kept::Nothing, None));
    let error = RetentionPolicy::parse("[[redact]]\nside = \"words\"\npointer = \"\"").unwrap_err().to_string();
    assert!(error.contains("`redact[0].side` is `words`"), "{error}");
}

#[test]
fn a_policy_with_a_name_twice_is_refused_with_its_place() {
    let twice = r#"{"keep": [{"what": "nothing"}, {"what": "redacted", "days": 9, "what": "whole"}]}"#;
    let told = RetentionPolicy::parse(twice).unwrap_err().to_string();
    assert!(told.contains("`/keep/1` has `what` twice (line 1, column "), "{told}");
}

#[test]
fn the_last_rule_that_applies_counts_and_redactions_add_up() {
    let policy = RetentionPolicy::parse(GOOD).unwrap();
    let says = |workspace, integration, operation, side| {
        let retention = policy.of(workspace, integration, operation);
        let rule = retention.side(side);
        (rule.kept, rule.days, rule.hide.iter().map(Pointer::to_string).collect::<Vec<_>>())
    };
    let to = || vec!["/To".to_owned()];
    let both = || vec!["/To".to_owned(), "/Attachments/*/Content".to_owned()];
    assert_eq!(says("acme", "mail", "sendEmail", Side::Input), (Kept::Whole, Some(7), both()));
    assert_eq!(says("acme", "mail", "sendEmail", Side::Output), (Kept::Redacted, Some(30), to()));
    assert_eq!(says("acme", "mail", "health", Side::Output), (Kept::Nothing, None, to()));
    assert_eq!(says("acme", "other", "sendEmail", Side::Input), (Kept::Redacted, Some(30), to()));
    assert_eq!(says("other", "mail", "sendEmail", Side::Input), (Kept::Redacted, None, to()));
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(RetentionPolicy::parse(&json).unwrap(), policy, "JSON says the same");
}

#[test]
fn what_is_not_right_is_refused_with_its_place_and_what_to_write() {
    for (from, to, says) in [
        ("[[keep]]", "[[keeps]]", "unknown field `keeps`"),
        ("pointer = \"/To\"", "pointers = \"/To\"", "unknown field `pointers`"),
        ("pointer = \"/To\"", "", "missing field `pointer`"),
        ("pointer = \"/To\"", "pointer = \"To\"", "write `/To`"),
        ("what = \"nothing\"", "what = \"none\"", "expected one of `nothing`, `redacted`, `whole`"),
        ("side = \"input\"", "side = \"in\"", "expected one of `input`, `output`, `words`"),
        (
            "integration = \"acme/mail\"",
            "integration = \"mail\"",
            "`redact[1].integration` is `mail`; write `WORKSPACE/NAME`",
        ),
        ("integration = \"acme/*\"", "integration = \"*/mail\"", "`keep[0].integration` is `*/mail`"),
        ("integration = \"acme/*\"", "integration = \"acme/m*\"", "`keep[0].integration` is `acme/m*`"),
        ("integration = \"acme/*\"", "integration = \"acme/\"", "`keep[0].integration` is `acme/`"),
        ("operation = \"health\"", "operation = \"heal*\"", "`keep[2].operation` is `heal*`"),
        ("operation = \"health\"", "operation = \"\"", "`keep[2].operation` is ``"),
        ("days = 30", "days = 0", "`keep[0].days` is 0; write 1 to 36500"),
        ("days = 30", "days = 36_501", "`keep[0].days`"),
        ("days = 30", "days = -1", "days"),
        ("what = \"nothing\"", "what = \"nothing\"\ndays = 3", "`keep[2]` keeps nothing"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = RetentionPolicy::parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
    let many = "[[redact]]\npointer = \"/a\"\n".repeat(MAX_RULES + 1);
    assert!(RetentionPolicy::parse(&many).unwrap_err().to_string().contains("1001 rules `[[redact]]`"));
    let long = " ".repeat(MAX_RULES_BYTES + 1);
    assert_eq!(RetentionPolicy::parse(&long), Err(PolicyError::TooLong(MAX_RULES_BYTES + 1)));
}

#[test]
fn the_published_schema_knows_every_word() {
    let schema = RetentionPolicy::json_schema().to_string();
    for word in
        ["redact", "keep", "integration", "operation", "side", "pointer", "what", "days", "additionalProperties"]
    {
        assert!(schema.contains(&format!("\"{word}\"")), "{word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_policy_or_an_error_and_a_policy_is_read_again_as_it_was(
        kind in prop::sample::select(vec!["redact", "keep", "other"]),
        lines in prop::collection::vec(
            (prop::sample::select(vec!["integration", "operation", "side", "pointer", "what", "days", "x"]),
             prop_oneof![
                 Just("\"*\"".to_owned()), Just("\"acme/*\"".to_owned()), Just("\"input\"".to_owned()),
                 Just("\"whole\"".to_owned()), Just("\"redacted\"".to_owned()), Just("30".to_owned()),
                 "\"/[a-z~*/0-1]{0,8}\"", "[-0-9a-z\"/*]{0,9}",
             ]), 0..5),
    ) {
        let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if let Ok(policy) = RetentionPolicy::parse(&format!("[[{kind}]]\n{text}")) {
            let json = serde_json::to_string(&policy).unwrap();
            prop_assert_eq!(RetentionPolicy::parse(&json), Ok(policy));
        }
    }
}
