//! What random tests are made of, and the laws that they hold it against. The fuzz targets in `tests/fuzz` use the same
//! files, so that what a fuzzer finds is a test here without a change.
//!
//! Alphabets are small on purpose: routes overlap, names collide, and a changed request is often another route's.

mod choices;
mod descriptors;
mod grants;
mod laws;
mod requests;
mod texts;

pub(crate) use choices::Choices;
pub(crate) use descriptors::{descriptor, edited, parameter, shape, template};
pub(crate) use grants::{DIGEST, ceiling, full, grant, overreaching};
pub(crate) use laws::*;
pub(crate) use requests::{Made, changed, fitting_request};
pub(crate) use texts::{file_like, url_like};
