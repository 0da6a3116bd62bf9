//! Signed heads to a server that keeps them: a POST for each, its body the signed head as JSON.
//!
//! The operator names the server in the host's own config, so there is no grant. All else is as for an adapter's requests:
//! https, or an address that was carved out; every address judged before one is dialled; no redirects, no proxies. A 2xx
//! status says that the signed head is kept. One whose answer was lost is sent again: the same head has the same number.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use portcullis_gate::{CarveOuts, Limits, RequestUrl, embedded_address, judge_address};
use portcullis_ledger::heads::{HeadSink, SignedHead, SinkError};
use reqwest::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use tokio::time::timeout;

use crate::{Connections, Egress};

/// How long a signed head may take, with name, connection and answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest URL.
const MAX_URL: usize = 2048;

/// The server cannot be one for signed heads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signed heads cannot be sent to `{}`: {what}", portcullis_gate::printable(.url, 200))]
pub struct HeadSinkError {
    /// What was given, as far as it is fit to be shown.
    url: String,
    /// What is wrong.
    what: String,
}

/// Sends signed heads to a server.
pub struct HttpHeadSink {
    url: RequestUrl,
    carve_outs: CarveOuts,
    connections: Connections,
    limits: Limits,
    /// The address that worked last.
    known: Mutex<Option<IpAddr>>,
}

impl HttpHeadSink {
    /// To this URL; plain http and addresses that are not public only where they are carved out.
    pub fn new(egress: &Egress, url: &str, carve_outs: CarveOuts) -> Result<Self, HeadSinkError> {
        // A query and what is before an `@` may hold a secret.
        let shown = url.split('?').next().filter(|shown| !shown.contains('@')).unwrap_or("…").to_owned();
        let url = RequestUrl::parse(url, MAX_URL)
            .map_err(|refusal| HeadSinkError { url: shown.clone(), what: refusal.to_string() })?;
        let known = Mutex::default();
        Ok(Self { url, carve_outs, connections: egress.connections(), limits: Limits::default(), known })
    }

    fn shown(&self) -> String {
        format!("{}{}", self.url.origin(), self.url.path())
    }

    async fn send(&self, head: &SignedHead) -> Result<(), String> {
        let addresses = self.addresses().await?;
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let address = known.filter(|known| addresses.contains(known)).or_else(|| addresses.first().copied());
        let address = address.ok_or("the name has no address")?;
        let client = self
            .connections
            .client(&self.url, address, 0, &self.limits, None)
            .map_err(|_| "no client could be made")?;
        let request = client
            .post(self.url.as_url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, "portcullis")
            .body(head.line());
        let answer = request.send().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(answer) if answer.status().is_success() => {
                *known = Some(address);
                Ok(())
            }
            Ok(answer) if answer.status().is_redirection() => Err(format!(
                "it answered {}: redirects are not followed, so name the place itself",
                answer.status().as_u16()
            )),
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) => {
                // Another address may work.
                let next = addresses.iter().position(|one| *one == address).map_or(0, |at| at + 1);
                *known = addresses.get(next % addresses.len().max(1)).copied();
                Err(told(&error))
            }
        }
    }

    /// All addresses of the server, each of them judged.
    async fn addresses(&self) -> Result<Arc<[IpAddr]>, String> {
        let resolver = &self.connections.resolver;
        let addresses: Arc<[IpAddr]> = match self.url.address() {
            Some(address) => Arc::new([address]),
            None => resolver.resolve(self.url.host()).await.map_err(|_| "the name does not resolve")?,
        };
        let (port, secure) = (self.url.port(), self.url.scheme() == "https");
        for address in addresses.iter() {
            let leads_to = [Some(*address), embedded_address(*address)].into_iter().flatten();
            let own: Vec<IpAddr> = leads_to.filter(|one| resolver.is_own(*one)).collect();
            judge_address(*address, port, secure, &self.carve_outs.clone().own(&own)).map_err(|refusal| {
                format!("its address {address} may not be dialled: {refusal}; carve it out, if it is meant")
            })?;
        }
        Ok(addresses)
    }
}

/// Why there is no answer, without the URL, whose query may hold a secret.
fn told(error: &reqwest::Error) -> String {
    let what = if error.is_connect() { "it cannot be reached" } else { "the exchange broke off" };
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("{what}: {cause}")
}

#[async_trait]
impl HeadSink for HttpHeadSink {
    fn name(&self) -> String {
        self.shown()
    }

    async fn write(&self, heads: &[Arc<SignedHead>]) -> Result<(), SinkError> {
        for head in heads {
            let late = |_| format!("it did not answer within {} s", LIMIT.as_secs());
            let sent = timeout(LIMIT, self.send(head)).await.map_err(late).and_then(|sent| sent);
            sent.map_err(|problem| SinkError::Http { url: self.shown(), problem })?;
        }
        Ok(())
    }
}

impl fmt::Debug for HttpHeadSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpHeadSink").field(&self.shown()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::SystemResolver;

    const HEAD: &str = r#"{"head":{"heads":{},"key":"0011223344556677","prev":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","seq":1,"time":"2026-11-21T16:00:00Z","v":1},"signature":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}"#;

    /// A server that gives each request its answer, and what it received.
    async fn server(answers: &'static [&'static str]) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let mut received = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\"}") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                }
                received.push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            received
        };
        (address, tokio::spawn(serve))
    }

    fn sink(url: &str, carve_outs: &[SocketAddr]) -> HttpHeadSink {
        let egress = Egress::new(Arc::new(SystemResolver::default())).unwrap();
        HttpHeadSink::new(&egress, url, CarveOuts::new(carve_outs)).unwrap()
    }

    fn head() -> [Arc<SignedHead>; 1] {
        [Arc::new(SignedHead::parse(HEAD.as_bytes()).unwrap())]
    }

    #[tokio::test]
    async fn a_signed_head_is_posted_as_it_was_signed() {
        let (address, received) = server(&["HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"]).await;
        sink(&format!("http://{address}/heads?token=s3cret"), &[address]).write(&head()).await.unwrap();
        let received = received.await.unwrap().remove(0);
        assert!(received.starts_with("POST /heads?token=s3cret HTTP/1.1\r\n"), "{received}");
        assert!(received.to_lowercase().contains("content-type: application/json\r\n"), "{received}");
        assert!(received.ends_with(&format!("\r\n\r\n{HEAD}")), "{received}");
    }

    #[tokio::test]
    async fn what_is_not_kept_is_told_without_the_query() {
        let (address, _) = server(&[
            "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "",
        ])
        .await;
        let sink = sink(&format!("http://{address}/heads?token=s3cret"), &[address]);
        assert_eq!(sink.name(), format!("http://{address}/heads"));
        for told in ["answered 500", "redirects are not followed", "broke off", "cannot be reached"] {
            let error = sink.write(&head()).await.unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{error}");
        }
    }

    #[tokio::test]
    async fn only_https_and_what_was_carved_out_is_dialled() {
        for (url, told) in [
            ("http://127.0.0.1:9/", "127.0.0.1 may not be dialled"),
            ("https://127.0.0.1:9/", "127.0.0.1 may not be dialled"),
            ("https://169.254.169.254/", "169.254.169.254 may not be dialled"),
            ("http://192.0.2.1/", "may not be dialled"),
        ] {
            let error = sink(url, &[]).write(&head()).await.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let egress = Egress::new(Arc::new(SystemResolver::default())).unwrap();
        for url in ["ftp://a.example/", "https://user:s3cret@a.example/", "no url?token=s3cret"] {
            let error = HttpHeadSink::new(&egress, url, CarveOuts::default()).unwrap_err().to_string();
            assert!(error.contains("cannot be sent") && !error.contains("s3cret"), "{error}");
        }
    }
}
