//! Why an adapter cannot be loaded, and why a call has no output.

use portcullis_gate::{DescriptorError, printable};

use crate::{cache::CacheError, code::CodeError, compiler::CompileError, upload::UploadError, wit};

/// An adapter cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not an adapter.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// It cannot be compiled within the bounds.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Compiled code that was made in advance is not taken, or cannot be made.
    #[error("the compiled code: {0}")]
    Code(#[from] CodeError),
    /// Compiled code cannot be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// It is more than an instance can be.
    #[error(
        "it is more than an instance can be (48 core instances, 4 memories, 10 tables, 20,000 table elements, 64 MiB): {0}"
    )]
    Shape(String),
    /// Its imports or exports have other types than the contract says.
    #[error("the adapter does not fit the contract portcullis:adapter@0.1.0: {0}; build it against `wit/0.1.0`")]
    Contract(String),
}

/// A call has no output.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A bound of the sandbox was hit.
    #[error("the bound {name} was hit: at most {limit}")]
    Bound {
        /// Its name in `[limits]`, or of a bound that is the same for all.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The host ended the call, and the adapter was not asked.
    #[error("the host ended the call")]
    Over,
    /// The adapter said that it could not.
    #[error("{}", adapter_words(.0))]
    Adapter(wit::Error),
    /// The adapter broke: a panic, or an instruction that traps.
    #[error("the adapter broke: {0}")]
    Broken(String),
    /// What it describes is not well formed.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
}

impl CallError {
    /// Whether a bound was hit.
    pub fn is_bound(&self) -> bool {
        matches!(self, CallError::Bound { .. })
    }
}

/// What an adapter said, fit to be shown.
fn adapter_words(error: &wit::Error) -> String {
    let words = match error {
        wit::Error::UnknownOperation(name) => format!("the adapter does not know its own operation `{name}`"),
        wit::Error::InvalidInput(at) => {
            format!("the adapter does not accept the input at `{}`: {}", at.pointer, at.message)
        }
        wit::Error::InvalidConfig(at) => {
            format!("the adapter does not accept the config at `{}`: {}", at.pointer, at.message)
        }
        wit::Error::Failed(failure) => format!("{}: {}", failure.code, failure.message),
    };
    printable(&words, 400)
}
