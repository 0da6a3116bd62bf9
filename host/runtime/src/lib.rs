//! Portcullis, embedded: load an adapter's `.wasm`, grant it powers, call it, read what it used.
//!
//! | file | what it does |
//! | --- | --- |
//! | `adapter.rs` | a loaded adapter, with the schema of its config once it was asked for it |
//! | `runtime.rs` | the runtime: sandbox, egress and ledger, put together once |
//! | `code_keys.rs` | what vouches for compiled code that is kept: the master key |
//! | `integration.rs` | an integration: adapter, config, credentials and grant, checked against each other |
//! | `binding.rs` | which origins a credential was given for |
//! | `version.rs` | what an integration is made of, as it is kept, and who granted it |
//! | `registry.rs` | adapters and integrations that are kept, and opened by name |
//! | `live.rs` | what authorises, compared with what the ledger tells |
//! | `settings.rs` | what is set once for the whole host: ceiling, retention, places |
//! | `tokens.rs` | requests to authorization servers, through the gate and recorded |
//! | `reconnect.rs` | getting a token anew |
//! | `events.rs` | what a platform may want to tell somebody |
//! | `call.rs` | one call, from the caller's question to the outcome in the ledger |
//! | `failure.rs`, `abandoned.rs` | why there is no output, and what is recorded where nobody waits for it any more |
//! | `bridge.rs` | what a running adapter asks for, handed to gate, vault and egress |
//! | `describe.rs` | what an adapter says about itself, as the gate reads it |
//! | `heads.rs` | a place for signed heads that is reached over HTTP |
//! | `error.rs` | why something was not done |
//!
//! A platform depends on this crate alone. It passes in its own store, vault, resolver and clock where it has them. The
//! first line of its `main` is [`compile_if_asked`]: adapters are compiled in a child process, which is the same program
//! started again.
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//! use portcullis_runtime::{
//!     Call, Caller, Grant, Ledger, LedgerOptions, MemoryStore, MemoryVault, NewIntegration, Runtime, Secret,
//! };
//!
//! fn main() -> ExitCode {
//!     if let Some(code) = portcullis_runtime::compile_if_asked() {
//!         return code;
//!     }
//!     // … start tokio, then:
//!     ExitCode::SUCCESS
//! }
//!
//! async fn send(wasm: &[u8], grant: &str, token: Secret) -> Result<(), Box<dyn std::error::Error>> {
//!     let ledger = Ledger::open(Arc::new(MemoryStore::new()), LedgerOptions::default()).await?;
//!     let runtime = Runtime::builder(ledger).build()?;
//!     let adapter = runtime.load(wasm).await?;
//!     let vault = MemoryVault::new();
//!     vault.put("server-token", token);
//!     let mail = runtime
//!         .integrate(NewIntegration::new("acme", "mail", adapter, Grant::parse(grant)?).vault(Arc::new(vault)))
//!         .await?;
//!     let input = serde_json::json!({"From": "a@example.com", "To": "b@example.com", "TextBody": "Hello"});
//!     let outcome = mail.call(Call::new(Caller::principal("user:ada"), "sendEmail", input).live()).await;
//!     println!("{:?} {:?}", outcome.result, outcome.receipt);
//!     Ok(())
//! }
//! ```

mod abandoned;
mod adapter;
mod binding;
mod bridge;
mod call;
mod checks;
mod code_keys;
mod describe;
mod ends;
mod error;
mod events;
mod failure;
mod heads;
mod integration;
mod live;
mod reconnect;
mod registry;
mod runtime;
mod settings;
mod tokens;
mod version;

pub use adapter::Adapter;
pub use call::{Call, Outcome};
pub use code_keys::code_keys;
pub use error::{CallError, CredentialHelp, CredentialProblem, DescribeError, IntegrateError, StartError};
pub use events::Event;
pub use heads::{HttpHeadSinkError, http_head_sink};
pub use integration::{Integration, NewIntegration};
pub use live::{LiveWrong, Recorded};
pub use registry::{AdapterInfo, IntegrationInfo, Listed, RegistryError};
pub use runtime::{Runtime, RuntimeBuilder};
pub use settings::{HostSettings, SettingsError};

pub use portcullis_egress::{Body, DnsResolver, Resolver, SystemResolver, Unavailable, UnavailableReason, WouldSend};
pub use portcullis_gate::{
    CarveOut, Ceiling, CeilingError, Change, Denial, DenialWords, Descriptor, Diff, DiffError, Effect, Explained,
    Explanation, Grant, GrantError, GrantMismatch, GrantedRoute, Limits, Method, OAuth, Operation, Parameter, Repeat,
    Route, Scheme, Slot, Template, diff, explain, is_plain, plain_json, printable, printable_lines, strict,
};
/// The ledger, whole: queries, records, signed heads.
pub use portcullis_ledger as ledger;
pub use portcullis_ledger::{
    CallId, Caller, Clock, Exchange, KnownBy, Ledger, LedgerError, LedgerOptions, Mode, Receipt, Record, Status,
    SystemClock,
};
pub use portcullis_sandbox::{
    CodeError, CompileError, CompileLimits, Compiler, Import, Journal, Line, LoadError, MAX_UPLOAD, Sight, Upload,
    UploadError, compile_if_asked,
};
pub use portcullis_schema::{Field, Fields, Json, JsonError, Schema, SchemaError, Violation, Violations};
/// Stores, whole.
pub use portcullis_store as store;
pub use portcullis_store::{MemoryStore, Store, StoreError};
pub use portcullis_vault::{
    Adopted, AdoptedRecord, CredentialError, CredentialEvent, CredentialId, CredentialInfo, Credentials,
    Field as CredentialField, Given, Happened, HostState, KeyError as MasterKeyError, KeyProvider, KeySource,
    Kind as CredentialKind, MaterialError, MemoryVault, NOT_BOUND, NewOptions, Overlap, Rewrapped, Secret, SecretError,
    Source, SourceError, StateError, Vault, VaultError, Vaults, check as check_credential, weak_secrets,
};
pub use rustls::{RootCertStore, pki_types::CertificateDer};
