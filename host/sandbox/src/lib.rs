//! The sandbox: inspects, compiles and runs adapters.
//!
//! | file | what it does |
//! | --- | --- |
//! | `upload.rs` | looks into a file without compiling it: is it an adapter, what does it import |
//! | `compiler.rs` | compiles in a child process with bounded memory and CPU time |
//! | `artifact.rs` | loads compiled code, after its MAC was checked: the one file with `unsafe` |
//! | `code.rs` | compiled code as it is kept: what it is of and for, and what vouches for it |
//! | `cache.rs` | keeps compiled code on disk |
//! | `engine.rs` | wasmtime as it is set up here: features, pool, fuel, epochs |
//! | `adapter.rs` | an adapter that is ready to run |
//! | `run.rs` | one call in a fresh instance: bounds, ends, usage |
//! | `meter.rs` | CPU time, counted apart for guest and host |
//! | `memory.rs` | one bound over all memories and tables of a call |
//! | `state.rs` | what a running instance can reach, which is its own call and no more |
//! | `host.rs` | the contract's imports: `credentials`, `http`, `log` |
//! | `wasi.rs` | the smallest WASI that a language's runtime starts with |
//! | `journal.rs` | what a guest says: bounded, and clean of control characters |
//!
//! It knows no secrets and opens no connections: what a guest asks for goes to a [`Host`], and what a [`Host`] is made of
//! is not known here.

mod adapter;
mod artifact;
mod bindings;
mod cache;
mod code;
mod compiler;
mod denied;
mod engine;
mod error;
mod host;
mod journal;
mod memory;
mod meter;
mod run;
mod state;
#[cfg(test)]
mod testing;
mod upload;
mod wasi;

pub use adapter::Adapter;
pub use cache::CacheError;
pub use code::{CodeError, CodeKey, CodeKeys, MadeKey};
pub use compiler::{CompileError, CompileLimits, Compiler, compile_if_asked};
pub use engine::{Sandbox, SandboxOptions};
pub use error::{CallError, LoadError};
pub use host::{CallOver, Host, Sight};
pub use journal::{Journal, Line};
pub use meter::{Meter, Metered};
pub use run::{Call, Ended, Terms, Usage};
pub use upload::{Import, MAX_UPLOAD, Upload, UploadError};

/// The contract's types, as generated from `wit/`.
pub mod wit {
    pub use crate::bindings::exports::portcullis::adapter::operations::{Error, Failure, Invalid};
    pub use crate::bindings::portcullis::adapter::credentials::{CredentialError, MacAlgorithm};
    pub use crate::bindings::portcullis::adapter::descriptor::{
        Body, Descriptor, Effect, LinkPlace, MacEncoding, Oauth, Parameter, Repeat, Route, Scheme, Values,
    };
    pub use crate::bindings::portcullis::adapter::http;
    pub use crate::bindings::portcullis::adapter::log::Level;
    pub use crate::bindings::portcullis::adapter::types::Method;
}
