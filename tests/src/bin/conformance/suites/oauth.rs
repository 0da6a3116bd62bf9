//! The host as an OAuth 2.0 client, against `oidc-provider`: credentials that get tokens, through the Custom HTTP adapter, the
//! gate, a store on disk and a ledger. What the server saw is judged by the server.

mod bearers;
mod bed;
mod clients;
mod people;
mod quiet;
mod refreshing;
mod revoking;
mod server;
mod tokens;

use async_trait::async_trait;

use super::Suite;
use crate::{
    cache::Cache,
    report::{Checked, Checks},
};

pub(crate) struct OAuth;

#[async_trait(?Send)]
impl Suite for OAuth {
    fn name(&self) -> &'static str {
        "oauth"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        let bed = bed::Bed::new(cache).await?;
        checks.part("clients", async |checks| clients::run(&bed, cache, checks).await).await;
        checks.part("assertions as grants", async |checks| bearers::run(&bed, checks).await).await;
        checks.part("tokens", async |checks| tokens::run(&bed, checks).await).await;
        checks.part("refresh tokens", async |checks| refreshing::run(&bed, cache, checks).await).await;
        checks.part("people", async |checks| people::run(&bed, checks).await).await;
        checks.part("revocation", async |checks| revoking::run(&bed, checks).await).await;
        // Last: all that was done before is looked through.
        checks.part("records", async |checks| quiet::run(&bed, checks).await).await;
        Ok(())
    }
}
