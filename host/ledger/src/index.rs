//! The index: in which records a term stands.
//!
//! Records are counted in ranges of 1,024. When one is full, what stands in it is noted with the batch that filled it: one
//! key for each term and range, the value says which records. So the index is never behind the chain, costs about one key
//! a record however many fields there are, and a reader looks through less than one range by itself.
//!
//! A term is a field's name and value as a 64-bit hash. Two that share a hash cost a look, and no wrong answer: what the
//! index finds is held against the query again.

use twox_hash::XxHash3_64;

use crate::{erase::DETAIL_CALLS, record::Record};

/// Records of a range.
pub(crate) const RANGE: u64 = 1024;
/// A posting with more records than this is a bitmap.
const MAX_LIST: usize = 63;
const LIST: u8 = b'l';
const BITMAP: u8 = b'b';
const BITMAP_BYTES: usize = (RANGE / 8) as usize;

/// The range that a record stands in.
pub(crate) fn range_of(seq: u64) -> u32 {
    u32::try_from(seq.saturating_sub(1) / RANGE).unwrap_or(u32::MAX)
}

/// Its place in its range.
pub(crate) fn place_of(seq: u64) -> u16 {
    u16::try_from(seq.saturating_sub(1) % RANGE).unwrap_or(0)
}

/// The record at a place in a range.
pub(crate) fn seq_of(range: u32, place: u16) -> u64 {
    u64::from(range) * RANGE + u64::from(place) + 1
}

/// A field with a value, as a number.
#[inline(never)]
pub(crate) fn term(field: &str, value: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(field.as_bytes()), value.as_bytes())
}

/// Shows every field of a record that can be asked for.
pub(crate) fn fields(record: &Record, mut each: impl FnMut(&str, &str)) {
    let mut some = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            each(name, value);
        }
    };
    some("kind", Some(record.kind.as_str()));
    if let Some(call) = &record.call {
        some("call", Some(&call.to_string()));
    }
    // An erasure tells of several calls, and is found by each.
    if let Some(change) = record.change.as_ref().filter(|_| record.kind == crate::Kind::Erasure) {
        change
            .details
            .get(DETAIL_CALLS)
            .iter()
            .flat_map(|calls| calls.split(' '))
            .for_each(|call| some("call", Some(call)));
    }
    if let Some(caller) = &record.caller {
        some("principal", Some(&caller.principal));
        some("workflow", caller.workflow.as_deref());
        some("step", caller.step.as_deref());
        some("agent", caller.agent.as_deref());
        some("run", caller.run.as_deref());
    }
    some("adapter", record.adapter.as_deref());
    some("grant", record.grant.as_deref());
    some("grantor", record.grantor.as_deref());
    some("integration", record.integration.as_deref());
    if let (Some(name), Some(version)) = (&record.integration, record.integration_version) {
        some("integration_version", Some(&format!("{name}@{version}")));
    }
    some("operation", record.operation.as_deref());
    some("mode", record.mode.map(|mode| if mode == crate::Mode::Live { "live" } else { "sandbox" }));
    some("status", record.status.map(crate::Status::as_str));
    some("error", record.error.as_deref());
    some("rule", record.denial.as_ref().map(|denial| denial.rule.as_str()));
    for exchange in &record.exchanges {
        some("method", Some(exchange.method.as_str()));
        some("origin", Some(&exchange.origin));
        some("template", Some(&exchange.template));
        some("route", Some(&exchange.route));
    }
    for (name, value) in &record.cost {
        some("cost", Some(&format!("{name}={value}")));
    }
}

/// What stands in a range that is not full yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(Vec<(u64, u16)>);

impl Tail {
    /// Notes a record.
    pub(crate) fn note(&mut self, record: &Record) {
        let place = place_of(record.seq);
        fields(record, |field, value| self.0.push((term(field, value), place)));
    }

    /// The range is full: what stands in it, by term.
    pub(crate) fn take(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut all = std::mem::take(&mut self.0);
        all.sort_unstable();
        all.dedup();
        all.chunk_by(|a, b| a.0 == b.0)
            .filter_map(|same| Some((same.first()?.0, encode(same.iter().map(|(_, place)| *place)))))
            .collect()
    }
}

fn encode(places: impl ExactSizeIterator<Item = u16>) -> Vec<u8> {
    if places.len() <= MAX_LIST {
        let mut list = Vec::with_capacity(1 + 2 * places.len());
        list.push(LIST);
        places.for_each(|place| list.extend_from_slice(&place.to_be_bytes()));
        return list;
    }
    let mut bitmap = vec![0; BITMAP_BYTES + 1];
    if let Some((tag, bits)) = bitmap.split_first_mut() {
        *tag = BITMAP;
        for place in places {
            if let Some(byte) = bits.get_mut(usize::from(place / 8)) {
                *byte |= 1 << (place % 8);
            }
        }
    }
    bitmap
}

/// The places that a posting names, in order. None where it is none.
pub(crate) fn decode(posting: &[u8]) -> Option<Vec<u16>> {
    let (tag, rest) = posting.split_first()?;
    match (*tag, rest.len()) {
        (LIST, bytes) if bytes % 2 == 0 => {
            let places = rest.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(*pair.first_chunk()?)));
            Some(places.collect())
        }
        (BITMAP, BITMAP_BYTES) => {
            let set = |place: &u16| rest.get(usize::from(place / 8)).is_some_and(|byte| byte & (1 << (place % 8)) != 0);
            Some((0..RANGE as u16).filter(set).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_is_read_as_it_was_written() {
        for every in [1, 2, 16, 17, 100, 1023] {
            let places: Vec<u16> = (0..RANGE as u16).step_by(every).collect();
            assert_eq!(decode(&encode(places.iter().copied())), Some(places));
        }
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"l\0"), None);
        assert_eq!(decode(b"b\0"), None);
    }

    #[test]
    fn a_record_has_one_place_and_a_place_one_record() {
        for seq in [1, 2, 1024, 1025, 2048, 1_000_000] {
            assert_eq!(seq_of(range_of(seq), place_of(seq)), seq);
        }
    }
}
