//! A person who agrees in a browser: authorization code with PKCE, to its end and to each of its wrong ends. With it, what
//! other parts need: an integration that a person has connected.

use portcullis_runtime::{CredentialKind as Kind, Given};
use serde_json::json;
use url::Url;

use super::{
    bed::{Bed, Door, SLOT, unavailable},
    server::{CALLBACK, WEB},
};
use crate::{
    expect::{done, holds, within},
    host::{Host, by, given},
    report::{Checked, Checks, Stop},
};

pub(super) async fn run(bed: &Bed, checks: &mut Checks) -> Checked {
    checks.check("code and PKCE to the end, of a client with a secret", to_the_end(bed, true).await);
    checks.check("code and PKCE to the end, of a client without", to_the_end(bed, false).await);
    let wrong = changed(bed, "state", "s-of-somebody-else", &["state"]).await;
    checks.check("a callback with another state is refused, and nothing is asked", wrong);
    let wrong = changed(bed, "iss", "https://another.example", &["another authorization server"]).await;
    checks.check("a callback from another server is refused, and nothing is asked", wrong);
    checks.check("a callback without the server's name is refused, and nothing is asked", changed_iss(bed).await);
    checks.check("a person who refuses is told", refuses(bed).await);
    checks.check("a callback is good once", twice(bed).await);
    checks.check("before anybody agreed, that is told", nobody(bed).await);
    Ok(())
}

/// A credential that a person has to agree to.
pub(super) fn person(bed: &Bed, secret: bool) -> Checked<Given> {
    let fields = [
        ("client-id", if secret { WEB.0 } else { "native" }),
        ("authorize-url", &bed.url("/auth")),
        ("token-url", &bed.url("/token")),
        ("revoke-url", &bed.url("/token/revocation")),
        ("metadata-url", &bed.url("/.well-known/oauth-authorization-server")),
        ("scope", "api"),
    ];
    let secrets: &[_] = if secret { &[("client-secret", WEB.1)] } else { &[] };
    given(Kind::OauthAuthorizationCode, &fields, secrets)
}

/// Goes to the browser: the callback.
async fn agreed(bed: &Bed, door: &Door<'_>) -> Checked<String> {
    let url = door.integration.authorize(SLOT, CALLBACK).await.map_err(Stop::failed)?;
    door.host.hear_text(&url);
    let came = bed.oidc.control("browser", Some(json!({ "url": url }))).await?;
    let location = came.get("location").and_then(|location| location.as_str());
    location.map(str::to_owned).ok_or_else(|| Stop::Failed(format!("the browser came to {came}")))
}

/// An integration that a person has connected.
pub(super) async fn connected<'h>(bed: &Bed, host: &'h Host, name: &str) -> Checked<Door<'h>> {
    let door = bed.door_on(host, name, person(bed, true)?).await?;
    let callback = agreed(bed, &door).await?;
    door.integration.authorized(SLOT, &callback, &by()).await.map_err(Stop::failed)?;
    Ok(door)
}

async fn to_the_end(bed: &Bed, secret: bool) -> Checked {
    bed.reset().await?;
    let (name, client) = if secret { ("person-web", WEB.0) } else { ("person-native", "native") };
    let door = bed.door(name, person(bed, secret)?).await?;
    let callback = agreed(bed, &door).await?;
    door.integration.authorized(SLOT, &callback, &by()).await.map_err(Stop::failed)?;
    within(&json!({ "client": client, "subject": "operator" }), done(&door.whoami().await)?)?;
    let parameters = json!(["code", "code_verifier", "grant_type", "redirect_uri"]);
    let public = json!(["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]);
    bed.last(&json!({ "parameters": if secret { parameters } else { public }, "status": 200 })).await?;
    bed.asked(1).await
}

/// The callback is refused with these words, and the token endpoint is not asked.
async fn refused(bed: &Bed, door: &Door<'_>, callback: &str, words: &[&str]) -> Checked {
    let before = bed.total().await?;
    let told = match door.integration.authorized(SLOT, callback, &by()).await {
        Ok(()) => return Err(Stop::Failed("it was taken".to_owned())),
        Err(error) => error.to_string(),
    };
    door.host.hear_text(&told);
    holds(words.iter().all(|word| told.contains(word)), || format!("{words:?} are not in: {told}"))?;
    holds(bed.total().await? == before, || "the token endpoint was asked".to_owned())
}

async fn changed(bed: &Bed, member: &str, value: &str, words: &[&str]) -> Checked {
    bed.reset().await?;
    let door = bed.door(&format!("changed-{member}"), person(bed, true)?).await?;
    let callback = with(&agreed(bed, &door).await?, member, Some(value))?;
    refused(bed, &door, &callback, words).await
}

async fn changed_iss(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("without-iss", person(bed, true)?).await?;
    let callback = with(&agreed(bed, &door).await?, "iss", None)?;
    refused(bed, &door, &callback, &["iss"]).await
}

/// The same URL with another value of this member, or without it.
fn with(url: &str, member: &str, value: Option<&str>) -> Checked<String> {
    let mut url = Url::parse(url).map_err(Stop::failed)?;
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(name, _)| name != member).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (member, value)));
    Ok(url.into())
}

async fn refuses(bed: &Bed) -> Checked {
    bed.reset().await?;
    let mut given = person(bed, true)?;
    given.fields.insert("authorize-parameters".to_owned(), "login_hint=refuse".to_owned());
    let door = bed.door("refuses", given).await?;
    let callback = agreed(bed, &door).await?;
    refused(bed, &door, &callback, &["access_denied"]).await
}

async fn twice(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("twice", person(bed, true)?).await?;
    let callback = agreed(bed, &door).await?;
    door.integration.authorized(SLOT, &callback, &by()).await.map_err(Stop::failed)?;
    refused(bed, &door, &callback, &["start again"]).await?;
    done(&door.whoami().await).map(drop)
}

async fn nobody(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("nobody", person(bed, true)?).await?;
    unavailable(&door.whoami().await, &["needs to be reconnected", "nobody has agreed"])?;
    bed.asked(0).await
}
