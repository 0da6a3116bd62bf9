//! What the host signs, verified by others: AWS signatures by `botocore`, keyed hashes by Python's `hmac`, JWTs by `jose`.
//! The requests are those that an adapter sent through the gate, as an upstream received them.

use std::fs;

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_runtime::{CredentialKind as Kind, Given, Method};
use portcullis_tests::upstream::{Answer, Received, Upstream};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Suite;
use crate::{
    bench::call,
    cache::Cache,
    counterparts::oidc,
    expect::{done, holds},
    host::{Host, given},
    report::{Checked, Checks, Stop},
};

const PYTHON: &[&str] = &["botocore==1.43.11"];
const ID: &str = "AKIDEXAMPLE";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLE==";
const MESSAGE: &str =
    "{method}\n{host}\n{path}\n{query}\n{target}\n{body-sha256}\n{timestamp}\n{nonce}\n{key-id}\n{body}";
const TEMPLATE: &str = "v1 {key-id} {timestamp} {signature}";

pub(crate) struct Signatures;

#[async_trait(?Send)]
impl Suite for Signatures {
    fn name(&self) -> &'static str {
        "signatures"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        let host = Host::start(cache, "signatures").await?;
        checks.part("requests", async |checks| requests(cache, &host, checks).await).await;
        checks.part("assertions", async |checks| assertions(cache, &host, checks).await).await;
        Ok(())
    }
}

/// Inputs that have to be escaped in one way or another.
fn inputs() -> Vec<(&'static str, Value)> {
    vec![
        ("list", json!({ "name": "plain" })),
        ("list", json!({ "name": "a bü(1)'!*&=+~", "q": "x y&z=+*~/?", "r": "" })),
        ("put", json!({ "name": "k=a$&+,:=@", "text": "ü \"quoted\"" })),
    ]
}

fn config(origin: &str, auth: Value) -> Value {
    let text = json!({ "type": "string" });
    json!({
        "provider": "signed", "baseUrl": origin, "auth": auth,
        "endpoints": [
            {
                "name": "list", "description": "Without a body.", "effect": "read", "method": "GET",
                "path": "/things/{name}", "response": { "type": "object" },
                "input": { "type": "object", "properties": { "name": text, "q": text, "r": text }, "required": ["name"] },
            },
            {
                "name": "put", "description": "With a body.", "effect": "write", "method": "PUT",
                "path": "/things/{name}", "response": { "type": "object" },
                "input": { "type": "object", "properties": { "name": text, "text": text }, "required": ["name"] },
            },
        ],
    })
}

fn pair(session: Option<&str>) -> Checked<Given> {
    let secrets: Vec<_> = [("secret", KEY)].into_iter().chain(session.map(|token| ("session-token", token))).collect();
    given(Kind::KeyPair, &[("id", ID)], &secrets)
}

/// What an upstream received of these calls.
async fn sent(host: &Host, name: &str, auth: Value, given: Given) -> Checked<(Upstream, Vec<Received>)> {
    let upstream = Upstream::start(|_| Answer::json(&json!({}))).await?;
    host.give(name, "credential", given).await?;
    let config = config(&upstream.origin(), auth);
    let integration = host.integrate(name, "custom_http", config, Vec::new(), &[upstream.address]).await?;
    for (operation, input) in inputs() {
        done(&integration.call(call(operation, input).live()).await)?;
    }
    let received = upstream.received();
    Ok((upstream, received))
}

/// A request for the verifier, with what it was signed with.
fn line(name: &str, origin: &str, received: &Received, more: &Value) -> Value {
    let mut line = json!({
        "name": format!("{name}: {} {}", received.method, received.target),
        "method": received.method,
        "url": format!("{origin}{}", received.target),
        "headers": received.headers,
        "body": (!received.body.is_empty()).then(|| BASE64_STANDARD.encode(&received.body)),
    });
    if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
        line.extend(more.clone());
    }
    line
}

async fn requests(cache: &Cache, host: &Host, checks: &mut Checks) -> Checked {
    let python = cache.python("botocore", PYTHON).await?;
    let mut lines = Vec::new();
    for (service, session) in [("execute-api", None), ("s3", None), ("s3", Some(SESSION))] {
        let auth = json!({ "type": "sigv4", "service": service, "region": "eu-central-1" });
        let name = format!("sigv4-{service}-{}", session.is_some());
        let (upstream, received) = sent(host, &name, auth, pair(session)?).await?;
        let keys = json!({ "id": ID, "secret": KEY, "session_token": session });
        let more = json!({ "scheme": "sigv4", "keys": keys, "service": service, "region": "eu-central-1" });
        lines.extend(received.iter().map(|received| line(&name, &upstream.origin(), received, &more)));
    }
    for (algorithm, encoding) in [("hmac-sha1", "base64"), ("hmac-sha256", "hex"), ("hmac-sha512", "base64-url")] {
        let headers = json!({ "X-Signature": TEMPLATE, "X-Nonce": "{nonce}", "X-Time": "{timestamp}" });
        let auth = json!({
            "type": "hmac", "algorithm": algorithm, "message": MESSAGE, "encoding": encoding, "headers": headers,
        });
        let (upstream, received) = sent(host, algorithm, auth, pair(None)?).await?;
        for received in &received {
            let facts = json!({ "timestamp": received.header("x-time"), "nonce": received.header("x-nonce") });
            let more = json!({
                "scheme": "hmac", "keys": { "id": ID, "secret": KEY }, "algorithm": algorithm, "encoding": encoding,
                "message": MESSAGE, "header": "X-Signature", "template": TEMPLATE, "facts": facts,
            });
            lines.push(line(algorithm, &upstream.origin(), received, &more));
        }
    }
    let judged = judged(cache.ask(&python, "verify_signatures.py", &json!(lines), &[]).await?, lines.len())?;
    for (line, judged) in lines.iter().zip(&judged) {
        let name = line["name"].as_str().unwrap_or_default();
        checks.check(name, holds(judged["verified"] == true, || judged["why"].to_string()));
    }
    // The verifier itself: what was changed on its way is refused.
    for line in &mut lines {
        line["method"] = json!("DELETE");
    }
    let changed = cache.ask(&python, "verify_signatures.py", &json!(lines), &[]).await?;
    let good = changed.as_array().into_iter().flatten().filter(|judged| judged["verified"] == true).count();
    checks.check("with another method none of them is good", holds(good == 0, || format!("{good} are")));
    Ok(())
}

fn judged(answer: Value, expected: usize) -> Checked<Vec<Value>> {
    match answer {
        Value::Array(judged) if judged.len() == expected => Ok(judged),
        other => Err(Stop::Failed(format!("the verifier said {other}"))),
    }
}

async fn assertions(cache: &Cache, host: &Host, checks: &mut Checks) -> Checked {
    let keys = oidc::keys(cache).await?;
    let of = |key: &str, member: &str| keys.pointer(&format!("/{key}/{member}")).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for (key, algorithm) in [("ec", "ES384"), ("rsa", "RS384"), ("rsa", "RS256"), ("rsa", "PS256")] {
        let token = json!({ "access_token": "a-token-of-nobody", "token_type": "Bearer", "expires_in": 600 });
        let server = Upstream::start(move |_| Answer::json(&token)).await?;
        let url = format!("{}/token", server.origin());
        let (kid, pem) = (of(key, "kid"), of(key, "pem"));
        let fields = [
            ("client-id", "a client"),
            ("token-url", url.as_str()),
            ("key-id", kid.as_str().unwrap_or_default()),
            ("algorithm", algorithm),
        ];
        let secrets = [("private-key", pem.as_str().unwrap_or_default())];
        let name = format!("jwt-{algorithm}");
        host.give(&name, "credential", given(Kind::OauthClientCredentials, &fields, &secrets)?).await?;
        let config = config(&server.origin(), json!({ "type": "bearer", "oauth": {} }));
        let tokens = vec![("credential", Method::Post, url.clone())];
        let integration = host.integrate(&name, "custom_http", config, tokens, &[]).await?;
        done(&integration.call(call("list", json!({ "name": "x" })).live()).await)?;
        let form = server.received().into_iter().find(|received| received.target == "/token");
        let form = form.ok_or_else(|| Stop::Failed("no token was asked for".to_owned()))?.body;
        let jwt = form_urlencoded::parse(&form).find(|(name, _)| name == "client_assertion");
        let jwt = jwt.map(|(_, jwt)| jwt.into_owned()).unwrap_or_default();
        // Of an RSA key's own `alg` nothing is said: one key signs in three ways.
        lines.push(json!({
            "jwt": jwt, "jwk": of(key, "public"), "algorithm": algorithm, "audience": url, "issuer": "a client",
        }));
        lines.push(json!({ "jwt": jwt, "jwk": of(&format!("{key}-stranger"), "public"), "algorithm": algorithm }));
    }
    for (number, judged) in judged(verify_jwts(cache, &json!(lines)).await?, lines.len())?.iter().enumerate() {
        let algorithm = lines.get(number).and_then(|line| line["algorithm"].as_str()).unwrap_or_default();
        if number % 2 == 0 {
            let is = |place: &str, value: &str| judged.pointer(place).and_then(Value::as_str) == Some(value);
            let named = is("/payload/sub", "a client") && is("/header/typ", "JWT");
            let good = holds(judged["ok"] == true && named, || judged.to_string());
            checks.check(&format!("{algorithm} is verified, with its audience and issuer"), good);
        } else {
            let why = judged["error"].as_str().unwrap_or_default();
            let refused = holds(why.starts_with("ERR_JWS_SIGNATURE"), || judged.to_string());
            checks.check(&format!("{algorithm} is refused with another key"), refused);
        }
    }
    Ok(())
}

async fn verify_jwts(cache: &Cache, lines: &Value) -> Checked<Value> {
    let node = oidc::node(cache).await?;
    let script = cache.script("verify_jwt.mjs", &node.folder)?;
    let given = cache.folder("logs").join("verify_jwt.mjs-input.json");
    fs::write(&given, lines.to_string())?;
    let answer = cache.folder("logs").join("verify_jwt.mjs-answer.json");
    cache.answer("verify_jwt.mjs", &node.task(&script).args([&given]), &answer).await
}
