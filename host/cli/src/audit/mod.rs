//! `portcullis audit`: reads the ledger.
//!
//! | file | what it does |
//! | --- | --- |
//! | `arguments.rs` | what can be written after it |
//! | `open.rs` | opens the store, and waits a moment where another command has it |
//! | `choice.rs`, `when.rs` | which records: fields, times |
//! | `find.rs` | a record or a call by what somebody copied of it |
//! | `list.rs`, `follow.rs`, `row.rs` | records as lines of a table, once or as they come |
//! | `show.rs` | one record, or a whole call |
//! | `why.rs`, `story.rs` | a call's story in words |
//! | `export.rs` | records in a file, for others |
//! | `payload.rs`, `erase.rs` | what is kept of inputs and outputs |
//! | `verify.rs`, `live.rs` | is it what was kept, and how far; is what is granted what was recorded? |
//! | `keys.rs` | the key that signs, and those that verify |
//! | `workspaces.rs` | whose chains there are |

pub(crate) mod arguments;
mod choice;
mod erase;
mod export;
mod find;
mod follow;
mod keys;
mod list;
mod live;
mod open;
mod payload;
pub(crate) mod row;
mod show;
mod story;
mod verify;
pub(crate) mod when;
mod why;
mod words;
mod workspaces;

use crate::{
    arguments::Arguments,
    audit::arguments::{Audit, AuditCommand},
    exit::Code,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Audit) -> anyhow::Result<Code> {
    match &wanted.command {
        AuditCommand::List(wanted) if wanted.follow => follow::run(arguments, wanted).await,
        AuditCommand::List(wanted) => list::run(arguments, wanted).await,
        AuditCommand::Show(wanted) => show::run(arguments, wanted).await,
        AuditCommand::Why(wanted) => why::run(arguments, wanted).await,
        AuditCommand::Verify(wanted) => verify::run(arguments, wanted).await,
        AuditCommand::Key => keys::run(arguments).await,
        AuditCommand::Export(wanted) => export::run(arguments, wanted).await,
        AuditCommand::Payload(wanted) => payload::run(arguments, wanted).await,
        AuditCommand::Erase(wanted) => erase::run(arguments, wanted).await,
        AuditCommand::Workspaces => workspaces::run(arguments).await,
    }
}
