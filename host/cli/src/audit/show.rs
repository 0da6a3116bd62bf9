//! `portcullis audit show`: one record as it stands, or all that is recorded of a call.

use portcullis_runtime::{
    DenialWords, Record,
    ledger::{Kind, Line, Reader},
    printable,
    store::Store,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    audit::{
        arguments::Show,
        find::{Found, find},
        list::stand_out,
        open::{Opened, reading},
        row::second,
        story::{payload, quoted},
        words::{self, Said},
    },
    exit::{Code, DONE, Usage},
    look,
};

pub(super) async fn run(arguments: &Arguments, wanted: &Show) -> anyhow::Result<Code> {
    let workspace = &wanted.workspace.workspace;
    let look =
        async |opened: &Opened| look_up(opened.store().as_ref(), &opened.reader(), workspace, &wanted.what).await;
    let found = reading(arguments, look).await?;
    match found {
        Shown::One { line, record, beside } if arguments.json => {
            look::print_json(&json!({ "hash": line.hash(), "records": [*record], "words": beside }));
        }
        Shown::One { line, record, beside } => one(&line, &record, &beside),
        Shown::All(records, said) if arguments.json => look::print_json(&json!({ "records": records, "words": said })),
        Shown::All(records, said) => all(&records, &said),
    }
    Ok(DONE)
}

enum Shown {
    /// A record as it stands in the chain, and what stands beside it.
    One { line: Line, record: Box<Record>, beside: Beside },
    /// A call's records with their words.
    All(Vec<Record>, Said),
}

/// The words of one record.
#[derive(Default, Serialize)]
struct Beside {
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<DenialWords>,
    #[serde(flatten)]
    said: Said,
}

async fn look_up(store: &dyn Store, reader: &Reader, workspace: &str, text: &str) -> anyhow::Result<Shown> {
    match find(reader, workspace, text).await? {
        Found::Record(seq) => match reader.get(workspace, seq).await? {
            Some((line, record)) => {
                let beside = beside(store, reader, &record).await?;
                Ok(Shown::One { line, record: Box::new(record), beside })
            }
            None => Err(Usage(format!("there is no record {seq}")).into()),
        },
        Found::Call(call) => {
            let mut records = reader.call(workspace, call).await?;
            if records.is_empty() {
                let told = printable(workspace, 128);
                let how = "`portcullis audit list` shows the calls";
                return Err(Usage(format!("`{told}` has no records of the call {call}; {how}")).into());
            }
            let said = words::put_back(store, reader, (workspace, call), &mut records).await?;
            Ok(Shown::All(records, said))
        }
    }
}

/// What is kept of the words of one record, which stand beside its call's outcome.
async fn beside(store: &dyn Store, reader: &Reader, record: &Record) -> anyhow::Result<Beside> {
    let speaks = record.denial.is_some() || record.outside_words.is_some();
    let Some(call) = record.call.filter(|_| speaks) else { return Ok(Beside::default()) };
    let mut records = reader.call(&record.workspace, call).await?;
    let said = words::put_back(store, reader, (&record.workspace, call), &mut records).await?;
    let with = records.into_iter().find(|with| with.seq == record.seq && with != record);
    let denial = with.and_then(|with| with.denial).map(|denial| denial.split().1);
    let failure = said.failure.filter(|_| record.outside_words.is_some());
    Ok(Beside { denial, said: Said { failure, ..said } })
}

/// Every field of a record that it has, by name.
fn one(line: &Line, record: &Record, beside: &Beside) {
    let value = serde_json::to_value(record).unwrap_or_default();
    let mut rows = vec![("hash".to_owned(), line.hash().to_string())];
    fields("", &value, &mut rows);
    anstream::println!(
        "{}",
        look::heading(&format!("Record {} of {}", record.seq, quoted(&record.workspace))).trim_start()
    );
    anstream::println!("{}", stand_out(&look::pairs(&rows)));
    let mut rows = Vec::new();
    fields("", &serde_json::to_value(beside).unwrap_or_default(), &mut rows);
    if !rows.is_empty() {
        anstream::println!("{}\n{}", look::heading("Words, kept beside the chain"), look::pairs(&rows));
    }
    if let Some(call) = record.call {
        anstream::println!("\nAll records of its call:  portcullis audit show {call}");
        anstream::println!("Its story in words:       portcullis audit why {call}");
    }
}

/// Names and values; what is within others has a path for a name.
fn fields(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let path = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(member, value)| fields(&path(member), value, rows)),
        Value::Array(items) if items.iter().any(|item| !item.is_string()) => {
            items.iter().zip(1..).for_each(|(item, number)| fields(&path(&number.to_string()), item, rows));
        }
        Value::Array(items) => {
            let all: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            rows.push((name.to_owned(), printable(&all.join(", "), 2_000)));
        }
        Value::String(text) => rows.push((name.to_owned(), look::lines(text.trim_end()))),
        value => rows.push((name.to_owned(), value.to_string())),
    }
}

/// A call from its intent to its outcome.
fn all(records: &[Record], said: &Said) {
    let Some(first) = records.first() else { return };
    let outcome = records.iter().rev().find(|record| record.kind == Kind::Outcome);
    let text = |value: &Option<String>| value.as_deref().map(|text| printable(text, 200));
    let call = first.call.map(|call| call.to_string()).unwrap_or_default();
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push((name.to_owned(), value));
        }
    };
    row("call", Some(call.clone()));
    row("workspace", Some(printable(&first.workspace, 128)));
    row(
        "integration",
        text(&first.integration).map(|name| match first.integration_version {
            Some(version) => format!("{name}, version {version}"),
            None => name,
        }),
    );
    row("operation", text(&first.operation));
    row(
        "mode",
        first.mode.map(|mode| if mode == portcullis_runtime::Mode::Live { "live" } else { "sandbox" }.to_owned()),
    );
    if let Some(caller) = &first.caller {
        let known = caller.known_by.map(|how| format!(" (known by: {})", how.as_str())).unwrap_or_default();
        row("asked by", Some(format!("{}{known}", printable(&caller.principal, 200))));
        row("agent", text(&caller.agent));
        row("workflow", text(&caller.workflow));
        row("step", text(&caller.step));
        row("run", text(&caller.run));
    }
    row("adapter", text(&first.adapter));
    row("grant", text(&first.grant));
    row("granted by", text(&first.grantor));
    let cost: Vec<String> = first.cost.iter().map(|(name, value)| format!("{name}={value}")).collect();
    row("cost", Some(printable(&cost.join(", "), 300)).filter(|cost| !cost.is_empty()));
    row("input", records.iter().find_map(|record| record.input.as_ref()).map(payload));
    row("output", outcome.and_then(|outcome| outcome.output.as_ref()).map(payload));
    let ended = outcome.map(|outcome| {
        let status = outcome.status.map_or("unknown", portcullis_runtime::Status::as_str);
        let status = if status == "unknown" { super::row::UNKNOWN } else { status };
        let code = outcome.error.as_deref().filter(|error| !error.eq_ignore_ascii_case(status));
        code.map_or_else(|| status.to_owned(), |code| format!("{status} ({})", printable(code, 64)))
    });
    row("ended", Some(ended.unwrap_or_else(|| "not yet".to_owned())));
    let failure = said.failure.as_ref();
    row("failure", failure.map(|said| format!("{}: {}", printable(&said.code, 128), printable(&said.message, 600))));
    row("words", said.gone.as_ref().map(|why| format!("they {}", printable(why, 300))));
    anstream::println!("{}", stand_out(&look::pairs(&rows)));
    let steps = records.iter().map(|record| {
        let what = match (&record.denial, record.kind) {
            (Some(denial), _) => format!("{}: {}", denial.rule, printable(&denial.told(), 600)),
            (None, Kind::Outcome) => record.status.map_or("", portcullis_runtime::Status::as_str).to_owned(),
            _ => record.change.as_ref().map(|change| printable(&change.action, 64)).unwrap_or_default(),
        };
        vec![second(record.time), record.seq.to_string(), record.kind.as_str().to_owned(), what]
    });
    anstream::println!("{}\n{}", look::heading("Records"), look::table(&["time (UTC)", "seq", "kind", ""], steps));
    let Some(outcome) = outcome else { return };
    if !outcome.exchanges.is_empty() {
        let rows = outcome.exchanges.iter().map(|exchange| {
            let status = exchange.status.map(|status| status.to_string());
            let error = exchange.error.as_deref().map(|error| printable(error, 64));
            let slots = exchange.slots.iter().map(|slot| printable(slot, 64)).collect::<Vec<_>>().join(", ");
            vec![
                exchange.attempt.to_string(),
                status.or(error).unwrap_or_else(|| "-".to_owned()),
                look::micros(exchange.duration_us),
                if slots.is_empty() { "-".to_owned() } else { slots },
                format!("{} {}", exchange.method, printable(&exchange.template, 300)),
            ]
        });
        let header = ["try", "status", "took", "slots", "request"];
        anstream::println!("{}\n{}", look::heading("Requests that passed the gate"), look::table(&header, rows));
    }
    if let Some(receipt) = &outcome.receipt {
        anstream::println!("{}\n{}", look::heading("Receipt"), look::receipt(receipt, "passed the gate"));
    }
    anstream::println!("\nIts story in words:  portcullis audit why {call}");
}
