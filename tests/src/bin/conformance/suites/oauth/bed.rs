//! The OAuth server, a host before it, and integrations of the Custom HTTP adapter, each with a credential of its own.

use std::time::Duration;

use portcullis_runtime::{CredentialId, CredentialKind as Kind, Event, Given, Happened, Integration, Method, Outcome};
use serde_json::{Value, json};
use tokio::{sync::broadcast::Receiver, time::timeout};

use super::server;
use crate::{
    bench::call,
    cache::Cache,
    counterparts::oidc::{self, Oidc},
    expect::{done, failed, holds, within},
    host::{Host, WORKSPACE, given},
    report::{Checked, Stop},
};

pub(super) const SLOT: &str = "credential";

/// All parts stand on this.
pub(super) struct Bed {
    pub(super) oidc: Oidc,
    pub(super) host: Host,
    keys: Value,
    client: reqwest::Client,
}

impl Bed {
    pub(super) async fn new(cache: &Cache) -> Checked<Self> {
        let keys = oidc::keys(cache).await?;
        let oidc = Oidc::start(cache, &server::settings(&keys)).await?;
        let host = Host::start(cache, "oauth").await?;
        let client = reqwest::Client::builder().no_proxy().build().map_err(Stop::failed)?;
        Ok(Self { oidc, host, keys, client })
    }

    /// A member of one of the keys: `pem`, `kid`.
    pub(super) fn key(&self, name: &str, member: &str) -> Checked<&str> {
        let found = self.keys.get(name).and_then(|key| key.get(member)).and_then(Value::as_str);
        found.ok_or_else(|| Stop::Failed(format!("there is no {member} of a key {name}")))
    }

    /// A URL of the server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.oidc.origin())
    }

    /// Client credentials with a secret, and how it is sent.
    pub(super) fn machine(&self, (id, secret): (&str, &str), authentication: &str) -> Checked<Given> {
        let fields = [
            ("client-id", id),
            ("client-authentication", authentication),
            ("token-url", &self.url("/token")),
            ("revoke-url", &self.url("/token/revocation")),
            ("scope", "api"),
        ];
        given(Kind::OauthClientCredentials, &fields, &[("client-secret", secret)])
    }

    /// Forgets what the server counted, and all disturbances.
    pub(super) async fn reset(&self) -> Checked {
        self.oidc.control("reset", Some(json!({}))).await?;
        self.lives(600).await
    }

    /// Tokens that are issued from now on live so many seconds.
    pub(super) async fn lives(&self, seconds: u32) -> Checked {
        self.oidc.control("ttl", Some(json!({ "access": seconds }))).await.map(drop)
    }

    pub(super) async fn faults(&self, faults: Value) -> Checked {
        self.oidc.control("faults", Some(faults)).await.map(drop)
    }

    /// What the token endpoint saw.
    pub(super) async fn requests(&self) -> Checked<Value> {
        self.oidc.control("requests", None).await
    }

    /// How many requests the token endpoint saw.
    pub(super) async fn total(&self) -> Checked<u64> {
        Ok(self.requests().await?.get("total").and_then(Value::as_u64).unwrap_or_default())
    }

    /// The token endpoint has seen so many requests since the last reset.
    pub(super) async fn asked(&self, times: u64) -> Checked {
        let seen = self.requests().await?;
        let total = seen.get("total").and_then(Value::as_u64);
        holds(total == Some(times), || {
            format!("expected {times} token requests, found {total:?}: {:?}", seen.get("counts"))
        })
    }

    /// All of this is in what the server says of the last request to the token endpoint.
    pub(super) async fn last(&self, expected: &Value) -> Checked {
        let seen = self.requests().await?;
        within(expected, seen.get("last").unwrap_or(&Value::Null))
    }

    /// The tokens that the server gave a client, the oldest first.
    pub(super) async fn tokens(&self, client: &str, kind: &str) -> Checked<Vec<Value>> {
        let Value::Array(all) = self.oidc.control("tokens?values=1", None).await? else { return Ok(Vec::new()) };
        let is = |token: &Value, name: &str, value: &str| token.get(name).and_then(Value::as_str) == Some(value);
        Ok(all.into_iter().filter(|token| is(token, "client", client) && is(token, "kind", kind)).collect())
    }

    /// Who the API says that the bearer of this token is: the answer's status.
    pub(super) async fn status_of(&self, token: &str) -> Checked<u16> {
        let answer = self.client.get(self.url("/api/whoami")).bearer_auth(token).send().await.map_err(Stop::failed)?;
        Ok(answer.status().as_u16())
    }

    /// Sends a form as a client that is none of ours: the answer's status.
    pub(super) async fn post(&self, url: &str, form: Vec<u8>, basic: Option<(&str, &str)>) -> Checked<u16> {
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let request = match basic {
            Some((id, secret)) => request.basic_auth(id, Some(secret)),
            None => request,
        };
        Ok(request.send().await.map_err(Stop::failed)?.status().as_u16())
    }

    /// An integration with this credential, on the bed's host. The name must be new.
    pub(super) async fn door(&self, name: &str, given: Given) -> Checked<Door<'_>> {
        self.door_on(&self.host, name, given).await
    }

    /// The same on another host.
    pub(super) async fn door_on<'h>(&self, host: &'h Host, name: &str, given: Given) -> Checked<Door<'h>> {
        let routes = self.routes(&given);
        host.give(name, SLOT, given).await?;
        self.open(host, name, routes).await
    }

    /// An integration whose credential is there, with these token routes.
    pub(super) async fn open<'h>(
        &self,
        host: &'h Host,
        name: &str,
        tokens: Vec<(Method, String)>,
    ) -> Checked<Door<'h>> {
        let tokens = tokens.into_iter().map(|(method, url)| (SLOT, method, url)).collect();
        let events = host.runtime.events();
        let integration = host.integrate(name, "custom_http", self.config(), tokens, &[self.oidc.address()]).await?;
        Ok(Door { host, integration, id: CredentialId::new(WORKSPACE, name, SLOT), events })
    }

    /// The URLs that this credential asks at.
    pub(super) fn routes(&self, given: &Given) -> Vec<(Method, String)> {
        let mut routes: Vec<(Method, String)> = Vec::new();
        for (field, method) in
            [("token-url", Method::Post), ("revoke-url", Method::Post), ("metadata-url", Method::Get)]
        {
            routes.extend(given.fields.get(field).map(|url| (method, url.clone())));
        }
        if given.kind == Kind::GoogleServiceAccount {
            routes.push((Method::Post, self.url("/services/oauth2/token")));
        } else if !given.fields.contains_key("token-url") {
            routes.push((Method::Post, self.url("/token")));
        }
        routes
    }

    fn config(&self) -> Value {
        let endpoint = |name: &str, method: &str, path: &str, properties: Value| {
            let input = json!({ "type": "object", "properties": properties });
            json!({
                "name": name, "description": "Of the OAuth server's API.", "effect": "read", "method": method,
                "path": path, "input": input, "response": { "type": "object" },
            })
        };
        let number = json!({ "type": "integer", "minimum": 0, "maximum": 60_000 });
        json!({
            "provider": "oidc",
            "baseUrl": self.oidc.origin(),
            "auth": { "type": "bearer", "oauth": {} },
            "endpoints": [
                endpoint("whoami", "GET", "/api/whoami", json!({})),
                endpoint("slow", "GET", "/api/slow", json!({ "ms": number, "drip": number })),
                endpoint("echo", "POST", "/api/echo", json!({ "text": { "type": "string" } })),
            ],
        })
    }
}

/// An integration with one credential that gets tokens.
pub(super) struct Door<'h> {
    pub(super) host: &'h Host,
    pub(super) integration: Integration,
    pub(super) id: CredentialId,
    events: Receiver<Event>,
}

impl Door<'_> {
    /// Asks the API who it takes us for.
    pub(super) async fn whoami(&self) -> Outcome {
        self.call("whoami", json!({})).await
    }

    pub(super) async fn call(&self, operation: &str, input: Value) -> Outcome {
        let outcome = self.integration.call(call(operation, input).live()).await;
        self.host.hear(&outcome);
        outcome
    }

    /// So many at once: none fails.
    pub(super) async fn all_at_once(&self, times: usize) -> Checked {
        let calls = (0..times).map(|_| {
            let integration = self.integration.clone();
            tokio::spawn(async move { integration.call(call("whoami", json!({})).live()).await })
        });
        // They are under way from here on.
        for call in calls.collect::<Vec<_>>() {
            done(&call.await.map_err(Stop::failed)?)?;
        }
        Ok(())
    }

    /// Waits for an event of its credential.
    pub(super) async fn happened(&mut self, is: impl Fn(&Happened) -> bool) -> Checked {
        let (id, events) = (self.id.clone(), &mut self.events);
        let wait = async {
            loop {
                match events.recv().await {
                    Ok(Event::Credential(event)) if event.id == id && is(&event.what) => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(Stop::failed(error)),
                }
            }
        };
        timeout(Duration::from_secs(5), wait).await.unwrap_or_else(|_| Err(Stop::Failed("no such event".to_owned())))
    }
}

/// The call found no credential that could be used, and says so with these words.
pub(super) fn unavailable(outcome: &Outcome, words: &[&str]) -> Checked {
    let told = failed(outcome, "credential-unavailable")?.to_string();
    let missing: Vec<_> = words.iter().filter(|word| !told.contains(**word)).collect();
    holds(missing.is_empty(), || format!("{missing:?} is not in: {told}"))
}

/// Longer than a token of two seconds lives.
pub(super) async fn expire() {
    tokio::time::sleep(Duration::from_millis(2_200)).await;
}
