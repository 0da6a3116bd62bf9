//! Why a call has no output: what the host saw, and what the adapter says.

use portcullis_egress::SendError;
use portcullis_gate::escape;
use portcullis_sandbox::{self as sandbox, Journal, wit};

use crate::error::{CallError, CredentialProblem};

/// Longest code of a failure, in bytes.
const MAX_CODE: usize = 128;
/// The code of a failure whose own is none.
const CODELESS: &str = "failure-without-code";
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
                Some(SendError::Bound { name, limit }) => CallError::Bound { name, limit },
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
        wit::Error::Failed(failure) => {
            let (code, message) = match is_code(&failure.code) {
                true => (failure.code, clean(&failure.message, MAX_MESSAGE)),
                // What it was is for a person to read, and nothing that programs compare.
                false => {
                    let message = format!(
                        "{} (its code `{}` is none: 1 to {MAX_CODE} ASCII letters, digits and `._:/-`)",
                        clean(&failure.message, MAX_MESSAGE),
                        clean(&failure.code, MAX_CODE),
                    );
                    (CODELESS.to_owned(), message)
                }
            };
            CallError::Adapter {
                code,
                message,
                retryable: failure.retryable,
                retry_after_ms: failure.retry_after_ms,
                details: failure
                    .details
                    .filter(|details| details.len() <= MAX_DETAILS)
                    .and_then(|details| details.parse().ok()),
            }
        }
    }
}

/// Whether a text is what the contract calls a code: what programs compare and people read aloud, in any log and any shell.
fn is_code(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    (1..=MAX_CODE).contains(&text.len()) && text.bytes().all(is_part)
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

/// A guest's text, shortened to so many bytes, and fit to be shown.
fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::new();
    for c in text.chars() {
        let before = cleaned.len();
        escape(c, &mut cleaned);
        if cleaned.len() > most {
            cleaned.truncate(before);
            break;
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use portcullis_sandbox::Line;

    use super::*;

    #[test]
    fn a_code_has_a_charset_and_what_is_none_is_told_in_the_message() {
        let failed = |code: &str| {
            let failure = wit::Failure {
                code: code.to_owned(),
                message: "no\u{202e} luck".to_owned(),
                retryable: false,
                retry_after_ms: None,
                details: None,
            };
            match failure_of(wit::Error::Failed(failure)) {
                CallError::Adapter { code, message, .. } => (code, message),
                other => panic!("{other:?}"),
            }
        };
        let long = "x".repeat(MAX_CODE);
        for code in ["postmark.inactive-recipient", "card_declined", "a:b/c", "404", &long] {
            assert_eq!(failed(code), (code.to_owned(), "no\\u{202e} luck".to_owned()));
        }
        for code in ["", "two words", "a\u{202e}b", "a\u{200b}", "caf\u{e9}", "a\u{9b}31m", "a\nb", &(long + "x")] {
            let (told, message) = failed(code);
            assert_eq!(told, CODELESS);
            assert!(message.starts_with("no\\u{202e} luck (its code `"), "{message}");
            assert!(message.chars().all(portcullis_gate::is_plain));
        }
    }

    fn failure_of(said: wit::Error) -> CallError {
        failure(sandbox::CallError::Adapter(said), None)
    }

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
                .ends_with("it trapped; it panicked at src/lib.rs:7:5: no such\\u{1b}[2J task")
        );
        assert!(
            told(&["x", "panicked at a.rs:1:1", "note: run with"]).ends_with("it trapped; it panicked at a.rs:1:1")
        );
        assert!(told(&["quiet"]).ends_with("it trapped"));
    }
}
