//! One call, from the caller's question to the outcome in the ledger.
//!
//! The order is the order of the code: is the operation granted, is the input valid, is the intent recorded; then a fresh
//! instance of the adapter; then is the output valid, is the outcome recorded. Whatever happens there is an [`Outcome`]
//! with a receipt, and a record of it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use portcullis_egress::{Outbound, OutboundParts, WouldSend};
use portcullis_gate::{Denial, OperationPowers, Work};
use portcullis_ledger::{
    CallId, Caller, Ending, Entry, Exchange, FAILURE, Ledger, LedgerError, Mode, Receipt, Salts, Side, Status, Subject,
};
use portcullis_sandbox::{self as sandbox, Journal, Meter, Sight, Terms, Usage};
use portcullis_schema::Json;
use portcullis_store::Batch;
use tokio::time::timeout_at;

use crate::{
    abandoned::Abandoned,
    bridge::Bridge,
    checks::Checks,
    ends::{ends, said},
    error::CallError,
    failure::{failure, with_panic},
    integration::{Inner, Integration},
};

/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

/// How long the end of a call waits to be recorded.
const GRACE: Duration = Duration::from_secs(10);

/// A call of one operation.
#[derive(Clone)]
pub struct Call {
    caller: Caller,
    pub(crate) operation: String,
    pub(crate) input: Arc<Json>,
    pub(crate) mode: Mode,
    seed: u64,
    idempotency_key: Option<String>,
    cost: BTreeMap<String, String>,
    sight: Option<Arc<dyn Sight>>,
}

impl Call {
    /// In sandbox mode, with the seed 1, unless said otherwise. The input is a [`serde_json::Value`], or a [`Json`] whose numbers
    /// reach the adapter as they were written.
    pub fn new(caller: Caller, operation: impl Into<String>, input: impl Into<Json>) -> Self {
        let (operation, input) = (operation.into(), Arc::new(input.into()));
        Self {
            caller,
            operation,
            input,
            mode: Mode::Sandbox,
            seed: 1,
            idempotency_key: None,
            cost: BTreeMap::new(),
            sight: None,
        }
    }

    /// The operation's name.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Requests are sent.
    #[must_use]
    pub fn live(self) -> Self {
        self.mode(Mode::Live)
    }

    /// In this mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// For sandbox mode: other seeds give other answers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The caller's key for "do this once", for providers that know such keys. At most 255 bytes.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Whom the call's cost is told to, for example `team` and `billing`. Stands in each record of the call.
    #[must_use]
    pub fn cost(mut self, tag: impl Into<String>, value: impl Into<String>) -> Self {
        self.cost.insert(tag.into(), value.into());
        self
    }

    /// Shows `sight` every byte that the adapter is handed.
    #[must_use]
    pub fn sight(mut self, sight: Arc<dyn Sight>) -> Self {
        self.sight = Some(sight);
        self
    }
}

/// How a call ended, whatever way that was.
#[derive(Debug)]
pub struct Outcome {
    /// Its id, in every record of it.
    pub call: CallId,
    /// The output, its numbers as the adapter wrote them, or why there is none.
    pub result: Result<Json, CallError>,
    /// What it used.
    pub receipt: Receipt,
    /// In sandbox mode: what would have been sent, in order.
    pub would_send: Vec<WouldSend>,
    /// The requests that passed the gate.
    pub exchanges: Vec<Exchange>,
    /// What was refused, in order, whether or not the call ended well.
    pub denials: Vec<Denial>,
    /// What the adapter said.
    pub journal: Journal,
}

impl Integration {
    /// Carries out one call. If the returned future is dropped, the adapter and its requests end with it, and the ledger
    /// says so.
    pub async fn call(&self, call: Call) -> Outcome {
        let meter = Arc::new(Meter::default());
        let started = Instant::now();
        let (id, salts) = (CallId::generate(), Salts::generate());
        let (inner, work) = (&self.inner, Arc::new(Work::new(self.inner.limits.work)));
        meter.measure(Running { inner, id, salts, started, meter: &meter, work: &work }.run(call)).await
    }
}

/// A call under way.
struct Running<'a> {
    inner: &'a Arc<Inner>,
    id: CallId,
    /// What hashes of its input, its output and its requests are salted with.
    salts: Salts,
    started: Instant,
    meter: &'a Arc<Meter>,
    /// What the host's work on its data may cost, all of it together.
    work: &'a Arc<Work>,
}

/// What a call has come to.
struct Parts {
    result: Result<Arc<Json>, CallError>,
    usage: Usage,
    denials: Vec<Denial>,
    refused: u32,
    tally: portcullis_egress::Tally,
    journal: Journal,
}

impl Parts {
    /// Refused before the adapter ran.
    fn refused(error: CallError) -> Self {
        let denials = if let CallError::Denied(denial) = &error { vec![denial.clone()] } else { Vec::new() };
        let refused = u32::from(!denials.is_empty());
        let tally = portcullis_egress::Tally::default();
        Self { result: Err(error), usage: Usage::default(), denials, refused, tally, journal: Journal::default() }
    }
}

impl Running<'_> {
    async fn run(self, call: Call) -> Outcome {
        let inner = self.inner;
        let subject = Subject {
            call: self.id,
            workspace: &inner.workspace,
            integration: &inner.name,
            integration_version: inner.version.number,
            adapter: inner.adapter.digest(),
            grant: &inner.grant_digest,
            grantor: &inner.version.grantor,
            operation: &call.operation,
            mode: call.mode,
            caller: &call.caller,
            cost: &call.cost,
        };
        let ledger = &inner.shared.ledger;
        // Should the caller go away from here on, this tells the ledger.
        let mut guard = None;
        let checks = Checks { inner, work: self.work, deadline: self.started + self.wall() };
        let mut parts = match self.admit(&call, &checks).await {
            Ok((powers, input)) => {
                guard = Some(Abandoned::new(inner, &subject));
                let recorded = match checks.keep(Side::Input, &call, (self.id, &self.salts), &call.input).await {
                    Ok((kept, batch)) => {
                        let entries = vec![Entry::intent(&subject, kept)];
                        let recorded = record(ledger, entries, batch, self.started, self.wall()).await;
                        recorded.map_err(CallError::from)
                    }
                    Err(error) => Err(error),
                };
                match recorded {
                    Ok(()) => self.carry_out(&call, powers, input, &checks, &mut guard).await,
                    Err(error) => {
                        if let Some(guard) = guard.take() {
                            guard.disarm();
                        }
                        Parts::refused(error)
                    }
                }
            }
            Err(error) => Parts::refused(error),
        };
        let mut batch = Batch::new();
        let mut kept = None;
        if let Ok(output) = &parts.result {
            // Its time may be over by now, and its end is recorded all the same.
            let checks = Checks { deadline: checks.deadline.max(Instant::now() + GRACE), ..checks };
            match checks.keep(Side::Output, &call, (self.id, &self.salts), output).await {
                Ok((payload, with_it)) => (kept, batch) = (Some(payload), with_it),
                Err(CallError::Ledger(error)) => parts.result = Err(CallError::Unrecorded(error)),
                Err(error) => parts.result = Err(error),
            }
        }
        let receipt = self.receipt(&parts);
        let (status, error) = match &parts.result {
            Ok(_) => (Status::Done, None),
            // Its own code is the adapter's to choose, and stands among its words.
            Err(CallError::Adapter { .. }) => (Status::AdapterFailed, Some(FAILURE)),
            Err(error) => (error.status(), Some(error.code())),
        };
        let ending = Ending {
            status,
            error: error.map(|code| Cow::Owned(code.to_owned())),
            exchanges: parts.tally.exchanges.clone(),
            bounds: parts.tally.bounds.clone(),
            output: kept,
            words: None,
            receipt,
        };
        // Of a call that has used up its time, the end is still to be recorded.
        let failure = parts.result.as_ref().err().and_then(said);
        let entries = ends(inner, &subject, &self.salts, &parts.denials, failure, ending, &mut batch);
        if let Err(error) = record(ledger, entries, batch, Instant::now(), GRACE).await {
            parts.result = Err(if guard.is_some() { CallError::Unrecorded(error) } else { error.into() });
        }
        if let Some(guard) = guard {
            guard.disarm();
        }
        Outcome {
            call: self.id,
            // Nobody else has it any more.
            result: parts.result.map(Arc::unwrap_or_clone),
            receipt,
            would_send: parts.tally.would_send,
            exchanges: parts.tally.exchanges,
            denials: parts.denials,
            journal: parts.journal,
        }
    }

    fn wall(&self) -> Duration {
        Duration::from_millis(self.inner.limits.wall_ms.into())
    }

    /// Whether the call may run at all: is its operation granted, is its input valid.
    async fn admit(&self, call: &Call, checks: &Checks<'_>) -> Result<(&Arc<OperationPowers>, String), CallError> {
        let Some(powers) = self.inner.powers.operation(&call.operation) else {
            let needs = self.inner.descriptor.routes_of(&call.operation, None);
            return Err(CallError::Denied(Denial::operation(
                &call.operation,
                &self.inner.powers.operations(),
                needs.as_deref(),
            )));
        };
        if let Some(key) = call.idempotency_key.as_ref().filter(|key| key.is_empty() || key.len() > MAX_KEY) {
            return Err(CallError::Input(format!("the idempotency key has {} bytes; write 1 to {MAX_KEY}", key.len())));
        }
        Ok((powers, checks.input(call).await?))
    }

    async fn carry_out(
        &self,
        call: &Call,
        powers: &Arc<OperationPowers>,
        input: String,
        checks: &Checks<'_>,
        guard: &mut Option<Abandoned>,
    ) -> Parts {
        let (inner, deadline) = (self.inner, checks.deadline);
        let Ok(Ok(_turn)) = timeout_at(deadline.into(), inner.turns.acquire()).await else {
            let limit = inner.limits.calls_at_once.into();
            return Parts::refused(CallError::Bound { name: "calls_at_once", limit });
        };
        if call.mode == Mode::Live {
            inner.vault.refresh().await;
        }
        let bridge = Arc::new(Bridge {
            outbound: Outbound::new(OutboundParts {
                powers: powers.clone(),
                limits: inner.limits.clone(),
                vault: inner.vault.clone(),
                connections: inner.connections.clone(),
                traffic: inner.traffic.clone(),
                responses: inner.schemas.responses.clone(),
                salt: self.salts.input,
                work: self.work.clone(),
                mode: call.mode,
                seed: call.seed,
            }),
            descriptor: inner.descriptor.clone(),
            vault: inner.vault.clone(),
            mode: call.mode,
            seen: Mutex::default(),
        });
        if let Some(guard) = guard {
            guard.bridge = Some(bridge.clone());
        }
        let guest_call = sandbox::Call {
            id: match call.mode {
                Mode::Live => self.id.to_string(),
                // The same seed, the same answer; and nothing that tells an adapter that nobody listens.
                Mode::Sandbox => CallId::of_seed(call.seed).to_string(),
            },
            operation: call.operation.clone(),
            input,
            config: inner.config.clone(),
            idempotency_key: call.idempotency_key.clone(),
        };
        let host = bridge.clone();
        let terms = Terms { limits: &inner.limits, deadline, meter: self.meter };
        let ended =
            inner.shared.sandbox.invoke(inner.adapter.loaded(), host, call.sight.clone(), terms, guest_call).await;
        let (denials, refused, last) =
            bridge.seen(|seen| (std::mem::take(&mut seen.denials), seen.refused, seen.last.take()));
        let result = match ended.result {
            Ok(text) => checks.output(call, text).await.map(Arc::new),
            Err(error) => Err(with_panic(failure(error, last), &ended.journal)),
        };
        let tally = bridge.outbound.take_tally();
        Parts { result, usage: ended.usage, denials, refused, tally, journal: ended.journal }
    }

    fn receipt(&self, parts: &Parts) -> Receipt {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let guest_cpu_us = micros(parts.usage.guest_cpu);
        Receipt {
            fuel: parts.usage.fuel,
            guest_cpu_us,
            host_cpu_us: (self.meter.cpu_ns() / 1_000).saturating_sub(guest_cpu_us) + self.work.elsewhere_ns() / 1_000,
            wall_us: micros(self.started.elapsed()),
            peak_memory_bytes: parts.usage.peak_memory,
            requests: parts.tally.requests(),
            denials: parts.refused,
            retries: parts.tally.retries(),
            bytes_out: parts.tally.bytes_out,
            bytes_in: parts.tally.bytes_in,
            redactions: parts.tally.redactions,
            work: self.work.used(),
        }
    }
}

/// Keeps records and what comes with them, or gives up: a disk that hangs must not hold a call for ever.
async fn record(
    ledger: &Ledger,
    entries: Vec<Entry>,
    batch: Batch,
    since: Instant,
    within: Duration,
) -> Result<(), LedgerError> {
    let kept = timeout_at((since + within).into(), ledger.commit(entries, batch)).await;
    kept.unwrap_or_else(|_| Err(LedgerError::Slow { waited_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }))
}
