//! Where an operator says that the master key is.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use super::{CommandKey, EnvKey, FileKey, KeyError, KeyProvider};

/// A place to take the master key from: `file:PATH`, `env:NAME`, or `command:PROGRAM ARG…`, split at spaces, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file, made where there is none.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// What a program prints.
    Command {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl KeySource {
    /// Takes the key from there.
    pub async fn open(&self) -> Result<Arc<dyn KeyProvider>, KeyError> {
        Ok(Arc::new(match self {
            Self::File(path) => FileKey::open_or_create(path)?,
            Self::Env(name) => EnvKey::open(name)?,
            Self::Command { program, arguments } => CommandKey::open(program, arguments).await?,
        }))
    }
}

impl FromStr for KeySource {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("command", line)) => {
                let mut words = line.split_whitespace().map(str::to_owned);
                let program = words.next().ok_or(KeyError::Source)?;
                Ok(Self::Command { program, arguments: words.collect() })
            }
            _ => Err(KeyError::Source),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            // Arguments may hold what is not to be shown.
            Self::Command { program, .. } => write!(f, "the program {program}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_written_on_the_command_line_is_not_taken() {
        for text in ["CQkJCQkJCQkJCQkJCQkJ", "file:", "env:", "command:", "command: ", "", "base64:CQkJ"] {
            let error = text.parse::<KeySource>().unwrap_err().to_string();
            assert!(error.contains("file:PATH") && !error.contains("CQkJ"), "{error}");
        }
        assert_eq!("file:/a:b".parse::<KeySource>().unwrap(), KeySource::File("/a:b".into()));
        let command = KeySource::Command { program: "pass".into(), arguments: vec!["show".into(), "a b".into()] };
        assert_eq!(command.to_string(), "the program pass");
        let command = "command:pass show portcullis".parse::<KeySource>().unwrap();
        let expected = vec!["show".to_owned(), "portcullis".to_owned()];
        assert_eq!(command, KeySource::Command { program: "pass".into(), arguments: expected });
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_is_named() {
        let error = "env:NO_SUCH_MASTER_KEY".parse::<KeySource>().unwrap().open().await;
        assert!(error.err().unwrap().to_string().contains("NO_SUCH_MASTER_KEY"));
    }
}
