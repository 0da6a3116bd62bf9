//! What a verifier reads of a record: where it says it stands, and after what.
//!
//! In the one form in which records are written, all of that is at the end: `prev`, what the call used, `seq`, how it ended,
//! `time`, `v` and `workspace`. So it is read from there, without going through the rest, which is hashed and not
//! interpreted. What does not end in just that way is read as JSON, from the beginning, and gets the same answer or a reason.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::wrong::Why;
use crate::hash::Hash;

/// What has to be read of a record.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Parts<'a> {
    pub(super) prev: Hash,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    pub(super) v: u64,
    #[serde(borrow)]
    pub(super) workspace: Cow<'a, str>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Parts<'_>, Why> {
    let parts = match from_the_end(bytes) {
        Some(parts) => parts,
        None => serde_json::from_slice(bytes).map_err(|error| Why::Unreadable(error.to_string()))?,
    };
    // One way to write a time, too: RFC 3339 in UTC, without zeros at the end of a fraction.
    if parts.time.parse::<Timestamp>().is_ok_and(|time| time.to_string() == parts.time) {
        return Ok(parts);
    }
    Err(Why::Unreadable("its time is not a time in UTC, as it is written in records".to_owned()))
}

/// None where it does not end as records do. Inside of a string the quotes of a name would be escaped, and what follows the
/// name must be all of the rest, so nothing else can be taken for it.
fn from_the_end(bytes: &[u8]) -> Option<Parts<'_>> {
    const PREV: &[u8; 8] = b"\"prev\":\"";
    if !bytes.starts_with(b"{") {
        return None;
    }
    let at = bytes.windows(PREV.len()).rposition(|window| window == PREV)?;
    let (prev, mut rest) = bytes.get(at + PREV.len()..)?.split_first_chunk::<64>()?;
    let prev = std::str::from_utf8(prev).ok()?.parse().ok()?;
    rest = rest.strip_prefix(b"\"")?;
    if let Some(receipt) = rest.strip_prefix(b",\"receipt\":{") {
        let (_, after) = until(receipt, b'}')?;
        rest = after;
    }
    let (seq, mut rest) = number(rest.strip_prefix(b",\"seq\":")?)?;
    for word in [b",\"status\":\"".as_slice(), b",\"step\":\""] {
        if let Some(word) = rest.strip_prefix(word) {
            (_, rest) = until(word, b'"')?;
        }
    }
    let (time, rest) = until(rest.strip_prefix(b",\"time\":\"")?, b'"')?;
    let (v, rest) = number(rest.strip_prefix(b",\"v\":")?)?;
    let (workspace, rest) = until(rest.strip_prefix(b",\"workspace\":\"")?, b'"')?;
    let text = |bytes| std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    (rest == b"}").then_some(Parts { prev, seq, time: text(time)?, v, workspace: text(workspace)? })
}

/// What is before this byte, if nothing in there is escaped, and what comes after it.
fn until(bytes: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == end || *byte == b'\\')?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.strip_prefix(&[end])?))
}

/// A number as JSON has it, below 2^53.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(digits)?;
    let is_canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() <= 16;
    is_canonical.then_some(())?;
    Some((digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREV: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn both(line: &str) -> (Option<Parts<'_>>, Option<Parts<'_>>) {
        (from_the_end(line.as_bytes()), serde_json::from_str(line).ok())
    }

    #[test]
    fn from_the_end_a_record_says_what_it_says_from_the_beginning() {
        let end = r#""seq":7,"status":"done","time":"2026-11-21T16:00:00Z","v":1,"workspace":"acme"}"#;
        for line in [
            format!(r#"{{"kind":"outcome","prev":"{PREV}",{end}"#),
            format!(r#"{{"prev":"{PREV}","receipt":{{"fuel":1,"retries":0}},{end}"#),
            format!(r#"{{"cost":{{"prev":"no"}},"operation":"\"prev\":\"{PREV}\",","prev":"{PREV}",{end}"#),
        ] {
            let (fast, slow) = both(&line);
            assert!(fast.is_some(), "{line}");
            assert_eq!(fast, slow, "{line}");
        }
    }

    #[test]
    fn what_does_not_end_as_records_do_is_read_from_the_beginning() {
        for (from, to) in [
            (r#""seq":7"#, r#""seq":07"#),
            (r#""seq":7"#, r#""seq":7.0"#),
            (r#""v":1"#, r#""v": 1"#),
            ("acme", r"ac\u006de"),
            (r#""time":"#, r#""zzz":1,"time":"#),
            (r#""acme"}"#, r#""acme"} "#),
            (r#""acme"}"#, r#""acme","prev":"x"}"#),
            (r#""acme"}"#, r#""acme"}}"#),
        ] {
            let line = format!(
                r#"{{"prev":"{PREV}","seq":7,"step":"load","time":"2026-11-21T16:00:00Z","v":1,"workspace":"acme"}}"#
            );
            assert!(both(&line).0.is_some());
            assert_eq!(both(&line.replace(from, to)).0, None, "{to}");
        }
        assert!(matches!(read(b"{}"), Err(Why::Unreadable(_))));
        let local = format!(r#"{{"prev":"{PREV}","seq":7,"time":"2026-11-21T16:00:00+01:00","v":1,"workspace":"a"}}"#);
        assert!(matches!(read(local.as_bytes()), Err(Why::Unreadable(_))));
    }
}
