//! Upstreams that speak TLS, with certificates made on the spot, good and bad, by an authority of the tests' own.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::upstream::{Answer, Received, serve};

/// Signs certificates that whoever trusts its root takes.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A certificate, and what proves that it is one's own.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes an authority of this name.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let root = params.self_signed(&key).map_err(io::Error::other)?.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), root })
    }

    /// Trust in this authority and in no other.
    pub fn roots(&self) -> io::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).map_err(io::Error::other)?;
        Ok(roots)
    }

    /// A client that trusts this authority and no other.
    pub fn client(&self) -> io::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        Ok(builder.with_root_certificates(self.roots()?).with_no_client_auth())
    }

    /// A good certificate for this name.
    pub fn good(&self, name: &str) -> io::Result<Identity> {
        Identity::new(name, |params, key| params.signed_by(key, &self.issuer))
    }

    /// Itself, as a certificate in DER.
    pub fn root(&self) -> Vec<u8> {
        self.root.to_vec()
    }

    /// A good certificate for this name and its key on P-256, both in DER.
    pub fn good_in_der(&self, name: &str) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let Identity { certificate, key } = self.good(name)?;
        Ok((certificate.to_vec(), key.secret_der().to_vec()))
    }

    /// One that was good, until the year 2001.
    pub fn expired(&self, name: &str) -> io::Result<Identity> {
        Identity::new(name, |mut params, key| {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
            params.signed_by(key, &self.issuer)
        })
    }
}

impl Identity {
    /// A certificate that nobody else signed.
    pub fn self_signed(name: &str) -> io::Result<Self> {
        Self::new(name, |params, key| params.self_signed(key))
    }

    /// Certificate and key, as PEM.
    pub fn pem(&self) -> [String; 2] {
        let pem = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
        };
        [pem("CERTIFICATE", &self.certificate), pem("PRIVATE KEY", self.key.secret_der())]
    }

    fn new(
        name: &str,
        sign: impl FnOnce(CertificateParams, &KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
    ) -> io::Result<Self> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = sign(params, &key).map_err(io::Error::other)?.der().clone();
        Ok(Self { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
    }
}

/// An upstream that speaks TLS. It ends with the tokio runtime it was started on.
#[derive(Clone, Debug)]
pub struct TlsUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    handshakes: Arc<Mutex<Vec<HandshakeKind>>>,
}

impl TlsUpstream {
    /// Starts a server that shows this certificate and answers with `answer`.
    pub async fn start<F>(identity: Identity, answer: F) -> io::Result<Self>
    where
        F: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        Self::start_with(identity, WebPkiClientVerifier::no_client_auth(), answer).await
    }

    /// One that takes no client but those with a certificate of this authority.
    pub async fn start_for_clients_of<F>(identity: Identity, clients: &Authority, answer: F) -> io::Result<Self>
    where
        F: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()?), provider).build();
        Self::start_with(identity, verifier.map_err(io::Error::other)?, answer).await
    }

    async fn start_with<F>(identity: Identity, clients: Arc<dyn ClientCertVerifier>, answer: F) -> io::Result<Self>
    where
        F: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![identity.certificate], identity.key)
            .map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = Self { address: listener.local_addr()?, received: Arc::default(), handshakes: Arc::default() };
        let (answer, shared) = (Arc::new(answer), upstream.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, shared, acceptor) = (answer.clone(), shared.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if let Some(kind) = stream.get_ref().1.handshake_kind() {
                        shared.handshakes.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
                    }
                    serve(stream, answer, shared.received).await;
                });
            }
        });
        Ok(upstream)
    }

    /// How each connection began, oldest first: anew, or by resuming a session.
    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was received, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
