//! A place for signed heads that is reached over HTTP: it is judged and dialled as an adapter's requests are.

use portcullis_egress::{Egress, HeadSinkError, HttpHeadSink, TlsSetupError, system_resolver};
use portcullis_gate::CarveOut;

/// Why signed heads cannot be sent to a server.
#[derive(Debug, thiserror::Error)]
pub enum HttpHeadSinkError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] HeadSinkError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

/// Signed heads are sent to this URL, one POST each. Plain http and addresses that are not public only where they are carved
/// out. Names are resolved, and certificates trusted, as the system is set up for it.
pub fn http_head_sink(
    url: &str,
    carve_outs: impl IntoIterator<Item = CarveOut>,
) -> Result<HttpHeadSink, HttpHeadSinkError> {
    let egress = Egress::new(system_resolver())?;
    Ok(HttpHeadSink::new(&egress, url, carve_outs.into_iter().collect())?)
}
