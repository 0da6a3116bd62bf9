//! The integrations' side of credentials: what is stored, ready to be used, as it is now.
//!
//! | file | what it does |
//! | --- | --- |
//! | `vaults.rs` | the vaults of a host: one for each integration that is open, and what becomes known of their credentials |
//! | `state.rs` | what one vault holds at one moment: decrypted once, replaced as a whole |
//! | `vault.rs` | one integration's vault |
//! | `tokens.rs` | tokens: asked for once for all who wait, kept sealed, dropped when they are refused |
//! | `events.rs` | what a platform may want to tell somebody |
//!
//! Nothing is decrypted before the first live request of an integration. What is decrypted is replaced as a whole when a
//! credential changes, and wiped when the last request that uses it has ended. Requests look at the state as it is when they
//! begin: a change that was acknowledged is in it.

mod events;
mod state;
mod tokens;
mod vault;
mod vaults;

#[cfg(test)]
mod tests;

pub use events::{CredentialEvent, Happened};
pub use vault::{IntegrationVault, NOT_BOUND};
pub use vaults::Vaults;
