//! A proxy before a counterpart: it shows what was sent and what was answered, and can change a request's header on its way,
//! so that a counterpart gives answers that no request of an adapter could ask it for.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use portcullis_tests::upstream::Received;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::report::{Checked, Stop};

/// Header fields that belong to a connection, not to a request or an answer.
const OF_THE_CONNECTION: &[HeaderName] = &[header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH];

/// One exchange that went by.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// What was sent.
    pub(crate) request: Received,
    /// The answer's status; 502 where the counterpart gave none.
    pub(crate) status: u16,
    /// The answer's header.
    pub(crate) headers: HeaderMap,
    /// The answer's body.
    pub(crate) body: Vec<u8>,
}

impl Passed {
    /// The request's body as JSON; null where it is none.
    pub(crate) fn sent_json(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap_or_default()
    }

    /// The answer's body as JSON; null where it is none.
    pub(crate) fn answered_json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The proxy. It ends with the program.
#[derive(Debug)]
pub(crate) struct Tap {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: reqwest::Client,
    to: SocketAddr,
    passed: Mutex<Vec<Passed>>,
    /// Fields to put in, or to take out.
    changes: Mutex<Vec<(HeaderName, Option<HeaderValue>)>>,
}

impl Tap {
    /// Starts a proxy before the server at this address.
    pub(crate) async fn before(to: SocketAddr) -> Checked<Self> {
        let redirect = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(redirect).build().map_err(Stop::failed)?;
        let shared = Arc::new(Shared { client, to, passed: Mutex::default(), changes: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let tap = Self { address: listener.local_addr()?, shared: shared.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| pass(request, shared.clone()));
                    // A connection that its peer breaks off has nothing to tell.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(tap)
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on requests carry these fields, whatever they were sent with; those with `None` are taken out.
    pub(crate) fn change(&self, changes: &[(&'static str, Option<&'static str>)]) {
        let changes = changes
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), value.map(HeaderValue::from_static)))
            .collect();
        *self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner) = changes;
    }

    /// What went by since this was last asked for.
    pub(crate) fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut self.shared.passed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let request = Received {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), lossy(value))).collect(),
        body: body.to_vec(),
    };
    for (name, value) in shared.changes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        match value {
            Some(value) => head.headers.insert(name, value.clone()),
            None => head.headers.remove(name),
        };
    }
    OF_THE_CONNECTION.iter().for_each(|name| drop(head.headers.remove(name)));
    // The counterpart is asked by the name it was asked by here, so that its links come by here as well.
    let url = format!("http://{}{}", shared.to, head.uri);
    let asked = shared.client.request(head.method, url).headers(head.headers).body(body).send().await;
    let (status, mut headers, body) = match asked {
        Ok(answer) => {
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            (status, headers, answer.bytes().await.unwrap_or_default())
        }
        Err(error) => (502, HeaderMap::new(), Bytes::from(error.to_string())),
    };
    OF_THE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
    let passed = Passed { request, status, headers: headers.clone(), body: body.to_vec() };
    shared.passed.lock().unwrap_or_else(PoisonError::into_inner).push(passed);
    let mut response = Response::builder().status(status);
    if let Some(known) = response.headers_mut() {
        *known = headers;
    }
    Ok(response.body(Full::new(body)).unwrap_or_default())
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use portcullis_tests::upstream::{Answer, Upstream};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_goes_by_is_kept_as_it_was_sent_and_changed_for_the_counterpart_alone() {
        let upstream = Upstream::start(|_| Answer::json(&json!({"ok": 1})).status(422).header("etag", "W/\"1\"")).await;
        let upstream = upstream.unwrap();
        let tap = Tap::before(upstream.address).await.unwrap();
        tap.change(&[("prefer", Some("code=422")), ("x-token", None)]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/a?b=c", tap.origin())).header("x-token", "t").body(r#"{"x":1}"#);
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["etag"].to_str().unwrap()), (422, "W/\"1\""));
        assert_eq!(answer.text().await.unwrap(), r#"{"ok":1}"#);
        let passed = tap.take();
        assert_eq!((passed.len(), passed[0].status, tap.take().len()), (1, 422, 0));
        assert_eq!((passed[0].sent_json(), passed[0].answered_json()), (json!({"x": 1}), json!({"ok": 1})));
        assert_eq!(passed[0].request.header("x-token"), Some("t"));
        let [received] = upstream.received().try_into().unwrap();
        assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/a?b=c"));
        assert_eq!((received.header("prefer"), received.header("x-token")), (Some("code=422"), None));
        assert_eq!(received.header("host"), Some(tap.address.to_string().as_str()));
    }
}
