//! A request to an authorization server: the way out of any request, with powers of its own.
//!
//! The gate judges method, URL and kind of body against the token routes that the grant names for the slot; then it is
//! resolved, judged, sent and capped like a guest's request. What is different: its secrets were written by the vault, and
//! its answer goes to the vault alone, so nothing is taken out of it. It is sent once and follows no redirect, for its body
//! holds the client's secret.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use portcullis_gate::{Header, Limits, Method, OperationPowers, Work};
use portcullis_ledger::Mode;
use portcullis_vault::{TokenRequest, TokenResponse, TokenVault};
use zeroize::Zeroizing;

use crate::{
    connections::Connections,
    error::{Fault, SendError},
    outbound::{HttpRequest, Outbound, OutboundParts, Tally},
    traffic::Traffic,
};

/// Units of work for one token exchange, which is nobody's call: a second at most.
const TOKEN_WORK: u64 = 20_000_000;

/// What a token exchange is made with.
pub struct TokenParts {
    /// The token routes of the slot.
    pub powers: Arc<OperationPowers>,
    /// The integration's bounds.
    pub limits: Arc<Limits>,
    /// The integration's connections to authorization servers.
    pub connections: Arc<Connections>,
    /// What the integration remembers of its traffic.
    pub traffic: Arc<Traffic>,
}

/// Sends one request to an authorization server. Also tells what went out, for the ledger.
pub async fn send_token_request(
    parts: TokenParts,
    request: &TokenRequest,
) -> (Result<TokenResponse, SendError>, Tally) {
    let method = match request.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => {
            let message = format!("an authorization server is not asked with {other}");
            let fault = Fault { origin: String::new(), message };
            return (Err(SendError::Protocol(fault)), Tally::default());
        }
    };
    let limits = Limits { redirects: 0, retries: 0, ..(*parts.limits).clone() };
    let outbound = Outbound::new(OutboundParts {
        powers: parts.powers,
        limits: Arc::new(limits),
        vault: Arc::new(TokenVault::new(request)),
        connections: parts.connections,
        traffic: parts.traffic,
        responses: Arc::new(HashMap::new()),
        // What is hashed is the empty stand-in for the body.
        salt: [0; 16],
        work: Arc::new(Work::new(TOKEN_WORK)),
        mode: Mode::Live,
        seed: 0,
    });
    // The gate sees what kind of body it is; what is in it is the vault's.
    let said = request.headers.iter().filter(|(name, _)| ["accept", "content-type"].contains(&name.as_str()));
    let headers = said.map(|(name, value)| Header { name: name.to_string(), value: value.as_bytes().to_vec() });
    let asked = HttpRequest {
        method,
        url: request.url.clone(),
        headers: headers.collect(),
        body: request.body.as_ref().map(|_| Bytes::new()),
        slots: Vec::new(),
    };
    let sent = outbound.send(asked).await;
    let mut tally = outbound.take_tally();
    for exchange in &mut tally.exchanges {
        exchange.payload = None;
    }
    let response = sent.map(|response| TokenResponse { status: response.status, body: Zeroizing::new(response.body) });
    (response, tally)
}
