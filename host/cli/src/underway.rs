//! One call from the command line, to its end or until a signal gives it up; then all is closed in order, and told.

use portcullis_runtime::{Exchange, Mode, Outcome, Record, Status, ledger::Kind};
use serde_json::json;

use crate::{
    arguments::Arguments,
    audit::row::short,
    exit::{self, Code},
    interrupt::{Interrupted, or_given_up},
    ledger::Kept,
    look, outcome, sent,
};

/// Carries a call out. `work` gives its outcome, and what may have been meant; it holds all that holds the ledger, and is gone before the ledger is closed.
pub(crate) async fn carry_out(
    arguments: &Arguments,
    kept: Kept,
    workspace: &str,
    hint: outcome::Hint<'_>,
    work: impl Future<Output = anyhow::Result<(Outcome, String)>>,
) -> anyhow::Result<Code> {
    let before = kept.newest(workspace).await;
    let error = match or_given_up(work).await {
        Ok((outcome, meant)) => {
            kept.close().await;
            return Ok(outcome::tell(arguments, &outcome, hint, &meant));
        }
        Err(error) => error,
    };
    match (error.downcast::<Interrupted>(), before) {
        (Ok(interrupted), Ok(before)) => {
            let records = kept.close_and_read(workspace, before).await;
            Ok(tell(arguments, interrupted, &records))
        }
        (Ok(interrupted), Err(_)) => {
            kept.close().await;
            Err(interrupted.into())
        }
        (Err(error), _) => {
            kept.close().await;
            Err(error)
        }
    }
}

/// What is known of a call that was given up.
struct GivenUp<'a> {
    call: Option<String>,
    recorded: bool,
    sandbox: bool,
    exchanges: &'a [Exchange],
}

impl<'a> GivenUp<'a> {
    fn of(records: &'a [Record]) -> Self {
        let intent = records.iter().find(|record| record.kind == Kind::Intent);
        let outcome = records.iter().rev().find(|record| record.kind == Kind::Outcome);
        let about = outcome.or(intent);
        Self {
            call: about.and_then(|record| record.call).map(|call| call.to_string()),
            recorded: outcome.is_some_and(|outcome| outcome.status == Some(Status::Abandoned)),
            sandbox: about.is_some_and(|record| record.mode == Some(Mode::Sandbox)),
            exchanges: outcome.map(|outcome| outcome.exchanges.as_slice()).unwrap_or_default(),
        }
    }

    /// What there is to say, a sentence or a line each.
    fn sentences(&self) -> Vec<String> {
        let Some(_) = &self.call else { return vec!["No call was begun, so nothing has left.".to_owned()] };
        let mut told = Vec::new();
        if self.sandbox {
            told.push("It ran in sandbox mode, so nothing has left.".to_owned());
        } else if self.exchanges.is_empty() {
            told.push("No request had left.".to_owned());
        } else {
            let open = sent::open_changes(self.exchanges).len();
            told.push(match open {
                0 => "These requests had left:".to_owned(),
                1 => "These requests had left, and one may have been carried out:".to_owned(),
                open => format!("These requests had left, and {open} may have been carried out:"),
            });
            told.extend(self.exchanges.iter().map(|exchange| format!("  {}", sent::line(exchange))));
            if open > 0 {
                told.push(sent::LOOK.to_owned());
            }
        }
        told
    }
}

fn tell(arguments: &Arguments, interrupted: Interrupted, records: &[Record]) -> Code {
    let given_up = GivenUp::of(records);
    let recorded = match (&given_up.call, given_up.recorded) {
        (None, _) => String::new(),
        (Some(_), true) => "; the call was given up and is recorded as abandoned".to_owned(),
        (Some(_), false) => {
            "; the call was given up, and its end is not recorded yet: the next command that opens the \
                             ledger records it as unknown"
                .to_owned()
        }
    };
    let message = format!("{interrupted}{recorded}");
    let sentences = given_up.sentences();
    if arguments.json {
        let open: Vec<String> = sent::open_changes(given_up.exchanges).into_iter().map(sent::name).collect();
        look::print_json(&json!({
            "call": given_up.call, "exchanges": given_up.exchanges,
            "error": {
                "status": if given_up.recorded { Some("abandoned") } else { None }, "code": "interrupted",
                "message": message, "may_have_been_carried_out": open,
            },
        }));
        return interrupted.code();
    }
    exit::tell("interrupted", &message, None);
    for sentence in sentences {
        let indent = if sentence.starts_with("  ") { 4 } else { 2 };
        anstream::eprintln!("{}", look::wrapped(&sentence, indent));
    }
    if let Some(call) = records.iter().rev().find_map(|record| record.call) {
        anstream::eprintln!("\n  portcullis audit why {}", short(call));
    }
    interrupted.code()
}
