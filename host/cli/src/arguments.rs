//! What can be written after `portcullis`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use portcullis_runtime::{CompileLimits, Mode};
use portcullis_store::EngineKind;

use crate::audit::arguments::Audit;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  anything else: a missing credential, an unreadable ledger or cache
  2  usage: arguments, grant, config or input that are not right, or a file
     that is no adapter
  3  denied, by the grant or by the gate
  4  the adapter failed
  5  a bound was hit
  6  the upstream could not be reached, broke off or was too slow
  7  the ledger or the store is damaged, and what is wrong is named
  130, 143  interrupted (SIGINT, SIGTERM): what was under way is given up and
     recorded";

const STORE_EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  anything else: another process has the store open, the disk is full
  2  usage: no store in the folder, a file that is no export or a damaged one,
     a store that is not empty
  7  the store is damaged: something in it is not as it was written, or
     missing";

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the store cannot be read or written, or another process has it; there is
     nothing to export
  2  usage: arguments that are not right, no store in the folder, or a call or
     record that is not there
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

    /// The master key, under which credentials are encrypted: `file:PATH` (made where there is none), `env:NAME`, or
    /// `command:PROGRAM ARG…`, whose output it is. `file:master.key` in the data folder unless given: whoever has the disk
    /// then has both, so give another place where that matters.
    #[arg(long, global = true, env = "PORTCULLIS_MASTER_KEY", value_name = "KEY")]
    pub(crate) master_key: Option<String>,

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
    /// Call one operation of an integration that is kept.
    #[command(after_help = EXIT_CODES)]
    Call(Call),
    /// Keep adapters in the data folder, and list them.
    Adapter {
        #[command(subcommand)]
        command: AdapterCommand,
    },
    /// Keep integrations in the data folder, list and show them.
    Integration {
        #[command(subcommand)]
        command: IntegrationCommand,
    },
    /// Store, rotate, revoke and list the credentials of integrations.
    Credential {
        #[command(subcommand)]
        command: CredentialCommand,
    },
    /// Set what holds for the whole host: its ceiling, what is kept of inputs and outputs, where signed heads go.
    Host {
        #[command(subcommand)]
        command: HostCommand,
    },
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
pub(crate) enum HostCommand {
    /// Set some of it, once. Every command obeys it from then on; what is said beside it only narrows it.
    Set(HostSet),
    /// Show what is set.
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct HostSet {
    /// The host's ceiling, TOML or JSON: what no grant goes beyond.
    #[arg(long = "ceiling", value_name = "FILE")]
    pub(crate) new_ceiling: Option<PathBuf>,

    /// What is kept of inputs and outputs, TOML or JSON.
    #[arg(long = "retention", value_name = "FILE")]
    pub(crate) new_retention: Option<PathBuf>,

    /// Where signed heads go: a file, an `https://` URL, or `-` for standard output.
    #[arg(long, value_name = "PLACE")]
    pub(crate) heads_place: Option<String>,

    /// An address that they may be sent to although it is not public: `10.1.0.0/16:443`.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "heads_place")]
    pub(crate) heads_place_carve_out: Vec<String>,

    /// The file of the key that signs heads.
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) compiling: Compiling,

    /// Set none any more.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) clear: Vec<HostSetting>,

    /// Who asks, for the ledger. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
}

/// What can be set for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HostSetting {
    /// The ceiling.
    Ceiling,
    /// What is kept of inputs and outputs.
    Retention,
    /// Where signed heads go.
    Heads,
    /// The key that signs them.
    SigningKey,
    /// The CPU time that compiling may take.
    CompileCpu,
    /// The memory that compiling may take.
    CompileMemory,
}

/// What compiling one adapter may take.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Compiling {
    /// CPU time that compiling one adapter may take, in seconds. 240 unless set.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(CompileLimits::CPU_SECONDS))]
    pub(crate) compile_cpu: Option<u64>,

    /// Memory that compiling one adapter may take, in bytes. 1 GiB unless set.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(CompileLimits::MEMORY_BYTES))]
    pub(crate) compile_memory: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdapterCommand {
    /// Look into an adapter's file, compile it and keep it.
    Add {
        /// The adapter's `.wasm`.
        file: PathBuf,

        /// What to call it. The file's name unless given.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,

        /// Take code that was compiled in advance by `adapter compile`, in place of compiling here.
        #[arg(long, value_name = "CODE")]
        compiled: Option<PathBuf>,

        /// Who asks, for the ledger, recorded as stated. The system's user unless given.
        #[arg(long, value_name = "NAME")]
        principal: Option<String>,
    },
    /// Compile an adapter in advance, for hosts with the same master key, version and kind of processor.
    ///
    /// What it writes is signed under the master key. `adapter add --compiled` takes it there.
    Compile {
        /// The adapter's `.wasm`.
        file: PathBuf,

        /// The file to write; it must not be there yet.
        #[arg(long, value_name = "CODE")]
        to: PathBuf,

        #[command(flatten)]
        compiling: Compiling,
    },
    /// List the adapters that are kept.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationCommand {
    /// Make an integration of an adapter, a config and a grant; in place of one of that name, as a new version.
    Add(IntegrationAdd),
    /// List the integrations that are kept.
    List {
        /// Their workspace.
        #[arg(long, default_value = "local", value_name = "NAME")]
        workspace: String,
    },
    /// Show what one is made of, what it may do, and its credentials.
    Show {
        /// Its name.
        name: String,

        /// Its workspace.
        #[arg(long, default_value = "local", value_name = "NAME")]
        workspace: String,

        #[command(flatten)]
        host: HostFiles,
    },
}

#[derive(Debug, Args)]
pub(crate) struct IntegrationAdd {
    /// Its name: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub(crate) name: String,

    /// The adapter: the name or the digest of one that is kept.
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: String,

    /// The adapter's config: JSON, or `@FILE`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) config: String,

    /// The grant file, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: PathBuf,

    /// The credential in this slot may go wherever the new version sends it. Without it a version that sends a credential to
    /// an origin that it was not given for is refused.
    #[arg(long, value_name = "SLOT")]
    pub(crate) rebind: Vec<String>,

    /// Its workspace.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub(crate) workspace: String,

    #[command(flatten)]
    pub(crate) host: HostFiles,

    /// Who grants, for the ledger, recorded as stated. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Store a credential in a slot of an integration.
    Add(CredentialGiven),
    /// Put another credential in a slot, from the next request on.
    Rotate {
        #[command(flatten)]
        given: CredentialGiven,

        /// For how long the old one works, too: `30m`, `2h`, `1d`. Not at all unless given: requests that are on
        /// their way with it are given up.
        #[arg(long, value_name = "DURATION")]
        overlap: Option<String>,
    },
    /// End a credential: no request goes out with it any more, and those on their way are given up.
    Revoke {
        #[command(flatten)]
        named: CredentialNamed,

        /// Why. It is kept in the ledger.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take a credential out of its slot.
    Remove {
        #[command(flatten)]
        named: CredentialNamed,
    },
    /// Let a credential go to all origins that its integration sends it to by now: it goes only to those that it was given for.
    Rebind {
        #[command(flatten)]
        named: CredentialNamed,
    },
    /// List the credentials: kind, state, when they expire, when and by what they were used. Never what they are.
    List {
        /// Those of this integration alone.
        integration: Option<String>,

        /// Their workspace.
        #[arg(long, default_value = "local", value_name = "NAME")]
        workspace: String,
    },
    /// Get a token anew: ask a person to agree, or ask the authorization server.
    Reconnect(CredentialReconnect),
    /// Say which kinds of credentials there are, and what each needs.
    Kinds {
        /// Of this kind alone.
        kind: Option<String>,
    },
    /// Change the master key: wrap the data keys of all workspaces anew. Goes on where it was cut off.
    Rewrap {
        /// The new master key: `file:PATH` (made where there is none), `env:NAME`, or `command:PROGRAM ARG…`.
        #[arg(long, value_name = "KEY")]
        to: String,
    },
}

/// Which credential.
#[derive(Clone, Debug, Args)]
pub(crate) struct CredentialNamed {
    /// The integration.
    pub(crate) integration: String,

    /// The slot, as the adapter names it.
    pub(crate) slot: String,

    /// The integration's workspace.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub(crate) workspace: String,

    /// Who asks, for the ledger, recorded as stated. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
}

/// What is handed over.
#[derive(Clone, Debug, Args)]
pub(crate) struct CredentialGiven {
    #[command(flatten)]
    pub(crate) named: CredentialNamed,

    /// Its kind; `portcullis credential kinds` lists them. What the slot usually takes unless given.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,

    /// A field that is no secret, such as `client-id=abc`.
    #[arg(long = "field", value_name = "NAME=VALUE")]
    pub(crate) fields: Vec<String>,

    /// A secret: `NAME=file:PATH`, `NAME=env:VARIABLE` or `NAME=-` for standard input; of kinds with one secret also without
    /// the name. What is not given is asked for, or read from standard input.
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    pub(crate) secrets: Vec<String>,

    /// When it stops working, where it does not say so itself: `2027-01-31`, or a whole RFC 3339 time.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialReconnect {
    #[command(flatten)]
    pub(crate) named: CredentialNamed,

    /// Where the authorization server sends the browser back to, as it is registered there. A port of this machine is
    /// listened on (RFC 8252, section 7.3).
    #[arg(long, default_value = "http://127.0.0.1:8765/callback", value_name = "URL")]
    pub(crate) redirect_uri: String,

    /// Print the address to open, and wait for the URL that the browser was sent back to on standard input, in place of
    /// listening.
    #[arg(long)]
    pub(crate) paste: bool,

    #[command(flatten)]
    pub(crate) host: HostFiles,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Read all of it, and say whether everything that was written is there as it was written.
    ///
    /// Of a damaged store it says what holds and what does not, by kind and workspace.
    #[command(after_help = STORE_EXIT_CODES)]
    Verify,
    /// Write what still holds of a damaged store into one portable file, and say what was left out.
    #[command(after_help = STORE_EXIT_CODES)]
    Salvage {
        /// The file; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
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

        /// Move the store that is there aside, and keep it.
        #[arg(long)]
        replace: bool,

        /// What keeps the new store.
        #[arg(long, value_enum)]
        engine: Option<EngineName>,
    },
    /// Vouch for what a store grants that nothing vouches for: one from before there was a state, or that lost it. Shows all
    /// that would be adopted; with `--yes` it is.
    #[command(after_help = STORE_EXIT_CODES)]
    Adopt {
        /// Adopt what was shown.
        #[arg(long)]
        yes: bool,

        /// Who asks, for the ledger. The system's user unless given.
        #[arg(long, value_name = "NAME")]
        principal: Option<String>,
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

    /// Say nothing but what this operation takes and gives, and how it is called. With `--grant`: a grant for this one
    /// alone, or for several.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config_schema", "under"])]
    pub(crate) operation: Vec<String>,

    /// Print nothing but the adapter's digest.
    #[arg(long, conflicts_with_all = ["json", "grant", "config_schema", "operation", "under"])]
    pub(crate) digest: bool,

    /// Also say what holds under this grant file; without one, under a grant for all of it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grant", "config_schema"])]
    pub(crate) under: Option<PathBuf>,

    /// Also say what holds below this ceiling, TOML or JSON.
    #[arg(long, env = "PORTCULLIS_CEILING", value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,

    /// The integration's name; the ceiling knows it as `local/NAME`. The adapter's file name unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,

    #[command(flatten)]
    pub(crate) compiling: Compiling,
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

    #[command(flatten)]
    pub(crate) compiling: Compiling,
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

    #[command(flatten)]
    pub(crate) compiling: Compiling,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The adapter's `.wasm`.
    pub(crate) adapter: PathBuf,

    /// The grant file, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: PathBuf,

    #[command(flatten)]
    pub(crate) host: HostFiles,

    /// The integration's name, for the ledger; the ceiling knows it as `local/NAME`. The adapter's file name unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,

    /// The operation.
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: String,

    /// The adapter's config: JSON, or `@FILE`.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) config: String,

    /// A slot's secret: `SLOT=file:PATH`, `SLOT=env:NAME`, or `SLOT=-` for standard input. Not needed in sandbox mode.
    #[arg(long = "credential", value_name = "SLOT=SOURCE")]
    pub(crate) credentials: Vec<String>,

    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The integration's name.
    pub(crate) integration: String,

    /// The operation.
    pub(crate) operation: String,

    #[command(flatten)]
    pub(crate) host: HostFiles,

    /// Its workspace.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub(crate) workspace: String,

    #[command(flatten)]
    pub(crate) call: CallOptions,
}

/// What an operator sets for all integrations of a host.
#[derive(Debug, Args)]
pub(crate) struct HostFiles {
    /// The host's ceiling, TOML or JSON: what no grant goes beyond.
    #[arg(long, env = "PORTCULLIS_CEILING", value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,

    /// What is kept of inputs and outputs, TOML or JSON. Without one, what their schemas do not mark as sensitive.
    #[arg(long, env = "PORTCULLIS_RETENTION", value_name = "FILE")]
    pub(crate) retention: Option<PathBuf>,
}

/// What a call is asked with.
#[derive(Debug, Args)]
pub(crate) struct CallOptions {
    /// The operation's input: JSON, `@FILE`, or `-` for standard input.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) input: String,

    /// In `sandbox` nothing leaves, and answers are made up from the declared schemas.
    #[arg(long, value_enum, default_value_t = ModeName::Sandbox)]
    pub(crate) mode: ModeName,

    /// Send requests: the same as `--mode live`.
    #[arg(long, conflicts_with = "mode")]
    pub(crate) live: bool,

    /// In sandbox mode: other numbers give other answers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Who asks, for the ledger, recorded as stated. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,

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
