//! How a client proves who it is: secrets in the header and in the body, assertions, SMART Backend Services.

use portcullis_runtime::{CredentialKind as Kind, Given};
use serde_json::json;

use super::{
    bed::{Bed, SLOT, unavailable},
    server::{BASIC, POST},
};
use crate::{
    cache::Cache,
    expect::{done, holds, within},
    host::{Host, by, given},
    report::{Checked, Checks, Stop},
    tap::Tap,
};

pub(super) async fn run(bed: &Bed, cache: &Cache, checks: &mut Checks) -> Checked {
    checks.check("client_secret_basic, with an id and a secret that must be escaped", basic(bed).await);
    checks.check("client_secret_post, with an id and a secret that must be escaped", post(bed).await);
    checks.check("a wrong secret is told, and asked about once", wrong_secret(bed).await);
    for (id, key, algorithm) in [("ec", "ec", "ES384"), ("rsa", "rsa", "RS384")] {
        checks.check(&format!("private_key_jwt with {algorithm}"), assertion(bed, id, key, algorithm).await);
    }
    checks.check("no two assertions have the same jti", distinct(bed).await);
    checks.check("an assertion that somebody sends once more is refused", replayed(bed).await);
    checks.check("an assertion that has expired is refused, and that is told", expired(bed, cache).await);
    checks.check("a key that nobody registered is refused, and that is told", stranger(bed).await);
    checks.check("an EC key in SEC 1 form is refused with what converts it", sec1(bed).await);
    for (id, key, algorithm) in [("smart-ec", "ec", "ES384"), ("smart-rsa", "rsa", "RS384")] {
        let done = smart(bed, id, key, algorithm).await;
        checks.check(&format!("SMART Backend Services with {algorithm}, by discovery"), done);
    }
    checks.check("SMART: an algorithm that the client is not registered for is refused", smart_other(bed).await);
    checks.check("a scope that the client may not have is told", scope(bed).await);
    Ok(())
}

async fn basic(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("basic", bed.machine(BASIC, "client_secret_basic")?).await?;
    within(&json!({ "client": BASIC.0, "scope": "api" }), done(&door.whoami().await)?)?;
    bed.last(&json!({ "auth": "client_secret_basic", "status": 200, "accept": "application/json" })).await?;
    bed.asked(1).await
}

async fn post(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("post", bed.machine(POST, "client_secret_post")?).await?;
    within(&json!({ "client": POST.0 }), done(&door.whoami().await)?)?;
    let parameters = json!(["client_id", "client_secret", "grant_type", "scope"]);
    bed.last(&json!({ "auth": "client_secret_post", "parameters": parameters })).await
}

async fn wrong_secret(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("wrong-secret", bed.machine((BASIC.0, "another secret"), "client_secret_basic")?).await?;
    for _ in 0..5 {
        unavailable(&door.whoami().await, &["refused with invalid_client"])?;
    }
    bed.last(&json!({ "status": 401, "error": "invalid_client" })).await?;
    bed.asked(1).await
}

/// Client credentials with an assertion.
fn asserting(bed: &Bed, id: &str, key: &str, token_url: &str) -> Checked<Given> {
    let fields = [("client-id", id), ("key-id", bed.key(key, "kid")?), ("token-url", token_url), ("scope", "api")];
    let algorithm = if bed.key(key, "kty")? == "RSA" { "RS384" } else { "ES384" };
    let fields: Vec<_> = fields.into_iter().chain([("algorithm", algorithm)]).collect();
    given(Kind::OauthClientCredentials, &fields, &[("private-key", bed.key(key, "pem")?)])
}

async fn assertion(bed: &Bed, id: &str, key: &str, algorithm: &str) -> Checked {
    bed.reset().await?;
    let door = bed.door(&format!("assertion-{id}"), asserting(bed, id, key, &bed.url("/token"))?).await?;
    within(&json!({ "client": id }), done(&door.whoami().await)?)?;
    let (kid, aud) = (bed.key(key, "kid")?, bed.url("/token"));
    let signed = json!({ "alg": algorithm, "kid": kid, "aud": aud });
    bed.last(&json!({ "auth": "private_key_jwt", "assertion": signed })).await?;
    let seen = bed.requests().await?;
    let left = seen.pointer("/last/assertion/seconds_left").and_then(serde_json::Value::as_i64);
    holds(left.is_some_and(|left| (1..=300).contains(&left)), || format!("it is good for {left:?} seconds"))
}

async fn distinct(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("distinct", asserting(bed, "ec", "ec", &bed.url("/token"))?).await?;
    for _ in 0..5 {
        door.integration.reconnect(SLOT, &by()).await.map_err(Stop::failed)?;
    }
    within(&json!({ "assertions": { "seen": 5, "distinct": 5 } }), &bed.requests().await?)
}

async fn replayed(bed: &Bed) -> Checked {
    bed.reset().await?;
    let tap = Tap::before(bed.oidc.address()).await?;
    let url = format!("{}/token", tap.origin());
    let door = bed.door("replayed", asserting(bed, "ec", "ec", &url)?).await?;
    done(&door.whoami().await)?;
    let sent = tap.take().pop().ok_or_else(|| Stop::Failed("nothing was sent there".to_owned()))?;
    let status = bed.post(&url, sent.request.body, None).await?;
    holds(status == 401, || format!("the same once more is {status}"))?;
    bed.last(&json!({ "status": 401, "error": "invalid_client" })).await
}

async fn expired(bed: &Bed, cache: &Cache) -> Checked {
    bed.reset().await?;
    let host = Host::late(cache, "oauth-late", 600).await?;
    let door = bed.door_on(&host, "expired", asserting(bed, "ec", "ec", &bed.url("/token"))?).await?;
    unavailable(&door.whoami().await, &["refused with invalid_client"])?;
    bed.last(&json!({ "status": 401 })).await
}

async fn stranger(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("stranger", asserting(bed, "ec", "ec-stranger", &bed.url("/token"))?).await?;
    unavailable(&door.whoami().await, &["refused with invalid_client"])?;
    bed.last(&json!({ "status": 401, "auth": "private_key_jwt" })).await
}

async fn sec1(bed: &Bed) -> Checked {
    let door = bed.door("sec1", asserting(bed, "ec", "ec-sec1", &bed.url("/token"))?).await?;
    unavailable(&door.whoami().await, &["openssl pkcs8"])
}

fn backend_services(bed: &Bed, id: &str, key: &str, algorithm: &str) -> Checked<Given> {
    let fields = [
        ("client-id", id),
        ("key-id", bed.key(key, "kid")?),
        ("algorithm", algorithm),
        ("metadata-url", &bed.url("/.well-known/smart-configuration")),
        ("scope", "system/*.rs"),
    ];
    given(Kind::SmartBackendServices, &fields, &[("private-key", bed.key(key, "pem")?)])
}

async fn smart(bed: &Bed, id: &str, key: &str, algorithm: &str) -> Checked {
    bed.reset().await?;
    let door = bed.door(id, backend_services(bed, id, key, algorithm)?).await?;
    within(&json!({ "client": id, "scope": "system/*.rs" }), done(&door.whoami().await)?)?;
    bed.last(&json!({ "assertion": { "alg": algorithm, "typ": "JWT", "aud": bed.url("/token") } })).await
}

async fn smart_other(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("smart-other", backend_services(bed, "smart-other", "rsa", "RS384")?).await?;
    unavailable(&door.whoami().await, &["refused with invalid_client"])?;
    bed.last(&json!({ "status": 401 })).await
}

async fn scope(bed: &Bed) -> Checked {
    bed.reset().await?;
    let mut given = bed.machine(BASIC, "client_secret_basic")?;
    given.fields.insert("scope".to_owned(), "api:write".to_owned());
    let door = bed.door("scope", given).await?;
    unavailable(&door.whoami().await, &["refused with invalid_scope"])?;
    bed.last(&json!({ "status": 400, "error": "invalid_scope" })).await
}
