//! What can be written after `portcullis audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use portcullis_runtime::ledger::Format;

use crate::audit::{erase::Erase, payload::Payload};

const VERIFY_EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong, and signatures vouch for every chain
  1  the store cannot be read, or another process has it
  2  usage: arguments that are not right, a file or key that cannot be read
  7  damaged: what is wrong is named
  8  nothing is wrong, and no signature vouches for it: who can write there could
     have made all of it";

/// Reads the ledger: what every adapter did, for whom, under which grant given by whom.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List records, newest first.
    List(List),
    /// Show one record, or all that is recorded of a call.
    Show(Show),
    /// Tell a call's story: who asked, what was granted and by whom, which rule said no, what would allow it.
    Why(Why),
    /// Say whether what is recorded is what was kept, and how far: of the store, or of an exported file.
    #[command(after_help = VERIFY_EXIT_CODES)]
    Verify(Verify),
    /// Write records to a file that others can read, and record that.
    Export(Export),
    /// Show what is kept of a call's input and output, or why there is nothing.
    Payload(Payload),
    /// Erase what is kept of inputs and outputs. The chain stays as it is, and says who did it and why.
    Erase(Erase),
    /// Print the public key of the key that signs, for those who verify. Makes the key where there is none.
    Key,
    /// List the workspaces that have records.
    Workspaces,
}

/// Whose records. The same for all that read one chain.
#[derive(Debug, Args)]
pub(crate) struct Workspace {
    /// The workspace; `@host` is what belongs to none. `portcullis audit workspaces` lists them.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub(crate) workspace: String,
}

/// Which of them.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only where a field has this value, for example `kind=denial`, `status=unknown`, `principal=user:ada`. All must hold.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) fields: Vec<String>,

    /// Only from this time on: `2h`, `3d`, `2026-11-21`, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// Only before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) workspace: Workspace,

    #[command(flatten)]
    pub(crate) choice: Choice,

    /// At most this many, up to 1,000.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) limit: u64,

    /// Go on where a page ended: the cursor that came with it.
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    pub(crate) after: Option<String>,

    /// The oldest first.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) oldest_first: bool,

    /// Go on with new ones as they come, until interrupted; with `--json`, one object a line.
    #[arg(long, conflicts_with = "until")]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A record's number, or a call's id; its first or last characters will do, as `audit list` shows them.
    #[arg(value_name = "SEQ|CALL")]
    pub(crate) what: String,

    #[command(flatten)]
    pub(crate) workspace: Workspace,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// A call's id; its first or last characters will do. A record's number stands for its call.
    #[arg(value_name = "CALL")]
    pub(crate) what: String,

    #[command(flatten)]
    pub(crate) workspace: Workspace,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// In which form.
    #[arg(long, value_enum)]
    pub(crate) format: FormatName,

    #[command(flatten)]
    pub(crate) workspace: Workspace,

    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Only from this record on.
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,

    /// Only up to this record.
    #[arg(long, value_name = "SEQ")]
    pub(crate) to: Option<u64>,

    /// The file; `-` for standard output. A file is there in full or not at all, and only its owner can read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,

    /// Who exports, for the ledger, recorded as stated. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) principal: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// This workspace's chain only.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) workspace: Option<String>,

    /// An export in JSON Lines, in place of the store. With `--heads FILE` it must hold all that those signed heads name,
    /// but for what the host signed after it exported.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The file must hold this record and those after it. With `--heads` the chain's first unless given.
    #[arg(long, value_name = "SEQ", requires = "file", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: Option<u64>,

    /// The file must hold this record and those before it, and need not hold more. With `--heads` all that they name unless
    /// given.
    #[arg(long, value_name = "SEQ", requires = "file", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) to: Option<u64>,

    /// A public key whose signatures count, as PEM; several after a change of the key. This host's own unless given, which
    /// only shows that nobody without it changed anything: a key that was written down elsewhere shows more.
    #[arg(long, value_name = "PEM")]
    pub(crate) key: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatName {
    /// JSON Lines: the chain itself, to be verified anywhere with the public key.
    Jsonl,
    /// OCSF events (API Activity), one a line.
    Ocsf,
    /// ArcSight's Common Event Format.
    Cef,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Jsonl => Self::JsonLines,
            FormatName::Ocsf => Self::Ocsf,
            FormatName::Cef => Self::Cef,
        }
    }
}
