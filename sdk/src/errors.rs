//! A provider's error form as stable failures.

use crate::{Value, json};

use crate::{Failure, Response, misread, value};

/// Where in a provider's answers it says what went wrong. A constant; all of it is data.
///
/// The failure's code is `PROVIDER.CODE` with the code in lower case and everything but letters and digits as `-`; where
/// the answer has no code at any of the places, `http.STATUS` ([`Failure::from_status`]) with the message that is there. Details: `status` and `error`, the
/// member that the code stands in. Retryable are the statuses of [`Failure::is_retryable_status`] and the codes listed.
///
/// ```
/// use portcullis_sdk::{Errors, prelude::*};
///
/// // {"error": {"code": "resource_missing", "message": "No such customer"}} is `stripe.resource-missing`
/// const ERRORS: Errors = Errors::new("stripe", &["/error/code", "/error/type"]).message("/error/message");
///
/// fn error(response: &Response) -> Failure {
///     ERRORS.failure(response)
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Errors<'a> {
    /// The first part of codes.
    pub provider: &'a str,
    /// Where the code is (JSON Pointers, RFC 6901), the first that is there.
    pub codes: &'a [&'a str],
    /// Where the message for a person is: a text, or with `*` for each item of a list, several: `/errors/*/message`.
    pub message: Option<&'a str>,
    /// The provider's codes, as it writes them, that say "not now".
    pub retryable: &'a [&'a str],
}

/// Longest code, in bytes, as the contract has it.
const MAX_CODE: usize = 128;

impl<'a> Errors<'a> {
    /// Codes at the first of these places that holds a text or a number.
    #[must_use]
    pub const fn new(provider: &'a str, codes: &'a [&'a str]) -> Self {
        Self { provider, codes, message: None, retryable: &[] }
    }

    /// The message for a person is here. A `*` stands for each item of a list, or each member of an object, and the message has a
    /// line of each: `/errors/*/message`. Of lists and objects at the place itself, each text is a line with its name.
    #[must_use]
    pub const fn message(mut self, pointer: &'a str) -> Self {
        self.message = Some(pointer);
        self
    }

    /// These of the provider's codes say "not now", whatever the status.
    #[must_use]
    pub const fn retryable(mut self, codes: &'a [&'a str]) -> Self {
        self.retryable = codes;
        self
    }

    /// What this answer means.
    #[must_use]
    pub fn failure(&self, response: &Response) -> Failure {
        let Ok(body) = value::from_text::<Value>(misread::without_mark(&response.body)) else {
            return Failure::from_status(response);
        };
        let found = self.codes.iter().find_map(|pointer| Some((*pointer, text(body.pointer(pointer)?)?)));
        let said = self.message.and_then(|pointer| lines(&body, pointer));
        let Some((pointer, code)) = found else {
            let failure = Failure::from_status(response);
            return Failure { message: said.unwrap_or(failure.message), ..failure };
        };
        let status = response.status;
        let message = said.unwrap_or_else(|| format!("{} answered with `{code}`, status {status}", self.provider));
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        Failure::new(self.code(&code), message)
            .retryable(Failure::is_retryable_status(status) || self.retryable.contains(&code.as_str()))
            .details(json!({"status": status, "error": body.pointer(parent)}))
    }

    /// `PROVIDER.CODE` for a code as the provider writes it.
    #[must_use]
    pub fn code(&self, code: &str) -> String {
        let mut full = format!("{}.", self.provider);
        for c in code.chars() {
            if full.len() == MAX_CODE {
                break;
            }
            full.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        }
        full
    }
}

/// Most lines of a message.
const MAX_LINES: usize = 20;

/// The texts at this place, each a line; none where there are none.
fn lines(body: &Value, pointer: &str) -> Option<String> {
    let mut found = Vec::new();
    gather(body, pointer, "", &mut found);
    let more = found.len().saturating_sub(MAX_LINES);
    found.truncate(MAX_LINES);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

/// Adds what stands at `pointer`, in which `*` is any item or member. `name` is the member that it stands under.
fn gather(value: &Value, pointer: &str, name: &str, found: &mut Vec<String>) {
    if let Some((before, after)) = pointer.split_once("/*") {
        match value.pointer(before) {
            Some(Value::Array(items)) => items.iter().for_each(|item| gather(item, after, name, found)),
            Some(Value::Object(members)) => {
                members.iter().for_each(|(name, member)| gather(member, after, name, found))
            }
            _ => {}
        }
        return;
    }
    let named = |text: String| if name.is_empty() { text } else { format!("{name}: {text}") };
    match value.pointer(pointer) {
        Some(Value::Array(items)) => {
            found.extend(items.iter().filter_map(text).map(named));
        }
        Some(Value::Object(members)) => {
            found.extend(members.iter().filter_map(|(name, member)| Some(format!("{name}: {}", text(member)?))));
        }
        Some(one) => found.extend(text(one).map(named)),
        None => {}
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS: Errors =
        Errors::new("acme", &["/error/code", "/error/type"]).message("/error/message").retryable(&["busy"]);

    fn of(status: u16, body: Value) -> Failure {
        ERRORS.failure(&Response::with_json(status, &body))
    }

    #[test]
    fn the_first_code_that_is_there_counts() {
        let error = json!({"code": "Card_Declined", "type": "card", "message": "no"});
        let failure = of(402, json!({"error": error}));
        assert_eq!(
            (failure.code.as_ref(), failure.message.as_str(), failure.retryable),
            ("acme.card-declined", "no", false)
        );
        assert_eq!(failure.details, Some(json!({"status": 402, "error": error})));
        let failure = of(400, json!({"error": {"code": null, "type": 42}}));
        assert_eq!(
            (failure.code.as_ref(), failure.message.as_str()),
            ("acme.42", "acme answered with `42`, status 400")
        );
    }

    #[test]
    fn a_message_without_a_code_is_told() {
        let failure = of(400, json!({"error": {"message": "no subject"}}));
        assert_eq!((failure.code.as_ref(), failure.message.as_str()), ("http.400", "no subject"));
    }

    #[test]
    fn not_now_is_a_status_or_a_code() {
        assert!(of(400, json!({"error": {"code": "busy"}})).retryable);
        assert!(of(429, json!({"error": {"code": "slow"}})).retryable);
        assert!(!of(400, json!({"error": {"code": "slow"}})).retryable);
    }

    #[test]
    fn another_form_keeps_its_status_and_codes_have_an_end() {
        for body in [json!({}), json!([1]), json!({"error": "x"}), json!({"error": {"code": ""}})] {
            assert_eq!(of(500, body).code, "http.500");
        }
        let html = Response { status: 502, url: String::new(), headers: Vec::new(), body: b"<html>".to_vec() };
        assert_eq!(ERRORS.failure(&html).code, "http.502");
        assert_eq!(of(400, json!({"error": {"code": "\u{e9}".repeat(500)}})).code.len(), MAX_CODE);
    }

    #[test]
    fn each_of_several_errors_has_a_line() {
        let said = |pointer, body: Value| {
            let body = Response::with_json(422, &body);
            Errors::new("acme", &["/code"]).message(pointer).failure(&body).message
        };
        let listed = json!({"code": "invalid", "errors": [{"message": "no title"}, {"message": "no body"}, {}]});
        assert_eq!(said("/errors/*/message", listed), "no title; no body");
        let named = json!({"code": 3, "errors": {"title": ["is short", "is plain"], "body": ["is missing"]}});
        assert_eq!(said("/errors/*", named.clone()), "body: is missing; title: is short; title: is plain");
        assert_eq!(said("/errors", json!({"code": 3, "errors": {"title": "is short"}})), "title: is short");
        assert_eq!(said("/errors", json!({"code": 3, "errors": ["a", 7, null]})), "a; 7");
        assert!(
            said("/errors/*/x", json!({"code": 3, "errors": vec![json!({"x": "y"}); 30]})).ends_with("y; and 10 more")
        );
        assert_eq!(said("/nowhere/*", named), "acme answered with `3`, status 422");
    }
}
