//! A master key that a program prints: `pass show …`, `systemd-creds decrypt …`, a client of a secret manager.

use std::{process::Stdio, time::Duration};

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::{KeyError, LocalKey};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Most bytes that it may print. A key has 45.
const MAX_OUTPUT: usize = 1024;

/// A master key that a program prints on its standard output, as one line of base64.
pub struct CommandKey;

impl CommandKey {
    /// Runs it, without a shell. What it writes to standard error is not shown: it may hold secrets.
    pub async fn open(program: &str, arguments: &[String]) -> Result<LocalKey, KeyError> {
        Self::within(program, arguments, LIMIT).await
    }

    async fn within(program: &str, arguments: &[String], limit: Duration) -> Result<LocalKey, KeyError> {
        let failed = |problem: String| KeyError::Command { program: program.to_owned(), problem };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(format!("it cannot be started: {error}")))?;
        let mut stdout = child.stdout.take().ok_or_else(|| failed("it has no standard output".to_owned()))?;
        let mut line = Zeroizing::new(vec![0; MAX_OUTPUT]);
        let reading = async {
            let mut length = 0;
            while let Some(rest) = line.get_mut(length..).filter(|rest| !rest.is_empty()) {
                match stdout.read(rest).await? {
                    0 => break,
                    more => length += more,
                }
            }
            drop(stdout);
            Ok::<_, std::io::Error>((length, child.wait().await?))
        };
        let (length, status) = tokio::time::timeout(limit, reading)
            .await
            .map_err(|_| failed(format!("it took longer than {} s", limit.as_secs())))?
            .map_err(|error| failed(format!("it cannot be read: {error}")))?;
        if !status.success() {
            let code =
                status.code().map_or("it was killed".to_owned(), |code| format!("it ended with exit code {code}"));
            return Err(failed(code));
        }
        line.truncate(length);
        LocalKey::from_line(&line, &format!("what the program {program} printed"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::keys::KeyProvider;

    fn arguments(text: &str) -> [String; 2] {
        ["-c".to_owned(), text.to_owned()]
    }

    #[tokio::test]
    async fn a_program_gives_the_key_and_what_it_says_otherwise_is_not_shown() {
        let line = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
        let key = CommandKey::open("sh", &arguments(&format!("echo {line}"))).await.unwrap();
        assert_eq!(key.id(), LocalKey::new(Zeroizing::new(vec![9; 32])).unwrap().id());
        let wrong = arguments(&format!("echo {line}; echo {line} >&2; exit 3"));
        let error = CommandKey::open("sh", &wrong).await.unwrap_err().to_string();
        assert!(error.contains("exit code 3") && !error.contains("CQkJ"), "{error}");
        let long = CommandKey::open("sh", &arguments("head -c 100000 /dev/zero")).await.unwrap_err().to_string();
        assert!(long.contains("sh") && !long.contains('\0'), "{long}");
        assert!(CommandKey::open("/no/such/program", &[]).await.unwrap_err().to_string().contains("cannot be started"));
    }

    #[tokio::test]
    async fn arguments_are_no_shells_to_read() {
        let error = CommandKey::open("echo", &["$(echo x); `id`".to_owned()]).await.unwrap_err();
        assert!(matches!(error, KeyError::Form { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_given_up() {
        let started = std::time::Instant::now();
        let waited = CommandKey::within("sleep", &["30".to_owned()], Duration::from_millis(50)).await;
        assert!(waited.unwrap_err().to_string().contains("took longer"));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
