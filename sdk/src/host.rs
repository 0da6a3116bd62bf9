//! What the host does for an adapter, as a trait: the component's imports implement it, and so does `testing::Fake`.

use crate::{
    Level, MacAlgorithm, Request, Response, Slot,
    bindings::portcullis::adapter::{credentials::CredentialError, http::Error as HttpError},
};

/// A request on its way out.
pub(crate) struct Outgoing<'r> {
    /// The route it was made from; the contract does not need it, tests do.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "the gate judges the request, not what it claims"))]
    pub(crate) route: &'r str,
    pub(crate) slots: [Option<&'r Slot<'r>>; 4],
    pub(crate) request: Request,
}

pub(crate) trait Host {
    fn send(&self, outgoing: Outgoing<'_>) -> Result<Response, HttpError>;
    fn send_all(&self, outgoing: Vec<Outgoing<'_>>) -> Vec<Result<Response, HttpError>>;
    fn log(&self, level: Level, message: &str);
    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError>;
    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, CredentialError>;
    fn value(&self, slot: &str, name: &str) -> Result<String, CredentialError>;
}

/// The host a component runs in.
#[cfg(target_arch = "wasm32")]
pub(crate) struct Live;

#[cfg(target_arch = "wasm32")]
mod live {
    use super::{CredentialError, Host, HttpError, Level, Live, MacAlgorithm, Outgoing, Response};
    use crate::bindings::portcullis::adapter::{
        credentials::{self, Credential},
        http, log,
    };

    impl Host for Live {
        fn send(&self, outgoing: Outgoing<'_>) -> Result<Response, HttpError> {
            let opened = open(&outgoing).map_err(HttpError::Credential)?;
            http::send(&outgoing.request, &borrowed(&opened))
        }

        fn send_all(&self, outgoing: Vec<Outgoing<'_>>) -> Vec<Result<Response, HttpError>> {
            let opened: Vec<_> = outgoing.iter().map(open).collect();
            let requests: Vec<_> = outgoing
                .into_iter()
                .zip(&opened)
                .filter_map(|(one, opened)| Some((one.request, borrowed(opened.as_ref().ok()?))))
                .collect();
            let mut answers = http::send_all(&requests).into_iter();
            let unanswered = || Err(HttpError::Bound(http::Bound { name: "requests".to_owned(), limit: 0 }));
            opened
                .iter()
                .map(|opened| match opened {
                    Ok(_) => answers.next().unwrap_or_else(unanswered),
                    Err(error) => Err(HttpError::Credential(error.clone())),
                })
                .collect()
        }

        fn log(&self, level: Level, message: &str) {
            log::write(level, message);
        }

        fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError> {
            credentials::open(slot)?.sign(algorithm, message)
        }

        fn verify(
            &self,
            slot: &str,
            algorithm: MacAlgorithm,
            message: &[u8],
            mac: &[u8],
        ) -> Result<bool, CredentialError> {
            credentials::open(slot)?.verify(algorithm, message, mac)
        }

        fn value(&self, slot: &str, name: &str) -> Result<String, CredentialError> {
            credentials::open(slot)?.value(name)
        }
    }

    /// The handles of all slots of a request.
    fn open(outgoing: &Outgoing<'_>) -> Result<Vec<Credential>, CredentialError> {
        outgoing.slots.iter().flatten().map(|slot| credentials::open(slot.name())).collect()
    }

    fn borrowed(opened: &[Credential]) -> Vec<&Credential> {
        opened.iter().collect()
    }
}
