//! What a running instance can reach: its own call, and no more.

use std::{sync::Arc, time::Instant};

use portcullis_gate::Limits;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_io::IoView;

use crate::{
    host::{Host, Sight},
    memory::MemoryBound,
    meter::Meter,
    wasi::Printed,
};

/// Most handles a guest holds at once: credentials, streams, pollables.
pub(crate) const MAX_HANDLES: usize = 1_000;

/// The state of one store, which lives for one call.
pub(crate) struct State {
    /// None while an adapter describes itself or its config: then there are no powers.
    pub(crate) host: Option<Arc<dyn Host>>,
    pub(crate) sight: Option<Arc<dyn Sight>>,
    pub(crate) table: ResourceTable,
    pub(crate) memory: MemoryBound,
    pub(crate) meter: Arc<Meter>,
    /// Shared with the streams in the table.
    pub(crate) journal: Printed,
    pub(crate) started: Instant,
    /// CPU time the guest may take, in nanoseconds.
    pub(crate) guest_ns: u64,
}

impl State {
    pub(crate) fn new(
        host: Option<Arc<dyn Host>>,
        sight: Option<Arc<dyn Sight>>,
        limits: &Limits,
        meter: Arc<Meter>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            host,
            sight,
            table,
            memory: MemoryBound::new(limits.memory_bytes),
            meter,
            journal: Printed::default(),
            started: Instant::now(),
            guest_ns: u64::from(limits.guest_ms) * 1_000_000,
        }
    }

    /// Whether the adapter describes itself: no network, no credentials, and neither clock nor randomness vary.
    pub(crate) fn describing(&self) -> bool {
        self.host.is_none()
    }

    pub(crate) fn host(&self) -> wasmtime::Result<Arc<dyn Host>> {
        self.host.clone().ok_or_else(|| {
            wasmtime::Error::msg(
                "`describe` and `config-schema` have no powers: they cannot send and have no credentials",
            )
        })
    }
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}
