//! How a call's outcome is told: the output alone on standard output, the rest beside it; or all of it as JSON.

use portcullis_runtime::{Body, CallError, Outcome, WouldSend, printable};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, CallOptions},
    exit::{self, Code, DONE},
    look,
    read::read_json,
};

/// The call that these options ask for.
pub(crate) fn call(options: &CallOptions, operation: &str) -> anyhow::Result<portcullis_runtime::Call> {
    let caller = portcullis_runtime::Caller::principal(&options.principal);
    let input = read_json("input", &options.input)?;
    let call = portcullis_runtime::Call::new(caller, operation, input).mode(options.mode.into()).seed(options.seed);
    Ok(match &options.idempotency_key {
        Some(key) => call.idempotency_key(key),
        None => call,
    })
}

/// Tells it, and says with which code to exit. `hint` says how a credential is given.
pub(crate) fn tell(arguments: &Arguments, outcome: &Outcome, hint: &str) -> Code {
    if arguments.json {
        look::print_json(&as_json(outcome));
    } else {
        print(outcome, hint);
    }
    outcome.result.as_ref().err().map_or(DONE, exit::of_call)
}

fn as_json(outcome: &Outcome) -> Value {
    let mut value = json!({
        "call": outcome.call,
        "receipt": outcome.receipt,
        "would_send": outcome.would_send,
        "exchanges": outcome.exchanges,
        "denials": outcome.denials,
        "journal": outcome.journal,
    });
    let (key, told) = match &outcome.result {
        Ok(output) => ("output", output.clone()),
        Err(error) => {
            let (details, retryable, retry_after_ms) = match error {
                CallError::Adapter { details, retryable, retry_after_ms, .. } => {
                    (details.as_ref(), Some(*retryable), *retry_after_ms)
                }
                _ => (None, None, None),
            };
            let told = json!({
                "status": error.status(),
                "code": error.code(),
                "message": error.to_string(),
                "details": details,
                "retryable": retryable,
                "retry_after_ms": retry_after_ms,
                "allow_with": error.allow_with(),
            });
            ("error", told)
        }
    };
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), told);
    }
    value
}

/// The output alone goes to standard output, so that it can be piped on.
fn print(outcome: &Outcome, hint: &str) {
    for would in &outcome.would_send {
        anstream::eprintln!("{}\n{}", look::heading("would have sent"), http(would));
        // Not moved in: what is pasted must have no more spaces than were sent.
        anstream::eprintln!("{}\n{}", look::heading("the same, for a shell"), would.curl);
    }
    for line in &outcome.journal.lines {
        anstream::eprintln!("{} {}", line.source, printable(&line.text.replace('\t', " "), usize::MAX));
    }
    if outcome.journal.dropped_bytes > 0 {
        anstream::eprintln!("({} more bytes of log were dropped)", outcome.journal.dropped_bytes);
    }
    if let Ok(output) = &outcome.result {
        if !outcome.would_send.is_empty() {
            anstream::eprintln!("{}", look::heading("output, made up from the declared schemas"));
        }
        look::print_json(output);
    }
    // Where the call is denied as a whole, that is told below.
    if !outcome.denials.is_empty() && !matches!(outcome.result, Err(CallError::Denied(_))) {
        let rows = outcome.denials.iter().map(|denial| vec![denial.rule.clone(), printable(&denial.asked, 200)]);
        anstream::eprintln!("{}\n{}", look::heading("refused"), look::table(&["rule", "asked"], rows));
    }
    anstream::eprintln!("{}\n{}", look::heading("receipt"), receipt(outcome));
    if let Err(error) = &outcome.result {
        anstream::eprintln!();
        let mut message = error.to_string();
        if let CallError::Credential(_) = error {
            message += hint;
        }
        exit::tell(error.code(), &message, error.allow_with().as_deref());
        if let CallError::Adapter { retryable: true, retry_after_ms, .. } = error {
            let when = retry_after_ms.map_or_else(|| "later".to_owned(), |ms| format!("in {}", look::wait(ms)));
            anstream::eprintln!("  try again {when}");
        }
    }
}

/// A request as it would stand on the wire, the credential as its slot's name.
fn http(would: &WouldSend) -> String {
    let mut text = format!(" {} {}\n", would.method, would.url);
    for (name, value) in &would.headers {
        text += &format!(" {}: {}\n", printable(name, 200), printable(value, 2_000));
    }
    if let Some(body) = &would.body {
        let body = match body {
            Body::Json(value) => look::json_text(value),
            Body::Omitted(bytes) => format!("({bytes} bytes that are not shown)"),
            Body::Text(text) | Body::Base64(text) => {
                text.lines().map(|line| printable(line, 2_000)).collect::<Vec<_>>().join("\n")
            }
        };
        text += &format!("\n {}\n", body.replace('\n', "\n "));
    }
    text
}

fn receipt(outcome: &Outcome) -> String {
    let passed = if outcome.would_send.is_empty() { "passed the gate" } else { "would be sent" };
    let mut rows = look::receipt_rows(&outcome.receipt, passed);
    rows.insert(0, vec!["call".to_owned(), outcome.call.to_string()]);
    look::table(&[], rows)
}
