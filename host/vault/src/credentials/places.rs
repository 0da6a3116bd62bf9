//! What a credential is called, and where it stands in the store. Keys are a letter, then names with a zero byte after each;
//! numbers are big-endian.
//!
//! | key | value |
//! | --- | --- |
//! | `C` workspace 0 integration 0 slot 0 | the credential that is in the slot: header in clear, then sealed |
//! | `C` workspace 0 integration 0 slot 0 generation:8 | the one before it, while both are good |
//! | `O` workspace 0 integration 0 slot 0 | the token that was got with it: header in clear, then sealed |
//! | `U` workspace 0 integration 0 slot 0 | when it was last used, and by what |
//! | `K` workspace 0 | the workspace's data keys, wrapped by the master key; `@key/` and a purpose for the host's own |
//! | `M` | which master key that is, and whether it is being changed |

use std::fmt;

use portcullis_gate::{Named, printable};
use serde::Serialize;

use super::CredentialError;

/// Which master key is in use.
pub(super) const MASTER: &[u8] = b"M";
/// All workspaces' data keys begin with this.
pub(super) const DATA_KEYS: &[u8] = b"K";

/// Which credential: a slot of an integration of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CredentialId {
    /// The workspace.
    pub workspace: String,
    /// The integration.
    pub integration: String,
    /// The slot.
    pub slot: String,
}

impl CredentialId {
    /// Of these names.
    pub fn new(workspace: impl Into<String>, integration: impl Into<String>, slot: impl Into<String>) -> Self {
        Self { workspace: workspace.into(), integration: integration.into(), slot: slot.into() }
    }

    /// Whether these can be names.
    pub(super) fn check(&self) -> Result<(), CredentialError> {
        Named::Workspace.check(&self.workspace)?;
        Named::Integration.check(&self.integration)?;
        Ok(Named::Slot.check(&self.slot)?)
    }

    fn key(&self, letter: u8) -> Vec<u8> {
        let mut key = vec![letter];
        for name in [&self.workspace, &self.integration, &self.slot] {
            key.extend_from_slice(name.as_bytes());
            key.push(0);
        }
        key
    }

    /// What is in the slot. Those before it begin with this, too.
    pub(crate) fn credential(&self) -> Vec<u8> {
        self.key(b'C')
    }

    /// One before it.
    pub(super) fn generation(&self, generation: u64) -> Vec<u8> {
        let mut key = self.credential();
        key.extend_from_slice(&generation.to_be_bytes());
        key
    }

    pub(super) fn token(&self) -> Vec<u8> {
        self.key(b'O')
    }

    pub(super) fn used(&self) -> Vec<u8> {
        self.key(b'U')
    }

    /// As it is told in errors.
    pub(super) fn named(&self, generation: Option<u64>) -> String {
        match generation {
            Some(generation) => format!("credential {self}, generation {generation}"),
            None => format!("credential {self}"),
        }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workspace, integration, slot) =
            (printable(&self.workspace, 128), printable(&self.integration, 128), printable(&self.slot, 128));
        write!(f, "{workspace}/{integration}/{slot}")
    }
}

/// All credentials of a workspace, or of one of its integrations, begin with this.
pub(super) fn credentials(workspace: &str, integration: Option<&str>) -> Vec<u8> {
    within(b'C', workspace, integration)
}

/// All tokens of a workspace begin with this.
pub(super) fn tokens(workspace: &str) -> Vec<u8> {
    within(b'O', workspace, None)
}

fn within(letter: u8, workspace: &str, integration: Option<&str>) -> Vec<u8> {
    let mut key = vec![letter];
    for name in [Some(workspace), integration].into_iter().flatten() {
        key.extend_from_slice(name.as_bytes());
        key.push(0);
    }
    key
}

/// Of whom a key is, and of which generation where it is of one before the one in the slot. The letter is not looked at.
pub(super) fn read(key: &[u8]) -> Option<(CredentialId, Option<u64>)> {
    let mut parts = key.get(1..)?.splitn(4, |byte| *byte == 0);
    let mut name = || Some(std::str::from_utf8(parts.next()?).ok()?.to_owned());
    let id = CredentialId { workspace: name()?, integration: name()?, slot: name()? };
    let generation = match parts.next()? {
        [] => None,
        number => Some(u64::from_be_bytes(number.try_into().ok()?)),
    };
    Some((id, generation))
}

/// Where a workspace's data keys are.
pub(super) fn data_keys(workspace: &str) -> Vec<u8> {
    [DATA_KEYS, workspace.as_bytes(), &[0]].concat()
}

/// The workspace of such a key.
pub(super) fn workspace_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(DATA_KEYS)?.strip_suffix(&[0])?).ok()
}
