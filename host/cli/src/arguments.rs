//! What can be written after `portcullis`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use portcullis_runtime::Mode;
use portcullis_store::EngineKind;

use crate::audit::arguments::Audit;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  anything else: a missing credential, an unreadable ledger or cache
  2  usage: arguments, grant, config or input that are not right, or a file that is no adapter
  3  denied, by the grant or by the gate
  4  the adapter failed
  5  a bound was hit
  6  the upstream could not be reached, broke off or was too slow
  7  the ledger or the store is damaged, and what is wrong is named";

const STORE_EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  anything else: another process has the store open, the disk is full
  2  usage: no store in the folder, a file that is no export or a damaged one, a store that is not empty
  7  the store is damaged: something in it is not as it was written, or missing";

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the store cannot be read or written, or another process has it; there is nothing to export
  2  usage: arguments that are not right, no store in the folder, or a call or record that is not there
  7  the ledger or the store is damaged, and what is wrong is named";

const DIFF_EXIT_CODES: &str = "\
Exit codes:
  0  the new version asks for nothing that the old one did not
  2  usage, or a file that is no adapter
  3  it asks for more: somebody has to read it, and grant it";

/// Runs connectors as WASI components that can do what they were granted, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print one JSON object on standard output, for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Folder for the ledger, the store and compiled adapters.
    #[arg(long, global = true, env = "PORTCULLIS_DATA", default_value = ".portcullis", value_name = "FOLDER")]
    pub(crate) data: PathBuf,

    /// The Ed25519 key that signs the heads of the ledger; made where there is none. `ledger.key` in the data folder unless
    /// given: whoever has both can make another history, so give one elsewhere where that matters.
    #[arg(long, global = true, env = "PORTCULLIS_SIGNING_KEY", value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,

    /// Where signed heads go, best not on the store's disk: a file, an `https://` URL, or `-` for standard output.
    /// `heads.jsonl` in the data folder unless given.
    #[arg(long, global = true, env = "PORTCULLIS_HEADS", value_name = "PLACE")]
    pub(crate) heads: Option<String>,

    /// An address that signed heads may be sent to although it is not public, or not https: `10.1.0.0/16:443`.
    #[arg(
        long = "heads-carve-out",
        global = true,
        env = "PORTCULLIS_HEADS_CARVE_OUTS",
        value_delimiter = ',',
        value_name = "ADDRESS:PORT"
    )]
    pub(crate) heads_carve_outs: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what an adapter can do, before it does anything.
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
    /// Say what an adapter can do under a grant and a ceiling, and which of the three takes the rest away.
    #[command(after_help = EXIT_CODES)]
    Explain(Explain),
    /// Say what a new version of an adapter asks for that the old one did not.
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(Diff),
    /// Call one operation of an adapter under a grant.
    #[command(after_help = EXIT_CODES)]
    Invoke(Invoke),
    /// Check, back up, restore and shrink the store. The host must not be running.
    #[command(after_help = STORE_EXIT_CODES)]
    Store {
        #[command(subcommand)]
        command: Store,
    },
    /// Read the ledger: list, show, explain and export what was done and refused.
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(Audit),
    /// Print the JSON Schema of a file that Portcullis reads.
    Schema {
        /// Which file.
        document: Document,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Read all of it, and say whether everything that was written is there as it was written.
    #[command(after_help = STORE_EXIT_CODES)]
    Verify,
    /// Write all of it into one portable file.
    #[command(after_help = STORE_EXIT_CODES)]
    Export {
        /// The file; it must not be there yet.
        file: PathBuf,
    },
    /// Make a store of an exported file, where there is none or an empty one.
    #[command(after_help = STORE_EXIT_CODES)]
    Import {
        /// The file.
        file: PathBuf,

        /// What keeps the new store.
        #[arg(long, value_enum)]
        engine: Option<EngineName>,
    },
    /// Rewrite it with what is live, and give the rest of its space back.
    #[command(after_help = STORE_EXIT_CODES)]
    Compact,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EngineName {
    /// A log and a tree over it.
    Sled,
    /// One file. The default.
    Redb,
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Sled => EngineKind::Sled,
            EngineName::Redb => EngineKind::Redb,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Document {
    /// Grant files.
    Grant,
    /// The host's ceiling.
    Ceiling,
    /// What is kept of inputs and outputs.
    Retention,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The adapter's `.wasm`.
    pub(crate) adapter: PathBuf,

    /// The adapter's config: JSON, or `@FILE`. Some adapters cannot say much without one.
    #[arg(long, value_name = "JSON")]
    pub(crate) config: Option<String>,

    /// Print nothing but a grant for all that it asks for, as TOML, to be read and cut down.
    #[arg(long, conflicts_with = "json")]
    pub(crate) grant: bool,

    /// Print nothing but the JSON Schema of its config, for editors.
    #[arg(long, conflicts_with = "grant")]
    pub(crate) config_schema: bool,

    /// Say nothing but what this operation takes and gives, and how it is called.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["grant", "config_schema", "under"])]
    pub(crate) operation: Option<String>,

    /// Also say what holds under this grant file; without one, under a grant for all of it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grant", "config_schema"])]
    pub(crate) under: Option<PathBuf>,

    /// Also say what holds below this ceiling, TOML or JSON.
    #[arg(long, env = "PORTCULLIS_CEILING", value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,

    /// The integration's name; the ceiling knows it as `local/NAME`. The adapter's file name unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The adapter's `.wasm`.
    pub(crate) adapter: PathBuf,

    /// The grant file, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: PathBuf,

    /// The host's ceiling, TOML or JSON: what no grant goes beyond.
    #[arg(long, env = "PORTCULLIS_CEILING", value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,

    /// The adapter's config: JSON, or `@FILE`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) config: String,

    /// The integration's name; the ceiling knows it as `local/NAME`. The adapter's file name unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The old version's `.wasm`.
    pub(crate) old: PathBuf,

    /// The new version's `.wasm`.
    pub(crate) new: PathBuf,

    /// The config, for both: JSON, or `@FILE`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) config: String,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The adapter's `.wasm`.
    pub(crate) adapter: PathBuf,

    /// The grant file, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: PathBuf,

    /// The host's ceiling, TOML or JSON: what no grant goes beyond.
    #[arg(long, env = "PORTCULLIS_CEILING", value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,

    /// What is kept of inputs and outputs, TOML or JSON. Without one, what their schemas do not mark as sensitive.
    #[arg(long, env = "PORTCULLIS_RETENTION", value_name = "FILE")]
    pub(crate) retention: Option<PathBuf>,

    /// The integration's name, for the ledger; the ceiling knows it as `local/NAME`. The adapter's file name unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,

    /// The operation.
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: String,

    /// The operation's input: JSON, `@FILE`, or `-` for standard input.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) input: String,

    /// The adapter's config: JSON, or `@FILE`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) config: String,

    /// A slot's secret: `SLOT=file:PATH`, `SLOT=env:NAME`, or `SLOT=-` for standard input. Not needed in sandbox mode.
    #[arg(long = "credential", value_name = "SLOT=SOURCE")]
    pub(crate) credentials: Vec<String>,

    /// In `sandbox` nothing leaves, and answers are made up from the declared schemas.
    #[arg(long, value_enum, default_value_t = ModeName::Sandbox)]
    pub(crate) mode: ModeName,

    /// In sandbox mode: other numbers give other answers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Who asks, for the ledger.
    #[arg(long, default_value = "user:local", value_name = "NAME")]
    pub(crate) principal: String,

    /// Passed to providers that know such keys, so that they do the work once.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ModeName {
    /// Nothing leaves.
    Sandbox,
    /// Requests are sent.
    Live,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Sandbox => Mode::Sandbox,
            ModeName::Live => Mode::Live,
        }
    }
}
