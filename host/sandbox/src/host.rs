//! The contract's imports: what a guest asks for is handed to a [`Host`].
//!
//! A guest holds a handle, which is an index into a table of its own call; what it stands for here is a slot's name. The
//! secret is not in this crate.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use wasmtime::component::Resource;

use crate::{
    bindings::portcullis::adapter::{
        credentials::{self, CredentialError, MacAlgorithm},
        descriptor, http, log, types,
    },
    meter::HostWork,
    state::State,
};

/// The call ends here, whatever the guest would have made of an answer. The host knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host ended the call")]
pub struct CallOver;

/// What a call can ask of the world. Implemented by whoever puts gate, vault and egress together.
#[async_trait]
pub trait Host: Send + Sync {
    /// Whether the call may use this slot.
    fn open(&self, slot: &str) -> Result<(), CredentialError>;

    /// The MAC of `message` under the slot's key.
    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError>;

    /// Whether `mac` is that MAC.
    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, CredentialError>;

    /// What came with the slot's token by this name.
    async fn value(&self, slot: &str, name: &str) -> Result<String, CredentialError>;

    /// Sends one request, with the credentials of these slots.
    async fn send(
        &self,
        request: http::Request,
        slots: Vec<String>,
    ) -> Result<Result<http::Response, http::Error>, CallOver>;

    /// Sends several and answers in their order.
    async fn send_all(
        &self,
        requests: Vec<(http::Request, Vec<String>)>,
    ) -> Result<Vec<Result<http::Response, http::Error>>, CallOver>;
}

/// Sees every byte that the host hands to a guest. For proofs: what a sight has not seen, the guest has not either.
pub trait Sight: Send + Sync {
    /// These bytes are about to be copied into the guest's memory.
    fn lowered(&self, bytes: &[u8]);
}

/// Most handles of one request that are looked at, four times what a route can have.
const MOST_SLOTS: usize = 16;

/// What stands behind a guest's credential handle.
#[derive(Clone, Debug)]
pub struct Handle {
    slot: String,
}

impl types::Host for State {}
impl descriptor::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).log(level, &message);
        Ok(())
    }
}

impl credentials::Host for State {
    fn open(&mut self, slot: String) -> wasmtime::Result<Result<Resource<Handle>, CredentialError>> {
        match self.host()?.open(&slot) {
            Ok(()) => Ok(Ok(self.table.push(Handle { slot })?)),
            Err(error) => {
                see_text(self.sight.as_ref(), &format!("{error:?}"));
                Ok(Err(error))
            }
        }
    }
}

impl credentials::HostCredential for State {
    fn slot(&mut self, handle: Resource<Handle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&handle)?.slot.clone())
    }

    fn sign(
        &mut self,
        handle: Resource<Handle>,
        algorithm: MacAlgorithm,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, CredentialError>> {
        let signed = self.host()?.sign(&self.table.get(&handle)?.slot, algorithm, &message);
        if let (Some(sight), Ok(mac)) = (&self.sight, &signed) {
            sight.lowered(mac);
        }
        Ok(signed)
    }

    fn verify(
        &mut self,
        handle: Resource<Handle>,
        algorithm: MacAlgorithm,
        message: Vec<u8>,
        mac: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, CredentialError>> {
        Ok(self.host()?.verify(&self.table.get(&handle)?.slot, algorithm, &message, &mac))
    }

    async fn value(
        &mut self,
        handle: Resource<Handle>,
        name: String,
    ) -> wasmtime::Result<Result<String, CredentialError>> {
        let slot = self.table.get(&handle)?.slot.clone();
        let host = self.host()?;
        let meter = self.meter.clone();
        let answer = HostWork { meter, work: host.value(&slot, &name) }.await;
        match &answer {
            Ok(value) => see_text(self.sight.as_ref(), value),
            Err(error) => see_text(self.sight.as_ref(), &format!("{error:?}")),
        }
        Ok(answer)
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl http::Host for State {
    async fn send(
        &mut self,
        request: http::Request,
        credentials: Vec<Resource<Handle>>,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        let slots = self.slots_of(&credentials)?;
        let host = self.host()?;
        let meter = self.meter.clone();
        let answer = HostWork { meter, work: host.send(request, slots) }.await?;
        see(self.sight.as_ref(), &answer);
        Ok(answer)
    }

    async fn send_all(
        &mut self,
        requests: Vec<(http::Request, Vec<Resource<Handle>>)>,
    ) -> wasmtime::Result<Vec<Result<http::Response, http::Error>>> {
        let requests = requests
            .into_iter()
            .map(|(request, credentials)| Ok((request, self.slots_of(&credentials)?)))
            .collect::<wasmtime::Result<Vec<_>>>()?;
        let host = self.host()?;
        let meter = self.meter.clone();
        let answers = HostWork { meter, work: host.send_all(requests) }.await?;
        for answer in &answers {
            see(self.sight.as_ref(), answer);
        }
        Ok(answers)
    }
}

impl State {
    fn slots_of(&self, credentials: &[Resource<Handle>]) -> wasmtime::Result<Vec<String>> {
        // No route takes as many: what is beyond changes nothing but the memory that it takes.
        credentials.iter().take(MOST_SLOTS).map(|handle| Ok(self.table.get(handle)?.slot.clone())).collect()
    }
}

fn see_text(sight: Option<&Arc<dyn Sight>>, text: &str) {
    if let Some(sight) = sight {
        sight.lowered(text.as_bytes());
    }
}

fn see(sight: Option<&Arc<dyn Sight>>, answer: &Result<http::Response, http::Error>) {
    let Some(sight) = sight else { return };
    match answer {
        Ok(response) => {
            for header in &response.headers {
                sight.lowered(header.name.as_bytes());
                sight.lowered(&header.value);
            }
            sight.lowered(&response.body);
        }
        // Every text an error carries, whatever its variant.
        Err(error) => sight.lowered(format!("{error:?}").as_bytes()),
    }
}
