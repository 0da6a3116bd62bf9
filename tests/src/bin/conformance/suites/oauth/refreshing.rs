//! Refresh tokens that rotate: each is good once, and whoever uses one twice ends the whole family.

use std::time::Duration;

use portcullis_runtime::Happened;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    bed::{Bed, expire, unavailable},
    people::connected,
    server::WEB,
};
use crate::{
    cache::Cache,
    expect::{done, holds, statuses},
    host::Host,
    report::{Checked, Checks, Stop},
};

pub(super) async fn run(bed: &Bed, cache: &Cache, checks: &mut Checks) -> Checked {
    checks.check("they rotate, and the newest is there after the next start", rotation(bed, cache).await);
    checks.check("a hundred calls with an expired token make one refresh", a_hundred(bed).await);
    checks.check("where somebody uses an old one, a person has to agree again, and that is told", reused(bed).await);
    checks.check("an answer that is lost ends with a person, not in a loop", lost(bed).await);
    checks.check("what the server took back for good needs a person", taken_back(bed).await);
    Ok(())
}

/// The server took so many refreshes of ours, and refused none.
async fn refreshed(bed: &Bed, times: u64) -> Checked {
    let seen = bed.requests().await?;
    let found = seen.pointer("/counts/web/refresh_token").cloned().unwrap_or_default();
    let expected = if times == 0 { Value::Null } else { json!({ "200": times }) };
    holds(found == expected, || format!("expected {times} refreshes, found {found}"))
}

async fn rotation(bed: &Bed, cache: &Cache) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let host = Host::start(cache, "oauth-again").await?;
    let door = connected(bed, &host, "rotation").await?;
    for times in [1, 2] {
        expire().await;
        statuses(&door.whoami().await, &[200])?;
        refreshed(bed, times).await?;
    }
    let routes = bed.routes(&super::people::person(bed, true)?);
    drop(door);
    let host = host.started_again().await?;
    let door = bed.open(&host, "rotation", routes).await?;
    expire().await;
    done(&door.whoami().await)?;
    refreshed(bed, 3).await
}

async fn a_hundred(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let door = connected(bed, &bed.host, "a-hundred-refreshes").await?;
    expire().await;
    bed.lives(600).await?;
    bed.faults(json!({ "delay": 300 })).await?;
    door.all_at_once(100).await?;
    refreshed(bed, 1).await?;
    done(&door.whoami().await).map(drop)
}

async fn reused(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let mut door = connected(bed, &bed.host, "reused").await?;
    let tokens = bed.tokens(WEB.0, "RefreshToken").await?;
    let old = tokens.last().and_then(|token| token["value"].as_str()).unwrap_or_default();
    expire().await;
    done(&door.whoami().await)?;
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", old);
    let status = bed.post(&bed.url("/token"), form.finish().into_bytes(), Some(WEB)).await?;
    holds(status == 400, || format!("the server answers {status} to an old one"))?;
    expire().await;
    unavailable(&door.whoami().await, &["needs to be reconnected"])?;
    door.happened(|what| matches!(what, Happened::NeedsReconnect { .. })).await?;
    let before = bed.total().await?;
    unavailable(&door.whoami().await, &["needs to be reconnected"])?;
    holds(bed.total().await? == before, || "the server is asked again and again".to_owned())
}

async fn lost(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let mut door = connected(bed, &bed.host, "lost").await?;
    expire().await;
    bed.faults(json!({ "lose": 1 })).await?;
    unavailable(&door.whoami().await, &["no token"])?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    unavailable(&door.whoami().await, &["needs to be reconnected"])?;
    door.happened(|what| matches!(what, Happened::NeedsReconnect { .. })).await?;
    unavailable(&door.whoami().await, &["needs to be reconnected"])?;
    // The code's, the one that was lost, and the one that was refused.
    bed.asked(3).await
}

async fn taken_back(bed: &Bed) -> Checked {
    bed.reset().await?;
    let mut door = connected(bed, &bed.host, "person-taken-back").await?;
    done(&door.whoami().await)?;
    bed.oidc.control("revoke", Some(json!({ "client": WEB.0 }))).await?;
    let outcome = door.whoami().await;
    holds(outcome.result.is_err(), || "it went well".to_owned())?;
    door.happened(|what| matches!(what, Happened::NeedsReconnect { .. })).await?;
    unavailable(&door.whoami().await, &["needs to be reconnected"])?;
    let info = door.host.credentials.list(crate::host::WORKSPACE, Some(door.integration.name())).await;
    let state = info.map_err(Stop::failed)?.credentials.first().map(|info| info.state.as_str());
    holds(state == Some("needs_reconnect"), || format!("it is told to be {state:?}"))
}
