//! What one call used. Kept for failures too.

use serde::{Deserialize, Serialize};

/// The receipt of one call. All numbers are measured, none is estimated; a part that did not run is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Bytes of response headers and bodies, as received.
    pub bytes_in: u64,
    /// Bytes of request lines, headers and bodies, as handed to the connection.
    pub bytes_out: u64,
    /// Requests that were refused.
    pub denials: u32,
    /// Fuel burnt: about one unit per WebAssembly instruction.
    pub fuel: u64,
    /// CPU time in the guest, in microseconds.
    pub guest_cpu_us: u64,
    /// CPU time in the host's part of the call, in microseconds: host functions, gate, records, and what was searched and
    /// judged on threads of their own. Connections are driven by tasks of their own and are not in it.
    pub host_cpu_us: u64,
    /// Most memory held at once by all memories and tables, in bytes.
    pub peak_memory_bytes: u64,
    /// Times a secret was found in a response and replaced.
    pub redactions: u32,
    /// Requests that passed the gate.
    pub requests: u32,
    /// Tries beyond the first.
    pub retries: u32,
    /// Wall-clock time, waiting included, in microseconds.
    pub wall_us: u64,
    /// Units of the host's work on the call's data; what the limit `work` bounds. Zero in records from before there was
    /// such a limit.
    #[serde(default)]
    pub work: u64,
}
