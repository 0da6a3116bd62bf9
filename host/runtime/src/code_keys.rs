//! What vouches for compiled code that is kept: the master key. Each piece of code has a key of its own, which the master key
//! wraps for the adapter and the engine that it is of and for, so this needs neither the store nor a key beside the code, and
//! works with a KMS.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_sandbox::{CodeError, CodeKey, CodeKeys, MadeKey};
use portcullis_vault::{Credentials, DataKey, KeyError, KeyProvider};

/// What vouches for compiled code under a master key, for who runs a [`Sandbox`](portcullis_sandbox::Sandbox) by itself.
pub fn code_keys(master: Arc<dyn KeyProvider>) -> Arc<dyn CodeKeys> {
    Arc::new(MasterKey::Given(master))
}

/// Where the master key is.
pub(crate) enum MasterKey {
    /// It was given for this alone.
    Given(Arc<dyn KeyProvider>),
    /// That of the credentials, whichever it is by then.
    OfCredentials(Credentials),
}

impl MasterKey {
    /// Those that are here. The first wraps what is new.
    fn here(&self) -> Vec<Arc<dyn KeyProvider>> {
        match self {
            Self::Given(one) => vec![one.clone()],
            Self::OfCredentials(credentials) => credentials.master_keys(),
        }
    }
}

#[async_trait]
impl CodeKeys for MasterKey {
    async fn make(&self, purpose: &[u8]) -> Result<MadeKey, CodeError> {
        let master = self.here().into_iter().next().ok_or(CodeError::NoKey)?;
        let key = DataKey::generate().map_err(service)?;
        let wrapped = master.wrap(&key, purpose).await.map_err(service)?;
        Ok(MadeKey { key: CodeKey::new(key.expose()), by: master.id(), wrapped })
    }

    async fn open(&self, by: &str, wrapped: &[u8], purpose: &[u8]) -> Result<CodeKey, CodeError> {
        let here = self.here();
        let Some(master) = here.iter().find(|master| master.id() == by) else {
            let ids: Vec<String> = here.iter().map(|master| master.id()).collect();
            if ids.is_empty() {
                return Err(CodeError::NoKey);
            }
            return Err(CodeError::Key { by: portcullis_gate::printable(by, 100), here: ids.join(", ") });
        };
        match master.unwrap(wrapped, purpose).await {
            Ok(key) => Ok(CodeKey::new(key.expose())),
            Err(KeyError::Unwrap) => Err(CodeError::Changed),
            Err(error) => Err(service(error)),
        }
    }
}

fn service(error: KeyError) -> CodeError {
    CodeError::Service(error.to_string())
}
