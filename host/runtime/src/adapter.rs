//! A loaded adapter, with the schema of its config once it was asked for it.
//!
//! The schema depends on the adapter's bytes alone, so it is asked for once and shared by all integrations. It is asked
//! for late, when a config is to be judged: loading runs no line of an adapter.

use std::{fmt, sync::Arc};

use portcullis_gate::Limits;
use portcullis_sandbox::{self as sandbox, Sandbox, Upload};
use portcullis_schema::Schema;
use tokio::sync::OnceCell;

use crate::error::DescribeError;

/// A loaded adapter. Cheap to clone; each call gets an instance of its own.
#[derive(Clone)]
pub struct Adapter {
    loaded: sandbox::Adapter,
    config_schema: Arc<OnceCell<Schema>>,
}

impl Adapter {
    pub(crate) fn new(loaded: sandbox::Adapter) -> Self {
        Self { loaded, config_schema: Arc::default() }
    }

    /// What the file is.
    pub fn upload(&self) -> &Upload {
        self.loaded.upload()
    }

    /// `sha256:` and 64 hex digits.
    pub fn digest(&self) -> &str {
        self.loaded.digest()
    }

    pub(crate) fn loaded(&self) -> &sandbox::Adapter {
        &self.loaded
    }

    /// The schema of its config, asked for where it is not known. A failure is not kept: the next one asks again.
    pub(crate) async fn config_schema(&self, sandbox: &Sandbox) -> Result<Schema, DescribeError> {
        let ask = || async {
            let text = sandbox.config_schema(&self.loaded, &Limits::default()).await.result;
            let text = text.map_err(DescribeError::Failed)?;
            // A stranger's schema can take a second to compile.
            let compiled = tokio::task::spawn_blocking(move || Schema::compile(&text)).await;
            compiled.map_err(|error| DescribeError::Config(error.to_string()))?.map_err(DescribeError::ConfigSchema)
        };
        self.config_schema.get_or_try_init(ask).await.cloned()
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.loaded.fmt(f)
    }
}
