//! The words of guests beside the chain: shown while they are there, told as erased afterwards, with what the chain still says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod place;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use place::Place;
use portcullis_runtime::{
    CallId, Caller, Denial, Ledger, LedgerOptions, Mode, Receipt, Status,
    ledger::{Ending, Entry, FAILURE, FailureWords, Payload, RetentionPolicy, Salts, Side, Subject, Words},
    store::{Batch, Embedded, Options},
};
use serde_json::json;

const PERSON: &str = "lovelace-1815";
const ALL: &str = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/v1/people/{id}\"\n";

/// Records a call that was refused, and one whose adapter failed, as the runtime does.
async fn record(place: &Place) -> [CallId; 2] {
    let data = place.folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let mut store = Arc::new(Embedded::open(data.join("store"), Options::default()).await.unwrap());
    let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
    let least = ALL.replace("{id}", PERSON);
    let denial = Denial {
        allow_request: Some(least),
        allow_with: Some(ALL.to_owned()),
        asked: format!("GET https://api.example.com/v1/people/{PERSON}"),
        ceiling: false,
        granted: vec!["GET https://api.example.com/v1/things".to_owned()],
        message: format!("GET https://api.example.com/v1/people/{PERSON}: no GET route to this path is open."),
        rule: "path-not-granted".to_owned(),
    };
    let (rule, said) = denial.split();
    let failure = FailureWords { code: PERSON.to_owned(), message: format!("{PERSON} is not here") };
    let mut calls = Vec::new();
    for (status, error, words) in [
        (Status::Denied, "path-not-granted", Words { denials: vec![said], failure: None }),
        (Status::AdapterFailed, FAILURE, Words { denials: Vec::new(), failure: Some(failure) }),
    ] {
        let (call, caller, cost) = (CallId::generate(), Caller::principal("user:ada"), BTreeMap::new());
        let subject = Subject {
            call,
            workspace: "local",
            integration: "people",
            integration_version: 1,
            adapter: "sha256:00",
            grant: "sha256:11",
            grantor: "user:grace",
            operation: "readPerson",
            mode: Mode::Live,
            caller: &caller,
            cost: &cost,
        };
        ledger.append(vec![Entry::intent(&subject, Payload::default())]).await.unwrap();
        let mut batch = Batch::new();
        let retention = RetentionPolicy::default().of("local", "people", "readPerson");
        let (to, salts) = (("local", call), Salts::generate());
        let kept = retention.side(Side::Words).keep_words(to, &words, &salts, Timestamp::now(), &mut batch).unwrap();
        let ending = Ending {
            status,
            error: Some(error.into()),
            exchanges: Vec::new(),
            bounds: BTreeMap::new(),
            output: None,
            words: kept,
            receipt: Receipt::default(),
        };
        let mut end = Vec::new();
        if status == Status::Denied {
            end.push(Entry::denial(&subject, rule.clone()));
        }
        end.push(Entry::outcome(&subject, ending));
        ledger.commit(end, batch).await.unwrap();
        calls.push(call);
    }
    ledger.close().await;
    loop {
        match Arc::try_unwrap(store) {
            Ok(store) => break store.close().await.unwrap(),
            Err(shared) => store = shared,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    calls.try_into().unwrap()
}

#[tokio::test]
async fn words_are_shown_until_they_are_erased_and_the_fix_is_told_after_that_too() {
    let place = Place::new();
    let [denied, failed] = record(&place).await.map(|call| call.to_string());
    let told = |arguments: &[&str]| {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    for (arguments, says) in [
        (&["audit", "why", &denied][..], "alone, by these lines more"),
        (&["audit", "show", &denied], "no GET route to this path"),
        (&["audit", "show", "2"], "Words, kept beside the chain"),
        (&["audit", "why", &failed], "reported the failure `lovelace-1815`"),
        (&["audit", "show", &failed], "lovelace-1815 is not here"),
        (&["audit", "payload", &failed], "Words of refusals and failures"),
    ] {
        let out = told(arguments);
        assert!(out.contains(says) && out.contains(PERSON), "{arguments:?}: {out}");
    }
    assert!(told(&["audit", "why", &denied]).contains("{id}"));
    let value = place.run(&["audit", "why", &denied, "--json"]).json();
    assert!(value["allow_request"].as_str().unwrap().contains(PERSON), "{value}");
    let value = place.run(&["audit", "show", "2", "--json"]).json();
    assert!(value["records"][0]["denial"].get("asked").is_none(), "the record as it stands: {value}");
    assert!(value["words"]["denial"]["asked"].as_str().unwrap().contains(PERSON), "{value}");
    for arguments in [&["audit", "list"][..], &["audit", "list", "--json"]] {
        assert!(!told(arguments).contains(PERSON), "the chain has none of it");
    }

    told(&["audit", "erase", "--call", &denied, "--call", &failed, "--reason", "ticket 7"]);
    for (arguments, says) in [
        (&["audit", "why", &denied][..], "`path-not-granted`"),
        (&["audit", "why", &denied], "the words were erased at"),
        (&["audit", "why", &denied], "https://api.example.com/v1/people/{id}"),
        (&["audit", "why", &denied], "GET https://api.example.com/v1/things"),
        (&["audit", "show", &denied], "they were erased at"),
        (&["audit", "show", "2"], "were erased at"),
        (&["audit", "why", &failed], "a failure, whose words were erased at"),
        (&["audit", "payload", &failed], "It was erased at"),
    ] {
        let out = told(arguments);
        assert!(out.contains(says) && !out.contains(PERSON), "{arguments:?}: {out}");
    }
    let ran = place.run(&["audit", "verify"]);
    assert!(ran.code == 0 && ran.out.contains("2 were erased"), "{}{}", ran.out, ran.err);
}

#[tokio::test]
async fn an_operator_says_that_the_clock_is_right_and_that_is_recorded() {
    let place = Place::new();
    record(&place).await;
    let erase = ["audit", "erase", "--expired", "--reason", "retention"];
    assert_eq!(place.run(&erase).code, 0, "nothing is in doubt");
    let ran = place.run(&[&erase[..], &["--clock-is-right"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let listed = place.run(&["audit", "list", "--workspace", "@host", "--where", "kind=clock", "--json"]).json();
    assert_eq!(listed["records"][0]["change"]["action"], json!("confirmed"), "{listed}");
    let ran = place.run(&["audit", "erase", "--call", "x", "--reason", "y", "--clock-is-right"]);
    assert!(ran.code == 2 && ran.err.contains("--call"), "{}{}", ran.out, ran.err);
}
