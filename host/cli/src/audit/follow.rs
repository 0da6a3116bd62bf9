//! `portcullis audit list --follow`: records as they come, until interrupted.
//!
//! The store is open for a moment at a time, so that other commands can go on meanwhile; and only where the file that names
//! its last commit has changed, so that nothing is opened for nothing.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use portcullis_runtime::{
    Record, StoreError,
    ledger::{Cursor, Query},
};

use crate::{
    arguments::Arguments,
    audit::{
        arguments::List,
        choice,
        list::stand_out,
        open::{Opened, folder},
        row::{self, Layout},
    },
    exit::{Code, DONE},
    interrupt::{self, Held, Interrupted},
    look,
};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(arguments: &Arguments, wanted: &List) -> anyhow::Result<Code> {
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let query = choice::query(&wanted.workspace, &wanted.choice, Timestamp::now())?;
    let _held = Held::new();
    let followed = follow(arguments, query, limit, wanted.choice.since.is_some());
    tokio::select! {
        failed = followed => failed.map(|()| DONE),
        // It was to go on until it is interrupted.
        came = interrupt::received() => Ok(if came == Interrupted::Int { DONE } else { came.code() }),
    }
}

/// Prints the newest ones, or all since a time; then those that come.
async fn follow(arguments: &Arguments, query: Query, limit: usize, all: bool) -> anyhow::Result<()> {
    let folder = folder(arguments);
    let mut printer = Printer { json: arguments.json, day: None, begun: false };
    let opened = Opened::open(&folder).await?;
    let first: anyhow::Result<(Vec<Record>, Option<Cursor>)> = async {
        let reader = opened.reader();
        let head = reader.chain(query.workspace()).await?;
        if all || head.is_none() {
            return Ok((Vec::new(), None));
        }
        let page = reader.query(&query.clone().limit(limit)).await?;
        let mut records: Vec<Record> = page.records.into_iter().map(|(_, record)| record).collect();
        records.reverse();
        Ok((records, head.map(|head| head.seq.to_string().parse()).transpose()?))
    }
    .await;
    opened.close().await?;
    let (records, mut after) = first?;
    printer.print(&records);
    let query = query.oldest_first().limit(1_000);
    let mut seen = None;
    loop {
        let mark = mark(&folder);
        if mark.is_none() || mark != seen {
            match Opened::open(&folder).await {
                Ok(opened) => {
                    let done = some(&opened, &query, &mut after, &mut printer).await;
                    opened.close().await?;
                    done?;
                    seen = self::mark(&folder);
                }
                // A host that runs on has it: it is looked for again.
                Err(StoreError::Busy { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Prints what has come.
async fn some(opened: &Opened, query: &Query, after: &mut Option<Cursor>, printer: &mut Printer) -> anyhow::Result<()> {
    let reader = opened.reader();
    let Some(head) = reader.chain(query.workspace()).await? else { return Ok(()) };
    loop {
        let mut asked = query.clone();
        if let Some(after) = *after {
            asked = asked.after(after);
        }
        let page = reader.query(&asked).await?;
        let records: Vec<Record> = page.records.into_iter().map(|(_, record)| record).collect();
        printer.print(&records);
        match page.next {
            Some(next) => *after = Some(next),
            None => {
                *after = Some(head.seq.to_string().parse()?);
                return Ok(());
            }
        }
    }
}

/// Changes with each commit.
fn mark(folder: &Path) -> Option<(std::time::SystemTime, u64)> {
    let found = std::fs::metadata(folder.join("anchor")).ok()?;
    Some((found.modified().ok()?, found.len()))
}

struct Printer {
    json: bool,
    day: Option<String>,
    begun: bool,
}

impl Printer {
    fn print(&mut self, records: &[Record]) {
        if self.json {
            records.iter().for_each(look::print_json_line);
            return;
        }
        let layout = Layout::following();
        for record in records {
            if !self.begun {
                anstream::println!("{}", line(&layout.header().into_iter().map(str::to_uppercase).collect::<Vec<_>>()));
                self.begun = true;
            }
            let day = row::one_day(std::iter::once(record));
            if self.day != day {
                anstream::println!(" {} (UTC)", day.clone().unwrap_or_default());
                self.day = day;
            }
            anstream::println!("{}", stand_out(&line(&layout.row(record))));
        }
    }
}

/// A row whose columns line up with those of rows that are not known yet.
fn line(row: &[String]) -> String {
    let widths: &[usize] = if row.len() == 6 { &[8, 5, 12, 16, 8, 0] } else { &[8, 5, 13, 14, 22, 8, 8, 0] };
    let mut text = String::new();
    for (cell, width) in row.iter().zip(widths) {
        text += &format!(" {cell:<width$} ");
    }
    text.trim_end().to_owned()
}
