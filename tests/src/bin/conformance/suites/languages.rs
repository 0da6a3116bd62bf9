//! The same small adapter in Rust, JavaScript and Python, held to the same checks: what it declares, what it sends, what it
//! makes of good and of hostile answers, and that neither it nor a greedy one gets past a bound.
//!
//! The counterpart is an upstream of ours, because what is checked is not what a server thinks of the adapter but that three
//! languages' adapters cannot be told apart on the wire.

mod bounds;
mod build;
mod cases;
mod figures;
mod twins;

use async_trait::async_trait;
use portcullis_tests::folder;

use super::Suite;
use crate::{
    cache::Cache,
    report::{Checked, Checks},
};

pub(crate) struct Languages;

#[async_trait(?Send)]
impl Suite for Languages {
    fn name(&self) -> &'static str {
        "languages"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        let sources = folder::languages();
        let rust = folder::adapter("tasks")?;
        let javascript = build::javascript(cache, &sources.join("javascript/tasks.js")).await?;
        let python = build::python(cache, &sources.join("python/tasks.py")).await?;
        let components = [("rust", rust), ("javascript", javascript), ("python", python)];
        let twins = twins::Twins::load(components).await?;

        twins.declare_the_same(checks).await?;
        for case in cases::all() {
            let result = twins.answer_the_same(&case).await;
            checks.check(&format!("live: {}", case.name), result);
        }
        for (operation, input) in cases::inputs() {
            for seed in 1..=3 {
                let result = twins.pretend_the_same(operation, &input, seed).await;
                checks.check(&format!("sandbox: {operation} with seed {seed} is the same"), result);
            }
        }
        twins.end(checks);
        bounds::check(cache, &twins, checks).await?;
        figures::measure(&twins, checks).await
    }
}
