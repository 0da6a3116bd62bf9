use serde::Deserialize;

use super::*;
use crate::json;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn numbers_leave_as_they_came() {
    for number in [
        "0",
        "-0",
        "1.0",
        "1.10",
        "1e5",
        "-1.5E-7",
        "18446744073709551615",
        "18446744073709551617",
        "12345678901234567.89",
        "123456789012345678",
        "1e-400",
        "1234567890123456789012345678901234567890",
    ] {
        for text in [number.to_owned(), format!(r#"{{"a":[1,{number}],"b":{{"c":{number}}}}}"#)] {
            assert_eq!(read(&text).to_string(), text);
            assert_eq!(serde_json::from_slice::<Value>(text.as_bytes()).unwrap().to_string(), text);
            assert_eq!(json!({"in": [read(&text)]}).to_string(), format!(r#"{{"in":[{text}]}}"#));
        }
    }
    assert_eq!(
        read(" { \"a\" : [ 1.10 , true , null ,\n\"x\\n\\u00e9,:\" ] } ").to_string(),
        r#"{"a":[1.10,true,null,"x\né,:"]}"#
    );
}

#[test]
fn a_number_is_what_it_is_worth_however_it_is_written() {
    for [one, other] in [["1", "1.0"], ["3e2", "300"], ["0", "-0.0"], ["0.10", "1e-1"], ["-5", "-50e-1"]] {
        assert_eq!(read(one), read(other), "{one} {other}");
    }
    assert_ne!(read("18446744073709551617"), read("18446744073709551618"));
    for (text, integer) in [
        ("3.0", Some("3")),
        ("-0", Some("0")),
        ("1e3", Some("1000")),
        ("-12.50e1", Some("-125")),
        ("3.5", None),
        ("1e99", None),
        ("1e-3", None),
        ("18446744073709551617.0", Some("18446744073709551617")),
    ] {
        assert_eq!(Number::parse(text).unwrap().integer().as_deref(), integer, "{text}");
    }
    let rising =
        ["-1e300", "-2", "-1.5", "0", "0.1", "2", "10", "18446744073709551616", "18446744073709551617", "1e300"];
    let numbers: Vec<Number> = rising.iter().map(|text| Number::parse(text).unwrap()).collect();
    assert!(numbers.is_sorted() && Number::parse("\"1\"").is_none() && Number::parse("1 2").is_none());
    assert_eq!((read("3.0").as_u64(), read("3.5").as_i64(), read("-1").as_u64()), (Some(3), None, None));
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let error = |text: &str| serde_json::from_str::<Value>(text).unwrap_err().to_string();
    assert!(error(r#"{"a/b":[0,1E400]}"#).starts_with("a number that is beyond -1.7e308 to 1.7e308 at /a~1b/1"));
    let told = error(r#"{"a":["\ud800x"]}"#);
    assert!(told.starts_with("half of a character (an unpaired surrogate") && told.contains("at /a/0"), "{told}");
    assert!(error(&format!("{}{}", "[".repeat(200), "]".repeat(200))).contains("127 levels"));
    for text in ["", "{", "[1,]", "{\"a\" 1}", "01", "1.", "tru", "\"\t\"", "[1 2]"] {
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn members_and_items_are_found_by_pointers() {
    let mut value = read(r#"{"a/b":{"~":[{"c":1}]},"":2}"#);
    assert_eq!(value.pointer("/a~1b/~0/0/c").unwrap(), &json!(1));
    assert_eq!((value.pointer("/").unwrap(), value.pointer("").unwrap().is_object()), (&json!(2), true));
    for none in ["a", "/a~1b/~0/00", "/a~1b/~0/1", "/a~1b/~0/+0", "//"] {
        assert!(value.pointer(none).is_none(), "{none}");
    }
    assert_eq!(value.pointer_mut("/a~1b/~0/0/c").map(Value::take), Some(json!(1)));
    assert!(value["a/b"]["~"][0]["c"].is_null() && value["x"][7].is_null());
}

#[test]
fn a_value_is_read_where_serde_has_no_text_too() {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(flatten)]
        rest: Map,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        #[allow(dead_code)]
        Number(u8),
        Any(Value),
    }

    let whole: Whole = serde_json::from_str(r#"{"a":[1.5,{"b":null}],"c":-3}"#).unwrap();
    assert_eq!(Value::Object(whole.rest).to_string(), r#"{"a":[1.5,{"b":null}],"c":-3}"#);
    let Either::Any(value) = serde_json::from_str(r#"{"a":true}"#).unwrap() else { panic!() };
    assert_eq!(value, json!({"a": true}));
}

#[test]
fn integers_with_a_point_become_digits_and_nothing_else_changes() {
    let of = |text: &str| with_integers(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
    assert_eq!(
        of(r#"{"1.0":3.0,"a":[1e2,-2.50e1,1.5,7],"b":"4.0\"5.0"}"#).unwrap(),
        r#"{"1.0":3,"a":[100,-25,1.5,7],"b":"4.0\"5.0"}"#
    );
    assert_eq!((of(r#"{"a":[1,2.5,"3.0"]}"#), of("1e999"), of("")), (None, None, None));
}

#[test]
fn json_is_made_of_expressions() {
    let (name, list) = ("k", vec![1, 2]);
    let value = json!({
        "a": null, name: [true, list, {"x": -1.5}, [], {}], (format!("{name}2")): if list.is_empty() { 1 } else { 2 }, "n": u64::MAX,
    });
    assert_eq!(value.to_string(), r#"{"a":null,"k":[true,[1,2],{"x":-1.5},[],{}],"k2":2,"n":18446744073709551615}"#);
}

#[test]
fn text_without_an_end_to_its_depth_is_refused_at_its_first_levels() {
    let refused =
        |text: &str| from_text::<Value>(text.as_bytes()).is_err_and(|error| error.to_string().contains("127 levels"));
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(refused(&"[".repeat(1_000)) && refused(&lists(128)) && refused(&r#"{"a":"#.repeat(200)));
    assert!(!refused(&lists(127)) && from_text::<Value>(lists(127).as_bytes()).is_ok());
    assert!(from_text::<Value>(format!(r#"["{}\"[[",{}1]"#, "[".repeat(300), "[1],".repeat(300)).as_bytes()).is_ok());
}
