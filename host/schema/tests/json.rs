//! Documents whose numbers keep their text, and what a schema says of numbers that no float holds.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used)]

use portcullis_schema::{Json, JsonError, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(text: &str) -> Json {
    text.parse().unwrap()
}

#[test]
fn numbers_leave_as_they_came() {
    for number in [
        "0",
        "-0",
        "1.0",
        "1.00",
        "1.10",
        "1e5",
        "1E+5",
        "-1.5e-7",
        "0.1",
        "123456789012345678",
        "18446744073709551615",
        "18446744073709551616",
        "12345678901234567890",
        "12345678901234567.89",
        "1e-400",
        "-0.0",
    ] {
        for text in [number.to_owned(), format!("[1,{number}]"), format!(r#"{{"a\"":[{{"é":{number}}}],"b":[]}}"#)] {
            let json = read(&text);
            assert_eq!(json.to_string(), text);
            assert_eq!(serde_json::to_string(&json).unwrap(), text);
            assert_eq!(*json.value(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
    assert_eq!(serde_json::to_string_pretty(&read(r#"{"a":[1.10]}"#)).unwrap(), "{\n  \"a\": [\n    1.10\n  ]\n}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let error = |text: &str| text.parse::<Json>().unwrap_err();
    assert_eq!(error("[1,\n 1E400]"), JsonError::Number { line: 2, column: 6 });
    assert!(error("[1,\n 1E400]").to_string().contains("line 2 column 6 is beyond what can be judged"));
    assert!(matches!(error("{"), JsonError::Syntax(_)) && matches!(error(&"[".repeat(200)), JsonError::Syntax(_)));
}

#[test]
fn of_members_with_one_name_the_last_counts_with_its_text() {
    for (text, expected) in [
        (r#"{"a":1.10,"a":1.1}"#, r#"{"a":1.1}"#),
        (r#"{"a":1.1,"\u0061":1.100}"#, r#"{"a":1.100}"#),
        (r#"{"a":{"b":1.0},"a":{"b":1.0e0,"c":2}}"#, r#"{"a":{"b":1.0e0,"c":2}}"#),
        (r#"{"a":[1.10],"a":"x"}"#, r#"{"a":"x"}"#),
    ] {
        assert_eq!(read(text).to_string(), expected);
    }
}

#[test]
fn what_is_put_in_place_of_a_number_is_written_as_it_is() {
    let json = read(r#"{"a":1.10,"b":{"c":2.0},"d":[3.0,4.0]}"#);
    let other = json.with_value(json!({"a": "[redacted]", "b": {"c": 5}, "d": ["[redacted]", 4.0]}));
    assert_eq!(other.to_string(), r#"{"a":"[redacted]","b":{"c":5},"d":["[redacted]",4.0]}"#);
}

#[test]
fn a_number_is_judged_by_all_of_its_digits_or_refused() {
    let judged = |schema: Value, value: &str| {
        let text = format!(r#"{{"n":{value}}}"#);
        Schema::compile(&json!({"properties": {"n": schema}}).to_string()).unwrap().validate_json(&read(&text))
    };
    for (schema, fits, refused) in [
        (json!({"type": "integer"}), "18446744073709551617", "18446744073709551617.5"),
        (json!({"type": "integer"}), "3.00", "1e-400"),
        (json!({"maximum": 18446744073709551615_u64}), "18446744073709551614", "18446744073709551616"),
        (json!({"exclusiveMinimum": 0}), "1e-300", "1e-400"),
        (json!({"maximum": 0.1}), "0.10", "0.1000000000000000000001"),
        (json!({"multipleOf": 2}), "9007199254740994", "9007199254740993.0"),
        (
            json!({"anyOf": [{"type": "string"}, {"enum": [9007199254740992_u64]}]}),
            "9007199254740992.0",
            "9007199254740992.3",
        ),
    ] {
        judged(schema.clone(), fits).unwrap();
        let told = judged(schema.clone(), refused).unwrap_err().to_string();
        assert!(told.starts_with("at /n: "), "{schema} {told}");
    }
    let told = judged(json!({"type": "integer"}), "18446744073709551617.5").unwrap_err().to_string();
    assert!(told.contains("more digits than `type` can be judged by"), "{told}");
}

#[test]
fn a_rule_for_another_place_refuses_no_number() {
    let schema = json!({
        "properties": {"id": {"type": "integer"}, "list": {"prefixItems": [{"$ref": "#/$defs/N"}, true], "items": true}},
        "$defs": {"N": {"type": "integer"}},
    });
    let schema = Schema::compile(&schema.to_string()).unwrap();
    schema.validate_json(&read(r#"{"wei":12345678901234567.89,"list":[1,12345678901234567.89]}"#)).unwrap();
    let told = schema.validate_json(&read(r#"{"list":[4503599627370496.2500001]}"#)).unwrap_err().to_string();
    assert!(told.contains("/list/0"), "{told}");
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
}

proptest! {
    #[test]
    fn any_numbers_in_any_place_leave_as_they_came(numbers in prop::collection::vec(number(), 1..8), deep in 0_usize..4) {
        let list = format!("[{}]", numbers.join(","));
        let text = (0..deep).fold(list, |text, n| format!(r#"{{"a{n}":{text},"b":[true,null,"1.0"]}}"#));
        let json: Json = text.parse().unwrap();
        prop_assert_eq!(json.to_string(), text.clone());
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(json.value(), &value);
    }
}
