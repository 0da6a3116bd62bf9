//! What the tests, the demo and the bench share: upstreams that record, a DNS server that says what a test says, canaries
//! that nobody may touch, a ledger that can be read, and the guests by name.

pub mod canary;
pub mod dns;
pub mod folder;
pub mod guests;
pub mod ledger;
pub mod names;
pub mod tls;
pub mod upstream;
