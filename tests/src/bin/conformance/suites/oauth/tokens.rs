//! Tokens that are kept, expire and are refused, of clients that get another one by themselves.

use std::time::Duration;

use serde_json::json;

use super::{
    bed::{Bed, expire, unavailable},
    server::BASIC,
};
use crate::{
    expect::{done, failed, statuses},
    report::{Checked, Checks},
};

const BASICALLY: &str = "client_secret_basic";

pub(super) async fn run(bed: &Bed, checks: &mut Checks) -> Checked {
    checks.check("a token is used until it expires, and then another one is got", expiring(bed).await);
    checks.check("a hundred calls with an expired token make one request", a_hundred(bed).await);
    checks.check("a server that fails is told, not hammered, and asked again", failing(bed).await);
    checks.check("a token that is refused once is got anew, and the call goes well", refused_once(bed).await);
    checks.check("where new tokens are refused, too, no more are asked for", refused_always(bed).await);
    checks.check("a token that the server took back is got anew", taken_back(bed).await);
    checks.check(
        "without a granted token route nothing is sent, and the lines to grant are told",
        not_granted(bed).await,
    );
    Ok(())
}

async fn expiring(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let door = bed.door("expiring", bed.machine(BASIC, BASICALLY)?).await?;
    done(&door.whoami().await)?;
    done(&door.whoami().await)?;
    bed.asked(1).await?;
    expire().await;
    // Not by way of a 401: that it has expired is known.
    statuses(&door.whoami().await, &[200])?;
    bed.asked(2).await
}

async fn a_hundred(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let door = bed.door("a-hundred", bed.machine(BASIC, BASICALLY)?).await?;
    done(&door.whoami().await)?;
    expire().await;
    bed.lives(600).await?;
    bed.faults(json!({ "delay": 300 })).await?;
    door.all_at_once(100).await?;
    bed.asked(2).await
}

async fn failing(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.faults(json!({ "fail": 1, "retry_after": 1 })).await?;
    let door = bed.door("failing", bed.machine(BASIC, BASICALLY)?).await?;
    for _ in 0..3 {
        unavailable(&door.whoami().await, &["503"])?;
    }
    bed.asked(1).await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    done(&door.whoami().await)?;
    bed.asked(2).await
}

async fn refused_once(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("refused-once", bed.machine(BASIC, BASICALLY)?).await?;
    done(&door.whoami().await)?;
    bed.faults(json!({ "unauthorized": 1 })).await?;
    let outcome = door.whoami().await;
    done(&outcome)?;
    statuses(&outcome, &[401, 200])?;
    bed.asked(2).await
}

async fn refused_always(bed: &Bed) -> Checked {
    bed.reset().await?;
    let mut door = bed.door("refused-always", bed.machine(BASIC, BASICALLY)?).await?;
    bed.faults(json!({ "unauthorized": 20 })).await?;
    for _ in 0..4 {
        failed(&door.whoami().await, "http.401")?;
    }
    bed.asked(2).await?;
    door.happened(|what| *what == portcullis_runtime::Happened::Refused).await
}

async fn taken_back(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("taken-back", bed.machine(BASIC, BASICALLY)?).await?;
    done(&door.whoami().await)?;
    bed.oidc.control("revoke", Some(json!({ "client": BASIC.0 }))).await?;
    done(&door.whoami().await)?;
    bed.asked(2).await
}

async fn not_granted(bed: &Bed) -> Checked {
    bed.reset().await?;
    let given = bed.machine(BASIC, BASICALLY)?;
    bed.door("not-granted", given).await?;
    let door = bed.open(&bed.host, "not-granted", Vec::new()).await?;
    let url = bed.url("/token");
    unavailable(&door.whoami().await, &["[[routes]]", "method = \"POST\"", &url, "token_for = \"credential\""])?;
    bed.asked(0).await
}
