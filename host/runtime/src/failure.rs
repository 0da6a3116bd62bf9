//! Why a call has no output: what the host saw, and what the adapter says.

use portcullis_egress::SendError;
use portcullis_sandbox::{self as sandbox, wit};

use crate::error::CallError;

/// Longest code of a failure, in bytes.
const MAX_CODE: usize = 128;
/// Longest message of a failure, in bytes.
const MAX_MESSAGE: usize = 4 * 1024;
/// Largest details of a failure, in bytes.
const MAX_DETAILS: usize = 64 * 1024;

/// Why there is no output. What the host saw counts for more than what the guest says of it.
pub(crate) fn failure(error: sandbox::CallError, last: Option<SendError>) -> CallError {
    let said = match error {
        sandbox::CallError::Bound { name, limit } => return CallError::Bound { name, limit },
        sandbox::CallError::Broken(why) => return CallError::Broken(why),
        sandbox::CallError::Descriptor(error) => return CallError::Broken(error.to_string()),
        sandbox::CallError::Adapter(said) => said,
    };
    let upstream = |code, message| CallError::Upstream { code, message };
    match last {
        Some(SendError::Denied(denial)) => return CallError::Denied(denial),
        Some(SendError::Bound { name, limit }) => return CallError::Bound { name, limit },
        Some(error @ (SendError::Credential(_) | SendError::CredentialCut(_))) => {
            return CallError::Credential(error.to_string());
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
                .and_then(|details| serde_json::from_str(&details).ok()),
        },
    }
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
