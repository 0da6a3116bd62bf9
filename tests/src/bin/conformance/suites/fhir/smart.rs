//! Medplum's router behind SMART Backend Services: `oidc-provider` gives the tokens, Medplum asks it about each of them, and
//! the host gets them with a private key.

use portcullis_runtime::{CredentialKind as Kind, Method, Outcome};
use serde_json::{Value, json};

use super::{output, patient, refused, text};
use crate::{
    bench::call,
    cache::Cache,
    counterparts::{
        medplum,
        oidc::{self, Oidc},
    },
    expect::{failed, holds},
    host::{Host, given},
    report::{Checked, Checks},
};

const SLOT: &str = "access-token";
const RESOURCES: (&str, &str) = ("resource-server", "resource-secret-b90e");
const READ_ONLY: &str = "system/*.rs";
const ALL: &str = "system/*.cruds";

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let keys = oidc::keys(cache).await?;
    let oidc = Oidc::start(cache, &settings(&keys)).await?;
    let medplum = medplum::start_behind(cache, &oidc, RESOURCES.0, RESOURCES.1).await?;
    let host = Host::start(cache, "smart").await?;
    let bed = Bed { base: format!("{}{}", medplum.origin(), medplum::BASE), oidc, medplum, host, keys };
    for (key, algorithm) in [("ec", "ES384"), ("rsa", "RS384")] {
        let all = bed.integration(&format!("all-{key}"), key, algorithm, Some(ALL)).await?;
        reads_and_writes(&all, checks, algorithm).await?;
    }
    let own = bed.integration("read-only", "ec", "ES384", None).await?;
    let created = own.run(call("create", json!({ "resource": patient("Noether", "s-9") }))).await;
    checks.check("with the adapter's own scopes a create is `fhir.forbidden`", {
        refused(&created, 403, "fhir.forbidden", false)
    });
    checks.check("and a search is done", found(&own.run(search("Noether")).await));
    checks.check("a token that the server took back is got anew, once", taken_back(&bed, &own).await);
    checks.check("metadata that names a plain http server elsewhere is not believed", elsewhere(&bed).await);
    Ok(())
}

struct Bed {
    oidc: Oidc,
    medplum: crate::counterparts::Running,
    base: String,
    host: Host,
    keys: Value,
}

struct Door<'b> {
    host: &'b Host,
    integration: portcullis_runtime::Integration,
}

fn settings(keys: &Value) -> Value {
    let client = |key: &str, algorithm: &str| {
        json!({
            "id": format!("smart-{key}"), "auth": "private_key_jwt", "alg": algorithm, "like": "smart",
            "keys": [keys.pointer(&format!("/{key}/public"))], "grants": ["client_credentials"],
            "scope": format!("{READ_ONLY} {ALL}"),
        })
    };
    let (id, secret) = RESOURCES;
    let resources = json!({ "id": id, "secret": secret, "auth": "client_secret_basic" });
    json!({ "clients": [client("ec", "ES384"), client("rsa", "RS384"), resources] })
}

impl Bed {
    /// Where the operator says where tokens are asked for: Medplum's metadata names another origin, in plain http.
    async fn integration(&self, name: &str, key: &str, algorithm: &str, scope: Option<&str>) -> Checked<Door<'_>> {
        let url = format!("{}/token", self.oidc.origin());
        self.integrated(name, [key, algorithm], scope, Some(&url)).await
    }

    async fn integrated(
        &self,
        name: &str,
        [key, algorithm]: [&str; 2],
        scope: Option<&str>,
        token_url: Option<&str>,
    ) -> Checked<Door<'_>> {
        let of_key = |member: &str| self.keys.pointer(&format!("/{key}/{member}")).and_then(Value::as_str);
        let id = format!("smart-{key}");
        let mut fields =
            vec![("client-id", id.as_str()), ("key-id", of_key("kid").unwrap_or_default()), ("algorithm", algorithm)];
        fields.extend(scope.map(|scope| ("scope", scope)));
        fields.extend(token_url.map(|url| ("token-url", url)));
        let secrets = [("private-key", of_key("pem").unwrap_or_default())];
        self.host.give(name, SLOT, given(Kind::SmartBackendServices, &fields, &secrets)?).await?;
        let tokens = vec![
            (SLOT, Method::Post, format!("{}/token", self.oidc.origin())),
            (SLOT, Method::Get, format!("{}/.well-known/smart-configuration", self.base)),
        ];
        let config = json!({ "baseUrl": self.base });
        let integration = self.host.integrate(name, "fhir", config, tokens, &[self.medplum.address]).await?;
        Ok(Door { host: &self.host, integration })
    }
}

impl Door<'_> {
    async fn run(&self, call: portcullis_runtime::Call) -> Outcome {
        let outcome = self.integration.call(call.live()).await;
        self.host.hear(&outcome);
        outcome
    }
}

fn search(family: &str) -> portcullis_runtime::Call {
    call("search", json!({ "type": "Patient", "parameters": { "family": family } }))
}

fn found(outcome: &Outcome) -> Checked {
    output(outcome, &json!({ "more": false }))
}

async fn reads_and_writes(door: &Door<'_>, checks: &mut Checks, algorithm: &str) -> Checked {
    let family = format!("Germain-{algorithm}");
    let created = door.run(call("create", json!({ "resource": patient(&family, algorithm) }))).await;
    checks.check(&format!("{algorithm}: a create is done"), output(&created, &json!({ "created": true })));
    let id = text(&created, "/id")?;
    let read = door.run(call("read", json!({ "type": "Patient", "id": id }))).await;
    checks.check(
        &format!("{algorithm}: it can be read"),
        output(&read, &json!({ "resource": patient(&family, algorithm) })),
    );
    let searched = door.run(search(&family)).await;
    let expected = json!({ "resources": [patient(&family, algorithm)] });
    checks.check(&format!("{algorithm}: it is found"), output(&searched, &expected));
    let entry = json!([{ "request": { "method": "GET", "url": format!("Patient/{id}") } }]);
    let batch = door.run(call("submitBundle", json!({ "type": "batch", "entry": entry }))).await;
    checks.check(
        &format!("{algorithm}: a batch is done"),
        output(&batch, &json!({ "entry": [{ "status": 200, "resource": patient(&family, algorithm) }] })),
    );
    Ok(())
}

async fn taken_back(bed: &Bed, door: &Door<'_>) -> Checked {
    bed.oidc.control("reset", Some(json!({}))).await?;
    bed.oidc.control("revoke", Some(json!({ "client": "smart-ec" }))).await?;
    found(&door.run(search("Noether")).await)?;
    let seen = bed.oidc.control("requests", None).await?;
    holds(seen.get("total") == Some(&json!(1)), || format!("the server was asked: {:?}", seen.get("counts")))
}

async fn elsewhere(bed: &Bed) -> Checked {
    bed.oidc.control("reset", Some(json!({}))).await?;
    let door = bed.integrated("elsewhere", ["ec", "ES384"], None, None).await?;
    let outcome = door.run(search("Noether")).await;
    let told = failed(&outcome, "credential-unavailable")?.to_string();
    holds(told.contains("neither an https URL nor one of the same origin"), || told)?;
    let total = bed.oidc.control("requests", None).await?.get("total").and_then(Value::as_u64);
    holds(total == Some(0), || format!("the token endpoint was asked {total:?} times"))
}
