//! A call's story: who asked, what was granted and by whom, what said no or went wrong, and what would help.
//!
//! All of it is told from records; what they do not say is not guessed at.

use portcullis_runtime::{
    Grant, KnownBy, Limits, Mode, Record, Status,
    ledger::{Kind, Payload},
    printable,
};
use serde::Serialize;

use crate::{
    audit::{row::second, words::Said},
    look, sent,
};

/// Most refusals and requests that are told one by one.
const TOLD: usize = 8;
/// Longest text of one field.
const LONG: usize = 600;

/// What a call's records say, in words.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    /// In one sentence.
    pub(super) headline: String,
    /// Whether it was refused, by the grant or by the gate.
    pub(super) refused: bool,
    /// Whether nothing could leave.
    pub(super) sandbox: bool,
    /// Who asked whom for what, and when.
    pub(super) asked: String,
    /// What was granted, by whom and when.
    pub(super) granted: String,
    /// The grant, as lines.
    pub(super) grant: Vec<String>,
    /// What said no, or went wrong; one sentence each.
    pub(super) because: Vec<String>,
    /// What was done all the same.
    pub(super) done: Vec<String>,
    /// What would help, and whom to ask.
    pub(super) helps: String,
    /// The lines that the grant needs for the request that was refused, and for no other.
    pub(super) allow_request: Option<String>,
    /// The lines that the grant needs for all that the adapter declares there.
    pub(super) allow_with: Option<String>,
}

/// Tells what happened from all records of a call, oldest first, and the record of its grant.
pub(super) fn tell(records: &[Record], grant: Option<&Record>, said: &Said) -> Option<Story> {
    let first = records.first()?;
    let outcome = records.iter().rev().find(|record| record.kind == Kind::Outcome);
    let status = outcome.and_then(|outcome| outcome.status);
    let denials: Vec<&Record> = records.iter().filter(|record| record.denial.is_some()).collect();
    let who = quoted(first.caller.as_ref().map_or("somebody", |caller| &caller.principal));
    let what = format!(
        "{} of {}",
        quoted(first.operation.as_deref().unwrap_or("an operation")),
        quoted(first.integration.as_deref().unwrap_or("an integration"))
    );
    let parsed = grant.and_then(grant_of);
    let (helps, allow_with) = helps(first, outcome, &denials, parsed.as_ref());
    Some(Story {
        headline: headline(&who, &what, first.mode, status),
        refused: status == Some(Status::Denied),
        sandbox: first.mode == Some(Mode::Sandbox),
        asked: asked(first, &who, &what),
        granted: granted(first, grant),
        grant: grant_lines(parsed.as_ref()),
        because: because(outcome, &denials, said),
        done: outcome.map(|outcome| outcome.exchanges.iter().take(TOLD).map(sent::line).collect()).unwrap_or_default(),
        helps,
        allow_request: denials
            .last()
            .filter(|_| status == Some(Status::Denied))
            .and_then(|record| record.denial.as_ref()?.allow_request.clone()),
        allow_with,
    })
}

fn headline(who: &str, what: &str, mode: Option<Mode>, status: Option<Status>) -> String {
    match status {
        Some(Status::Denied) => format!("{who} was refused {what}."),
        Some(Status::Done) if mode == Some(Mode::Sandbox) => {
            format!("{who} tried {what} in sandbox mode. It would have been allowed; nothing was sent.")
        }
        Some(Status::Done) => format!("{who} called {what}, and it was done."),
        Some(Status::Refused) => format!("{what}, asked for by {who}, was not begun."),
        Some(Status::AdapterFailed) => format!("{what}, asked for by {who}, was allowed, and the adapter failed."),
        Some(Status::BoundHit) => format!("{what}, asked for by {who}, was allowed, and was ended at a bound."),
        Some(Status::UpstreamFailed) => format!("{what}, asked for by {who}, was allowed, and the upstream failed."),
        Some(Status::Abandoned) => {
            format!("{what}, asked for by {who}, was allowed, and {who} did not wait for its end.")
        }
        Some(Status::Unknown) => {
            format!("Nobody knows how {what}, asked for by {who}, ended: the host stopped in the middle of it.")
        }
        None => format!(
            "{what}, asked for by {who}, has no recorded end: it is under way, or its host ended in the middle of it."
        ),
    }
}

fn asked(first: &Record, who: &str, what: &str) -> String {
    let mut text = format!("On {} UTC {who}", second(first.time));
    text += match first.caller.as_ref().and_then(|caller| caller.known_by) {
        Some(KnownBy::OsUser) => " (the system's user who ran the command)",
        Some(KnownBy::Stated) => " (a name that whoever ran the command stated; nothing vouches for it)",
        None => "",
    };
    if let Some(caller) = &first.caller {
        let step = caller.step.as_ref().map(|step| format!("step {}", quoted(step)));
        let workflow = caller.workflow.as_ref().map(|workflow| format!("workflow {}", quoted(workflow)));
        let agent = caller.agent.as_ref().map(|agent| format!("agent {}", quoted(agent)));
        let run = caller.run.as_ref().map(|run| format!("run {}", quoted(run)));
        let behalf: Vec<String> = [agent, workflow, step, run].into_iter().flatten().collect();
        if !behalf.is_empty() {
            text += &format!(", on behalf of {},", behalf.join(", "));
        }
    }
    text += &format!(" asked for {what}");
    if let Some(version) = first.integration_version {
        text += &format!(" (version {version})");
    }
    text += &format!(" in the workspace {}", quoted(&first.workspace));
    text += match first.mode {
        Some(Mode::Live) => ", live.",
        Some(Mode::Sandbox) => ", in sandbox mode, where nothing leaves.",
        None => ".",
    };
    if let Some(adapter) = &first.adapter {
        text += &format!(" Its adapter is {}.", printable(adapter, 100));
    }
    text
}

fn granted(first: &Record, grant: Option<&Record>) -> String {
    let grantor = first.grantor.as_deref().map(quoted);
    let digest = printable(first.grant.as_deref().unwrap_or("unknown"), 100);
    match (grant, grantor) {
        (Some(record), grantor) => {
            let grantor = grantor.or_else(|| record.caller.as_ref().map(|caller| quoted(&caller.principal)));
            let grantor = grantor.unwrap_or_else(|| "somebody".to_owned());
            format!("{grantor} granted it on {} UTC (record {}; grant {digest}):", second(record.time), record.seq)
        }
        (None, Some(grantor)) => {
            format!("It ran under the grant {digest} of {grantor}; when that was given is not recorded here.")
        }
        (None, None) => "No grant is recorded.".to_owned(),
    }
}

/// The grant that a record holds.
fn grant_of(record: &Record) -> Option<Grant> {
    Grant::parse(record.change.as_ref()?.details.get("grant")?).ok()
}

fn grant_lines(grant: Option<&Grant>) -> Vec<String> {
    let Some(grant) = grant else { return Vec::new() };
    let operations = if grant.operations.is_empty() { "none".to_owned() } else { grant.operations.join(", ") };
    let mut lines = vec![format!("operations: {}", printable(&operations, LONG))];
    let routes =
        grant.routes.iter().take(TOLD).map(|route| format!("route: {} {}", route.method, printable(&route.url, LONG)));
    lines.extend(routes);
    if grant.routes.len() > TOLD {
        lines.push(format!("and {} routes more", grant.routes.len() - TOLD));
    }
    if !grant.carve_outs.is_empty() {
        let carve_outs: Vec<String> = grant.carve_outs.iter().map(ToString::to_string).collect();
        lines.push(format!("carve-outs: {}", printable(&carve_outs.join(", "), LONG)));
    }
    lines
}

fn because(outcome: Option<&Record>, denials: &[&Record], said: &Said) -> Vec<String> {
    let mut sentences: Vec<String> = denials
        .iter()
        .take(TOLD)
        .filter_map(|record| record.denial.as_ref())
        .map(|denial| format!("The rule `{}` said no. {}", printable(&denial.rule, 64), sentence(&denial.told())))
        .collect();
    if denials.len() > TOLD {
        sentences
            .push(format!("{} refusals more are recorded; `portcullis audit show` lists them.", denials.len() - TOLD));
    }
    if let Some(why) = said.gone.as_ref().filter(|_| !denials.is_empty()) {
        sentences.push(format!(
            "What was asked for, word for word, is not there any more: the words {}.",
            printable(why, 300)
        ));
    }
    let Some(outcome) = outcome else { return sentences };
    let code = outcome.error.as_deref().map(quoted).unwrap_or_default();
    let bounds = |bounds: &Record| {
        let told = bounds.bounds.iter().map(|(name, count)| format!("`{}` ({count} times)", printable(name, 64)));
        told.collect::<Vec<_>>().join(", ")
    };
    match outcome.status {
        Some(Status::Denied) if denials.is_empty() => sentences.push(format!("The rule {code} said no.")),
        Some(Status::Refused) => sentences.push(match outcome.error.as_deref() {
            Some("invalid-input") => "Its input is not what the operation takes (`invalid-input`).".to_owned(),
            Some("credential-unavailable") => "A credential that it needs is missing or does not fit (`credential-unavailable`).".to_owned(),
            Some("credential-not-bound") => "A credential would have gone where it was not given for (`credential-not-bound`).".to_owned(),
            Some("ledger-unavailable") => "It could not be recorded, and without a record there is no call (`ledger-unavailable`).".to_owned(),
            _ => format!("It was refused with {code}."),
        }),
        Some(Status::AdapterFailed) if outcome.error.as_deref() == Some("adapter-broken") => {
            sentences.push("The adapter broke: it trapped, or gave what its own schema does not allow.".to_owned());
        }
        Some(Status::AdapterFailed) => sentences.push(match (&said.failure, &said.gone) {
            (Some(failure), _) => {
                let code = quoted(&failure.code);
                format!("The adapter reported the failure {code}: {}", sentence(&failure.message))
            }
            (None, Some(why)) => format!("The adapter reported a failure, whose words {}.", printable(why, 300)),
            (None, None) => format!("The adapter reported the failure {code}."),
        }),
        Some(Status::BoundHit) => sentences.push(format!("It hit the bound {code}.")),
        Some(Status::UpstreamFailed) if outcome.error.as_deref() == Some("timeout") => {
            sentences.push("The upstream did not answer in time (`timeout`).".to_owned());
        }
        Some(Status::UpstreamFailed) => sentences.push(format!("The upstream failed with {code}.")),
        Some(Status::Abandoned) => {
            let open = sent::told(&outcome.exchanges).map(|told| format!(" {told}")).unwrap_or_default();
            sentences.push(format!("Whoever called went away before its end, so it was broken off.{open}"));
        }
        Some(Status::Unknown) => sentences.push(
            "The host ended while it was under way; no record says which requests had left, and only the upstream can say what was \
             carried out. It was not tried again."
                .to_owned(),
        ),
        _ => {}
    }
    // Of these two the sentence before says so.
    if !matches!(outcome.status, Some(Status::Abandoned | Status::Unknown)) {
        sentences.extend(sent::told(&outcome.exchanges));
    }
    if !outcome.bounds.is_empty() {
        sentences.push(format!("Requests were refused by bounds: {}.", bounds(outcome)));
    }
    sentences
}

/// What would help, and the lines that the grant needs.
fn helps(
    first: &Record,
    outcome: Option<&Record>,
    denials: &[&Record],
    grant: Option<&Grant>,
) -> (String, Option<String>) {
    let grantor = first.grantor.as_deref().map_or_else(|| "whoever gave the grant".to_owned(), quoted);
    let code = outcome.and_then(|outcome| outcome.error.as_deref()).unwrap_or_default();
    // Whatever the end is called: "call again" would be wrong where it may have been carried out.
    if outcome.is_some_and(|outcome| {
        matches!(outcome.status, Some(Status::UpstreamFailed | Status::AdapterFailed))
            && !sent::open_changes(&outcome.exchanges).is_empty()
    }) {
        return (format!("Nothing of the grant stands in its way. {}", sent::LOOK), None);
    }
    match outcome.and_then(|outcome| outcome.status) {
        Some(Status::Denied) => {
            // The last one decided how the call ended.
            let Some(denial) = denials.last().and_then(|record| record.denial.as_ref()) else {
                return (format!("Ask {grantor}, who gave the grant."), None);
            };
            if let Some(lines) = &denial.allow_with {
                let text = match &denial.allow_request {
                    Some(_) => {
                        format!("{grantor} gave the grant and can allow this request alone, by these lines more:")
                    }
                    None => format!(
                        "{grantor} gave the grant and can allow it. The grant then needs these lines, in place of a line that \
                         says the same otherwise:"
                    ),
                };
                return (text, Some(lines.clone()));
            }
            // Older records say so in their message alone.
            if denial.ceiling || denial.message.contains("ceiling") {
                return (
                    "The host's ceiling is below it: only whoever runs this host can allow it, and no grant can."
                        .to_owned(),
                    None,
                );
            }
            ("No grant can allow it: the adapter asked for what it does not declare, or in a way that is never right. Its author \
              can mend that, or the caller asks for something else."
                .to_owned(), None)
        }
        Some(Status::BoundHit) => {
            let granted = grant.map_or_else(Limits::default, |grant| grant.limits.clone());
            match granted.get(code).zip(Limits::range(code)) {
                Some((limit, (_, most))) if limit > 0 && limit < most => (
                    format!("If that is too little, {grantor} can grant more, as far as the host's ceiling allows:"),
                    Some(format!("[limits]\n{code} = {}\n", limit.saturating_mul(2).min(most))),
                ),
                _ => ("The bound cannot be raised by a grant.".to_owned(), None),
            }
        }
        Some(Status::Refused) => (
            match code {
                "invalid-input" => "`portcullis inspect ADAPTER --operation NAME` says what it takes.",
                "credential-unavailable" => "Give the integration the credential, then call again.",
                "credential-not-bound" => "If it should go there: `portcullis credential rebind INTEGRATION SLOT`.",
                "ledger-unavailable" => "As soon as the ledger can be written, calls go on by themselves.",
                _ => "Mend what the code names, then call again.",
            }
            .to_owned(),
            None,
        ),
        Some(Status::AdapterFailed) if code == "adapter-broken" => {
            ("Nothing of the grant stands in its way. Its author has to look at it.".to_owned(), None)
        }
        Some(Status::AdapterFailed) => (
            "Nothing of the grant stands in its way. What the code means, the adapter or its provider says.".to_owned(),
            None,
        ),
        Some(Status::UpstreamFailed) if ["timeout", "protocol", "cut-off"].contains(&code) => (
            "Nothing of the grant stands in its way. Look at the upstream before calling again: the request may have been \
             carried out."
                .to_owned(),
            None,
        ),
        Some(Status::UpstreamFailed) => {
            ("Nothing of the grant stands in its way. Look at the upstream, then call again.".to_owned(), None)
        }
        Some(Status::Abandoned | Status::Unknown) if first.mode == Some(Mode::Sandbox) => {
            ("It ran in sandbox mode, so nothing has left. Call again.".to_owned(), None)
        }
        Some(Status::Abandoned) if outcome.is_some_and(|outcome| sent::open_changes(&outcome.exchanges).is_empty()) => {
            ("Nothing that changes anything was left without an answer. Call again.".to_owned(), None)
        }
        Some(Status::Abandoned | Status::Unknown) => (format!("It may have been carried out. {}", sent::LOOK), None),
        Some(Status::Done) if !denials.is_empty() => {
            ("The adapter did without what it was refused on the way.".to_owned(), None)
        }
        Some(Status::Done) | None => (String::new(), None),
    }
}

fn sentence(text: &str) -> String {
    let mut told = printable(text, 2 * LONG);
    if !told.ends_with(['.', '!', '?', '…']) {
        told.push('.');
    }
    // A message begins with what was asked, which may be a method or a URL: those stay as they are.
    if let Some(first) = told.chars().next().filter(|first| first.is_ascii_lowercase() && told.starts_with("the ")) {
        told.replace_range(..first.len_utf8(), &first.to_ascii_uppercase().to_string());
    }
    told
}

/// What is kept of an input or output, in half a sentence.
pub(super) fn payload(payload: &Payload) -> String {
    let kept = match payload.kept {
        portcullis_runtime::ledger::Kept::Nothing => "nothing of it is kept".to_owned(),
        portcullis_runtime::ledger::Kept::Redacted if payload.redacted.is_empty() => {
            "kept; nothing was taken out".to_owned()
        }
        portcullis_runtime::ledger::Kept::Redacted => {
            format!("kept without {}", printable(&payload.redacted.join(", "), LONG))
        }
        portcullis_runtime::ledger::Kept::Whole => "kept whole".to_owned(),
    };
    format!("{}, {kept}", look::bytes(payload.bytes))
}

pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text, 200))
}
