//! What a revocation ends: here at once, under load as well, and then at the server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    bed::{Bed, Door, unavailable},
    people::connected,
    server::{BASIC, WEB},
};
use crate::{
    bench::call,
    expect::{done, holds},
    host::by,
    report::{Checked, Checks, Stop},
};

/// How long a revocation may take until it is in effect.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Other calls under way.
const OTHERS: usize = 32;

pub(super) async fn run(bed: &Bed, checks: &mut Checks) -> Checked {
    checks.check("a revoked client's token does not work at the server any more", machine(bed).await);
    checks.check("a revoked person's tokens, both of them, do not either", person(bed).await);
    let ended = under_way(bed, checks).await;
    checks.check("a revocation ends a request that is on its way, and the next, within 100 ms, under load", ended);
    Ok(())
}

async fn machine(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("revoked-machine", bed.machine(BASIC, "client_secret_basic")?).await?;
    done(&door.whoami().await)?;
    revoked(bed, &door, &[(BASIC.0, "ClientCredentials")]).await
}

async fn person(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = connected(bed, &bed.host, "revoked-person").await?;
    done(&door.whoami().await)?;
    revoked(bed, &door, &[(WEB.0, "AccessToken"), (WEB.0, "RefreshToken")]).await
}

/// The newest tokens of these kinds work, and after a revocation they do not.
async fn revoked(bed: &Bed, door: &Door<'_>, kinds: &[(&str, &str)]) -> Checked {
    let newest = async || {
        let mut found = Vec::new();
        for (client, kind) in kinds {
            found.extend(bed.tokens(client, kind).await?.pop());
        }
        Ok::<_, Stop>(found)
    };
    let works = |tokens: &[Value]| tokens.iter().filter(|token| token["works"] == true).count();
    let before = newest().await?;
    holds(works(&before) == kinds.len(), || "they did not work before".to_owned())?;
    door.host.runtime.revoke(&door.id, &by(), "the suite asks for it").await.map_err(Stop::failed)?;
    let after = newest().await?;
    holds(works(&after) == 0, || "the server still takes a token".to_owned())?;
    let value = before.first().and_then(|token| token["value"].as_str()).unwrap_or_default();
    let status = bed.status_of(value).await?;
    holds(status == 401, || format!("the API still answers {status}"))?;
    let asked = bed.total().await?;
    unavailable(&door.whoami().await, &["was revoked"])?;
    holds(bed.total().await? == asked, || "a token was asked for".to_owned())
}

async fn under_way(bed: &Bed, checks: &mut Checks) -> Checked {
    bed.reset().await?;
    let door = bed.door("under-way", bed.machine(BASIC, "client_secret_basic")?).await?;
    done(&door.whoami().await)?;
    let others = bed.door("others", bed.machine(BASIC, "client_secret_basic")?).await?;
    done(&others.whoami().await)?;
    let busy: Vec<_> = (0..OTHERS)
        .map(|_| {
            let integration = others.integration.clone();
            tokio::spawn(async move {
                loop {
                    drop(integration.call(call("whoami", json!({})).live()).await);
                }
            })
        })
        .collect();
    let integration = door.integration.clone();
    let slow = tokio::spawn(async move {
        let outcome = integration.call(call("slow", json!({ "ms": 5_000 })).live()).await;
        (outcome, Instant::now())
    });
    let started = async {
        while slows(bed).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, Stop>(())
    };
    let started = tokio::time::timeout(Duration::from_secs(10), started).await;
    started.unwrap_or_else(|_| Err(Stop::Failed("the slow request never came".to_owned())))?;

    let since = Instant::now();
    let (runtime, id) = (bed.host.runtime.clone(), door.id.clone());
    let revoking = tokio::spawn(async move { runtime.revoke(&id, &by(), "the suite asks for it").await });
    let (outcome, ended) = slow.await.map_err(Stop::failed)?;
    let took = ended.saturating_duration_since(since);
    let next = door.whoami().await;
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    revoking.await.map_err(Stop::failed)?.map_err(Stop::failed)?;
    checks.note(&format!("it took {} ms, with {OTHERS} other calls under way", took.as_millis()));
    door.host.hear(&outcome);
    unavailable(&outcome, &["was revoked while the request was on its way"])?;
    unavailable(&next, &["was revoked"])?;
    // The server hears of the end when the connection is closed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let how = slows(bed).await?.last().map(|slow| slow["how"].clone()).unwrap_or_default();
    holds(how == "cut", || format!("for the server it is {how}"))?;
    holds(took <= AT_ONCE, || format!("it took {took:?}"))
}

async fn slows(bed: &Bed) -> Checked<Vec<Value>> {
    let api = bed.oidc.control("api", None).await?;
    Ok(api.get("slow").and_then(Value::as_array).cloned().unwrap_or_default())
}
