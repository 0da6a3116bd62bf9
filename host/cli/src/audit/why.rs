//! `portcullis audit why`: a call's story in words.

use portcullis_runtime::{
    CallId, Record,
    ledger::{Field, Kind, Query, Reader},
    printable,
    store::Store,
};
use serde_json::json;

use crate::{
    arguments::Arguments,
    audit::{
        arguments::Why,
        find::{Found, find},
        list::stand_out,
        open::{Opened, reading},
        row::{self, second},
        story::{self, Story},
        words::{self, Said},
    },
    exit::{Code, DONE, Usage},
    look,
};

pub(super) async fn run(arguments: &Arguments, wanted: &Why) -> anyhow::Result<Code> {
    let workspace = &wanted.workspace.workspace;
    let look =
        async |opened: &Opened| look_up(opened.store().as_ref(), &opened.reader(), workspace, &wanted.what).await;
    let found = reading(arguments, look).await?;
    match found {
        Told::Call { call, records, grant, said } => {
            let Some(story) = story::tell(&records, grant.as_ref(), &said) else {
                return Err(Usage(no_records(workspace, call)).into());
            };
            if arguments.json {
                let mut value = json!({ "call": call, "records": records, "grant_record": grant, "words": said });
                if let (Some(object), Ok(serde_json::Value::Object(story))) =
                    (value.as_object_mut(), serde_json::to_value(&story))
                {
                    object.extend(story);
                }
                look::print_json(&value);
            } else {
                print(call, &story);
            }
        }
        Told::Refusal(record) if arguments.json => {
            look::print_json(
                &json!({ "call": null, "refused": true, "because": [record.message], "records": [record] }),
            );
        }
        Told::Refusal(record) => {
            let adapter =
                record.adapter.as_deref().map_or_else(|| "an adapter".to_owned(), |digest| printable(digest, 100));
            let step = record.step.map_or("look at it", |step| match step.as_str() {
                "load" => "load it",
                "describe" => "describe itself",
                _ => "make an integration of it",
            });
            anstream::println!("{adapter} was refused before there was a call.");
            let when = format!("On {} UTC the host was to {step}, and did not:", second(record.time));
            anstream::println!("\n{}", look::wrapped(&when, 0));
            anstream::println!(
                "{}",
                look::wrapped(&printable(record.message.as_deref().unwrap_or("no reason is recorded"), 2_000), 2)
            );
        }
    }
    Ok(DONE)
}

/// What can be told.
enum Told {
    /// All records of a call with their words, and the one of its grant.
    Call { call: CallId, records: Vec<Record>, grant: Option<Record>, said: Said },
    /// Something was refused before there was a call.
    Refusal(Record),
}

async fn look_up(store: &dyn Store, reader: &Reader, workspace: &str, text: &str) -> anyhow::Result<Told> {
    let call = match find(reader, workspace, text).await? {
        Found::Call(call) => call,
        Found::Record(seq) => {
            let Some((_, record)) = reader.get(workspace, seq).await? else {
                return Err(Usage(format!("there is no record {seq}")).into());
            };
            match record.call {
                Some(call) => call,
                None if record.kind == Kind::Refusal => return Ok(Told::Refusal(record)),
                None => {
                    let kind = record.kind.as_str();
                    let how = format!("`portcullis audit show {seq}` shows it");
                    return Err(Usage(format!("record {seq} is about no call (its kind is {kind}); {how}")).into());
                }
            }
        }
    };
    let mut records = reader.call(workspace, call).await?;
    let grant = match records.first() {
        Some(first) => grant(reader, first).await?,
        None => return Err(Usage(no_records(workspace, call)).into()),
    };
    let said = words::put_back(store, reader, (workspace, call), &mut records).await?;
    Ok(Told::Call { call, records, grant, said })
}

/// The record that says who granted what the call ran under: the newest one of this grant before the call.
async fn grant(reader: &Reader, of: &Record) -> anyhow::Result<Option<Record>> {
    let (Some(integration), Some(digest)) = (&of.integration, &of.grant) else { return Ok(None) };
    let mut query = Query::new(&of.workspace)
        .field(Field::Kind, Kind::Grant.as_str())
        .field(Field::Integration, integration)
        .field(Field::Grant, digest)
        .after(of.seq.to_string().parse()?)
        .limit(1);
    loop {
        let page = reader.query(&query).await?;
        if let Some((_, record)) = page.records.into_iter().next() {
            return Ok(Some(record));
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(None),
        }
    }
}

fn no_records(workspace: &str, call: CallId) -> String {
    let workspace = printable(workspace, 128);
    format!(
        "`{workspace}` has no records of the call {call}; `portcullis audit list` shows the calls, `--workspace` looks in another one"
    )
}

fn print(call: CallId, story: &Story) {
    anstream::println!("{}", stand_out(&look::wrapped(&story.headline, 0)));
    let section = |heading: &str, text: &str, lines: &[String]| {
        if text.is_empty() && lines.is_empty() {
            return;
        }
        anstream::println!("{}", look::heading(heading));
        if !text.is_empty() {
            anstream::println!("{}", look::wrapped(text, 2));
        }
        lines
            .iter()
            .for_each(|line| anstream::println!("{}", look::wrapped(line, if text.is_empty() { 2 } else { 4 })));
    };
    section("Who asked", &story.asked, &[]);
    section("What was granted", &story.granted, &story.grant);
    section(if story.refused { "What said no" } else { "What happened" }, "", &story.because);
    section(if story.sandbox { "What would have left" } else { "What left" }, "", &story.done);
    section("What would help", &story.helps, &[]);
    // To be copied, so never broken to fit.
    let copied = |lines: &str| {
        anstream::println!();
        let line = |line: &str| anstream::println!("{}", format!("    {}", printable(line, usize::MAX)).trim_end());
        lines.lines().for_each(line);
    };
    if let Some(lines) = &story.allow_request {
        copied(lines);
        if story.allow_with.is_some() {
            anstream::println!("\n{}", look::wrapped("Or all that the adapter declares there, by these instead:", 2));
        }
    }
    story.allow_with.iter().for_each(|lines| copied(lines));
    anstream::println!("\nAll records of it:  portcullis audit show {}", row::short(call));
}
