//! Signed JWTs in exchange for tokens: as Salesforce, as Google, and as GitHub has its own.

use portcullis_runtime::CredentialKind as Kind;
use serde_json::{Value, json};

use super::{
    bed::{Bed, unavailable},
    server::{APP, INSTALLATION, ROBOT, SALESFORCE},
};
use crate::{
    expect::{done, holds, within},
    host::given,
    report::{Checked, Checks},
};

const USER: &str = "ada@example.org";

pub(super) async fn run(bed: &Bed, checks: &mut Checks) -> Checked {
    checks.check("as Salesforce: a token without an expiry, for a user", salesforce(bed).await);
    checks.check("as Salesforce: a user who has not agreed is told", another_user(bed).await);
    checks.check("as Google: a key file, and the scope as a claim", google(bed).await);
    checks.check("as GitHub: a token of an installation, with a key as GitHub gives it", github(bed).await);
    Ok(())
}

async fn salesforce_as(bed: &Bed, name: &str, user: &str) -> Checked<portcullis_runtime::Outcome> {
    bed.reset().await?;
    let fields = [
        ("issuer", SALESFORCE),
        ("subject", user),
        ("audience", "https://login.salesforce.com"),
        ("algorithm", "RS256"),
        ("token-url", &bed.url("/services/oauth2/token")),
    ];
    let given = given(Kind::JwtBearer, &fields, &[("private-key", bed.key("rsa", "pem")?)])?;
    Ok(bed.door(name, given).await?.whoami().await)
}

async fn salesforce(bed: &Bed) -> Checked {
    let who = salesforce_as(bed, "salesforce", USER).await?;
    within(&json!({ "client": SALESFORCE, "subject": USER }), done(&who)?)?;
    let answered = json!(["access_token", "id", "instance_url", "scope", "token_type"]);
    bed.last(&json!({ "parameters": ["assertion", "grant_type"], "answered": answered })).await?;
    // The adapter does not declare it.
    holds(!format!("{who:?}").contains("instance_url"), || "the adapter sees what it does not declare".to_owned())
}

async fn another_user(bed: &Bed) -> Checked {
    let who = salesforce_as(bed, "salesforce-eve", "eve@example.org").await?;
    unavailable(&who, &["refused with invalid_grant"])?;
    bed.last(&json!({ "detail": "user hasn't approved this consumer" })).await
}

async fn google(bed: &Bed) -> Checked {
    bed.reset().await?;
    let file = json!({
        "type": "service_account",
        "client_email": ROBOT,
        "private_key_id": bed.key("rsa", "kid")?,
        "private_key": bed.key("rsa", "pem")?,
        "token_uri": bed.url("/services/oauth2/token"),
    });
    let file = file.to_string();
    let given = given(Kind::GoogleServiceAccount, &[("scope", "api:write")], &[("key-file", &file)])?;
    let who = bed.door("google", given).await?.whoami().await;
    within(&json!({ "client": ROBOT, "scope": "api:write" }), done(&who)?)?;
    bed.last(&json!({ "parameters": ["assertion", "grant_type"] })).await?;
    let claims = bed.requests().await?.pointer("/last/assertion/claims").cloned().unwrap_or_default();
    let has = claims.as_array().is_some_and(|claims| claims.contains(&json!("scope")));
    holds(has, || format!("its claims are {claims}"))
}

async fn github(bed: &Bed) -> Checked {
    bed.reset().await?;
    let fields = [
        ("app-id", APP),
        ("installation-id", INSTALLATION),
        ("token-url", &bed.url(&format!("/app/installations/{INSTALLATION}/access_tokens"))),
    ];
    let given = given(Kind::GithubApp, &fields, &[("private-key", bed.key("rsa-pkcs1", "pem")?)])?;
    let who = bed.door("github", given).await?.whoami().await;
    let subject = format!("installation:{INSTALLATION}");
    within(&json!({ "client": format!("app:{APP}"), "subject": subject, "scope": Value::Null }), done(&who)?)
}
