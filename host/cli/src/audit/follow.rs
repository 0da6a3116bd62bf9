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
    look::{self, LEAST_COLUMN, fill},
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
                let header: Vec<String> = layout.header().into_iter().map(str::to_uppercase).collect();
                anstream::println!("{}", line(&header, look::width()));
                self.begun = true;
            }
            let day = row::one_day(std::iter::once(record));
            if self.day != day {
                anstream::println!(" {} (UTC)", day.clone().unwrap_or_default());
                self.day = day;
            }
            anstream::println!("{}", stand_out(&line(&layout.row(record), look::width())));
        }
    }
}

/// A row whose columns line up with those of rows that are not known yet, and whose last cell is broken to fit the terminal:
/// under itself where there is room for that, and else under the row.
fn line(row: &[String], most: usize) -> String {
    let widths: &[usize] = if row.len() == 6 { &[8, 5, 12, 16, 8] } else { &[8, 5, 13, 14, 22, 8, 8] };
    let Some((last, cells)) = row.split_last() else { return String::new() };
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text += &format!(" {cell:<width$} ");
    }
    let before = text.chars().count() + 1;
    let room = most.saturating_sub(before);
    if last.chars().count() <= room || room >= LEAST_COLUMN {
        let broken = fill(last, room).join(&format!("\n{:before$}", ""));
        return format!("{text} {broken}").trim_end().to_owned();
    }
    // Cells that are longer than their columns, or a terminal that is narrower than all of them.
    let cells =
        if text.trim_end().chars().count() <= most { text.trim_end().to_owned() } else { under(&text, 1, most) };
    format!("{cells}\n{}", under(last, 4, most))
}

/// A text below something, moved in.
fn under(text: &str, indent: usize, most: usize) -> String {
    let lines = fill(text, most.saturating_sub(indent));
    lines.iter().map(|line| format!("{:indent$}{line}", "")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn a_row_fits_the_terminal_whatever_is_in_it() {
        let what = "postmark@1 sendEmail: there is no route by which this request may leave the host at all";
        let narrow = row(&["10:00:00", "17", "user:ada", "denied", "01h2x3y4", what]);
        let wide = row(&["10:00:00", "17", "outcome", "user:ada", "denied", "1.2 s", "01h2x3y4", what]);
        let long =
            row(&["10:00:00", "1234567", "user:somebody-with-a-long-name", "not-granted-by-anyone", "01h2x3y4", what]);
        for most in [40, 61, 80, 90, 100, 120, 200] {
            for row in [&narrow, &wide, &long] {
                let told = line(row, most);
                assert!(told.lines().all(|line| line.chars().count() <= most), "{most}:\n{told}");
                // Nothing is cut off.
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&told), words(&row.join(" ")), "{most}");
            }
        }
        assert_eq!(line(&narrow, 200).lines().count(), 1);
        assert!(
            line(&narrow, 100).lines().all(|line| line.starts_with(" 10:00:00") || line.starts_with(&" ".repeat(60)))
        );
    }
}
