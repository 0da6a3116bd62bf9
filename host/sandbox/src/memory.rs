//! One bound over all memories and tables of a call, counted together.
//!
//! wasmtime's own `StoreLimits` bounds each memory and each table alone, so that a component with four memories gets four
//! times what an operator meant to give.

use std::fmt;

use wasmtime::ResourceLimiter;

/// Bytes that one table element takes in the host.
const ELEMENT: u64 = 8;
/// Most elements of one table.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Most memories of a component.
pub(crate) const MAX_MEMORIES: usize = 4;
/// Most tables of a component.
pub(crate) const MAX_TABLES: usize = 10;
/// Most core instances of a component.
pub(crate) const MAX_INSTANCES: usize = 48;

/// Counts what a call's memories and tables hold.
#[derive(Debug)]
pub(crate) struct MemoryBound {
    limit: u64,
    held: u64,
    peak: u64,
}

/// A bound was hit inside the sandbox. Travels as a trap's cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundHit {
    pub(crate) name: &'static str,
    pub(crate) limit: u64,
}

impl fmt::Display for BoundHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bound {} was hit: at most {}", self.name, self.limit)
    }
}

impl std::error::Error for BoundHit {}

impl MemoryBound {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, held: 0, peak: 0 }
    }

    /// Most bytes held at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    fn grow(&mut self, by: u64) -> Result<(), BoundHit> {
        let held = self.held.saturating_add(by);
        if held > self.limit {
            return Err(BoundHit { name: "memory_bytes", limit: self.limit });
        }
        self.held = held;
        self.peak = self.peak.max(held);
        Ok(())
    }
}

impl ResourceLimiter for MemoryBound {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current) as u64)?;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            return Err(BoundHit { name: "table_elements", limit: MAX_TABLE_ELEMENTS as u64 }.into());
        }
        self.grow(desired.saturating_sub(current) as u64 * ELEMENT)?;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_counted_together() {
        let mut bound = MemoryBound::new(200_000);
        bound.memory_growing(0, 65_536, None).unwrap();
        bound.memory_growing(0, 65_536, None).unwrap();
        bound.table_growing(0, 1_000, None).unwrap();
        let error = bound.memory_growing(65_536, 131_072, None).unwrap_err();
        assert_eq!(error.downcast_ref::<BoundHit>().unwrap().name, "memory_bytes");
        assert_eq!(bound.peak(), 2 * 65_536 + 8_000);
    }

    #[test]
    fn a_table_has_a_bound_of_its_own() {
        let error = MemoryBound::new(u64::MAX).table_growing(0, MAX_TABLE_ELEMENTS + 1, None).unwrap_err();
        assert_eq!(error.downcast_ref::<BoundHit>().unwrap().name, "table_elements");
    }
}
