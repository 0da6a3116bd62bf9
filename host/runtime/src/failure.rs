//! Why a call has no output: what the host saw, and what the adapter says.

use portcullis_egress::SendError;
use portcullis_sandbox::{self as sandbox, Journal, wit};

use crate::error::{CallError, CredentialProblem};

/// Longest code of a failure, in bytes.
const MAX_CODE: usize = 128;
/// Longest message of a failure, in bytes.
const MAX_MESSAGE: usize = 4 * 1024;
/// Longest part of a panic that is told, in bytes.
const MAX_PANIC: usize = 300;
/// Largest details of a failure, in bytes.
const MAX_DETAILS: usize = 64 * 1024;

/// Why there is no output. What the host saw counts for more than what the guest says of it.
pub(crate) fn failure(error: sandbox::CallError, last: Option<SendError>) -> CallError {
    let said = match error {
        sandbox::CallError::Bound { name, limit } => return CallError::Bound { name, limit },
        sandbox::CallError::Over => {
            return match last {
                Some(SendError::SecretSent(denial)) => CallError::Denied(denial),
                _ => CallError::Broken(sandbox::CallError::Over.to_string()),
            };
        }
        sandbox::CallError::Broken(why) => return CallError::Broken(why),
        sandbox::CallError::Descriptor(error) => return CallError::Broken(error.to_string()),
        sandbox::CallError::Adapter(said) => said,
    };
    let upstream = |code, message| CallError::Upstream { code, message };
    match last {
        Some(SendError::Denied(denial) | SendError::SecretSent(denial)) => return CallError::Denied(denial),
        Some(SendError::Bound { name, limit }) => return CallError::Bound { name, limit },
        Some(SendError::Credential(error)) => return CallError::Credential((&error).into()),
        Some(SendError::CredentialCut(slot)) => {
            let message = SendError::CredentialCut(slot.clone()).to_string();
            // It was revoked, or it was rotated and there is another one by now.
            return CallError::Credential(CredentialProblem { slot, helps: None, message });
        }
        Some(error @ SendError::Dns(_)) => return upstream("dns", error.to_string()),
        Some(error @ SendError::Connect(_)) => return upstream("connect", error.to_string()),
        Some(error @ SendError::Tls(_)) => return upstream("tls", error.to_string()),
        Some(SendError::Unavailable(at)) => return CallError::Unavailable(at),
        Some(error @ SendError::Timeout { .. }) => return upstream("timeout", error.to_string()),
        Some(error @ (SendError::Closed(_) | SendError::Protocol(_))) => {
            return upstream("protocol", error.to_string());
        }
        None => {}
    }
    match said {
        wit::Error::InvalidInput(at) => {
            CallError::Input(format!("at {}: {}", clean(&at.pointer, 256), clean(&at.message, MAX_MESSAGE)))
        }
        wit::Error::InvalidConfig(at) => CallError::Broken(format!(
            "it refused the config that it had described itself for, at {}: {}",
            clean(&at.pointer, 256),
            clean(&at.message, MAX_MESSAGE)
        )),
        wit::Error::UnknownOperation(name) => {
            CallError::Broken(format!("it does not know its own operation `{}`", clean(&name, 64)))
        }
        wit::Error::Failed(failure) => CallError::Adapter {
            code: clean(&failure.code, MAX_CODE),
            message: clean(&failure.message, MAX_MESSAGE),
            retryable: failure.retryable,
            retry_after_ms: failure.retry_after_ms,
            details: failure
                .details
                .filter(|details| details.len() <= MAX_DETAILS)
                .and_then(|details| details.parse().ok()),
        },
    }
}

/// The same with the line of the panic by which the guest ended, where it wrote one: a trap alone says nothing to its author.
pub(crate) fn with_panic(error: CallError, journal: &Journal) -> CallError {
    let CallError::Broken(why) = error else { return error };
    let lines: Vec<&str> = journal.lines.iter().flat_map(|line| line.text.lines()).collect();
    let Some(at) = lines.iter().rposition(|line| line.contains("panicked at ")) else { return CallError::Broken(why) };
    let place = lines.get(at).and_then(|line| line.split_once("panicked at ")).map_or("", |(_, place)| place);
    let words = lines.get(at + 1).copied().filter(|words| !words.starts_with("note: ")).unwrap_or_default();
    let panic = clean(&[place.trim_end_matches(':'), words].join(": "), MAX_PANIC);
    CallError::Broken(format!("{why}; it panicked at {}", panic.trim_end_matches([':', ' '])))
}

/// A guest's text, shortened and without control characters.
fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if cleaned.len() + c.len_utf8() > most {
            break;
        }
        cleaned.push(c);
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use portcullis_sandbox::Line;

    use super::*;

    #[test]
    fn a_panics_line_is_in_the_error() {
        let told = |texts: &[&str]| {
            let line = |text: &&str| Line { source: "stderr", text: (*text).to_owned() };
            let mut journal = Journal::default();
            journal.lines = texts.iter().map(line).collect();
            with_panic(CallError::Broken("it trapped".to_owned()), &journal).to_string()
        };
        let first = "thread '<unnamed>' (1) panicked at src/lib.rs:7:5:";
        assert!(
            told(&[first, "no such\u{1b}[2J task"])
                .ends_with("it trapped; it panicked at src/lib.rs:7:5: no such[2J task")
        );
        assert!(
            told(&["x", "panicked at a.rs:1:1", "note: run with"]).ends_with("it trapped; it panicked at a.rs:1:1")
        );
        assert!(told(&["quiet"]).ends_with("it trapped"));
    }
}
