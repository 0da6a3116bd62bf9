//! What the tests, the demo and the bench share: an upstream that records, canaries that nobody may touch, names that
//! resolve to what a test says, and a ledger that can be read.

pub mod canary;
pub mod folder;
pub mod ledger;
pub mod names;
pub mod secure;
pub mod upstream;
