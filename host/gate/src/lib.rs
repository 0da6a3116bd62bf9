//! The gate: the one place that decides whether an outbound request may leave.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness, no knowledge of secrets. A
//! reader who wants to know what Portcullis lets out reads this crate and nothing else:
//!
//! | file | the one thing it decides |
//! | --- | --- |
//! | `url.rs` | what a request's URL *is*: parsed once, refused where two parsers could read it differently |
//! | `shape.rs` | which texts a parameter may be |
//! | `template.rs` | whether a path is one that a route's template stands for |
//! | `parameter.rs`, `query.rs` | which query parameters and header fields a route has, and with which values |
//! | `read_as.rs` | whether some server reads one name as another |
//! | `link.rs` | which URLs that a provider wrote in a call may be asked for |
//! | `header.rs` | which header fields a guest may write at all |
//! | `body.rs` | whether a body is of the route's kind |
//! | `repeat.rs` | whether a request may be sent again |
//! | `scheme.rs`, `slots.rs` | how a secret goes on the wire, and who issues tokens; whether that is well formed |
//! | `canonical.rs` | what a request signature is made of |
//! | `tokens.rs` | where the host may ask for tokens |
//! | `descriptor.rs`, `check.rs` | what an adapter declares, and whether it is well formed |
//! | `grant.rs` | whether what an operator wrote is well formed |
//! | `ceiling.rs` | what no grant on this host goes beyond |
//! | `intersect.rs` | declared ∩ granted ∩ ceiling, and which of them took what away |
//! | `powers.rs`, `index.rs` | what is left, so that a decision finds it |
//! | `decide.rs` | whether this request may leave |
//! | `specification.rs` | the same, written only to be read |
//! | `explain.rs` | the intersection, told |
//! | `diff.rs` | what a new version of an adapter asks for that the old one did not |
//! | `address/` | whether this address may be dialled |
//! | `denial.rs` | how a refusal is told, and what would allow it |
//! | `printable.rs` | how strangers' text is shown |
//! | `strict.rs` | how files that decide something are read: no name twice |
//! | `name.rs` | what workspaces, integrations, adapters and slots may be called |
//! | `limits.rs` | the bounds, their defaults and their names |
//! | `work.rs` | what the host's own work on strangers' data may cost |
//!
//! Use this crate to judge requests, to read grants, and to say what an adapter may do. It does not send, resolve names,
//! hold credentials or write records; `portcullis-egress` does these and asks here first.

mod address;
mod body;
mod canonical;
mod ceiling;
mod check;
mod decide;
mod denial;
mod descriptor;
mod diff;
mod explain;
mod grant;
mod header;
mod index;
mod intersect;
mod limits;
mod link;
mod method;
mod name;
mod parameter;
mod powers;
mod printable;
mod query;
mod read_as;
mod repeat;
mod scheme;
mod shape;
mod slots;
mod specification;
pub mod strict;
mod template;
mod tokens;
mod url;
mod work;

pub use address::{AddressRefusal, CarveOut, CarveOutError, CarveOuts, embedded_address, judge_address};
pub use body::BodyKind;
pub use canonical::{Canonical, CanonicalError, Piece};
pub use ceiling::{AllowedCarveOut, Ceiling, CeilingError, OriginPattern};
pub use decide::{Decision, Reason, Request, decide};
pub use denial::{Denial, DenialWords};
pub use descriptor::{Descriptor, DescriptorError, Effect, Operation, RequestBody, Route, Slot};
pub use diff::{Change, ChangeKind, Diff, DiffError, diff, diff_within};
pub use explain::{Explained, Explanation, explain, explain_within};
pub use grant::{Grant, GrantError, GrantedRoute, RouteLimits};
pub use header::{Header, HeaderRefusal, RESERVED_HEADERS, judge_header};
pub use intersect::{Layer, Removed};
pub use limits::{Limits, LimitsError};
pub use link::{LinkPlace, LinkPlaceError};
pub use method::Method;
pub use name::{NameError, Named, check_full_name};
pub use parameter::{Parameter, ParameterError, Values};
pub use powers::{GrantMismatch, OpenRoute, OperationPowers, Powers, RouteId};
pub use printable::{escape, is_plain, plain_json, printable, printable_lines};
pub use read_as::is_read_as;
pub use repeat::Repeat;
pub use scheme::{HmacScheme, MacAlgorithm, MacEncoding, OAuth, OpenSlot, PATH_PLACEHOLDER, Scheme};
pub use shape::{Kind, MAX_LENGTH, Shape, ShapeError};
pub use specification::decide_by_specification;
pub use template::{Template, TemplateError};
pub use tokens::{TOKEN_OPERATION, token_route_lines};
pub use url::{RequestUrl, UrlRefusal};
pub use work::{Spent, Work};
