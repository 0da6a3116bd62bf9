//! What was written is what is read, whatever it was.

use portcullis_gate::is_plain;
use proptest::prelude::*;

use super::*;
use crate::{Caller, Entry, Hash};

/// Reads a line as a SIEM does: seven header fields, then keys and values.
fn parse(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut header = vec![String::new()];
    let mut rest = line.chars();
    while header.len() < 8
        && let Some(c) = rest.next()
    {
        match c {
            '|' => header.push(String::new()),
            '\\' => header.last_mut().unwrap().push(rest.next().unwrap()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    header.pop();
    // An `=` that is not escaped ends a key, which begins after the last space before it.
    let mut tokens: Vec<String> = vec![String::new()];
    let mut keys = Vec::new();
    while let Some(c) = rest.next() {
        match c {
            '=' => {
                let last = tokens.last_mut().unwrap();
                let key = last.rsplit_once(' ').map_or(last.as_str(), |(_, key)| key).to_owned();
                let value_before = last.rsplit_once(' ').map_or("", |(value, _)| value).to_owned();
                *last = value_before;
                keys.push(key);
                tokens.push(String::new());
            }
            '\\' => tokens.last_mut().unwrap().push(match rest.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                c => c,
            }),
            c => tokens.last_mut().unwrap().push(c),
        }
    }
    (header, keys.into_iter().zip(tokens.into_iter().skip(1)).collect())
}

/// As it is shown: what a viewer would act on is text; line ends stay where they have an escape.
fn shown(text: &str, line_ends: bool) -> String {
    let keep = |c: char| is_plain(c) || line_ends && matches!(c, '\n' | '\r');
    text.chars().map(|c| if keep(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

fn any_text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "|", "\\", "=", " ", "\n", "\r", "\u{2028}", "\u{85}", "\u{b}", "\0", "\u{202e}", " msg=", "\nCEF:0|", "\\n",
        "a", "é",
    ]);
    prop::collection::vec(prop_oneof![nasty.prop_map(str::to_owned), ".{0,3}"], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_a_field_holds_it_is_read_as_it_was_written(
        signature in any_text(), name in any_text(), values in prop::collection::vec(any_text(), 3),
    ) {
        let fields: Vec<(&'static str, String)> = ["act", "msg", "cs1"].into_iter().zip(values).collect();
        let line = write([&signature, &name], 5, &fields);
        prop_assert!(line.chars().all(is_plain), "one line, of plain characters: {line:?}");
        let (header, read) = parse(&line);
        let told = [shown(&signature, false), shown(&name, false), "5".to_owned()];
        prop_assert_eq!(&header[..4], ["CEF:0", "Portcullis", "Portcullis", env!("CARGO_PKG_VERSION")]);
        prop_assert_eq!(&header[4..], &told[..]);
        let expected: Vec<(String, String)> =
            fields.iter().map(|(key, value)| ((*key).to_owned(), shown(value, true))).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_field_of_a_record_begins_another_line_or_another_key(text in any_text()) {
        let mut entry = Entry::new("w", Kind::Denial).integration(&text, Some(3)).grant(&text, &text).adapter(&text);
        entry.0.caller = Some(Caller { workflow: Some(text.clone()), ..Caller::principal(text.clone()) });
        entry.0.operation = Some(text.clone());
        entry.0.workspace = text.clone();
        entry.0.denial = Some(portcullis_gate::Denial {
            allow_request: None, allow_with: None, asked: text.clone(), ceiling: false, granted: vec![], message: text.clone(), rule: text.clone(),
        });
        let stands = Line { seq: 0, text: serde_json::to_string(&entry.0).unwrap() };
        let told = line(&stands, &entry.0);
        prop_assert!(told.chars().all(is_plain), "{told:?}");
        let (header, read) = parse(&told);
        prop_assert_eq!(header.len(), 7);
        for (key, value) in &read {
            let of_ours = ["rt", "externalId", "cat", "outcome", "cs6", "flexString1"].contains(&key.as_str())
                || key.ends_with("Label")
                // Where there is no message the rule is told.
                || text.is_empty() && key == "msg";
            prop_assert!(of_ours || shown(&text, true).starts_with(value.trim_end_matches("@3")) || value.starts_with("denial"), "{key}={value}");
        }
    }
}

#[test]
fn a_value_is_no_longer_than_the_dictionary_allows() {
    let mut entry = Entry::new("w", Kind::Intent);
    entry.0.operation = Some("é".repeat(100));
    let stands = Line { seq: 0, text: String::new() };
    let (_, read) = parse(&line(&stands, &entry.0));
    let act = read.iter().find(|(key, _)| key == "act").unwrap();
    assert_eq!(act.1.chars().count(), 63);
}

#[test]
fn a_signed_head_of_any_length_is_there_byte_for_byte() {
    for length in [10, 4000, 24_001, 100_000] {
        let signed = format!("{{\"head\":\"{}\",\"signature\":\"==\"}}", "ab=\\\"".repeat(length / 5));
        let lines = head(&signed, Timestamp::UNIX_EPOCH);
        let mut whole = String::new();
        for line in &lines {
            let (_, read) = parse(line);
            let pieces = read.iter().filter(|(key, _)| key.starts_with("cs") && !key.ends_with("Label"));
            pieces.for_each(|(_, piece)| {
                assert!(piece.chars().count() <= CUSTOM);
                whole.push_str(piece);
            });
        }
        assert_eq!(whole, signed, "{length}");
    }
}

#[test]
fn a_line_names_the_record_and_the_one_before_it() {
    let entry = Entry::new("acme", Kind::Export);
    let stands = Line { seq: 7, text: "{}".to_owned() };
    let (header, read) = parse(&line(&stands, &entry.0));
    assert_eq!(header[5], "Records exported");
    assert!(read.contains(&("cs6".to_owned(), Hash::of(b"{}").to_string())));
    assert!(read.contains(&("flexString1".to_owned(), Hash::genesis("acme").to_string())));
}
