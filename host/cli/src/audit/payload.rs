//! `portcullis audit payload`: what is kept of a call's input and output, or why nothing is shown.

use std::collections::BTreeMap;

use clap::Args;
use portcullis_runtime::{
    Clock, Json, Record, SystemClock,
    ledger::{Found, Kept, Kind, Payload as Recorded, Side, read_payload},
    printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    audit::{
        find::{Found as Which, find},
        open::{Opened, reading},
    },
    exit::{Code, DONE, OTHER, Usage},
    look,
};

#[derive(Debug, Args)]
pub(crate) struct Payload {
    /// The call's id, or the beginning or end of it; or the number of a record of it.
    #[arg(value_name = "CALL")]
    call: String,

    /// The workspace.
    #[arg(long, default_value = "local", value_name = "NAME")]
    workspace: String,
}

pub(crate) async fn run(arguments: &Arguments, wanted: &Payload) -> anyhow::Result<Code> {
    let sides = reading(arguments, async |opened| show(opened, &wanted.workspace, &wanted.call).await).await?;
    if arguments.json {
        let told: BTreeMap<String, _> = sides.iter().map(|side| (side.side.to_string(), side.as_json())).collect();
        look::print_json(&told);
    } else {
        sides.iter().for_each(Shown::print);
    }
    let damaged = sides.iter().any(|side| matches!(side.found, Found::Damaged { .. }));
    Ok(if damaged { OTHER } else { DONE })
}

/// What there is of one side.
struct Shown {
    side: Side,
    payload: Recorded,
    found: Found,
    /// The record that tells of its erasure.
    erasure: Option<Record>,
}

async fn show(opened: &Opened, workspace: &str, text: &str) -> anyhow::Result<Vec<Shown>> {
    let (store, reader) = (opened.store(), opened.reader());
    let call = match find(&reader, workspace, text).await? {
        Which::Call(call) => Some(call),
        Which::Record(seq) => reader.get(workspace, seq).await?.and_then(|(_, record)| record.call),
    };
    let Some(call) = call else { return Err(Usage(format!("record {text} is about no call")).into()) };
    let records = reader.call(workspace, call).await?;
    if records.is_empty() {
        let workspace = printable(workspace, 128);
        return Err(Usage(format!("`{workspace}` has no records of the call {call}")).into());
    }
    // Never by a time before the newest record: a clock that was set back brings nothing back.
    let newest = reader.chain(workspace).await?.map(|chain| chain.time);
    let now = newest.map_or(SystemClock.now(), |newest| newest.max(SystemClock.now()));
    let erasure = records.iter().rfind(|record| record.kind == Kind::Erasure);
    let mut sides = Vec::new();
    for side in Side::ALL {
        let of = |record: &Record| match side {
            Side::Input => record.input.clone(),
            Side::Output => record.output.clone(),
            Side::Words => record.outside_words.clone(),
        };
        let Some(payload) = records.iter().find_map(of) else { continue };
        let at = (workspace, call, side);
        let found = read_payload(store.as_ref(), at, &payload, now).await?;
        // Who has the disk can write that something was erased; only the chain says who had it erased.
        let (found, erasure) = match (found, erasure) {
            (Found::Erased { at }, None) => {
                let what = format!("it says that it was erased at {at}, and no record tells of that");
                (Found::Damaged { what }, None)
            }
            (found @ Found::Erased { .. }, Some(erasure)) => (found, Some(erasure.clone())),
            (found, _) => (found, None),
        };
        sides.push(Shown { side, payload, found, erasure });
    }
    Ok(sides)
}

impl Shown {
    fn as_json(&self) -> BTreeMap<&'static str, Json> {
        let mut shown = BTreeMap::from([("payload", json!(self.payload).into())]);
        let mut put = |name, value: Value| shown.insert(name, value.into());
        match &self.found {
            Found::Kept(stored) => {
                put("state", json!("kept"));
                put("expires", json!(stored.expires.map(|at| at.to_string())));
                shown.insert("value", stored.text.parse().unwrap_or_default());
            }
            Found::NeverKept => drop(put("state", json!("never_kept"))),
            Found::Erased { at } => {
                put("state", json!("erased"));
                put("at", json!(at.to_string()));
                put("record", json!(self.erasure));
            }
            Found::Expired { at } => {
                put("state", json!("expired"));
                put("at", json!(at.to_string()));
            }
            Found::Damaged { what } => {
                put("state", json!("damaged"));
                put("what", json!(what));
            }
        }
        shown
    }

    fn print(&self) {
        let heading = look::heading(match self.side {
            Side::Input => "Input",
            Side::Output => "Output",
            Side::Words => "Words of refusals and failures",
        });
        anstream::println!("{heading}");
        match &self.found {
            Found::Kept(stored) => {
                let value: Json = stored.text.parse().unwrap_or_default();
                anstream::println!("{}", look::json_text(&value));
                if stored.kept == Kept::Redacted {
                    let places: Vec<String> = self.payload.redacted.iter().map(|place| printable(place, 200)).collect();
                    let places = if places.is_empty() { "nothing".to_owned() } else { places.join(", ") };
                    anstream::println!("  redacted  {places}");
                }
                match stored.expires {
                    Some(at) => anstream::println!("  kept      until {at}"),
                    None => anstream::println!("  kept      until it is erased"),
                }
            }
            Found::NeverKept => anstream::println!("  Nothing was kept of it."),
            Found::Erased { at } => {
                anstream::println!("  It was erased at {at}.");
                if let Some(record) = &self.erasure {
                    let by = record.caller.as_ref().map_or("", |caller| caller.principal.as_str());
                    let details = record.change.as_ref().map(|change| &change.details);
                    let reason = details.and_then(|details| details.get("reason")).map_or("", String::as_str);
                    anstream::println!(
                        "  By {}, record {}: {}",
                        printable(by, 200),
                        record.seq,
                        printable(reason, 1_000)
                    );
                }
            }
            Found::Expired { at } => {
                let told = format!("It was to be kept until {at}; `portcullis audit erase --expired` takes it away.");
                anstream::println!("{}", look::wrapped(&told, 2));
            }
            Found::Damaged { what } => anstream::println!("  It is damaged: {}.", printable(what, 400)),
        }
    }
}
