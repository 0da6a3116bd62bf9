//! `portcullis audit` as a person or a script meets it, over stores that were written by the library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod history;
mod place;

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use portcullis_runtime::{
    Status,
    ledger::Hash,
    store::{Batch, Store},
};
use serde_json::{Value, json};

use crate::{
    history::{History, TEMPLATE},
    place::Place,
};

fn fails(place: &Place, arguments: &[&str], code: i32, told: &[&str]) {
    let ran = place.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    told.iter().for_each(|told| assert!(ran.err.contains(told), "`{told}` is not in {}", ran.err));
    let with_json = place.run(&[arguments, &["--json"]].concat());
    assert_eq!(with_json.code, code);
    let message = with_json.json()["error"]["message"].as_str().unwrap().to_owned();
    told.iter().for_each(|told| assert!(message.contains(told), "`{told}` is not in {message}"));
}

fn seqs(value: &Value) -> Vec<u64> {
    value["records"].as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn list_shows_the_newest_first_and_goes_on_where_it_ended() {
    let place = Place::new();
    let history = History::of(&place).await;
    let all = place.run(&["audit", "list", "--json"]).json();
    let newest_first: Vec<u64> = (1..=history.records).rev().collect();
    assert_eq!(seqs(&all), newest_first);
    assert_eq!(all["next"], Value::Null);
    let mut paged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["audit", "list", "--json", "--limit", "4"];
        arguments.extend(after.as_deref().map(|after| ["--after", after]).into_iter().flatten());
        let page = place.run(&arguments).json();
        paged.extend(seqs(&page));
        assert!(seqs(&page).len() <= 4);
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, newest_first);
    let oldest = place.run(&["audit", "list", "--json", "--oldest-first", "--limit", "3"]).json();
    assert_eq!(seqs(&oldest), [1, 2, 3]);
    // For people: one line a record, the cursor to go on with, and what nobody should look past.
    let ran = place.run(&["audit", "list", "--limit", "1"]);
    assert!(ran.out.contains("--after"), "{}", ran.out);
    let ran = place.run(&["audit", "list"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for told in ["user:ada", "path-not-granted", "things@1 changeThing", "UNKNOWN", "1 call ended", "(UTC)", "granted"]
    {
        assert!(ran.out.contains(told), "`{told}` is not in {}", ran.out);
    }
    let stands_out = |line: &str| line.contains(" outcome ") && line.contains(" UNKNOWN ");
    assert!(ran.out.lines().any(stands_out), "{}", ran.out);
    assert!(ran.out.contains(&history::short(&history.denied)), "a call is told by its end: {}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "no colours where nobody looks");
}

#[tokio::test]
async fn list_takes_fields_and_times_and_teaches_those_that_are_not_there() {
    let place = Place::new();
    let history = History::of(&place).await;
    let list = |arguments: &[&str]| place.run(&[&["audit", "list", "--json"], arguments].concat()).json();
    for (field, found) in [
        ("kind=denial", 1),
        ("status=unknown", 1),
        ("rule=path-not-granted", 1),
        ("principal=user:nobody", 0),
        ("workflow=onboarding", history.records - 2),
        ("integration_version=things@1", history.records - 1),
    ] {
        let listed = seqs(&list(&["--where", field])).len() as u64;
        assert_eq!(listed, found, "{field}");
    }
    assert_eq!(seqs(&list(&["--where", "kind=intent", "--where", "mode=sandbox"])), Vec::<u64>::new());
    let call = format!("call={}", history.denied);
    assert_eq!(seqs(&list(&["--where", &call])).len(), 3);
    assert_eq!(seqs(&list(&["--since", "1h"])).len() as u64, history.records);
    assert_eq!(seqs(&list(&["--until", "1h"])).len(), 0);
    assert_eq!(seqs(&list(&["--since", "2020-01-01", "--until", "2020-01-02T00:00:00Z"])).len(), 0);
    let ran = place.run(&["audit", "list", "--where", "principal=user:nobody"]);
    assert!(ran.code == 0 && ran.out.contains("No record of `local` is like that"), "{}", ran.out);
    let ran = place.run(&["audit", "list", "--workspace", "acme"]);
    assert!(ran.code == 0 && ran.out.contains("portcullis audit workspaces"), "{}", ran.out);
    fails(&place, &["audit", "list", "--where", "colour=red"], 2, &["`colour`", "principal, route, rule"]);
    fails(&place, &["audit", "list", "--where", "kind=denied"], 2, &["`denied` is no kind", "denial"]);
    fails(&place, &["audit", "list", "--where", "denial"], 2, &["FIELD=VALUE"]);
    fails(&place, &["audit", "list", "--since", "yesterday"], 2, &["--since: `yesterday` is no time", "`2h`"]);
    fails(&place, &["audit", "list", "--after", "the last one"], 2, &["--after: `the last one` is no cursor"]);
}

#[tokio::test]
async fn follow_prints_what_comes_beside_other_commands_and_ends_well_when_interrupted() {
    let place = Place::new();
    let history = History::of(&place).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["audit", "list", "--follow", "--json", "--limit", "2", "--where", "principal=user:ada"])
        .env("PORTCULLIS_DATA", place.folder.path().join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let (first, second) = (next(), next());
    assert!(first["seq"].as_u64() < second["seq"].as_u64(), "oldest first");
    // Another command writes meanwhile.
    history::append(&place, "local", vec![history::sign_in("user:mallory"), history::sign_in("user:ada")]).await;
    let third = next();
    assert_eq!(third["seq"].as_u64().unwrap(), history.records + 2, "{third}");
    assert_eq!((&third["kind"], &third["caller"]["principal"]), (&json!("sign_in"), &json!("user:ada")));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn show_tells_one_record_or_all_of_a_call() {
    let place = Place::new();
    let history = History::of(&place).await;
    let ran = place.run(&["audit", "show", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for told in ["Record 1 of `local`", "change.details.grant", "operations = [", "prev", "hash"] {
        assert!(ran.out.contains(told), "`{told}` is not in {}", ran.out);
    }
    let record = place.run(&["audit", "show", "1", "--json"]).json();
    assert_eq!((&record["records"][0]["kind"], &record["records"][0]["seq"]), (&json!("grant"), &json!(1)));
    assert!(record["hash"].as_str().is_some_and(|hash| hash.parse::<Hash>().is_ok()));
    let id = history.done.to_string();
    for part in [id.as_str(), &id[id.len() - 8..], &id.to_uppercase()] {
        let ran = place.run(&["audit", "show", part]);
        assert_eq!(ran.code, 0, "{part}: {}", ran.err);
        let told = [
            id.as_str(),
            "user:ada",
            "onboarding",
            "user:grace",
            "team=billing",
            TEMPLATE,
            "200",
            "Receipt",
            "40 B, kept without /name",
            "done",
        ];
        told.iter().for_each(|told| assert!(ran.out.contains(told), "`{told}` is not in {}", ran.out));
    }
    let call = place.run(&["audit", "show", &id, "--json"]).json();
    assert_eq!(call["records"].as_array().unwrap().len(), 2);
    assert_eq!(call["records"][1]["status"], "done");
}

#[tokio::test]
async fn what_is_not_there_or_fits_several_is_told_with_what_to_write() {
    let place = Place::new();
    let history = History::of(&place).await;
    let records = format!("has the records 1 to {}", history.records);
    for command in ["show", "why"] {
        fails(&place, &["audit", command, "99999"], 2, &["no call's id begins or ends with `99999`", &records]);
        fails(
            &place,
            &["audit", command, "ffffffffffff"],
            2,
            &["no call's id begins or ends", "portcullis audit list"],
        );
        fails(&place, &["audit", command, "abc"], 2, &["too short"]);
        fails(&place, &["audit", command, "the last one"], 2, &["a record's number or a call's id"]);
        fails(&place, &["audit", command, "1", "--workspace", "acme"], 2, &["`acme` has no records"]);
        let stranger = "01989f00-0000-7000-8000-000000000000";
        fails(&place, &["audit", command, stranger], 2, &["no records of the call", "audit list"]);
    }
    // Ids of the same minute begin alike.
    let begin = &history.denied.to_string()[..6];
    fails(&place, &["audit", "why", begin], 2, &["fits several calls", "write more of it"]);
    fails(&place, &["audit", "why", "1"], 2, &["record 1 is about no call", "portcullis audit show 1"]);
}

#[tokio::test]
async fn why_tells_the_story_of_a_refusal_in_words() {
    let place = Place::new();
    let history = History::of(&place).await;
    let id = history.denied.to_string();
    let ran = place.run(&["audit", "why", &id[id.len() - 8..]]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "`user:ada` was refused `changeThing` of `things`.",
        "on behalf of agent `agent:helper`, workflow `onboarding`, step `notify`, run `run-7`",
        "(version 1) in the workspace `local`, live.",
        "Its adapter is sha256:",
        "`user:grace` granted it on",
        "(record 1; grant",
        "operations: changeThing",
        "The rule `path-not-granted` said no.",
        "`user:grace` gave the grant and can allow it.",
        "url = \"https://api.example.com/v1/others\"",
    ] {
        assert!(out.contains(told), "`{told}` is not in {}", ran.out);
    }
    let value = place.run(&["audit", "why", &id, "--json"]).json();
    assert_eq!((&value["call"], &value["refused"]), (&json!(id), &json!(true)));
    assert_eq!(value["grant_record"]["seq"], 1);
    assert!(value["allow_with"].as_str().unwrap().contains("v1/others"));
    assert_eq!(value["records"].as_array().unwrap().len(), 3);
    // A record's number stands for its call.
    let seq = value["records"][1]["seq"].to_string();
    assert_eq!(place.run(&["audit", "why", &seq, "--json"]).json()["call"], id);
}

#[tokio::test]
async fn why_tells_each_other_end_as_well() {
    let place = Place::new();
    let history = History::of(&place).await;
    for (status, told) in [
        (Status::Done, "`user:ada` called `changeThing` of `things`, and it was done."),
        (Status::Refused, "Its input is not what the operation takes"),
        (Status::AdapterFailed, "The adapter reported the failure `card_declined`"),
        (Status::BoundHit, "requests = 40"),
        (Status::UpstreamFailed, "no answer came, and it may have been carried out. "),
        (Status::UpstreamFailed, "The upstream did not answer in time"),
        (Status::UpstreamFailed, "Look at the upstream before you call again."),
        (Status::Abandoned, "may have been carried out"),
        (Status::Unknown, "Nobody knows how"),
    ] {
        let ran = place.run(&["audit", "why", &history.call(status).to_string()]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.contains(told), "{status:?}: `{told}` is not in {}", ran.out);
        let value = place.run(&["audit", "why", &history.call(status).to_string(), "--json"]).json();
        assert_eq!(value["refused"], false, "{status:?}");
    }
    // What would be wrong where something may have been carried out.
    let timed_out = place.run(&["audit", "why", &history.call(Status::UpstreamFailed).to_string()]);
    assert!(!timed_out.out.contains("then call again"), "{}", timed_out.out);
    // What was refused before there was a call has a story, too.
    let refusal =
        place.run(&["audit", "list", "--json", "--where", "kind=refusal"]).json()["records"][0]["seq"].to_string();
    let ran = place.run(&["audit", "why", &refusal]);
    assert!(ran.code == 0 && ran.out.contains("refused before there was a call"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("this is no component"), "{}", ran.out);
}

#[tokio::test]
async fn an_export_is_a_file_of_ones_own_and_is_recorded() {
    let place = Place::new();
    let history = History::of(&place).await;
    for (number, format) in ["jsonl", "ocsf", "cef"].into_iter().enumerate() {
        let file = place.folder.path().join(format!("export.{format}"));
        let name = file.display().to_string();
        let arguments = ["audit", "export", "--format", format, "--out", &name, "--principal", "user:eve", "--json"];
        let ran = place.run(&arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let bytes = std::fs::read(&file).unwrap();
        let told = ran.json();
        // Each export is one record more, and there are two of each format.
        let records = history.records + 2 * number as u64;
        assert_eq!((&told["records"], &told["to"]), (&json!(records), &json!(records)));
        assert_eq!((&told["bytes"], &told["sha256"]), (&json!(bytes.len()), &json!(Hash::of(&bytes))));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert!(lines >= records, "{lines} lines");
        let newest = place.run(&["audit", "list", "--json", "--limit", "1"]).json()["records"][0].clone();
        assert_eq!((&newest["kind"], &newest["caller"]["principal"]), (&json!("export"), &json!("user:eve")));
        assert_eq!(newest["change"]["details"]["sha256"], told["sha256"]);
        assert_eq!(newest["change"]["details"]["format"], format);
        assert_eq!(newest["change"]["of"], format!("records 1 to {records}"));
        fails(&place, &arguments[..8], 2, &["is there already", "--force"]);
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing is written over");
        let force = ["audit", "export", "--format", format, "--out", &name, "--force", "--from", "2", "--to", "3"];
        let ran = place.run(&force);
        assert!(ran.code == 0 && ran.err.contains("2 records of `local` (2 to 3)"), "{}", ran.err);
    }
    let left: Vec<_> =
        std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[tokio::test]
async fn an_export_to_standard_output_is_piped_on_and_recorded() {
    let place = Place::new();
    let history = History::of(&place).await;
    let ran = place.run(&["audit", "export", "--format", "ocsf", "--out", "-", "--where", "kind=denial"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out.lines().next().map(|line| serde_json::from_str::<Value>(line).unwrap()["class_uid"].clone()),
        Some(json!(6003))
    );
    let newest = place.run(&["audit", "list", "--json", "--limit", "1"]).json()["records"][0].clone();
    assert_eq!(newest["seq"], history.records + 1);
    assert_eq!(newest["change"]["details"]["where"], "kind=denial");
    assert_eq!(newest["change"]["details"]["records"], "1");
    let both = place.run(&["audit", "export", "--format", "ocsf", "--out", "-", "--json"]);
    assert_eq!((both.code, &both.json()["error"]["code"]), (2, &json!("usage")));
    let file = place.folder.path().join("none").display().to_string();
    fails(
        &place,
        &["audit", "export", "--format", "jsonl", "--where", "kind=denial", "--out", &file],
        2,
        &["--where", "--since"],
    );
    fails(
        &place,
        &["audit", "export", "--format", "jsonl", "--workspace", "acme", "--out", &file],
        1,
        &["`acme` has no records"],
    );
    assert!(!Path::new(&file).exists());
}

#[tokio::test]
async fn workspaces_are_listed_with_where_they_end() {
    let place = Place::new();
    let history = History::of(&place).await;
    history::append(&place, "acme", vec![history::sign_in_of("acme", "user:ada")]).await;
    let value = place.run(&["audit", "workspaces", "--json"]).json();
    let told: Vec<(&str, u64)> = value["workspaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chain| (chain["workspace"].as_str().unwrap(), chain["records"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("acme", 1), ("local", history.records)]);
    let ran = place.run(&["audit", "workspaces"]);
    assert!(ran.out.contains("acme") && ran.out.contains("local"), "{}", ran.out);
}

#[tokio::test]
async fn a_store_that_is_not_there_busy_or_damaged_is_told_with_its_own_code() {
    let place = Place::new();
    fails(&place, &["audit", "list"], 2, &["store", "there is nothing"]);
    History::of(&place).await;
    let opened = history::open(&place).await;
    let started = std::time::Instant::now();
    let busy = place.run(&["audit", "list", "--json"]);
    assert_eq!((busy.code, &busy.json()["error"]["code"]), (1, &json!("store-busy")));
    assert!(started.elapsed() >= Duration::from_secs(4), "another command is waited for");
    // The block that begins with the second record is lost; the engine does not know that there was one.
    let second = [b"L".as_slice(), b"local", &[0], &2_u64.to_be_bytes()].concat();
    assert!(opened.get(&second).await.unwrap().is_some());
    opened.commit(Batch::new().delete(second)).await.unwrap();
    opened.close().await.unwrap();
    let damaged = place.run(&["audit", "list", "--json"]);
    assert_eq!((damaged.code, &damaged.json()["error"]["code"]), (7, &json!("damaged")));
    assert!(damaged.json()["error"]["message"].as_str().unwrap().contains("record 2"), "{}", damaged.out);
    let file = place.folder.path().join("export").display().to_string();
    let export = place.run(&["audit", "export", "--format", "jsonl", "--out", &file]);
    assert_eq!(export.code, 7, "{}", export.err);
    assert!(!Path::new(&file).exists(), "no half of an export is left");
}

#[tokio::test]
async fn verify_names_what_is_wrong_in_a_store_or_a_file_and_how_far_all_before_it_holds() {
    let place = Place::new();
    let history = History::of(&place).await;
    let path = |name: &str| place.folder.path().join(name).display().to_string();
    let (key, public, file) = (path("signing.pem"), path("public.pem"), path("export.jsonl"));
    let ran = place.run(&["audit", "verify"]);
    assert_eq!(ran.code, 8, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("No signature was checked"), "{}", ran.out);
    // The public key is printed, and its key made, where there was none.
    let ran = place.run(&["audit", "key", "--signing-key", &key]);
    assert!(ran.code == 0 && ran.out.starts_with("-----BEGIN PUBLIC KEY-----"), "{}{}", ran.out, ran.err);
    place.write("public.pem", &ran.out);
    let told = place.run(&["audit", "key", "--signing-key", &key, "--json"]).json();
    assert_eq!(told["public"], ran.out.as_str());
    let ran = place.run(&["audit", "export", "--format", "jsonl", "--out", &file, "--signing-key", &key, "--json"]);
    assert_eq!((ran.code, &ran.json()["heads"]), (0, &json!(1)), "{}", ran.err);
    // The file alone, with the public key, without any store.
    let elsewhere = Place::new();
    let verify = |file: &str| elsewhere.run(&["audit", "verify", "--file", file, "--key", &public, "--json"]);
    let whole = verify(&file);
    assert_eq!(whole.code, 0, "{}", whole.out);
    assert_eq!((&whole.json()["holds"], &whole.json()["unsigned"]), (&json!(true), &json!(0)));
    assert_eq!(whole.json()["chains"][0]["signed_up_to"]["seq"], history.records);
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = place.write("changed.jsonl", &text.replacen("user:grace", "user:grave", 1));
    let ran = verify(&changed);
    assert_eq!(ran.code, 7, "{}", ran.out);
    let value = ran.json();
    assert_eq!((&value["holds"], &value["error"]["code"]), (&json!(false), &json!("damaged")));
    assert_eq!((&value["chains"][0]["wrong"]["seq"], &value["chains"][0]["wrong"]["line"]), (&json!(1), &json!(2)));
    let short = place.write("short.jsonl", text.rsplit_once("{\"end\"").unwrap().0);
    let ran = elsewhere.run(&["audit", "verify", "--file", &short, "--key", &public]);
    assert!(ran.code == 7 && ran.err.contains("error[damaged]"), "{}{}", ran.out, ran.err);
    // Against the signed heads of the host, which went on meanwhile; cut, with what takes no key to make.
    let kept = place.folder.path().join("data/heads.jsonl").display().to_string();
    let against = |file: &str, more: &[&str]| {
        let arguments = ["audit", "verify", "--file", file, "--key", &public, "--heads", &kept];
        elsewhere.run(&[&arguments, more].concat())
    };
    let ran = against(&file, &[]);
    assert!(ran.code == 0 && ran.out.contains("All of it is signed."), "{}{}", ran.out, ran.err);
    let cut: String = text.lines().take(3).map(|line| line.to_owned() + "\n").collect();
    let cut = cut.replace(&format!("\"to\":{}", history.records), "\"to\":2");
    let end = json!({"end": {"records": 2, "sha256": Hash::of(cut.as_bytes()).to_string()}});
    let cut = place.write("cut.jsonl", &format!("{cut}{end}\n"));
    let ran = against(&cut, &[]);
    assert!(ran.code == 7 && ran.err.contains("shortened") && ran.err.contains("--to 2"), "{}{}", ran.out, ran.err);
    assert_eq!(against(&cut, &["--to", "2"]).code, 8, "no signature vouches for it as a part either");
    assert_eq!(verify(&cut).code, 8);
    let empty = place.write("empty.jsonl", "");
    for (heads, told) in
        [("-", "cannot be read from there"), ("https://a.example/", "give the file"), (&empty, "empty")]
    {
        fails(&place, &["audit", "verify", "--file", &file, "--heads", heads], 2, &["--heads", told]);
        fails(&place, &["audit", "verify", "--heads", heads], 2, &["--heads", told]);
    }
    fails(&place, &["audit", "verify", "--to", "2"], 2, &["--file"]);
    // The store, with its key, and against signed heads that are kept elsewhere.
    let heads =
        place.write("heads.jsonl", &format!("{}\n", text.lines().find(|line| line.contains("signature")).unwrap()));
    let of_store = ["audit", "verify", "--key", &public, "--heads", &heads];
    let ran = place.run(&of_store);
    assert!(ran.code == 0 && ran.out.contains("All of it is signed."), "{}{}", ran.out, ran.err);
    // What is kept beside the chain is read as well.
    let told = "Beside the chains: 9 inputs and outputs are there as they were kept";
    let in_a_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_a_line(&ran.out).contains(told), "{}", ran.out);
    let taken = history::payload_key(history.done, 'o');
    let opened = history::open(&place).await;
    let before = opened.get(&taken).await.unwrap().unwrap();
    opened.commit(Batch::new().delete(taken.clone())).await.unwrap();
    opened.close().await.unwrap();
    let ran = place.run(&of_store);
    let told = format!("what is kept of the output of the call {}: it is missing", history.done);
    assert!(ran.code == 7 && in_a_line(&ran.err).contains(&told), "{}{}", ran.out, ran.err);
    let value = place.run(&[&of_store[..], &["--json"]].concat()).json();
    assert_eq!((&value["holds"], &value["error"]["code"]), (&json!(false), &json!("damaged")));
    let payloads =
        &value["chains"].as_array().unwrap().iter().find(|chain| chain["workspace"] == "local").unwrap()["payloads"];
    assert_eq!((&payloads["kept"], &payloads["wrong"][0]["side"]), (&json!(8), &json!("output")));
    let opened = history::open(&place).await;
    opened.commit(Batch::new().put(taken, before)).await.unwrap();
    opened.close().await.unwrap();
    // Another store than the one whose heads were kept, such as an older copy.
    let other = Place::new();
    History::of(&other).await;
    let ran = other.run(&of_store);
    assert!(ran.code == 7 && ran.err.contains(&heads), "{}{}", ran.out, ran.err);
    let opened = history::open(&place).await;
    let block = [b"L".as_slice(), b"local", &[0], &2_u64.to_be_bytes()].concat();
    let bytes = String::from_utf8(opened.get(&block).await.unwrap().unwrap()).unwrap();
    opened.commit(Batch::new().put(block, bytes.replacen("no component", "a component!", 1))).await.unwrap();
    opened.close().await.unwrap();
    let ran = place.run(&of_store);
    assert_eq!(ran.code, 7, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("local: record 2") && ran.err.contains("everything up to record 1 holds"), "{}", ran.err);
    fails(&place, &["audit", "verify", "--key", &file], 2, &["--key", "BEGIN PUBLIC KEY"]);
    fails(&place, &["audit", "verify", "--file", &path("none")], 2, &["--file", "cannot be read"]);
}
