//! The clients that the OAuth server knows. The secrets hold what has to be escaped.

use serde_json::{Value, json};

pub(super) const BASIC: (&str, &str) = ("basic:client %+/&=", "p:a%s+s w/o=r&d\"~");
pub(super) const POST: (&str, &str) = ("post client", "p&s=t%+ ;");
pub(super) const WEB: (&str, &str) = ("web", "web-secret-5d02c7");
pub(super) const RESOURCES: (&str, &str) = ("resource-server", "resource-secret-9a41");
pub(super) const SALESFORCE: &str = "3MVG9.salesforce";
pub(super) const ROBOT: &str = "robot@p.iam.gserviceaccount.com";
pub(super) const INSTALLATION: &str = "42";
pub(super) const APP: &str = "12345";
pub(super) const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// The server's settings, for these keys.
pub(super) fn settings(keys: &Value) -> Value {
    let open = |name: &str| json!([keys.pointer(&format!("/{name}/public"))]);
    let secret = |(id, secret): (&str, &str), auth: &str| json!({ "id": id, "auth": auth, "secret": secret });
    let machine = |client: Value| with(client, json!({ "grants": ["client_credentials"], "scope": "api" }));
    let person = |client: Value| {
        let grants = json!(["authorization_code", "refresh_token"]);
        with(client, json!({ "grants": grants, "redirects": [CALLBACK], "scope": "openid offline_access api" }))
    };
    let asserting = |id: &str, alg: &str, key: &str, more: Value| {
        let client = json!({ "id": id, "auth": "private_key_jwt", "alg": alg, "keys": open(key) });
        let machine = json!({ "grants": ["client_credentials"], "scope": "api system/*.rs system/*.cruds" });
        with(with(client, machine), more)
    };
    let bearer = |id: &str, key: &str, more: Value| {
        let grants = json!(["urn:ietf:params:oauth:grant-type:jwt-bearer"]);
        with(json!({ "id": id, "auth": "none", "keys": open(key), "grants": grants, "scope": "api api:write" }), more)
    };
    let like = |name: &str| json!({ "like": name });
    json!({
        "clients": [
            machine(secret(BASIC, "client_secret_basic")),
            machine(secret(POST, "client_secret_post")),
            asserting("ec", "ES384", "ec", json!({})),
            asserting("rsa", "RS384", "rsa", json!({})),
            asserting("smart-ec", "ES384", "ec", like("smart")),
            asserting("smart-rsa", "RS384", "rsa", like("smart")),
            asserting("smart-other", "PS384", "rsa", like("smart")),
            person(secret(WEB, "client_secret_basic")),
            person(json!({ "id": "native", "auth": "none" })),
            secret(RESOURCES, "client_secret_basic"),
            bearer(SALESFORCE, "rsa", json!({
                "like": "salesforce", "user": "ada@example.org", "audience": "https://login.salesforce.com",
            })),
            bearer(ROBOT, "rsa", like("google")),
        ],
        "github": { "app": APP, "installation": INSTALLATION, "keys": open("rsa-pkcs1") },
    })
}

fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}
