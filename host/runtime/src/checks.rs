//! What is done with a call's input and output outside of its sandbox: they are held against their schemas, written as text,
//! searched for secrets, and kept.
//!
//! All of it is charged to the call's one budget of work. What takes a millisecond at most is done on the spot; the rest on
//! a thread of its own, where it is given up when the call's time is over.

use std::{sync::Arc, time::Instant};

use portcullis_gate::{Spent, Work};
use portcullis_ledger::{CallId, LedgerError, Mode, Payload, Salts, Side, ToKeep};
use portcullis_schema::{Invalid, Json, Schema, Violations};
use portcullis_store::Batch;
use portcullis_vault::Scrubber;
use serde_json::Value;
use tokio::time::timeout_at;

use crate::{
    call::Call,
    error::CallError,
    integration::{Inner, Schemas},
};

/// Longest text that is tried on the spot, in bytes.
const LONG: usize = 64 * 1024;
/// Deepest nesting of an output: what `serde_json` reads.
const MAX_DEPTH: usize = 127;
/// So many bytes of JSON that are read cost a unit.
const READ_BYTES_PER_UNIT: u64 = 4;
/// So many that are written do.
const WRITTEN_BYTES_PER_UNIT: u64 = 8;

/// One call's checks.
pub(crate) struct Checks<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) work: &'a Arc<Work>,
    /// When the call ends, done or not.
    pub(crate) deadline: Instant,
}

impl Checks<'_> {
    /// The input as text, once its schema allows it.
    pub(crate) async fn input(&self, call: &Call) -> Result<String, CallError> {
        let schemas = &self.inner.schemas;
        if let Some(admitted) = self.work.quickly(|work| admit(schemas, &call.operation, &call.input, work)) {
            return Ok(admitted??);
        }
        let (inner, operation, input) = (self.inner.clone(), call.operation.clone(), call.input.clone());
        let admitted = self.aside(move |work| admit(&inner.schemas, &operation, &input, work));
        Ok(admitted.await???)
    }

    /// The adapter's output, held against the operation's schema.
    pub(crate) async fn output(&self, call: &Call, text: String) -> Result<Json, CallError> {
        let limit = self.inner.limits.output_bytes;
        if text.len() > limit as usize {
            return Err(CallError::Bound { name: "output_bytes", limit: limit.into() });
        }
        let schemas = &self.inner.schemas;
        if text.len() <= LONG
            && let Some(read) = self.work.quickly(|work| read(schemas, &call.operation, &text, work))
        {
            return read?;
        }
        let (inner, operation) = (self.inner.clone(), call.operation.clone());
        self.aside(move |work| read(&inner.schemas, &operation, &text, work)).await??
    }

    /// What the record says of the input or the output, and what is kept of it, without the secrets that somebody wrote into
    /// it. Of a call in sandbox mode, whose vault is not asked, only what a policy asks for is kept.
    pub(crate) async fn keep(
        &self,
        side: Side,
        call: &Call,
        (id, salts): (CallId, &Salts),
        value: &Arc<Json>,
    ) -> Result<(Payload, Batch), CallError> {
        let inner = self.inner;
        let Some(retention) = inner.retention.get(&call.operation) else { return Ok(Default::default()) };
        let scrubber = match call.mode {
            Mode::Live => Some(inner.vault.scrubber()),
            Mode::Sandbox if !retention.side(side).asked => return Ok(Default::default()),
            Mode::Sandbox => None,
        };
        let keeping = Keeping { id, side, salts: salts.clone(), operation: call.operation.clone(), scrubber };
        if let Some(kept) = self.work.quickly(|work| keeping.keep(inner, value, work)) {
            return Ok(kept??);
        }
        let (inner, value) = (inner.clone(), value.clone());
        Ok(self.aside(move |work| keeping.keep(&inner, &value, work)).await???)
    }

    async fn aside<T: Send + 'static>(&self, job: impl FnOnce(&Work) -> T + Send + 'static) -> Result<T, CallError> {
        let done = timeout_at(self.deadline.into(), self.inner.traffic.aside(self.work, job)).await;
        let wall = || CallError::Bound { name: "wall_ms", limit: self.inner.limits.wall_ms.into() };
        let broke = || CallError::Broken("the host broke while it checked the call's data".to_owned());
        done.map_err(|_| wall())?.ok_or_else(broke)
    }
}

impl From<Spent> for CallError {
    fn from(spent: Spent) -> Self {
        CallError::Bound { name: "work", limit: spent.limit }
    }
}

/// Charges for a schema's verdict, and tells the violations apart from a budget that is spent.
fn judge(schema: &Schema, json: &Json, work: &Work) -> Result<Result<(), Violations>, Spent> {
    match schema.validate_json_within(json, work) {
        Ok(()) => Ok(Ok(())),
        Err(Invalid::Violations(violations)) => Ok(Err(violations)),
        Err(Invalid::Work(spent)) => Err(spent),
    }
}

fn admit(schemas: &Schemas, operation: &str, input: &Json, work: &Work) -> Result<Result<String, Violations>, Spent> {
    if let Some((schema, _)) = schemas.operations.get(operation)
        && let Err(violations) = judge(schema, input, work)?
    {
        return Ok(Err(violations));
    }
    let text = input.to_string();
    work.charge(text.len() as u64 / WRITTEN_BYTES_PER_UNIT)?;
    Ok(Ok(text))
}

fn read(schemas: &Schemas, operation: &str, text: &str, work: &Work) -> Result<Result<Json, CallError>, Spent> {
    work.charge(text.len() as u64 / READ_BYTES_PER_UNIT)?;
    // What it was handed may nest as deeply as can be read, and what it makes of that a little more.
    if nests_deeper(text, MAX_DEPTH) {
        return Ok(Err(CallError::Bound { name: "output_depth", limit: MAX_DEPTH as u64 }));
    }
    let output: Json = match text.parse() {
        Ok(output) => output,
        Err(error) => return Ok(Err(CallError::Broken(format!("its output is not JSON: {error}")))),
    };
    if let Some((_, schema)) = schemas.operations.get(operation)
        && let Err(violations) = judge(schema, &output, work)?
    {
        let broken = format!("its output is not what its own schema says: {violations}");
        return Ok(Err(CallError::Broken(broken)));
    }
    Ok(Ok(output))
}

/// What of a call is to be kept, and how.
struct Keeping {
    id: CallId,
    side: Side,
    salts: Salts,
    operation: String,
    /// What finds the secrets; none where the vault is not asked.
    scrubber: Option<Arc<Scrubber>>,
}

impl Keeping {
    fn keep(&self, inner: &Inner, value: &Json, work: &Work) -> Result<Result<(Payload, Batch), LedgerError>, Spent> {
        let (Some(retention), Some((input, output))) =
            (inner.retention.get(&self.operation), inner.schemas.operations.get(&self.operation))
        else {
            return Ok(Ok(Default::default()));
        };
        let scrubbed = match &self.scrubber {
            Some(scrubber) => without_secrets(scrubber, value, work)?,
            None => None,
        };
        let value = scrubbed.as_ref().unwrap_or(value);
        let (side, call, salts) = (self.side, self.id, &self.salts);
        let schema = if side == Side::Output { output } else { input };
        let (workspace, now) = (&inner.workspace, inner.shared.ledger.clock().now());
        let mut batch = Batch::new();
        let what = ToKeep { workspace, call, side, salts, schema, value, now };
        match retention.side(side).keep(&what, &mut batch, work) {
            Ok(payload) => Ok(Ok((payload, batch))),
            Err(LedgerError::Work(spent)) => Err(spent),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// A value without the secrets that somebody wrote into it; none where there are none.
pub(crate) fn without_secrets(scrubber: &Scrubber, value: &Json, work: &Work) -> Result<Option<Json>, Spent> {
    let text = value.to_string();
    work.charge(text.len() as u64 / WRITTEN_BYTES_PER_UNIT)?;
    let Some(scrubbed) = scrubber.scrub_within(text.as_bytes(), work)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&scrubbed.bytes).into_owned();
    work.charge(text.len() as u64 / READ_BYTES_PER_UNIT)?;
    Ok(Some(text.parse().unwrap_or_else(|_| Value::String(text).into())))
}

/// Whether JSON text has more arrays and objects within one another than this.
fn nests_deeper(text: &str, most: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_as_the_parser_counts_it() {
        for depth in [1, 126, 127, 128, 200] {
            let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let objects = format!("{}1{}", r#"{"a]\"[{":"#.repeat(depth), "}".repeat(depth));
            for text in [lists, objects] {
                let is_read = serde_json::from_str::<Value>(&text).is_ok();
                assert_eq!(nests_deeper(&text, MAX_DEPTH), !is_read, "{depth}");
            }
        }
        assert!(!nests_deeper(&"[[]],".repeat(500), MAX_DEPTH));
    }
}
