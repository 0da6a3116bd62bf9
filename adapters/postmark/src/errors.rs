//! Postmark's error codes as stable failures (<https://postmarkapp.com/developer/api/overview#error-codes>).
//!
//! Postmark answers with `{"ErrorCode": …, "Message": …}`, mostly under status 422, and sometimes under 200.

use portcullis_sdk::prelude::*;

use crate::email::Sent;

#[model]
#[serde(rename_all = "PascalCase")]
struct Problem {
    error_code: i64,
    #[serde(default)]
    message: String,
}

/// What an answer that is no success means: `postmark.REASON`, or `http.STATUS` where it is not Postmark's form.
pub(crate) fn failure(response: &Response) -> Failure {
    match response.json::<Problem>() {
        Ok(problem) => known(response.status, problem.error_code, problem.message),
        Err(_) if response.status == 429 => known(429, 0, String::new()),
        Err(_) => Failure::from_status(response),
    }
}

/// A single email that Postmark answered 200 to and did not take is a failure all the same.
pub(crate) fn accepted(sent: Json<Sent>) -> Result<Json<Sent>, Failure> {
    match sent.pointer("/ErrorCode").as_ref().and_then(Value::as_i64) {
        Some(0) => Ok(sent),
        code => {
            let message = sent.pointer("/Message");
            let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
            Err(known(200, code.unwrap_or(-1), message.to_owned()))
        }
    }
}

fn known(status: u16, error_code: i64, message: String) -> Failure {
    let reason = if status == 429 { Some("rate-limited") } else { reason(error_code) };
    let failure = match reason {
        Some(reason) => Failure::new(format!("postmark.{reason}"), ""),
        None => Failure::new(format!("postmark.error-{error_code}"), ""),
    };
    let details = json!({"errorCode": error_code, "message": message, "status": status});
    // 100: maintenance. Everything else stays wrong until somebody changes the email, the token or the account.
    let retryable = Failure::is_retryable_status(status) || error_code == 100;
    let message = if message.is_empty() { format!("Postmark answered with status {status}") } else { message };
    Failure { message, ..failure }.retryable(retryable).details(details)
}

fn reason(error_code: i64) -> Option<&'static str> {
    Some(match error_code {
        10 => "bad-token",
        100 => "maintenance",
        300 => "invalid-email",
        400 => "sender-not-found",
        401 => "sender-not-confirmed",
        402 => "invalid-json",
        403 => "incompatible-json",
        405 => "not-allowed",
        406 => "inactive-recipient",
        409 => "json-required",
        410 => "too-many-messages",
        411 => "forbidden-attachment",
        412 => "account-pending",
        413 => "account-may-not-send",
        429 => "rate-limited",
        600 | 700 | 1000 | 1100 => "invalid-query",
        601 => "server-not-found",
        701 => "message-not-found",
        1001 => "bounce-not-found",
        1101 => "template-not-found",
        1109 | 1120 => "template-field-missing",
        1121 => "template-field-too-large",
        1122 | 1123 => "template-field-invalid",
        1125 => "template-invalid",
        1226 | 1235 => "message-stream-not-found",
        _ => return None,
    })
}
