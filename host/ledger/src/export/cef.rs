//! Records as lines of ArcSight's Common Event Format, `CEF:0|…`.
//!
//! Fields stand under the keys of CEF's dictionary, at most as long as it allows. Whatever a field holds, it stays in its
//! field and on its line: `|`, `\` and `=` are escaped where they have a meaning, line feeds and carriage returns are
//! written `\n` and `\r`, and all other characters that a viewer would act on as the text of their escape. A record's hash
//! and the one before it stand in each line, so that lines can be tied to the chain; only the chain has all of a record.

use jiff::Timestamp;
use portcullis_gate::is_plain;

use super::facts::{self, Weight, Went};
use crate::{
    block::Line,
    record::{Kind, Record, Status},
};

/// Most characters of a custom string (`cs1` to `cs6`).
const CUSTOM: usize = 4000;

/// A line in the making: key and value, in order.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Adds a field, at most as long as the dictionary allows. An empty one says nothing.
    fn put(&mut self, key: &'static str, most: usize, value: impl Into<String>) {
        let mut value = value.into();
        if let Some((end, _)) = value.char_indices().nth(most) {
            value.truncate(end);
        }
        if !value.is_empty() {
            self.0.push((key, value));
        }
    }

    /// Adds one of those that need a name.
    fn labelled(&mut self, keys: [&'static str; 2], most: usize, label: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let [key, label_key] = keys;
            self.put(key, most, value);
            self.put(label_key, 1023, label);
        }
    }
}

/// A record as a line, without its end.
pub(super) fn line(line: &Line, record: &Record) -> String {
    let mut fields = Fields::default();
    fields.put("rt", 32, record.time.as_millisecond().to_string());
    fields.put("externalId", 40, record.seq.to_string());
    fields.put("cat", 1023, record.kind.as_str());
    if let Some(caller) = &record.caller {
        fields.put("suser", 1023, caller.principal.as_str());
        let behalf = caller.workflow.as_ref().or(caller.agent.as_ref());
        fields.put("sourceServiceName", 1023, behalf.cloned().unwrap_or_default());
    }
    fields.put("act", 63, facts::operation(record));
    fields.put("outcome", 63, Went::of(record).word());
    fields.put("reason", 1023, facts::reason(record).or(record.status.map(Status::as_str)).unwrap_or_default());
    fields.put("destinationServiceName", 1023, record.integration.clone().unwrap_or_default());
    if let Some(exchange) = facts::last_exchange(record) {
        fields.put("requestMethod", 1023, exchange.method.as_str());
        fields.put("request", 1023, exchange.template.as_str());
        if let Some(endpoint) = facts::endpoint(&exchange.origin) {
            fields.put("app", 31, endpoint.scheme);
            // `dst` is for IPv4 alone.
            let is_v4 = endpoint.is_address && !endpoint.host.contains(':');
            fields.put(if is_v4 { "dst" } else { "dhost" }, 1023, endpoint.host);
            fields.put("dpt", 5, endpoint.port.map(|port| port.to_string()).unwrap_or_default());
        }
        fields.labelled(["cn3", "cn3Label"], 20, "HTTP status", exchange.status.map(|status| status.to_string()));
    }
    if let Some(receipt) = record.receipt {
        let wall = (receipt.wall_us / 1_000).to_string();
        fields.labelled(["cn1", "cn1Label"], 20, "Wall time in milliseconds", Some(wall));
        fields.labelled(["cn2", "cn2Label"], 20, "Requests", Some(receipt.requests.to_string()));
        fields.put("out", 20, receipt.bytes_out.to_string());
        fields.put("in", 20, receipt.bytes_in.to_string());
    }
    let version = |name: &String| match record.integration_version {
        Some(version) => format!("{name}@{version}"),
        None => name.clone(),
    };
    fields.labelled(["cs1", "cs1Label"], CUSTOM, "Workspace", Some(record.workspace.clone()));
    fields.labelled(["cs2", "cs2Label"], CUSTOM, "Integration", record.integration.as_ref().map(version));
    fields.labelled(["cs3", "cs3Label"], CUSTOM, "Call", record.call.map(|call| call.to_string()));
    fields.labelled(["cs4", "cs4Label"], CUSTOM, "Adapter", record.adapter.clone());
    fields.labelled(["cs5", "cs5Label"], CUSTOM, "Grant", record.grant.clone());
    fields.labelled(["cs6", "cs6Label"], CUSTOM, "Record hash", Some(line.hash().to_string()));
    let prev = Some(record.prev.to_string());
    fields.labelled(["flexString1", "flexString1Label"], 1023, "Hash of the record before", prev);
    fields.labelled(["flexString2", "flexString2Label"], 1023, "Grantor", record.grantor.clone());
    fields.put("msg", 1023, facts::message(record));
    let severity = match Weight::of(record) {
        Weight::Informational => 2,
        Weight::Low => 4,
        Weight::Medium => 6,
        Weight::High => 8,
    };
    write([&signature(record), facts::title(record)], severity, &fields.0)
}

/// A signed head as lines: more than one where it is longer than custom strings are, each with its part of it. Put together
/// in order, `cs1` to `cs6` of all parts are the signed head, byte for byte.
pub(super) fn head(signed: &str, time: Timestamp) -> Vec<String> {
    const KEYS: [[&str; 2]; 6] = [
        ["cs1", "cs1Label"],
        ["cs2", "cs2Label"],
        ["cs3", "cs3Label"],
        ["cs4", "cs4Label"],
        ["cs5", "cs5Label"],
        ["cs6", "cs6Label"],
    ];
    let characters: Vec<char> = signed.chars().collect();
    let pieces: Vec<String> = characters.chunks(CUSTOM).map(|piece| piece.iter().collect()).collect();
    let parts: Vec<&[String]> = pieces.chunks(KEYS.len()).collect();
    let line = |(part, pieces): (usize, &&[String])| {
        let mut fields = Fields::default();
        fields.put("rt", 32, time.as_millisecond().to_string());
        fields.put("cat", 1023, "signed_head");
        fields.put("outcome", 63, Went::Well.word());
        fields.labelled(["cn1", "cn1Label"], 20, "Part", Some((part + 1).to_string()));
        fields.labelled(["cn2", "cn2Label"], 20, "Parts", Some(parts.len().to_string()));
        for (piece, keys) in pieces.iter().zip(KEYS) {
            fields.labelled(keys, CUSTOM, "Signed head", Some(piece.clone()));
        }
        fields.put("msg", 1023, "where the chain ended, signed by the host's key");
        write(["signed_head", "Signed head"], 2, &fields.0)
    };
    parts.iter().enumerate().map(line).collect()
}

/// What all events of a sort have in common.
fn signature(record: &Record) -> String {
    let sort = match record.kind {
        Kind::Outcome => record.status.map_or("unknown", Status::as_str),
        Kind::Denial => facts::reason(record).unwrap_or_default(),
        Kind::Refusal => record.step.map_or("", crate::Step::as_str),
        _ => facts::action(record),
    };
    if sort.is_empty() { record.kind.as_str().to_owned() } else { format!("{}:{sort}", record.kind.as_str()) }
}

fn write([signature, name]: [&str; 2], severity: u8, fields: &[(&'static str, String)]) -> String {
    let (signature, name) = (header(signature), header(name));
    let mut line = format!("CEF:0|Portcullis|Portcullis|{}|{signature}|{name}|{severity}|", env!("CARGO_PKG_VERSION"));
    for (position, (key, value)) in fields.iter().enumerate() {
        if position > 0 {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        line.push_str(&extension(value));
    }
    line
}

/// Within the header, `|` ends a field, and there are no lines.
fn header(text: &str) -> String {
    escape(text, |c| match c {
        '|' => Some("\\|"),
        _ => None,
    })
}

/// Within the extension, `=` ends a key.
fn extension(text: &str) -> String {
    escape(text, |c| match c {
        '=' => Some("\\="),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        _ => None,
    })
}

fn escape(text: &str, of: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match (c, of(c)) {
            (_, Some(escape)) => escaped.push_str(escape),
            ('\\', None) => escaped.push_str("\\\\"),
            // As text, and its backslash escaped like any other.
            (c, None) if !is_plain(c) => {
                escaped.push('\\');
                portcullis_gate::escape(c, &mut escaped);
            }
            (c, None) => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
