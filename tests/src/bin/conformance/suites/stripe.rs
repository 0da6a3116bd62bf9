//! The Stripe adapter: its schemas against Stripe's own description, its requests against Prism, which goes by that
//! description, and payments at localstripe, with Stripe's own client as second opinion.

mod described;
mod on_localstripe;
mod on_prism;

use async_trait::async_trait;

use super::Suite;
use crate::{
    cache::Cache,
    report::{Checked, Checks},
};

pub(crate) struct Stripe;

#[async_trait(?Send)]
impl Suite for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        checks.part("description", async |checks| described::run(cache, checks).await).await;
        checks.part("prism", async |checks| on_prism::run(cache, checks).await).await;
        checks.part("localstripe", async |checks| on_localstripe::run(cache, checks).await).await;
        Ok(())
    }
}

/// The description of all endpoints. What can be expanded is an id in it.
const WHOLE: &str = "stripe/stripe-all-noexpand-formfix.json";
/// That of the most used ones.
const SUBSET: &str = "stripe/stripe-subset-formfix.json";
