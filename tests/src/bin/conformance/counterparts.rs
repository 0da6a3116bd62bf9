//! Servers, clients and verifiers that others wrote, one file each: started, and asked until they answer.
//!
//! Every one binds a loopback port that was free a moment ago, and ends with its [`Running`].

pub(crate) mod awkward;
pub(crate) mod fhir_validator;
pub(crate) mod httpbin;
pub(crate) mod localstripe;
pub(crate) mod medplum;
pub(crate) mod oidc;
pub(crate) mod prism;
pub(crate) mod stripe_client;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    cache::{Cache, tail},
    guard::{Guarded, Task},
    progress,
    report::{Checked, Stop},
};

/// How long a server may take until it answers. Large descriptions take Prism six seconds on a quiet machine.
const START: Duration = Duration::from_secs(90);
/// How long one answer may take while it starts.
const ANSWER: Duration = Duration::from_secs(5);

/// A server that answers. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _child: Guarded,
}

impl Running {
    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts a server and waits until it answers on this path, whatever the status.
    async fn start(cache: &Cache, name: &str, path: &str, task: impl FnOnce(u16) -> Task) -> Checked<Self> {
        let address = free()?;
        let log = cache.log(name);
        let started = Instant::now();
        let mut child = task(address.port()).start(&log)?;
        let ended = async {
            loop {
                match child.ended() {
                    Ok(None) => tokio::time::sleep(Duration::from_millis(100)).await,
                    Ok(Some(status)) => return format!("it ended with {status}"),
                    Err(error) => return error.to_string(),
                }
            }
        };
        let answers = progress::until(START, || answers(address, path));
        let label = format!("start {name}");
        let healthy = progress::step(&label, async {
            tokio::select! {
                answer = answers => answer.ok_or_else(|| format!("no answer on {path} within {} s", START.as_secs())),
                why = ended => Err(why),
            }
        });
        match healthy.await {
            Ok(status) => {
                progress::ready(&format!("{name} answers on http://{address} ({status})"), started.elapsed());
                Ok(Self { address, _child: child })
            }
            Err(why) => Err(Stop::Failed(format!("{name} did not start: {why}; {}", tail(&log)))),
        }
    }
}

/// A loopback port that is free now.
fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The status line of what a server answers, if it speaks HTTP.
async fn answers(address: SocketAddr, path: &str) -> Option<String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer).await.ok()?;
        status_line(&answer)
    };
    timeout(ANSWER, asking).await.ok()?
}

fn status_line(answer: &[u8]) -> Option<String> {
    let line = answer.split(|&byte| byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    Some(line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?.to_owned())
}

#[cfg(test)]
mod tests {
    use portcullis_tests::upstream::{Answer, Upstream};

    use super::*;

    #[tokio::test]
    async fn a_server_is_healthy_when_it_answers_http_and_not_when_it_speaks_something_else() {
        let upstream =
            Upstream::start(|_| Answer { status: 404, headers: Vec::new(), body: Vec::new() }).await.unwrap();
        assert_eq!(answers(upstream.address, "/").await.as_deref(), Some("404 Not Found"));
        assert_eq!(upstream.received()[0].target, "/");
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        let closing = tokio::spawn(async move {
            let (mut stream, _) = other.accept().await.unwrap();
            // Closed with its request unread, the connection would break off, and that is no answer either.
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(b"220 ready\r\n").await.unwrap();
            assert!(read > 0);
        });
        assert_eq!(answers(address, "/").await, None);
        closing.await.unwrap();
        assert_eq!(answers(free().unwrap(), "/").await, None);
    }
}
