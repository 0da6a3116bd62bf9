//! Egress: the only crate that opens outbound connections for adapters.
//!
//! | file | what it does |
//! | --- | --- |
//! | `outbound.rs` | one call's way out: sizes, URL, gate, then sandbox answer or live exchange; again for each redirect |
//! | `redirect.rs` | where a redirect leads, and what is sent there |
//! | `retry.rs` | sending again what failed for now |
//! | `rate.rs` | rate limits, the operator's and the upstream's |
//! | `breaker.rs` | the circuit breaker of one origin |
//! | `traffic.rs` | what an integration remembers of its traffic |
//! | `aside.rs` | work that takes long, on a thread of its own, within the call's budget |
//! | `exchange.rs` | one try: resolve, judge, attach, send, cap, scrub |
//! | `token.rs` | a request to an authorization server |
//! | `wanted.rs` | what requests and answers are searched for, and the search of a request |
//! | `derived.rs` | fields that tell of a body that a guest does not get |
//! | `record.rs` | what a try leaves behind for receipt and ledger |
//! | `honest.rs` | what no honest peer answers |
//! | `decode.rs` | a response's body under its caps, unpacked where it is gzip |
//! | `head_sink.rs` | signed heads of the ledger to a server that keeps them |
//! | `resolve.rs` | names to addresses |
//! | `connections.rs` | an integration's own connections, to judged addresses only |
//! | `answer.rs` | sandbox mode: what would have been sent, and the answer from the declared schema |
//! | `curl.rs` | a request as lines for a shell |
//! | `error.rs` | why there is no response, told without addresses or secrets |
//!
//! The order is fixed. The gate sees the final request but for the secret; the secret is attached after it said yes; the
//! address that is dialled is one that was judged; the client beneath follows no redirects, uses no proxies from the
//! environment and retries nothing by itself: each hop passes the gate again. HTTP/1.1 only, and unpacked here, so that every byte is counted as it
//! arrives and again as it is held.

mod answer;
mod aside;
mod breaker;
mod connections;
mod curl;
mod decode;
mod derived;
mod error;
mod exchange;
mod head_sink;
mod honest;
mod outbound;
mod rate;
mod record;
mod redirect;
mod resolve;
mod retry;
mod token;
mod traffic;
mod wanted;
mod written;

pub use answer::{Body, WouldSend};
pub use connections::Connections;
pub use error::{Fault, Phase, SendError, Unavailable, UnavailableReason};
pub use head_sink::{HeadSinkError, HttpHeadSink};
pub use outbound::{HttpRequest, HttpResponse, Outbound, OutboundParts, Tally};
pub use resolve::{DnsResolver, Resolver, SystemResolver, system_resolver};
pub use token::{TokenParts, send_token_request};
pub use traffic::Traffic;

use std::sync::Arc;

use rustls::ClientConfig;

/// What all integrations share: how names are resolved and which certificates are trusted.
#[derive(Clone)]
pub struct Egress {
    resolver: Arc<dyn Resolver>,
    tls: ClientConfig,
}

/// TLS cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}; install the system's CA certificates")]
pub struct TlsSetupError(String);

impl Egress {
    /// Trusts what the system trusts.
    pub fn new(resolver: Arc<dyn Resolver>) -> Result<Self, TlsSetupError> {
        use rustls_platform_verifier::BuilderVerifierExt;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| TlsSetupError(error.to_string()))?
            .with_no_client_auth();
        Ok(Self::with_tls(resolver, tls))
    }

    /// With a TLS configuration of the embedder's own.
    pub fn with_tls(resolver: Arc<dyn Resolver>, tls: ClientConfig) -> Self {
        Self { resolver, tls }
    }

    /// Connections for one integration. They are shared with no other, nor are TLS sessions.
    pub fn connections(&self) -> Connections {
        Connections::new(self.resolver.clone(), &self.tls)
    }
}
