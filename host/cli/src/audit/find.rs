//! A record or a call, by what somebody copied of it: a record's number, a call's id, or the id's beginning or end.

use std::collections::BTreeSet;

use portcullis_runtime::{
    CallId,
    ledger::{Query, Reader},
    printable,
};

use crate::{exit::Usage, progress::Spinner};

/// Fewest characters of an id.
const FEWEST: usize = 4;
/// How many records are looked at for a part of an id.
const LOOKED_AT: u64 = 200_000;
/// How many calls are named where a part of an id fits several.
const NAMED: usize = 5;

/// What was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The record of this number.
    Record(u64),
    /// All records of this call.
    Call(CallId),
}

/// Finds what was meant.
pub(super) async fn find(reader: &Reader, workspace: &str, text: &str) -> anyhow::Result<Found> {
    let Some(head) = reader.chain(workspace).await? else {
        return Err(Usage(super::list::nothing(&printable(workspace, 128), false)).into());
    };
    if let Some(seq) = text.parse().ok().filter(|seq| (1..=head.seq).contains(seq)) {
        return Ok(Found::Record(seq));
    }
    let part = text.trim_start_matches('…').to_ascii_lowercase();
    let told = printable(text, 64);
    let newest = format!("`{workspace}` has the records 1 to {}", head.seq);
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        let how = "write a record's number or a call's id, as `portcullis audit list` shows them";
        return Err(Usage(format!("`{told}` is neither; {how}; {newest}")).into());
    }
    if let Ok(call) = part.parse::<CallId>()
        && part.len() >= 32
    {
        return Ok(Found::Call(call));
    }
    if part.len() < FEWEST {
        return Err(Usage(format!(
            "`{told}` is too short for a call's id: write {FEWEST} characters or more; {newest}"
        ))
        .into());
    }
    let calls = calls_like(reader, workspace, &part).await?;
    match calls.as_slice() {
        [call] => Ok(Found::Call(*call)),
        [] => {
            let where_looked =
                if head.seq > LOOKED_AT { format!("among the last {LOOKED_AT} records") } else { newest };
            let how = "`portcullis audit list` shows the calls; `--workspace` looks in another one";
            Err(Usage(format!("no call's id begins or ends with `{told}` ({where_looked}); {how}")).into())
        }
        several => {
            let ids: Vec<String> = several.iter().take(NAMED).map(CallId::to_string).collect();
            let more = if several.len() > NAMED { " and others" } else { "" };
            Err(Usage(format!("`{told}` fits several calls: {}{more}; write more of it", ids.join(", "))).into())
        }
    }
}

/// The calls whose ids begin or end like this, newest first.
async fn calls_like(reader: &Reader, workspace: &str, part: &str) -> anyhow::Result<Vec<CallId>> {
    let _spinner = Spinner::start("looking for the call");
    let mut query = Query::new(workspace).limit(1_000);
    let (mut seen, mut calls, mut looked_at) = (BTreeSet::new(), Vec::new(), 0);
    loop {
        let page = reader.query(&query).await?;
        looked_at += page.records.len() as u64;
        for call in page.records.iter().filter_map(|(_, record)| record.call) {
            let id = call.to_string();
            if (id.starts_with(part) || id.ends_with(part)) && seen.insert(call) {
                calls.push(call);
            }
        }
        match page.next {
            Some(next) if looked_at < LOOKED_AT && calls.len() <= NAMED => query = query.after(next),
            _ => return Ok(calls),
        }
    }
}
