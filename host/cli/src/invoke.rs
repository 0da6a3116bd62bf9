//! `portcullis invoke`: one call under a grant.

use std::sync::Arc;

use anyhow::Context;
use portcullis_runtime::{
    Body, Call, CallError, Caller, Descriptor, MemoryVault, NewIntegration, Outcome, Secret, Source, WouldSend,
    printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Invoke},
    exit::{self, Code, DONE, Usage},
    ledger::Kept,
    look,
    read::{integration_name, load, read_ceiling, read_grant, read_json, read_retention, start_keeping},
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Invoke) -> anyhow::Result<Code> {
    let grant = read_grant(&wanted.grant)?;
    let ceiling = read_ceiling(wanted.ceiling.as_deref())?;
    let retention = read_retention(wanted.retention.as_deref())?;
    let config = read_json("config", &wanted.config)?;
    let input = read_json("input", &wanted.input)?;
    let credentials = read_credentials(wanted)?;

    let kept = Kept::open(arguments).await?;
    let runtime = start_keeping(arguments, kept.ledger.clone(), ceiling, retention)?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let caller = Caller::principal(&wanted.principal);
    let vault = Arc::new(MemoryVault::new());
    let name = integration_name(wanted.integration.as_ref(), &wanted.adapter);
    let integration = runtime
        .integrate(
            NewIntegration::new("local", name, adapter, grant)
                .config(config)
                .vault(vault.clone())
                .granted_by(caller.clone()),
        )
        .await?;

    fill(&vault, credentials, integration.descriptor())?;

    let mut call = Call::new(caller, &wanted.operation, input).mode(wanted.mode.into()).seed(wanted.seed);
    if let Some(key) = &wanted.idempotency_key {
        call = call.idempotency_key(key);
    }
    let outcome = integration.call(call).await;
    drop((integration, runtime));
    kept.close().await;
    if arguments.json {
        look::print_json(&as_json(&outcome));
    } else {
        print(&outcome);
    }
    Ok(outcome.result.as_ref().err().map_or(DONE, exit::of_call))
}

/// Reads the secrets. What was written is never repeated: it may be a secret that should not be there.
fn read_credentials(wanted: &Invoke) -> anyhow::Result<Vec<(String, Secret)>> {
    let mut credentials: Vec<(String, Secret)> = Vec::new();
    for text in &wanted.credentials {
        let how = "write SLOT=env:NAME, SLOT=file:PATH, or SLOT=- for standard input; a secret itself does not belong on a \
                   command line";
        let (slot, source) = text.split_once('=').ok_or_else(|| Usage(format!("--credential: {how}")))?;
        let source: Source = source.parse().map_err(|_| Usage(format!("--credential for the slot `{slot}`: {how}")))?;
        if wanted.input == "-" && source == Source::Stdin {
            return Err(Usage("input and a credential cannot both come from standard input".to_owned()).into());
        }
        if credentials.iter().any(|(known, _)| known == slot) {
            return Err(Usage(format!("--credential: the slot `{slot}` is given twice")).into());
        }
        credentials.push((slot.to_owned(), source.read().with_context(|| format!("the credential `{slot}`"))?));
    }
    Ok(credentials)
}

/// Puts the secrets into the vault, each in a slot that the adapter declares.
fn fill(vault: &MemoryVault, credentials: Vec<(String, Secret)>, descriptor: &Descriptor) -> anyhow::Result<()> {
    for (slot, secret) in credentials {
        if descriptor.slot(&slot).is_none() {
            let slots: Vec<&str> = descriptor.slots.iter().map(|slot| slot.name.as_str()).collect();
            let slots = if slots.is_empty() { "none".to_owned() } else { slots.join(", ") };
            return Err(Usage(format!("--credential: the adapter has no slot `{slot}`; its slots: {slots}")).into());
        }
        vault.put(slot, secret);
    }
    Ok(())
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
fn print(outcome: &Outcome) {
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
            message += "; give one with --credential SLOT=env:NAME or SLOT=file:PATH";
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
