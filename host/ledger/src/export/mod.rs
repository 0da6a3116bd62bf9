//! Records in the forms that others read.
//!
//! | file | form |
//! | --- | --- |
//! | `exporter.rs` | what is exported, a piece at a time; JSON Lines: the chain itself, to be verified anywhere |
//! | `ocsf.rs` | OCSF events (API Activity), for SIEMs |
//! | `cef.rs` | ArcSight's Common Event Format, for SIEMs |
//! | `facts.rs` | what both of those tell: how it went, how much it matters, a sentence |
//!
//! Nothing here writes to a file or a connection: an [`Exporter`] hands out bytes, and holds no more of them than one piece,
//! however long the chain is.

mod cef;
mod exporter;
mod facts;
mod ocsf;

pub use exporter::{ExportError, Exported, Exporter, Format, Wanted};
pub use ocsf::OCSF_VERSION;
