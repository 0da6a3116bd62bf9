//! What to expect of a call, with a reason that can be read where it is not so.

use portcullis_runtime::{CallError, Outcome};
use serde_json::Value;

use crate::report::{Checked, Stop};

/// Most differences that are shown.
const DIFFERENCES: usize = 10;
/// Longest value that is shown, in characters.
const VALUE: usize = 200;

/// This holds, or else fails with these words.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(Stop::Failed(otherwise())) }
}

/// The output of a call that must have one.
pub(crate) fn done(outcome: &Outcome) -> Checked<&Value> {
    outcome
        .result
        .as_ref()
        .map(portcullis_runtime::Json::value)
        .map_err(|error| Stop::Failed(format!("no output: {}", told(error, outcome))))
}

/// The error of a call that must have failed with this code.
pub(crate) fn failed<'a>(outcome: &'a Outcome, code: &str) -> Checked<&'a CallError> {
    match &outcome.result {
        Ok(output) => Err(Stop::Failed(format!("expected `{code}`, and there is an output: {}", short(output)))),
        Err(error) if error.code() == code => Ok(error),
        Err(error) => {
            Err(Stop::Failed(format!("expected `{code}`, found `{}`: {}", error.code(), told(error, outcome))))
        }
    }
}

/// The statuses of a call's requests, in order.
pub(crate) fn statuses(outcome: &Outcome, expected: &[u16]) -> Checked {
    let found: Vec<Option<u16>> = outcome.exchanges.iter().map(|exchange| exchange.status).collect();
    holds(found.iter().copied().eq(expected.iter().copied().map(Some)), || {
        let why = outcome.result.as_ref().err().map(|error| format!(": {}", told(error, outcome))).unwrap_or_default();
        format!("expected the statuses {expected:?}, found {found:?}{why}")
    })
}

/// Two values are the same.
pub(crate) fn same(expected: &Value, found: &Value) -> Checked {
    compare(expected, found, true)
}

/// All that is in one value is in the other, which may have more fields.
pub(crate) fn within(expected: &Value, found: &Value) -> Checked {
    compare(expected, found, false)
}

fn compare(expected: &Value, found: &Value, exactly: bool) -> Checked {
    let mut lines = Vec::new();
    differences(expected, found, exactly, &mut String::new(), &mut lines);
    let more = lines.len().saturating_sub(DIFFERENCES);
    lines.truncate(DIFFERENCES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    holds(lines.is_empty(), || lines.join("\n"))
}

/// Where two values differ, a line for each place.
fn differences(expected: &Value, found: &Value, exactly: bool, at: &mut String, lines: &mut Vec<String>) {
    let here = at.len();
    let mut below = |name: &str, expected: Option<&Value>, found: Option<&Value>, lines: &mut Vec<String>| {
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        match (expected, found) {
            (Some(expected), Some(found)) => differences(expected, found, exactly, at, lines),
            (Some(expected), None) => lines.push(format!("{at}: expected {}, found nothing", short(expected))),
            (None, Some(found)) if exactly => lines.push(format!("{at}: expected nothing, found {}", short(found))),
            (None, _) => {}
        }
        at.truncate(here);
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().for_each(|(name, value)| below(name, Some(value), found.get(name), lines));
            let new = found.iter().filter(|(name, _)| !expected.contains_key(*name));
            new.for_each(|(name, value)| below(name, None, Some(value), lines));
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.for_each(|(i, (expected, found))| below(&i.to_string(), Some(expected), Some(found), lines));
        }
        (expected, found) if expected == found => {}
        (expected, found) => {
            let place = if at.is_empty() { "the value" } else { at };
            lines.push(format!("{place}: expected {}, found {}", short(expected), short(found)));
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > VALUE { text.chars().take(VALUE).chain(['…']).collect() } else { text }
}

/// An error with what the provider said, and what had been sent until then.
fn told(error: &CallError, outcome: &Outcome) -> String {
    let details = match error {
        CallError::Adapter { details: Some(details), .. } => format!(" {}", short(details)),
        _ => String::new(),
    };
    let sent: Vec<String> = outcome.exchanges.iter().map(|e| format!("{} {:?}", e.route, e.status)).collect();
    format!("{error}{details} (sent: {})", sent.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(result: Checked) -> String {
        match result {
            Err(Stop::Failed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn differences_are_told_by_their_place() {
        let expected = json!({"a": [1, {"b/c": "x"}], "d": null});
        assert_eq!(same(&expected, &expected), Ok(()));
        let found = json!({"a": [1, {"b/c": "y"}], "e": 1});
        let expected_lines =
            "/a/1/b~1c: expected \"x\", found \"y\"\n/d: expected null, found nothing\n/e: expected nothing, found 1";
        assert_eq!(lines(same(&expected, &found)), expected_lines);
        assert_eq!(lines(same(&json!([1]), &json!([1, 2]))), "the value: expected [1], found [1,2]");
    }

    #[test]
    fn more_fields_do_no_harm_where_only_some_are_expected() {
        assert_eq!(within(&json!({"a": 1}), &json!({"a": 1, "b": 2})), Ok(()));
        assert_eq!(lines(within(&json!({"a": 1}), &json!({"b": 2}))), "/a: expected 1, found nothing");
    }

    #[test]
    fn a_long_list_of_differences_is_cut_and_says_how_many_are_missing() {
        let many = |n: i64| (0..20).map(|i| (format!("{i:02}"), json!(n))).collect::<serde_json::Map<_, _>>();
        let told = lines(same(&many(1).into(), &many(2).into()));
        assert!(told.lines().count() == 11 && told.ends_with("and 10 more"), "{told}");
    }
}
