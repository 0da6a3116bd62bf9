//! The counterparts themselves, asked without any adapter: each does what the suites that use it count on. Where this fails, a
//! counterpart is to blame and no adapter.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Suite;
use crate::{
    cache::Cache,
    counterparts::{
        awkward,
        fhir_validator::FhirValidator,
        httpbin, localstripe, medplum,
        oidc::{self, Oidc},
        prism,
        stripe_client::{StripeClient, call},
    },
    expect::{holds, same, within},
    report::{Checked, Checks, Stop},
};

const KEY: &str = "sk_test_0a1b2c";

pub(crate) struct Counterparts;

#[async_trait(?Send)]
impl Suite for Counterparts {
    fn name(&self) -> &'static str {
        "counterparts"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        checks.part("prism", async |checks| on_prism(cache, checks).await).await;
        checks.part("localstripe", async |checks| on_stripe(cache, checks).await).await;
        checks.part("httpbin", async |checks| on_httpbin(cache, checks).await).await;
        checks.part("medplum", async |checks| on_medplum(cache, checks).await).await;
        checks.part("oidc-provider", async |checks| on_oidc(cache, checks).await).await;
        checks.part("awkward vendor", async |checks| on_awkward(cache, checks).await).await;
        checks.part("fhir.resources", async |checks| on_validator(cache, checks).await).await;
        Ok(())
    }
}

/// An answer: status, then body as JSON or null.
async fn ask(method: &str, url: &str, token: Option<&str>, body: Option<Value>) -> Checked<(u16, Value)> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(Stop::failed)?;
    let mut request = client.request(method.parse().map_err(Stop::failed)?, url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/fhir+json").body(body.to_string());
    }
    let answer = request.send().await.map_err(Stop::failed)?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_slice(&answer.bytes().await.map_err(Stop::failed)?).unwrap_or_default()))
}

/// A status, and what is in the body.
fn answered((status, body): (u16, Value), expected: u16, in_body: &Value) -> Checked {
    holds(status == expected, || format!("expected status {expected}, found {status}: {body}"))?;
    within(in_body, &body)
}

async fn on_prism(cache: &Cache, checks: &mut Checks) -> Checked {
    let prism = prism::start(cache, "stripe/stripe-subset-formfix.json").await?;
    let url = format!("{}/v1/customers", prism.origin());
    let known = ask("GET", &url, Some(KEY), None).await?;
    checks.check("a described request is answered in shape", answered(known, 200, &json!({"object": "list"})));
    let unknown = ask("GET", &format!("{url}?limit=many"), Some(KEY), None).await?;
    checks.check(
        "a request that is not valid gets a 4xx",
        holds((400..500).contains(&unknown.0), || format!("{unknown:?}")),
    );
    Ok(())
}

async fn on_stripe(cache: &Cache, checks: &mut Checks) -> Checked {
    let (server, client) = (localstripe::start(cache).await?, StripeClient::ready(cache).await?);
    let calls = [
        call("customers", "create", &[], json!({"name": "Ada", "metadata": {"a": "b"}})),
        call("customers", "list", &[], json!({"limit": 1})),
        call("customers", "retrieve", &["cus_nobody"], json!({})),
    ];
    let said = client.make(&server.origin(), KEY, &calls).await?;
    let ada = json!({"object": "customer", "name": "Ada", "metadata": {"a": "b"}});
    let list = json!({"object": "list", "data": [ada], "has_more": false});
    let expected = json!([{"ok": ada}, {"ok": list}, {"error": {"kind": "InvalidRequestError", "status": 404}}]);
    checks.check("Stripe's client makes, lists and misses a customer", within(&expected, &said));
    Ok(())
}

async fn on_httpbin(cache: &Cache, checks: &mut Checks) -> Checked {
    let httpbin = httpbin::start(cache).await?;
    let echoed = ask("POST", &format!("{}/post?a=b", httpbin.origin()), None, Some(json!({"x": 1}))).await?;
    checks.check("it echoes what was sent", answered(echoed, 200, &json!({"args": {"a": "b"}, "json": {"x": 1}})));
    let status = ask("GET", &format!("{}/status/429", httpbin.origin()), None, None).await?;
    checks.check("it answers with the status that is asked for", answered(status, 429, &Value::Null));
    Ok(())
}

async fn on_medplum(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = medplum::start(cache, Some("t-1")).await?;
    let base = format!("{}{}", server.origin(), medplum::BASE);
    let (patients, token) = (format!("{base}/Patient"), Some("t-1"));
    let statement = ask("GET", &format!("{base}/metadata"), None, None).await?;
    checks.check("its capabilities are open to all", answered(statement, 200, &json!({"fhirVersion": "4.0.1"})));
    let outcome = json!({"resourceType": "OperationOutcome"});
    checks.check("all else wants a token", answered(ask("GET", &patients, None, None).await?, 401, &outcome));
    for family in ["A", "B", "C"] {
        let patient = json!({"resourceType": "Patient", "name": [{"family": family}]});
        let created = ask("POST", &patients, token, Some(patient.clone())).await?;
        checks.check(&format!("patient {family} is created"), answered(created, 201, &patient));
    }
    let wrong = ask("POST", &patients, token, Some(json!({"resourceType": "Patient", "gendr": "x"}))).await?;
    checks.check("what is no patient is refused", answered(wrong, 400, &outcome));
    let (mut url, mut found) = (format!("{patients}?_count=2&_sort=family"), Vec::new());
    // Two pages, and one turn more than there may be.
    for _ in 0..3 {
        let (_, page) = ask("GET", &url, token, None).await?;
        let entries = page.get("entry").and_then(Value::as_array).into_iter().flatten();
        found.extend(entries.filter_map(|entry| entry.pointer("/resource/name/0/family").cloned()));
        let links = page.get("link").and_then(Value::as_array).into_iter().flatten();
        let mut next = links.filter(|link| link.get("relation") == Some(&json!("next")));
        let Some(link) = next.next().and_then(|link| link.get("url")).and_then(Value::as_str) else { break };
        link.clone_into(&mut url);
    }
    checks.check("pages are walked by their links", same(&json!(["A", "B", "C"]), &Value::Array(found)));
    Ok(())
}

async fn on_oidc(cache: &Cache, checks: &mut Checks) -> Checked {
    for check in oidc::second_opinion(cache).await? {
        let text = |member: &str| check.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        checks.check(&text("check"), holds(check.get("ok") == Some(&json!(true)), || text("why")));
    }
    let keys = oidc::keys(cache).await?;
    let backend = json!({
        "id": "backend",
        "auth": "private_key_jwt",
        "alg": "ES384",
        "keys": [keys.pointer("/ec/public")],
        "grants": ["client_credentials"],
        "scope": "system/*.rs",
    });
    let asking = json!({"id": "fhir-server", "auth": "client_secret_basic", "secret": "s:1"});
    let server = Oidc::start(cache, &json!({"clients": [backend, asking]})).await?;
    let nobody = json!({"total": 0, "counts": {}, "last": null});
    checks.check("it tells what it was asked", within(&nobody, &server.control("requests", None).await?));
    let shorter = server.control("ttl", Some(json!({"access": 2}))).await?;
    checks.check("tokens can be made to end sooner", within(&json!({"access": 2}), &shorter));
    let fhir = medplum::start_behind(cache, &server, "fhir-server", "s:1").await?;
    let base = format!("{}{}", fhir.origin(), medplum::BASE);
    let smart = ask("GET", &format!("{base}/.well-known/smart-configuration"), None, None).await?;
    let endpoint = json!({"token_endpoint": format!("http://{}/token", server.address())});
    checks.check("Medplum behind it says where tokens are", answered(smart, 200, &endpoint));
    let outcome = json!({"resourceType": "OperationOutcome"});
    let strange = ask("GET", &format!("{base}/Patient"), Some("t-1"), None).await?;
    checks.check("Medplum behind it takes no other tokens", answered(strange, 401, &outcome));
    Ok(())
}

async fn on_awkward(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = awkward::start(cache).await?;
    let patients = format!("{}{}/Patient", server.origin(), awkward::BASE);
    let created = ask("POST", &patients, None, Some(json!({"resourceType": "Patient", "active": true}))).await?;
    checks.check("a create is answered with nothing", same(&json!([201, null]), &json!([created.0, created.1])));
    let found = ask("GET", &patients, None, None).await?;
    checks.check("a search is answered with a bare array", answered(found, 200, &json!([{"active": true}])));
    Ok(())
}

async fn on_validator(cache: &Cache, checks: &mut Checks) -> Checked {
    let validator = FhirValidator::ready(cache).await?;
    let good = json!({"resourceType": "Patient", "active": true});
    let judged = validator.judge(&[good.clone(), json!({"resourceType": "Patient", "gendr": "x"})]).await?;
    checks.check("it tells good from bad", within(&json!([{"ok": true}, {"ok": false}]), &Value::Array(judged)));
    let example = cache.spec_json("fhir/Patient-example.json")?;
    checks.check("it finds HL7's example good", validator.all_valid(&[good, example]).await);
    Ok(())
}
