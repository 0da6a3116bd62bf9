//! Requests to authorization servers: what the vault asks for, sent through the gate, and recorded.
//!
//! There is no call behind such a request, or there are a hundred that wait for one, so it has records of its own: one that
//! it is about to leave, durable before it does, and one of how it ended.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use portcullis_egress::{Connections, SendError, TokenParts, Traffic, send_token_request};
use portcullis_gate::{Denial, Limits, Method, OperationPowers, printable, token_route_lines};
use portcullis_ledger::{Caller, Change, Entry, Kind, Ledger};
use portcullis_vault::{Purpose, TokenClient, TokenRequest, TokenResponse, TokenSendError};

/// Longest message of an error, in characters.
const MAX_MESSAGE: usize = 1_000;

/// How one integration asks authorization servers.
pub(crate) struct Tokens {
    pub(crate) ledger: Ledger,
    pub(crate) workspace: String,
    pub(crate) integration: String,
    pub(crate) version: u64,
    pub(crate) adapter: String,
    /// Its token routes, by slot.
    pub(crate) powers: HashMap<String, Arc<OperationPowers>>,
    pub(crate) limits: Arc<Limits>,
    /// Apart from those to its upstreams: these stay when a credential changes.
    pub(crate) connections: Arc<Connections>,
    pub(crate) traffic: Arc<Traffic>,
}

impl Tokens {
    fn entry(&self, request: &TokenRequest, action: &str) -> Entry {
        let of = request.slot.clone();
        let mut change = Change { action: action.to_owned(), of, ..Change::default() };
        change.details.insert("asked-for".to_owned(), purpose(request.purpose).to_owned());
        Entry::change(&self.workspace, Kind::Token, &Caller::principal("host"), change)
            .integration(&self.integration, Some(self.version))
            .adapter(&self.adapter)
    }
}

#[async_trait]
impl TokenClient for Tokens {
    async fn send(&self, request: TokenRequest) -> Result<TokenResponse, TokenSendError> {
        let Some(powers) = self.powers.get(&request.slot) else {
            let method = if request.method.as_str() == "GET" { Method::Get } else { Method::Post };
            let lines = token_route_lines(method, &printable(&request.url, 500), &request.slot);
            let lines = lines.trim_end();
            let message = format!("the grant names no token route for the slot `{}`; add\n{lines}", request.slot);
            return Err(TokenSendError { code: "denied".to_owned(), message, retryable: false });
        };
        let unrecorded = |error: &dyn std::fmt::Display| TokenSendError {
            code: "ledger".to_owned(),
            message: format!("nothing was sent, for it cannot be recorded: {error}"),
            retryable: true,
        };
        let asking = self.entry(&request, "asking");
        self.ledger.append(vec![asking]).await.map_err(|error| unrecorded(&error))?;
        let parts = TokenParts {
            powers: powers.clone(),
            limits: self.limits.clone(),
            connections: self.connections.clone(),
            traffic: self.traffic.clone(),
        };
        let (response, tally) = send_token_request(parts, &request).await;
        let mut entry = self.entry(&request, if response.is_ok() { "asked" } else { "not-asked" });
        if let Err(SendError::Denied(denial)) = &response {
            // There is no call by which its words could be kept and erased: they are told to who asked, and the rule is recorded.
            entry = entry.denied(denial.clone().split().0);
        }
        let error = response.as_ref().err().map(code);
        // What was sent was sent: a token is not thrown away for want of its second record.
        if let Err(error) = self.ledger.append(vec![entry.sent(tally.exchanges, error)]).await {
            tracing::warn!(%error, "how a request to an authorization server ended was not recorded");
        }
        response.map_err(|error| told(&error, &request))
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Metadata => "metadata",
        Purpose::Token => "token",
        Purpose::Revocation => "revocation",
    }
}

fn code(error: &SendError) -> String {
    match error {
        SendError::Denied(denial) | SendError::SecretSent(denial) => denial.rule.clone(),
        SendError::Bound { name, .. } => (*name).to_owned(),
        SendError::Credential(_) | SendError::CredentialCut(_) => "credential".to_owned(),
        SendError::Dns(_) => "dns".to_owned(),
        SendError::Connect(_) => "connect".to_owned(),
        SendError::Tls(_) => "tls".to_owned(),
        SendError::Timeout { .. } => "timeout".to_owned(),
        SendError::Unavailable(_) => "unavailable".to_owned(),
        SendError::Closed(_) | SendError::Protocol(_) => "protocol".to_owned(),
    }
}

fn told(error: &SendError, request: &TokenRequest) -> TokenSendError {
    let mut message = match error {
        SendError::Denied(Denial { message, allow_with: Some(lines), .. }) => {
            format!("{message} The grant would have to say:\n{lines}")
        }
        other => other.to_string(),
    };
    if let Some(scrubbed) = request.scrubber.scrub(message.as_bytes()) {
        message = String::from_utf8_lossy(&scrubbed.bytes).into_owned();
    }
    let retryable = matches!(
        error,
        SendError::Dns(_)
            | SendError::Connect(_)
            | SendError::Timeout { .. }
            | SendError::Unavailable(_)
            | SendError::Closed(_)
            | SendError::Protocol(_)
    );
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    TokenSendError { code: code(error), message, retryable }
}
