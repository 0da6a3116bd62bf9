//! An adapter behind the real gate, with everything that it declares granted, and counterparts carved out by address and port.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use portcullis_runtime::{
    Call, Caller, Descriptor, Grant, Integration, Limits, MemoryVault, NewIntegration, Outcome, Route, Runtime, Scheme,
    Secret,
};
use portcullis_tests::{folder, ledger::ReadableLedger};
use serde_json::{Value, json};

use crate::{
    costs::Costs,
    expect::holds,
    report::{Checked, Checks, Stop},
};

/// What an integration is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    config: Value,
    secrets: Vec<(String, String)>,
    counterparts: Vec<SocketAddr>,
}

impl Setup {
    /// With this config and nothing else.
    pub(crate) fn config(config: Value) -> Self {
        Self { config, ..Self::default() }
    }

    /// With a secret in a slot.
    #[must_use]
    pub(crate) fn secret(mut self, slot: &str, secret: &str) -> Self {
        self.secrets.push((slot.to_owned(), secret.to_owned()));
        self
    }

    /// With a carve-out for a counterpart.
    #[must_use]
    pub(crate) fn carve_out(mut self, counterpart: SocketAddr) -> Self {
        self.counterparts.push(counterpart);
        self
    }
}

/// An integration, and a ledger that can be read.
pub(crate) struct Bench {
    /// For what the short ways do not do.
    pub(crate) integration: Integration,
    /// What it declares.
    pub(crate) descriptor: Descriptor,
    /// What was recorded.
    pub(crate) ledger: Arc<ReadableLedger>,
    name: String,
    secrets: Vec<String>,
    costs: Mutex<Costs>,
    /// Calls, and all that can be read of them.
    calls: Mutex<Vec<(String, String)>>,
}

impl Bench {
    /// Of a built adapter, by its name.
    pub(crate) async fn new(adapter: &str, setup: Setup) -> Checked<Self> {
        Self::of(adapter, &folder::adapter(adapter)?, setup, |_| {}).await
    }

    /// Of a component, with a grant that is changed before it is used.
    pub(crate) async fn of(name: &str, wasm: &[u8], setup: Setup, change: impl FnOnce(&mut Grant)) -> Checked<Self> {
        let ledger = Arc::new(ReadableLedger::start().await);
        let runtime = Runtime::builder(ledger.ledger())
            .cache(folder::cache())
            .cache_key(folder::cache_key())
            .calls_at_once(4)
            .build();
        let runtime = runtime.map_err(Stop::failed)?;
        let adapter =
            crate::progress::step(&format!("compile {name}"), runtime.load(wasm)).await.map_err(Stop::failed)?;
        let descriptor = runtime.describe(&adapter, &setup.config).await.map_err(Stop::failed)?;
        let carve_outs = setup.counterparts.iter().map(|address| address.to_string().parse());
        let signing = descriptor.slots.iter().filter(|slot| slot.scheme == Scheme::SigningKey);
        let mut grant = Grant {
            adapter: adapter.digest().to_owned(),
            operations: descriptor.operations.iter().map(|operation| operation.name.clone()).collect(),
            carve_outs: carve_outs.collect::<Result<_, _>>().map_err(Stop::failed)?,
            signing: signing.map(|slot| slot.name.clone()).collect(),
            routes: descriptor.routes.iter().map(Route::as_granted).collect(),
            limits: Limits::default(),
        };
        change(&mut grant);
        grant.check().map_err(Stop::failed)?;
        let vault = MemoryVault::new();
        for (slot, secret) in &setup.secrets {
            vault.put(slot, Secret::try_from(secret.as_str()).map_err(Stop::failed)?);
        }
        let new = NewIntegration::new("conformance", name, adapter, grant).config(setup.config).vault(Arc::new(vault));
        let integration = runtime.integrate(new).await.map_err(Stop::failed)?;
        let secrets = setup.secrets.into_iter().map(|(_, secret)| secret).collect();
        let (name, costs, calls) = (name.to_owned(), Mutex::default(), Mutex::default());
        Ok(Self { integration, descriptor, ledger, name, secrets, costs, calls })
    }

    /// Calls an operation, live.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Outcome {
        self.run(call(operation, input).live()).await
    }

    /// Calls an operation in sandbox mode.
    pub(crate) async fn sandbox(&self, operation: &str, input: Value) -> Outcome {
        self.run(call(operation, input)).await
    }

    /// Carries out a call that was made by [`call`].
    pub(crate) async fn run(&self, call: Call) -> Outcome {
        let operation = call.operation().to_owned();
        let outcome = self.integration.call(call).await;
        self.costs.lock().unwrap_or_else(PoisonError::into_inner).add(&self.name, &operation, &outcome);
        let seen = (outcome.call.to_string(), format!("{outcome:?}"));
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        outcome
    }

    /// What must hold after all calls, whatever they were: each is in the ledger from its intent to its receipt, and no
    /// secret is in anything that can be read.
    pub(crate) fn end(&self, checks: &mut Checks) {
        checks.check("every call is recorded, with its receipt", self.is_recorded());
        checks.check("no secret is seen in outcomes and records", self.is_quiet());
        checks.costs(&self.costs.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_recorded(&self) -> Checked {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        holds(!calls.is_empty(), || "there was no call".to_owned())?;
        let records = self.ledger.records();
        for (id, _) in calls.iter() {
            let of_call = records.iter().filter(|record| record.get("call") == Some(&json!(id)));
            let kinds: Vec<&str> = of_call.filter_map(|record| record.get("kind")?.as_str()).collect();
            holds(is_complete(&kinds), || format!("the records of call {id} are {kinds:?}"))?;
        }
        Ok(())
    }

    fn is_quiet(&self) -> Checked {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = calls.iter().map(|(_, shown)| shown.as_str()).collect::<String>();
        let shown = shown + &Value::Array(self.ledger.records()).to_string();
        holds(!self.secrets.iter().any(|secret| shown.contains(secret)), || "a secret is there to be read".to_owned())
    }
}

/// Whether the records of a call are all there. One that is refused before its adapter runs has no intent.
fn is_complete(kinds: &[&str]) -> bool {
    let before = kinds.strip_suffix(&["outcome"]);
    before.is_some_and(|before| !before.contains(&"outcome") && before.iter().skip(1).all(|kind| *kind != "intent"))
}

/// A call in sandbox mode, to be changed as needed.
pub(crate) fn call(operation: &str, input: Value) -> Call {
    Call::new(Caller::principal("user:conformance"), operation, input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_recorded_when_its_last_record_is_its_only_outcome() {
        for good in [&["intent", "outcome"][..], &["intent", "denial", "outcome"], &["denial", "outcome"], &["outcome"]]
        {
            assert!(is_complete(good), "{good:?}");
        }
        for bad in [
            &[][..],
            &["intent"],
            &["outcome", "intent"],
            &["intent", "outcome", "outcome"],
            &["denial", "intent", "outcome"],
        ] {
            assert!(!is_complete(bad), "{bad:?}");
        }
    }
}
