//! `portcullis audit list`: records as a table, newest first, a page at a time.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use portcullis_runtime::{Record, Status, ledger::Cursor, printable};
use serde_json::json;

use crate::{
    arguments::Arguments,
    audit::{
        arguments::List,
        choice,
        open::reading,
        row::{self, Layout, UNKNOWN},
    },
    exit::{Code, DONE, Usage},
    look,
    progress::Spinner,
};

pub(super) async fn run(arguments: &Arguments, wanted: &List) -> anyhow::Result<Code> {
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut query = choice::query(&wanted.workspace, &wanted.choice, Timestamp::now())?.limit(limit);
    if wanted.oldest_first {
        query = query.oldest_first();
    }
    if let Some(cursor) = &wanted.after {
        query = query.after(cursor.parse().map_err(|error| Usage(format!("--after: {error}")))?);
    }
    let (mut records, mut next): (Vec<Record>, Option<Cursor>) = (Vec::new(), None);
    let is_there = reading(arguments, async |opened| {
        let _spinner = Spinner::start("looking through the ledger");
        let reader = opened.reader();
        let is_there = reader.chain(query.workspace()).await?.is_some();
        // A page can end before it is full: much was looked at.
        loop {
            let page = reader.query(&query.clone().limit(limit - records.len())).await?;
            records.extend(page.records.into_iter().map(|(_, record)| record));
            next = page.next;
            match next {
                Some(cursor) if records.len() < limit => query = query.after(cursor),
                _ => return Ok(is_there),
            }
        }
    })
    .await?;
    if arguments.json {
        look::print_json(&json!({ "records": records, "next": next.map(|next| next.to_string()) }));
        return Ok(DONE);
    }
    let workspace = printable(&wanted.workspace.workspace, 128);
    if records.is_empty() {
        anstream::println!("{}", nothing(&workspace, is_there));
        return Ok(DONE);
    }
    print(&records, next);
    Ok(DONE)
}

/// Says that there is nothing, and where there might be something.
pub(super) fn nothing(workspace: &str, is_there: bool) -> String {
    if is_there {
        return format!("No record of `{workspace}` is like that.");
    }
    format!("The workspace `{workspace}` has no records; `portcullis audit workspaces` lists those that have.")
}

fn print(records: &[Record], next: Option<Cursor>) {
    let layout = Layout::of(records.iter());
    if let Some(day) = row::one_day(records.iter()) {
        anstream::println!(" {day} (UTC)");
    }
    let table = look::table(&layout.header(), records.iter().map(|record| layout.row(record)));
    anstream::println!("{}", stand_out(&table));
    let unknown = records.iter().filter(|record| record.status == Some(Status::Unknown)).count();
    if unknown > 0 {
        let calls = if unknown == 1 { "1 call".to_owned() } else { format!("{unknown} calls") };
        let told = format!(
            "{calls} ended {UNKNOWN}: the host stopped in the middle, and only the upstream knows what was done. Nothing is tried \
             again by itself; `portcullis audit why CALL` tells more."
        );
        anstream::println!("\n{}", stand_out(&look::wrapped(&told, 0)));
    }
    if let Some(next) = next {
        anstream::println!("\nThere are more; go on with:  --after {next}");
    }
}

/// What nobody should look past, in colour.
pub(super) fn stand_out(text: &str) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    text.replace(UNKNOWN, &format!("{style}{UNKNOWN}{style:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_nobody_knows_is_in_colour_and_nothing_else_is() {
        let told = stand_out("1 call UNKNOWN, x");
        assert!(told.starts_with("1 call \u{1b}[") && told.contains("mUNKNOWN\u{1b}[0m, x"), "{told:?}");
    }
}
