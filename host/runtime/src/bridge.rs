//! What a running adapter asks for, handed to gate, vault and egress; and every refusal, handed to the ledger.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use portcullis_egress::{HttpRequest, HttpResponse, Outbound, Phase, SendError, UnavailableReason};
use portcullis_gate::{Denial, Descriptor, Header, Scheme};
use portcullis_ledger::Mode;
use portcullis_sandbox::{
    Host,
    wit::{
        CredentialError, MacAlgorithm,
        http::{self, Bound, Fault, Timeout},
    },
};
use portcullis_vault::{self as vault, Vault, VaultError};

use crate::describe::method;

/// One call's powers.
pub(crate) struct Bridge {
    pub(crate) outbound: Outbound,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) mode: Mode,
    pub(crate) seen: Mutex<Seen>,
}

/// What the host itself saw, whatever the guest makes of it.
#[derive(Default)]
pub(crate) struct Seen {
    /// What was refused, in order: the first of them in full.
    pub(crate) denials: Vec<Denial>,
    /// How much was refused.
    pub(crate) refused: u32,
    /// How the last request ended, if it did not end with a response.
    pub(crate) last: Option<SendError>,
}

/// Most refusals of one call that are kept in full. A guest can ask for a slot it has not got a million times a second;
/// the rest is counted.
const MAX_DENIALS: usize = 64;

impl Seen {
    fn deny(&mut self, denial: Denial) {
        self.refused = self.refused.saturating_add(1);
        if self.denials.len() < MAX_DENIALS {
            self.denials.push(denial);
        }
    }
}

impl Bridge {
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what the host saw of an exchange, and tells the guest.
    fn told(&self, result: Result<HttpResponse, SendError>) -> Result<http::Response, http::Error> {
        self.seen(|seen| {
            seen.last = result.as_ref().err().cloned();
            if let Err(SendError::Denied(denial)) = &result {
                seen.deny(denial.clone());
            }
        });
        match result {
            Ok(response) => Ok(http::Response {
                status: response.status,
                headers: response
                    .headers
                    .into_iter()
                    .map(|header| http::Header { name: header.name, value: header.value })
                    .collect(),
                body: response.body,
            }),
            Err(error) => Err(told_error(error)),
        }
    }

    /// Whether a call of this operation may use this slot to sign.
    fn signing(&self, slot: &str) -> Result<(), CredentialError> {
        match self.outbound.powers().slot(slot) {
            Some(Scheme::SigningKey) => Ok(()),
            Some(_) => Err(CredentialError::WrongUse(format!(
                "`{slot}` is put on requests by the host and cannot sign; signing needs a slot of scheme signing-key"
            ))),
            None => Err(CredentialError::NotGranted(slot.to_owned())),
        }
    }

    fn refuse(&self, slot: &str, error: CredentialError) -> CredentialError {
        // Of a refusal that is only counted, nothing is told that takes work.
        let kept = self.seen(|seen| seen.denials.len() < MAX_DENIALS);
        let (rule, message, allow_with) = match &error {
            CredentialError::NoSuchSlot(slot) => {
                ("slot-not-declared", format!("the adapter declares no slot `{slot}`."), None)
            }
            CredentialError::NotGranted(slot) => {
                let mut message = format!("the slot `{slot}` is not granted for this operation.");
                let signing = self.descriptor.slot(slot).is_some_and(|slot| slot.scheme == Scheme::SigningKey);
                let lines = if signing {
                    Some(format!("signing = [\"{slot}\"]\n"))
                } else if !kept {
                    None
                } else {
                    let powers = self.outbound.powers();
                    let routes = self.descriptor.routes_of(&powers.operation, Some(slot)).unwrap_or_default();
                    let (above, below): (Vec<_>, Vec<_>) =
                        routes.iter().partition(|route| powers.ceiling_forbids(route).is_some());
                    if let (Some(ceiling), true) =
                        (above.first().and_then(|r| powers.ceiling_forbids(r)), below.is_empty())
                    {
                        message += &format!(" The host's ceiling is below the routes that carry it: {ceiling}.");
                    }
                    let lines: Vec<String> = below.iter().map(|route| route.to_toml_lines()).collect();
                    if lines.is_empty() { None } else { Some(lines.join("\n")) }
                };
                ("slot-not-granted", message, lines)
            }
            CredentialError::WrongUse(why) => ("slot-wrong-use", why.clone(), None),
            CredentialError::Unavailable(_) => return error,
        };
        let powers = self.outbound.powers();
        let allow_with = allow_with.filter(|_| kept);
        let denial = Denial::slot(rule, slot, powers, message, allow_with);
        self.seen(|seen| {
            seen.last = Some(SendError::Denied(denial.clone()));
            seen.deny(denial);
        });
        error
    }
}

#[async_trait]
impl Host for Bridge {
    fn open(&self, slot: &str) -> Result<(), CredentialError> {
        if self.outbound.powers().slot(slot).is_none() {
            let name: String = slot.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(self.refuse(
                slot,
                match self.descriptor.slot(slot) {
                    Some(_) => CredentialError::NotGranted(name),
                    None => CredentialError::NoSuchSlot(name),
                },
            ));
        }
        // In sandbox mode the vault is not asked at all.
        if self.mode == Mode::Live && !self.vault.holds(slot) {
            let missing = SendError::CredentialUnavailable(slot.to_owned());
            self.seen(|seen| seen.last = Some(missing));
            return Err(CredentialError::Unavailable(slot.to_owned()));
        }
        Ok(())
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError> {
        self.signing(slot).map_err(|error| self.refuse(slot, error))?;
        match self.mode {
            Mode::Sandbox => Ok(made_up_mac(algorithm)),
            Mode::Live => self.vault.sign(slot, mac(algorithm), message).map_err(|error| unavailable(&error, slot)),
        }
    }

    fn verify(
        &self,
        slot: &str,
        algorithm: MacAlgorithm,
        message: &[u8],
        given: &[u8],
    ) -> Result<bool, CredentialError> {
        self.signing(slot).map_err(|error| self.refuse(slot, error))?;
        match self.mode {
            Mode::Sandbox => Ok(given == made_up_mac(algorithm)),
            Mode::Live => {
                self.vault.verify(slot, mac(algorithm), message, given).map_err(|error| unavailable(&error, slot))
            }
        }
    }

    async fn send(&self, request: http::Request, slot: Option<String>) -> Result<http::Response, http::Error> {
        let result = self.outbound.send(asked(request, slot)).await;
        self.told(result)
    }

    async fn send_all(
        &self,
        requests: Vec<(http::Request, Option<String>)>,
    ) -> Vec<Result<http::Response, http::Error>> {
        let requests = requests.into_iter().map(|(request, slot)| asked(request, slot)).collect();
        let results = self.outbound.send_all(requests).await;
        results.into_iter().map(|result| self.told(result)).collect()
    }
}

fn asked(request: http::Request, slot: Option<String>) -> HttpRequest {
    HttpRequest {
        method: method(request.method),
        url: request.url,
        headers: request.headers.into_iter().map(|header| Header { name: header.name, value: header.value }).collect(),
        body: request.body.map(Into::into),
        slot,
    }
}

fn told_error(error: SendError) -> http::Error {
    let fault = |fault: portcullis_egress::Fault| Fault { origin: fault.origin, message: fault.message };
    match error {
        SendError::Denied(denial) => http::Error::Denied(http::Denial {
            rule: denial.rule,
            message: denial.message,
            allow_with: denial.allow_with,
        }),
        SendError::Bound { name, limit } => http::Error::Bound(Bound { name: name.to_owned(), limit }),
        SendError::CredentialUnavailable(slot) => http::Error::Credential(CredentialError::Unavailable(slot)),
        SendError::CredentialUnfit(why) => http::Error::Credential(CredentialError::WrongUse(why)),
        SendError::Dns(at) => http::Error::Dns(fault(at)),
        SendError::Connect(at) => http::Error::Connect(fault(at)),
        SendError::Tls(at) => http::Error::Tls(fault(at)),
        SendError::Closed(at) | SendError::Protocol(at) => http::Error::Protocol(fault(at)),
        SendError::Unavailable(at) => http::Error::Unavailable(http::Unavailable {
            origin: at.origin,
            reason: match at.reason {
                UnavailableReason::RateLimited => http::UnavailableReason::RateLimited,
                UnavailableReason::CircuitOpen => http::UnavailableReason::CircuitOpen,
            },
            retry_after_ms: at.retry_after_ms,
        }),
        SendError::Timeout { phase, limit_ms } => {
            let phase = match phase {
                Phase::Dns => http::Phase::Dns,
                Phase::Connect => http::Phase::Connect,
                Phase::FirstByte => http::Phase::FirstByte,
                Phase::Idle => http::Phase::Idle,
                Phase::Total => http::Phase::Total,
            };
            http::Error::Timeout(Timeout { phase, limit_ms: limit_ms.into() })
        }
    }
}

fn mac(algorithm: MacAlgorithm) -> vault::MacAlgorithm {
    match algorithm {
        MacAlgorithm::HmacSha1 => vault::MacAlgorithm::HmacSha1,
        MacAlgorithm::HmacSha256 => vault::MacAlgorithm::HmacSha256,
        MacAlgorithm::HmacSha512 => vault::MacAlgorithm::HmacSha512,
    }
}

/// In sandbox mode a MAC has the right length and says by its content that nobody made it.
fn made_up_mac(algorithm: MacAlgorithm) -> Vec<u8> {
    let length = match algorithm {
        MacAlgorithm::HmacSha1 => 20,
        MacAlgorithm::HmacSha256 => 32,
        MacAlgorithm::HmacSha512 => 64,
    };
    b"sandbox-".iter().copied().cycle().take(length).collect()
}

fn unavailable(error: &VaultError, slot: &str) -> CredentialError {
    match error {
        VaultError::Empty(_) => CredentialError::Unavailable(slot.to_owned()),
        VaultError::Unfit { .. } => CredentialError::WrongUse(error.to_string()),
    }
}
