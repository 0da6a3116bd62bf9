//! A certificate for `secure.example`, `other.example` and 127.0.0.1, made for the tests and good for a hundred years, and
//! the authority that signed it. The authority's key was thrown away.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server that has this certificate.
pub fn server() -> Result<TlsAcceptor, Error> {
    let leaf = CertificateDer::from_pem_slice(include_bytes!("secure/leaf.pem"))?;
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("secure/leaf.key"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A client that trusts it, and nobody else.
pub fn client() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("secure/ca.pem"))?)?;
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
