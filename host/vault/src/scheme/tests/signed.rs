//! Writes requests that were signed here for a second implementation, `tests/conformance/verify_signatures.py`:
//!
//! ```sh
//! PORTCULLIS_SIGNED=signed.jsonl cargo test -p portcullis-vault signed_requests -- --ignored
//! python3 tests/conformance/verify_signatures.py < signed.jsonl
//! ```

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_gate::MacEncoding;
use serde_json::{Value, json};

use super::*;

const ID: &str = "AKIDEXAMPLE";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLE==";

/// A request as it would be sent, and what is added.
fn line(name: &str, outgoing: &Outgoing, more: Value) -> Value {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let headers: Vec<_> = outgoing.headers.iter().map(|(name, value)| json!([name.as_str(), text(value)])).collect();
    let mut line = json!({
        "name": name,
        "method": outgoing.method.as_str(),
        "url": outgoing.url.as_str(),
        "headers": headers,
        "body": outgoing.body.as_deref().map(|body| BASE64_STANDARD.encode(body)),
    });
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line
}

fn requests() -> Vec<Outgoing> {
    let json = [("content-type", "application/json"), ("x-custom", "  a   b  "), ("x-two", "2"), ("x-two", "1")];
    vec![
        get("https://a.example/"),
        get("https://a.example:8443/p%20q/%C3%BC(1)'!*/b//c?b=2&a=x%20y&a=%2B&e&c=|{}'~"),
        request("POST", "https://a.example/x?y=z", &json, Some("{\"a\": \"ü\"}")),
        request(
            "PUT",
            "https://a.example/k%3Da$&+,:=@",
            &[("content-type", "text/plain"), ("date", "x")],
            Some("body"),
        ),
        request("DELETE", "https://[2001:db8::1]/x", &[], None),
    ]
}

#[test]
#[ignore = "writes a file for a second implementation"]
fn signed_requests_are_written_for_a_second_implementation() {
    let mut lines = Vec::new();
    for (number, mut outgoing) in requests().into_iter().enumerate() {
        for (service, token) in [("s3", None), ("execute-api", None), ("aoss", Some(TOKEN)), ("s3", Some(TOKEN))] {
            let session_token = token.map(|token| Secret::try_from(token).unwrap());
            let secret = Secret::try_from(KEY).unwrap();
            let usable = Usable::KeyPair(KeyPair { id: ID.into(), secret, session_token });
            let scheme = Scheme::Sigv4 { service: service.into(), region: "eu-central-1".into() };
            attach(scheme, None, usable, &mut outgoing).unwrap();
            let keys = json!({"id": ID, "secret": KEY, "session_token": token});
            let more = json!({"scheme": "sigv4", "keys": keys, "service": service, "region": "eu-central-1"});
            lines.push(line(&format!("sigv4 {service} {number} {}", token.is_some()), &outgoing, more));
        }
    }
    let message = "{method}\\n{host}\\n{path}\\n{query}\\n{target}\\n{url}\\n{body-sha256}\\n{timestamp}\\n{timestamp-ms}\\n\
                   {date}\\n{nonce}\\n{key-id}\\n{header:Content-Type}\\n{header:X-Two}\\n{header:Host}\\n{body}";
    for (number, outgoing) in requests().into_iter().enumerate() {
        for (algorithm, encoding) in [
            (MacAlgorithm::HmacSha1, MacEncoding::Base64),
            (MacAlgorithm::HmacSha256, MacEncoding::Hex),
            (MacAlgorithm::HmacSha512, MacEncoding::Base64Url),
        ] {
            let template = "v1 {key-id} {timestamp} {signature}";
            let mut outgoing = Outgoing {
                url: outgoing.url.clone(),
                headers: outgoing.headers.clone(),
                body: outgoing.body.clone(),
                method: outgoing.method.clone(),
            };
            let headers = vec![("X-Nonce".to_owned(), "{nonce}".to_owned()), ("X-Sig".to_owned(), template.to_owned())];
            let scheme = HmacScheme { algorithm, message: message.into(), encoding, headers };
            attach(Scheme::Hmac(scheme), None, pair(ID, KEY), &mut outgoing).unwrap();
            let facts = json!({
                "timestamp": 1_440_938_160,
                "timestamp-ms": 1_440_938_160_000_u64,
                "date": "Sun, 30 Aug 2015 12:36:00 GMT",
                "nonce": outgoing.headers["x-nonce"].to_str().unwrap(),
            });
            let more = json!({
                "scheme": "hmac", "keys": {"id": ID, "secret": KEY}, "algorithm": algorithm, "encoding": encoding,
                "message": message, "header": "X-Sig", "template": template, "facts": facts,
            });
            lines.push(line(&format!("hmac {algorithm:?} {number}"), &outgoing, more));
        }
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(std::env::var("PORTCULLIS_SIGNED").expect("PORTCULLIS_SIGNED names the file"), text).unwrap();
}
