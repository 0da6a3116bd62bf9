//! How a call's outcome is told: the output alone on standard output, the rest beside it; or all of it as JSON.

use portcullis_runtime::{
    Body, CallError, CallId, CredentialProblem, Denial, Exchange, Integration, Journal, Json, Mode, Outcome, Receipt,
    WouldSend, ledger::Status, printable,
};
use serde::Serialize;

use crate::{
    arguments::{Arguments, CallOptions},
    exit::{self, Code, DONE},
    look,
    near::did_you_mean,
    read::read_document,
    sent, who,
};

/// Most lines of a failure's details that are shown to a person.
const MAX_DETAILS: usize = 40;

/// What may have been meant by an operation that there is not; empty where there is one of that name.
pub(crate) fn meant(integration: &Integration, operation: &str) -> String {
    let operations = &integration.descriptor().operations;
    if operations.iter().any(|known| known.name == operation) {
        return String::new();
    }
    did_you_mean(operation, operations.iter().map(|known| known.name.as_str()))
}

/// The call that these options ask for.
pub(crate) fn call(options: &CallOptions, operation: &str) -> anyhow::Result<portcullis_runtime::Call> {
    let caller = who::caller(options.principal.as_deref())?;
    let input = read_document("input", &options.input)?;
    let mode = if options.live { Mode::Live } else { options.mode.into() };
    let call = portcullis_runtime::Call::new(caller, operation, input).mode(mode).seed(options.seed);
    Ok(match &options.idempotency_key {
        Some(key) => call.idempotency_key(key),
        None => call,
    })
}

/// How a credential that cannot be used is given, in words that follow what is wrong with it.
pub(crate) type Hint<'a> = &'a dyn Fn(&CredentialProblem) -> Option<String>;

/// Tells it, and says with which code to exit.
pub(crate) fn tell(arguments: &Arguments, outcome: &Outcome, hint: Hint<'_>, meant: &str) -> Code {
    if arguments.json {
        look::print_json(&Told::of(outcome));
    } else {
        print(outcome, hint, meant);
    }
    outcome.result.as_ref().err().map_or(DONE, exit::of_call)
}

/// All that there is to say of a call, as one object.
#[derive(Serialize)]
struct Told<'o> {
    call: &'o CallId,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'o Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed<'o>>,
    receipt: &'o Receipt,
    would_send: &'o [WouldSend],
    exchanges: &'o [Exchange],
    denials: &'o [Denial],
    journal: &'o Journal,
}

#[derive(Serialize)]
struct Failed<'o> {
    status: Status,
    code: &'o str,
    message: String,
    details: Option<&'o Json>,
    retryable: Option<bool>,
    retry_after_ms: Option<u64>,
    may_have_been_carried_out: Vec<String>,
    allow_request: Option<&'o str>,
    allow_with: Option<String>,
}

impl<'o> Told<'o> {
    fn of(outcome: &'o Outcome) -> Self {
        Self {
            call: &outcome.call,
            output: outcome.result.as_ref().ok(),
            error: outcome.result.as_ref().err().map(|error| Failed::of(error, outcome)),
            receipt: &outcome.receipt,
            would_send: &outcome.would_send,
            exchanges: &outcome.exchanges,
            denials: &outcome.denials,
            journal: &outcome.journal,
        }
    }
}

impl<'o> Failed<'o> {
    fn of(error: &'o CallError, outcome: &'o Outcome) -> Self {
        let (details, retryable, retry_after_ms) = match error {
            CallError::Adapter { details, retryable, retry_after_ms, .. } => {
                (details.as_ref(), Some(*retryable), *retry_after_ms)
            }
            _ => (None, None, None),
        };
        Self {
            status: error.status(),
            code: error.code(),
            message: error.to_string(),
            details,
            retryable,
            retry_after_ms,
            may_have_been_carried_out: sent::open_changes(&outcome.exchanges).into_iter().map(sent::name).collect(),
            allow_request: error.allow_request(),
            allow_with: error.allow_with(),
        }
    }
}

/// The output alone goes to standard output, so that it can be piped on.
fn print(outcome: &Outcome, hint: Hint<'_>, meant: &str) {
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
        if let CallError::Credential(problem) = error {
            message += &hint(problem).unwrap_or_default();
        }
        message += meant;
        exit::tell(error.code(), &message, None);
        exit::tell_lines(error.allow_request(), error.allow_with().as_deref());
        if let CallError::Adapter { details: Some(details), .. } = error {
            let text = look::json_text(details);
            let lines: Vec<&str> = text.lines().collect();
            anstream::eprintln!("  details");
            for line in lines.iter().take(MAX_DETAILS) {
                anstream::eprintln!("  {line}");
            }
            if lines.len() > MAX_DETAILS {
                anstream::eprintln!("  … and {} lines more, with --json", lines.len() - MAX_DETAILS);
            }
        }
        if let Some(told) = sent::told(&outcome.exchanges) {
            anstream::eprintln!("{}\n{}", look::wrapped(&told, 2), look::wrapped(sent::LOOK, 2));
        } else if let CallError::Adapter { retryable: true, retry_after_ms, .. } = error {
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
