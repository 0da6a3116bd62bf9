//! One call in a fresh instance: its bounds, its ends, its usage.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use portcullis_gate::Limits;
use tokio::time::timeout_at;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::{
    adapter::Adapter,
    bindings::{self, exports::portcullis::adapter::operations},
    engine::Sandbox,
    error::CallError,
    host::{CallOver, Host, Sight},
    journal::Journal,
    memory::BoundHit,
    meter::Meter,
    state::{MAX_HANDLES, State},
    wit::Descriptor,
};

/// Fuel after which other calls get their turn.
const YIELD_FUEL: u64 = 1_000_000;
/// Most bytes that one host call may copy out of a guest.
const HOST_CALL_BYTES: usize = 8 * 1024 * 1024;

/// A call for `invoke`. All JSON is text of one value.
#[derive(Clone, Debug)]
pub struct Call {
    /// The call's id.
    pub id: String,
    /// The operation.
    pub operation: String,
    /// Its input.
    pub input: String,
    /// The integration's config.
    pub config: String,
    /// The caller's key for "do this once".
    pub idempotency_key: Option<String>,
}

/// Within what a call runs.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The bounds.
    pub limits: &'a Limits,
    /// When it ends, done or not.
    pub deadline: Instant,
    /// What measures it: the call is polled inside of [`Meter::measure`].
    pub meter: &'a Arc<Meter>,
}

/// What a call used inside the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel burnt.
    pub fuel: u64,
    /// CPU time in the guest.
    pub guest_cpu: Duration,
    /// Wall-clock time.
    pub wall: Duration,
    /// Most memory held at once, in bytes.
    pub peak_memory: u64,
}

/// How a call ended, whatever way that was.
#[derive(Debug)]
pub struct Ended<T> {
    /// The output, or why there is none.
    pub result: Result<T, CallError>,
    /// What it used until then.
    pub usage: Usage,
    /// What the guest said.
    pub journal: Journal,
}

impl Sandbox {
    /// Asks an adapter which configs it takes, without powers: the text of a JSON Schema.
    pub async fn config_schema(&self, adapter: &Adapter, limits: &Limits) -> Ended<String> {
        let meter = Arc::new(Meter::default());
        let asked = self.run(
            adapter,
            State::new(None, None, limits, meter.clone()),
            limits,
            within(limits),
            async |instance, store| instance.portcullis_adapter_operations().call_config_schema(store).await.map(Ok),
        );
        meter.measure(asked).await
    }

    /// Asks an adapter to describe itself for a config, without powers.
    pub async fn describe(&self, adapter: &Adapter, config: &str, limits: &Limits) -> Ended<Descriptor> {
        let config = config.to_owned();
        let meter = Arc::new(Meter::default());
        let described = self.run(
            adapter,
            State::new(None, None, limits, meter.clone()),
            limits,
            within(limits),
            async |instance, store| instance.portcullis_adapter_operations().call_describe(store, &config).await,
        );
        meter.measure(described).await
    }

    /// Makes an instance of an adapter and drops it: whether it can start at all.
    pub async fn instantiate(&self, adapter: &Adapter) -> Result<(), CallError> {
        let limits = Limits::default();
        let meter = Arc::new(Meter::default());
        let started = self.run(
            adapter,
            State::new(None, None, &limits, meter.clone()),
            &limits,
            within(&limits),
            async |_, _| Ok(Ok(())),
        );
        meter.measure(started).await.result
    }

    /// Runs one call on these terms. `sight` sees what the guest is handed.
    pub async fn invoke(
        &self,
        adapter: &Adapter,
        host: Arc<dyn Host>,
        sight: Option<Arc<dyn Sight>>,
        terms: Terms<'_>,
        call: Call,
    ) -> Ended<String> {
        let Terms { limits, deadline, meter } = terms;
        if let Some(sight) = &sight {
            for text in [&call.operation, &call.input, &call.config] {
                sight.lowered(text.as_bytes());
            }
            sight.lowered(call.idempotency_key.as_deref().unwrap_or_default().as_bytes());
        }
        let state = State::new(Some(host), sight, limits, meter.clone());
        self.run(adapter, state, limits, deadline, async |instance, store| {
            let Call { id, operation, input, config, idempotency_key } = call;
            let call = operations::Call { id, operation, input, config, idempotency_key };
            instance.portcullis_adapter_operations().call_invoke(store, &call).await
        })
        .await
    }

    async fn run<T>(
        &self,
        adapter: &Adapter,
        state: State,
        limits: &Limits,
        deadline: Instant,
        enter: impl AsyncFnOnce(bindings::Adapter, &mut Store<State>) -> wasmtime::Result<Result<T, operations::Error>>,
    ) -> Ended<T> {
        let started = Instant::now();
        let turn = timeout_at(deadline.into(), self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let result = Err(CallError::Bound { name: "host_calls_at_once", limit: self.calls_at_once.into() });
            let usage = Usage { wall: started.elapsed(), ..Usage::default() };
            return Ended { result, usage, journal: Journal::default() };
        };
        let mut store = self.store(state, limits);
        store.data().meter.guest_starts();
        let call = async {
            let instance = adapter.pre.instantiate_async(&mut store).await?;
            enter(instance, &mut store).await
        };
        let ended = timeout_at(deadline.into(), call).await;
        let result = match ended {
            Err(_) => Err(CallError::Bound { name: "wall_ms", limit: limits.wall_ms.into() }),
            Ok(Ok(Ok(output))) => Ok(output),
            Ok(Ok(Err(error))) => Err(CallError::Adapter(error)),
            Ok(Err(error)) => Err(broken(&error, limits)),
        };
        let usage = usage(&store, limits, started);
        let journal = std::mem::take(&mut *store.data().journal.lock().unwrap_or_else(PoisonError::into_inner));
        Ended { result, usage, journal }
    }

    /// A store with every bound set before anything is instantiated in it.
    fn store(&self, state: State, limits: &Limits) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        // Fuel is always on in this engine's configuration, so these cannot fail.
        let fuelled = store.set_fuel(limits.fuel).and_then(|()| store.fuel_async_yield_interval(Some(YIELD_FUEL)));
        debug_assert!(fuelled.is_ok(), "{fuelled:?}");
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            let state = context.data();
            state.meter.epoch_passed();
            if state.meter.guest_ns() > state.guest_ns {
                let limit = state.guest_ns / 1_000_000;
                return Err(BoundHit { name: "guest_ms", limit }.into());
            }
            // Fuel has others take their turn; this is for host calls in a row, which burn little.
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }
}

/// A deadline for what starts now.
fn within(limits: &Limits) -> Instant {
    Instant::now() + Duration::from_millis(limits.wall_ms.into())
}

/// Reads off a trap what it was.
fn broken(error: &wasmtime::Error, limits: &Limits) -> CallError {
    if error.is::<CallOver>() {
        return CallError::Over;
    }
    if let Some(BoundHit { name, limit }) = error.downcast_ref::<BoundHit>() {
        return CallError::Bound { name, limit: *limit };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return CallError::Bound { name: "fuel", limit: limits.fuel },
        Some(Trap::StackOverflow) => return CallError::Bound { name: "stack_bytes", limit: 512 * 1024 },
        Some(trap) => return CallError::Broken(trap.to_string()),
        None => {}
    }
    // The library's own words for its own bounds; their types are not public.
    let words = format!("{error:#}");
    if words.contains("fuel allocated for hostcalls has been exhausted") {
        return CallError::Bound { name: "host_call_bytes", limit: HOST_CALL_BYTES as u64 };
    }
    if words.contains("handle limit exceeded") || words.contains("resource table has no free keys") {
        return CallError::Bound { name: "handles", limit: MAX_HANDLES as u64 };
    }
    CallError::Broken(portcullis_gate::printable(&words, 400))
}

fn usage(store: &Store<State>, limits: &Limits, started: Instant) -> Usage {
    Usage {
        fuel: limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
        guest_cpu: Duration::from_nanos(store.data().meter.guest_ns()),
        wall: started.elapsed(),
        peak_memory: store.data().memory.peak(),
    }
}
