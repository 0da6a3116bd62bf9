//! The list of suites. One more is a file below `suites`, a `mod` line and an entry here.

mod counterparts;
mod custom_http;
mod fhir;
mod languages;
mod oauth;
mod postmark;
mod signatures;
mod stripe;

use async_trait::async_trait;

use crate::{
    cache::Cache,
    report::{Checked, Checks},
};

/// All suites, in the order in which they run.
pub(crate) const SUITES: &[&dyn Suite] = &[
    &counterparts::Counterparts,
    &postmark::Postmark,
    &stripe::Stripe,
    &fhir::Fhir,
    &custom_http::CustomHttp,
    &oauth::OAuth,
    &signatures::Signatures,
    &languages::Languages,
];

/// Checks of one subject.
///
/// A suite starts the counterparts it needs, calls an adapter through a [`Bench`](crate::bench::Bench), and records a check
/// for each thing that must hold. Where nothing of it can be checked it returns why; where that goes for one counterpart,
/// [`Checks::part`] lets the others go on.
#[async_trait(?Send)]
pub(crate) trait Suite: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Makes all its checks.
    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked;
}
