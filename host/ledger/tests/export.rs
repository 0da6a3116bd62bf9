//! Exports: what is in them, and that SIEMs can read it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod records;

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use portcullis_ledger::{
    Caller, Change, Entry, ExportError, Exported, Exporter, Field, Format, Hash, Kind, Ledger, Query, Wanted,
    heads::{FileSigner, HeadOptions, PublicKey, SignedHead, SignedHeads, Signer},
    verify::{ExportOptions, verify_export},
};
use portcullis_store::{Batch, Store};
use serde_json::{Value, json};

use crate::records::{Steps, every_kind, ledger_with, open};

/// All of an export, and what it says of itself.
async fn export(ledger: &Ledger, wanted: Wanted) -> Result<(String, Exported), ExportError> {
    export_with(ledger, wanted, None).await
}

/// The same, with a signed head.
async fn export_with(
    ledger: &Ledger,
    wanted: Wanted,
    head: Option<&SignedHead>,
) -> Result<(String, Exported), ExportError> {
    let exporter = Exporter::new(ledger.reader(), wanted, Timestamp::UNIX_EPOCH).await?;
    let mut exporter = exporter.heads(head.cloned());
    let mut all = Vec::new();
    while let Some(piece) = exporter.next().await? {
        assert!(piece.ends_with(b"\n"), "a piece is whole lines");
        all.extend(piece);
    }
    let told = exporter.exported();
    assert_eq!((told.bytes, told.sha256), (all.len() as u64, Hash::of(&all)));
    Ok((String::from_utf8(all).unwrap(), told))
}

/// Signs where the chains are now.
async fn signed(ledger: &Ledger) -> (SignedHead, PublicKey) {
    let folder = tempfile::tempdir().unwrap();
    let signer = FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap();
    let key = signer.public_key();
    let heads = SignedHeads::open(ledger.store().clone(), Arc::new(signer), HeadOptions::default()).await.unwrap();
    (heads.sign_now().await.unwrap().unwrap(), key)
}

#[tokio::test]
async fn json_lines_are_the_chain_byte_for_byte() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let (head, key) = signed(&ledger).await;
    let wanted = Wanted::new(Query::new("acme"), Format::JsonLines);
    let (text, told) = export_with(&ledger, wanted, Some(&head)).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let records = every_kind("acme").len();
    assert_eq!(lines.len(), records + 3);
    let header: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(header["export"]["workspace"], "acme");
    assert_eq!((&header["export"]["from"], &header["export"]["to"]), (&json!(1), &json!(records)));
    let mut prev = Hash::genesis("acme");
    for (line, seq) in lines[1..=records].iter().zip(1..) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&record["seq"], &record["prev"]), (&json!(seq), &json!(prev)));
        prev = Hash::of(line.as_bytes());
    }
    assert_eq!(ledger.reader().chain("acme").await.unwrap().unwrap().hash, prev);
    assert_eq!(lines[records + 1], head.line());
    let before_end = text.len() - lines[records + 2].len() - 1;
    let end: Value = serde_json::from_str(lines[records + 2]).unwrap();
    assert_eq!(end, json!({"end": {"records": records, "sha256": Hash::of(&text.as_bytes()[..before_end])}}));
    assert_eq!((told.records, told.first, told.last, told.heads), (records as u64, 1, records as u64, 1));
    // Whoever has the file and the public key sees that it holds, to its last record.
    let verdict = verify_export(text.as_bytes(), ExportOptions { keys: &[key], ..ExportOptions::default() }).unwrap();
    assert!(verdict.holds() && verdict.unsigned() == 0, "{verdict:?}");
    let edited = text.replacen("user:ada", "user:eve", 1);
    assert!(
        !verify_export(edited.as_bytes(), ExportOptions { keys: &[key], ..ExportOptions::default() }).unwrap().holds()
    );
}

#[tokio::test]
async fn a_range_names_the_record_before_it_and_has_no_other() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let (text, _) = export(&ledger, Wanted::new(Query::new("acme"), Format::JsonLines).from(3).to(5)).await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1..4].iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(lines[0]["export"]["prev"], lines[1]["prev"]);
    assert_eq!(lines[4]["end"]["records"], 3);
    assert!(verify_export(text.as_bytes(), ExportOptions::default()).unwrap().holds());
    // By time: the clock of these ledgers takes one second a record.
    let reader = ledger.reader();
    let time = |seq| {
        let reader = reader.clone();
        async move { reader.get("acme", seq).await.unwrap().unwrap().1.time }
    };
    let query = Query::new("acme").since(time(2).await).until(time(4).await);
    for format in [Format::JsonLines, Format::Ocsf, Format::Cef] {
        let (_, told) = export(&ledger, Wanted::new(query.clone(), format)).await.unwrap();
        assert_eq!((told.first, told.last, told.records), (2, 3, 2), "{format:?}");
    }
    let none = Query::new("acme").since("2200-01-01T00:00:00Z".parse().unwrap());
    for query in [none, Query::new("nobody")] {
        let refused = export(&ledger, Wanted::new(query, Format::Ocsf)).await.unwrap_err();
        assert!(matches!(refused, ExportError::Nothing { .. }), "{refused}");
    }
}

#[tokio::test]
async fn json_lines_cannot_leave_records_out_and_the_others_can() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let denials = Query::new("acme").field(Field::Kind, "denial");
    let refused = export(&ledger, Wanted::new(denials.clone(), Format::JsonLines)).await.unwrap_err();
    assert_eq!(refused, ExportError::Filtered);
    for format in [Format::Ocsf, Format::Cef] {
        let (text, told) = export(&ledger, Wanted::new(denials.clone(), format)).await.unwrap();
        assert_eq!((text.lines().count(), told.records), (1, 1), "{text}");
        assert!(text.contains("denial"), "{text}");
    }
}

#[tokio::test]
async fn a_long_chain_is_handed_out_in_pieces_and_what_comes_meanwhile_is_not_in_it() {
    let intents = |count| vec![every_kind("acme").remove(0); count];
    let ledger = ledger_with(&intents(3_000)).await;
    for query in [Query::new("acme"), Query::new("acme").field(Field::Principal, "user:ada")] {
        let mut exporter =
            Exporter::new(ledger.reader(), Wanted::new(query, Format::Cef), Timestamp::UNIX_EPOCH).await.unwrap();
        let (mut pieces, mut lines) = (0, 0);
        while let Some(piece) = exporter.next().await.unwrap() {
            assert!(piece.len() < 2 * 1024 * 1024, "{}", piece.len());
            pieces += 1;
            lines += piece.iter().filter(|byte| **byte == b'\n').count();
            let (done, of) = exporter.progress();
            assert!(done <= of, "{done} of {of}");
            ledger.append(intents(1)).await.unwrap();
        }
        assert!(pieces > 2, "{pieces}");
        let told = exporter.exported();
        assert_eq!((lines as u64, told.last - told.first + 1), (told.records, told.records));
        assert_eq!(exporter.progress().0, exporter.progress().1);
    }
}

#[tokio::test]
async fn a_damaged_chain_is_not_exported_as_if_it_were_whole() {
    // Each batch has a block of its own; the last one is lost, or the one in the middle.
    for lost in [3, 2] {
        let (ledger, store) = open(Steps::default()).await;
        for _ in 0..3 {
            ledger.append(every_kind("acme")).await.unwrap();
        }
        let first_lost = every_kind("acme").len() as u64 * (lost - 1) + 1;
        let batch = Batch::new().delete(records::key_of_block("acme", first_lost));
        store.commit(batch).await.unwrap();
        for format in Format::ALL {
            let told = export(&ledger, Wanted::new(Query::new("acme"), format)).await.unwrap_err();
            assert!(told.to_string().contains(&format!("record {first_lost} ")), "{told}");
        }
    }
}

/// What OCSF says of the class and its objects.
fn schema() -> Value {
    serde_json::from_str(include_str!("data/ocsf-api-activity-1.6.0.json")).unwrap()
}

/// Holds a value against an object of the schema; says where it does not fit.
fn fits(schema: &Value, object: &str, value: &Value, place: &str, wrong: &mut Vec<String>) {
    if object == "object" {
        return;
    }
    let Some(known) = schema[object]["attributes"].as_object() else {
        wrong.push(format!("{place}: the object {object} is not in the excerpt of the schema"));
        return;
    };
    let Some(members) = value.as_object() else {
        wrong.push(format!("{place} is no object"));
        return;
    };
    for (name, attribute) in known {
        if attribute["required"] == true && !members.contains_key(name) {
            wrong.push(format!("{place}/{name} is required"));
        }
    }
    if let Some(names) = schema[object]["constraints"]["at_least_one"].as_array()
        && !names.iter().any(|name| members.contains_key(name.as_str().unwrap()))
    {
        wrong.push(format!("{place} has none of {names:?}"));
    }
    for (name, member) in members {
        let place = format!("{place}/{name}");
        let Some(attribute) = known.get(name) else {
            wrong.push(format!("{place} is unknown"));
            continue;
        };
        let items: Vec<&Value> = match (attribute["array"] == true, member) {
            (true, Value::Array(items)) => items.iter().collect(),
            (true, _) => {
                wrong.push(format!("{place} is no array"));
                continue;
            }
            (false, member) => vec![member],
        };
        for item in items {
            let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            let fits_type = match attribute["type"].as_str().unwrap() {
                "string" => item.is_string(),
                "integer" => item.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
                "long" => item.is_i64() || item.is_u64(),
                "boolean" => item.is_boolean(),
                "json" => true,
                object => {
                    fits(schema, object, item, &place, wrong);
                    true
                }
            };
            if !fits_type {
                wrong.push(format!("{place} is {item}, and not of type {}", attribute["type"]));
            }
            if let Some(values) = attribute["enum"].as_array()
                && !values.iter().any(|value| value == text.as_str())
            {
                wrong.push(format!("{place} is {item}, and not one of {values:?}"));
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_record_is_an_event_as_ocsf_asks_for_it() {
    let entries = every_kind("acme");
    let kinds: BTreeSet<Kind> = entries.iter().map(|entry| entry.record().kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "there is a record of every kind");
    let ledger = ledger_with(&entries).await;
    let (head, _) = signed(&ledger).await;
    let wanted = Wanted::new(Query::new("acme"), Format::Ocsf);
    let (text, _) = export_with(&ledger, wanted, Some(&head)).await.unwrap();
    let schema = schema();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), entries.len() + 1);
    for event in &events {
        let mut wrong = Vec::new();
        fits(&schema, "api_activity", event, "", &mut wrong);
        assert!(wrong.is_empty(), "{wrong:#?} in {event:#}");
        let (class, activity) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap());
        assert_eq!(event["type_uid"], class * 100 + activity);
    }
    // The schema's excerpt is one that can say no.
    let mut wrong = Vec::new();
    let mut bad = events[0].clone();
    bad["api"].as_object_mut().unwrap().remove("operation");
    bad["src_endpoint"] = json!({});
    bad["severity_id"] = json!(7);
    bad["time"] = json!("now");
    bad["extra"] = json!(1);
    bad["resources"] = json!({});
    fits(&schema, "api_activity", &bad, "", &mut wrong);
    assert_eq!(wrong.len(), 6, "{wrong:#?}");
}

#[tokio::test]
async fn an_event_says_what_the_record_says_and_carries_it_as_it_stands() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let (text, _) = export(&ledger, Wanted::new(Query::new("acme"), Format::Ocsf)).await.unwrap();
    let mut prev = Hash::genesis("acme");
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let raw = event["raw_data"].as_str().unwrap();
        let record: Value = serde_json::from_str(raw).unwrap();
        assert_eq!(event["unmapped"]["prev"], json!(prev), "the archive alone shows the chain");
        prev = Hash::of(raw.as_bytes());
        assert_eq!(event["raw_data_hash"]["value"], json!(prev));
        assert_eq!(event["metadata"]["sequence"], record["seq"]);
        // What can be searched for is in a field of its own, and not in the raw text alone.
        let mut without_raw = event.clone();
        without_raw.as_object_mut().unwrap().remove("raw_data");
        let all = leaves(&without_raw);
        for leaf in leaves(&record) {
            assert!(all.contains(&leaf), "{leaf} of the record is nowhere in {without_raw:#}");
        }
    }
}

/// All values that are no objects and no arrays, as text.
fn leaves(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::String(text) => BTreeSet::from([text.clone()]),
        value => BTreeSet::from([value.to_string()]),
    }
}

#[tokio::test]
async fn how_a_call_went_is_told_in_the_words_of_siems() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let (text, _) = export(&ledger, Wanted::new(Query::new("acme"), Format::Ocsf)).await.unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |status: &str| {
        let event = events.iter().find(|event| event["unmapped"]["status"] == status).unwrap();
        (
            event["status_id"].as_u64().unwrap(),
            event["severity_id"].as_u64().unwrap(),
            event["activity_id"].as_u64().unwrap(),
        )
    };
    assert_eq!(told("done"), (1, 1, 3), "its last and strongest request was a PATCH");
    assert_eq!(told("denied").0, 2);
    assert_eq!(told("unknown"), (0, 4, 99), "somebody has to look");
    let denial = events.iter().find(|event| event["metadata"]["event_code"] == "denial").unwrap();
    assert_eq!((&denial["status_id"], &denial["severity_id"]), (&json!(2), &json!(3)));
    assert_eq!(denial["status_code"], "path-not-granted");
    let done = events.iter().find(|event| event["unmapped"]["status"] == "done").unwrap();
    assert_eq!(done["http_request"]["http_method"], "PATCH");
    assert_eq!(done["http_request"]["url"]["path"], "/v1/things/{id:digits(1..9)}");
    assert_eq!(done["dst_endpoint"]["hostname"], "api.example.com");
    assert_eq!(done["http_response"]["code"], 200);
}

#[tokio::test]
async fn exports_for_siems_end_with_the_signed_heads() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let (head, _) = signed(&ledger).await;
    for format in [Format::Ocsf, Format::Cef] {
        let wanted = Wanted::new(Query::new("acme").field(Field::Kind, "intent"), format);
        let (text, told) = export_with(&ledger, wanted, Some(&head)).await.unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(told.heads, 1);
        if format == Format::Ocsf {
            let event: Value = serde_json::from_str(last).unwrap();
            assert_eq!(event["raw_data"], head.line());
            assert_eq!(event["unmapped"]["signed_head"], serde_json::to_value(&head).unwrap());
            assert_eq!(event["time"], head.head.time.as_millisecond());
        } else {
            assert!(last.contains("|signed_head|") && last.contains(&head.line().replace('=', "\\=")), "{last}");
        }
    }
}

#[tokio::test]
async fn an_export_is_recorded_like_any_other_change() {
    let ledger = ledger_with(&every_kind("acme")).await;
    let change = Change { action: "exported".to_owned(), ..Change::default() };
    ledger.append(vec![Entry::change("acme", Kind::Export, &Caller::principal("user:ada"), change)]).await.unwrap();
    let (text, _) = export(&ledger, Wanted::new(Query::new("acme"), Format::Cef)).await.unwrap();
    assert!(text.lines().last().unwrap().contains("|export:exported|Records exported|"), "{text}");
}
