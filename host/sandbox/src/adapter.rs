//! An adapter that is ready to run.

use std::{fmt, sync::Arc};

use crate::{bindings::AdapterPre, state::State, upload::Upload};

/// A loaded adapter. Cheap to clone; each call gets an instance of its own.
#[derive(Clone)]
pub struct Adapter {
    pub(crate) upload: Arc<Upload>,
    pub(crate) pre: AdapterPre<State>,
}

impl Adapter {
    /// What the file is.
    pub fn upload(&self) -> &Upload {
        &self.upload
    }

    /// `sha256:` and 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.upload.digest
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adapter").field(&self.upload.digest).finish()
    }
}
