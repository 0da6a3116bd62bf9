//! The gate: the one place that decides whether an outbound request may leave.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness, no knowledge of secrets. A
//! reader who wants to know what Portcullis lets out reads this crate and nothing else:
//!
//! | file | the one thing it decides |
//! | --- | --- |
//! | `url.rs` | what a request's URL *is*: parsed once, refused where two parsers could read it differently |
//! | `template.rs` | whether a path is one that a route's template stands for |
//! | `header.rs` | which header fields a guest may write |
//! | `descriptor.rs` | whether what an adapter declares is well formed |
//! | `grant.rs` | whether what an operator wrote is well formed |
//! | `powers.rs` | declared ∩ granted, indexed: what may happen at all |
//! | `decide.rs` | whether this request may leave |
//! | `address.rs` | whether this address may be dialled |
//! | `denial.rs` | how a refusal is told, and what would allow it |
//! | `repeat.rs` | whether a request may be sent twice |
//! | `printable.rs` | how strangers' text is shown |
//! | `limits.rs` | the bounds, their defaults and their names |
//!
//! Use this crate to judge requests, to read grants, and to say what an adapter may do. It does not send, resolve names,
//! hold credentials or write records; `portcullis-egress` does these and asks here first.

mod address;
mod decide;
mod denial;
mod descriptor;
mod grant;
mod header;
mod limits;
mod method;
mod powers;
mod printable;
mod repeat;
mod template;
mod url;

pub use address::{AddressRefusal, CarveOuts, judge_address};
pub use decide::{Decision, Reason, Request, decide};
pub use denial::Denial;
pub use descriptor::{Descriptor, DescriptorError, Effect, Operation, Route, Scheme, Slot};
pub use grant::{Grant, GrantError, GrantedRoute};
pub use header::{Header, HeaderRefusal, judge_header};
pub use limits::{Limits, LimitsError};
pub use method::Method;
pub use powers::{GrantMismatch, OpenRoute, OperationPowers, Powers};
pub use printable::printable;
pub use repeat::Repeat;
pub use template::{Template, TemplateError};
pub use url::{RequestUrl, UrlRefusal};
