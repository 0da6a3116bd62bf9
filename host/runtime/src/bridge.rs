//! What a running adapter asks for, handed to gate, vault and egress; and every refusal, handed to the ledger.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use portcullis_egress::{HttpRequest, HttpResponse, Outbound, Phase, SendError, UnavailableReason};
use portcullis_gate::{
    Denial, Descriptor, GrantedRoute, Header, OpenSlot, RequestUrl, Scheme, Template, is_plain, printable,
};
use portcullis_ledger::Mode;
use portcullis_sandbox::{
    CallOver, Host,
    wit::{
        CredentialError, MacAlgorithm,
        http::{self, Bound, Fault, Timeout},
    },
};
use portcullis_vault::{Vault, VaultError};

use crate::describe::{mac, method};

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

/// Longest value beside a token that an adapter may read, in bytes.
const MAX_VALUE: usize = 2 * 1024;

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

    /// Keeps what the host saw of an exchange, and tells the guest; or ends the call.
    fn told(&self, result: Result<HttpResponse, SendError>) -> Result<Result<http::Response, http::Error>, CallOver> {
        self.seen(|seen| {
            seen.last = result.as_ref().err().cloned();
            if let Err(SendError::Denied(denial) | SendError::SecretSent(denial)) = &result {
                seen.deny(denial.clone());
            }
        });
        Ok(match result {
            Err(error) if ends_the_call(&error) => return Err(CallOver),
            Ok(response) => Ok(http::Response {
                status: response.status,
                url: response.url,
                headers: response
                    .headers
                    .into_iter()
                    .map(|header| http::Header { name: header.name, value: header.value })
                    .collect(),
                body: response.body,
            }),
            Err(error) => Err(told_error(error)),
        })
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

    /// The slot as an open route has it, if the call may read what came with its token by this name.
    fn valued(&self, slot: &str, name: &str) -> Result<OpenSlot, CredentialError> {
        let powers = self.outbound.powers();
        let open = powers.routes().iter().flat_map(|route| &route.slots).find(|open| open.name == slot);
        let open = match (open, powers.slot(slot)) {
            (Some(open), _) => open,
            // One that is never sent has no token.
            (None, Some(_)) => return Err(CredentialError::WrongUse(format!("the slot `{slot}` takes no tokens"))),
            (None, None) => return Err(CredentialError::NotGranted(slot.to_owned())),
        };
        let values = powers.oauth(slot).map(|oauth| oauth.values.as_slice()).unwrap_or_default();
        if !values.iter().any(|value| value == name) {
            let name = printable(name, 64);
            return Err(CredentialError::WrongUse(format!(
                "the adapter does not declare `{name}` among the `values` of the slot `{slot}`"
            )));
        }
        Ok(open.clone())
    }

    fn made_up_value(&self, slot: &str) -> String {
        let routes = self.outbound.powers().routes().iter();
        let mut carrying = routes.filter(|route| route.slots.iter().any(|open| open.name == slot));
        carrying.next().map(|route| route.template.origin().to_owned()).unwrap_or_default()
    }

    /// What an authorization server gave, as far as an adapter may read it: text, and no way to an origin that no route of
    /// the operation leads to.
    fn judged(&self, slot: &str, name: &str, value: String) -> Result<String, CredentialError> {
        let scrubbed = self.vault.scrubber().scrub_within(value.as_bytes(), self.outbound.work()).map_err(|spent| {
            self.seen(|seen| seen.last = Some(spent.into()));
            CredentialError::Unavailable(spent.to_string())
        })?;
        let value = match scrubbed {
            Some(scrubbed) => String::from_utf8_lossy(&scrubbed.bytes).into_owned(),
            None => value,
        };
        if value.len() > MAX_VALUE || !value.chars().all(is_plain) {
            let told = format!("what came as `{name}` with the token of the slot `{slot}` is no text of at most 2 KiB");
            return Err(CredentialError::Unavailable(told));
        }
        let powers = self.outbound.powers();
        // Who asks where such a text leads reads it as a URL, whatever stands before it.
        if value.contains("://") {
            let url = RequestUrl::parse(&value, MAX_VALUE);
            let origin = url.as_ref().map_or("", RequestUrl::origin);
            if origin.is_empty() || !powers.routes().iter().any(|route| route.template.origin() == origin) {
                return Err(self.elsewhere(slot, name, origin));
            }
        }
        Ok(value)
    }

    /// Records that a value leads where no route of the operation does.
    fn elsewhere(&self, slot: &str, name: &str, origin: &str) -> CredentialError {
        let powers = self.outbound.powers();
        let to = if origin.is_empty() { "a URL that cannot be judged".to_owned() } else { printable(origin, 200) };
        let declared = self.descriptor.routes_of(&powers.operation, None).unwrap_or_default();
        let leads_there = |route: &&GrantedRoute| {
            !origin.is_empty() && Template::parse(&route.url).is_ok_and(|template| template.origin() == origin)
        };
        let lines: Vec<String> = declared.iter().filter(leads_there).map(GrantedRoute::to_toml_lines).collect();
        let why = if lines.is_empty() {
            "and the adapter declares none for it; does its config name another server?"
        } else {
            "though the adapter declares some"
        };
        let message = format!(
            "`{name}`, which came with the token of the slot `{slot}`, leads to {to}, where no route of `{}` is open, {why}.",
            powers.operation
        );
        let allow_with = if lines.is_empty() { None } else { Some(lines.join("\n")) };
        let denial = Denial::slot("origin-not-granted", slot, powers, message.clone(), allow_with);
        self.deny(denial);
        CredentialError::Unavailable(message)
    }

    /// Refuses a request to which one credential is attached twice: its handles would be one too many, or of another call.
    fn once_each(&self, slots: &[String]) -> Result<(), http::Error> {
        let twice = slots.iter().enumerate().find(|(at, slot)| slots.iter().take(*at).any(|before| before == *slot));
        let Some((_, slot)) = twice else { return Ok(()) };
        let error =
            CredentialError::WrongUse(format!("the credential `{slot}` is attached twice; pass one handle of it"));
        Err(http::Error::Credential(self.refuse(slot, error)))
    }

    fn deny(&self, denial: Denial) {
        self.seen(|seen| {
            seen.last = Some(SendError::Denied(denial.clone()));
            seen.deny(denial);
        });
    }

    fn refuse(&self, slot: &str, error: CredentialError) -> CredentialError {
        // Of a refusal that is only counted, nothing is told that takes work.
        let kept = self.seen(|seen| seen.denials.len() < MAX_DENIALS);
        let mut is_ceiling = false;
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
                        is_ceiling = true;
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
        self.deny(Denial { ceiling: is_ceiling, ..Denial::slot(rule, slot, powers, message, allow_with) });
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
        if self.mode == Mode::Live
            && let Err(error) = self.vault.available(slot)
        {
            let told = credential(&error);
            self.seen(|seen| seen.last = Some(SendError::Credential(error)));
            return Err(told);
        }
        Ok(())
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CredentialError> {
        self.signing(slot).map_err(|error| self.refuse(slot, error))?;
        match self.mode {
            Mode::Sandbox => Ok(made_up_mac(algorithm)),
            Mode::Live => self.vault.sign(slot, mac(algorithm), message).map_err(|error| credential(&error)),
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
            Mode::Live => self.vault.verify(slot, mac(algorithm), message, given).map_err(|error| credential(&error)),
        }
    }

    async fn value(&self, slot: &str, name: &str) -> Result<String, CredentialError> {
        let open = self.valued(slot, name).map_err(|error| self.refuse(slot, error))?;
        match self.mode {
            // In sandbox mode nobody is asked: a value is an origin that a request can go to.
            Mode::Sandbox => Ok(self.made_up_value(slot)),
            Mode::Live => {
                let value = self.vault.value(&open, name).await.map_err(|error| {
                    self.seen(|seen| seen.last = Some(SendError::Credential(error.clone())));
                    credential(&error)
                })?;
                self.judged(slot, name, value)
            }
        }
    }

    async fn send(
        &self,
        request: http::Request,
        slots: Vec<String>,
    ) -> Result<Result<http::Response, http::Error>, CallOver> {
        if let Err(error) = self.once_each(&slots) {
            return Ok(Err(error));
        }
        let result = self.outbound.send(asked(request, slots)).await;
        self.told(result)
    }

    async fn send_all(
        &self,
        requests: Vec<(http::Request, Vec<String>)>,
    ) -> Result<Vec<Result<http::Response, http::Error>>, CallOver> {
        let checked: Vec<Result<(), http::Error>> = requests.iter().map(|(_, slots)| self.once_each(slots)).collect();
        let fit = requests.into_iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let fit = fit.map(|((request, slots), _)| asked(request, slots)).collect();
        let results = self.outbound.send_all(fit).await;
        if let Some(over) = results.iter().find(|result| result.as_ref().is_err_and(ends_the_call)) {
            self.told(over.clone()).map(drop)?;
        }
        let mut results = results.into_iter();
        let answers = checked.into_iter().map(|checked| {
            if let Err(error) = checked {
                return Ok(Err(error));
            }
            results.next().map_or_else(|| Ok(Err(no_answer())), |result| self.told(result))
        });
        answers.collect()
    }
}

fn asked(request: http::Request, slots: Vec<String>) -> HttpRequest {
    HttpRequest {
        method: method(request.method),
        url: request.url,
        headers: request.headers.into_iter().map(|header| Header { name: header.name, value: header.value }).collect(),
        body: request.body.map(Into::into),
        slots,
    }
}

/// Whether the adapter is not asked what it makes of it: no error tells it that a guess was right, and where the host's work
/// is used up, there is nothing more that the host could do for it.
fn ends_the_call(error: &SendError) -> bool {
    matches!(error, SendError::SecretSent(_) | SendError::Bound { name: "work", .. })
}

/// Cannot be: there is an answer to each request.
fn no_answer() -> http::Error {
    http::Error::Bound(Bound { name: "requests".to_owned(), limit: 0 })
}

fn told_error(error: SendError) -> http::Error {
    let fault = |fault: portcullis_egress::Fault| Fault { origin: fault.origin, message: fault.message };
    match error {
        SendError::Denied(denial) | SendError::SecretSent(denial) => http::Error::Denied(http::Denial {
            rule: denial.rule,
            message: denial.message,
            allow_with: denial.allow_with,
        }),
        SendError::Bound { name, limit } => http::Error::Bound(Bound { name: name.to_owned(), limit }),
        SendError::Credential(error) => http::Error::Credential(credential(&error)),
        SendError::CredentialCut(_) => http::Error::Credential(CredentialError::Unavailable(error.to_string())),
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

/// In sandbox mode a MAC has the right length and says by its content that nobody made it.
fn made_up_mac(algorithm: MacAlgorithm) -> Vec<u8> {
    let length = match algorithm {
        MacAlgorithm::HmacSha1 => 20,
        MacAlgorithm::HmacSha256 => 32,
        MacAlgorithm::HmacSha512 => 64,
    };
    b"sandbox-".iter().copied().cycle().take(length).collect()
}

fn credential(error: &VaultError) -> CredentialError {
    match error {
        VaultError::Empty(slot) => CredentialError::Unavailable(slot.clone()),
        VaultError::Unfit { .. } => CredentialError::WrongUse(error.to_string()),
        other => CredentialError::Unavailable(other.to_string()),
    }
}
