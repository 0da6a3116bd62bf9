//! What people look at fits 80 and 120 columns, and no word is broken.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place and the history are shared with other test programs")]

mod history;
mod place;

use std::collections::BTreeSet;

use portcullis_runtime::Status;

use crate::{
    history::History,
    place::{Place, built},
};

const EMAIL: &str = r#"{"From": "a@acme.example", "To": "ada@example.com", "Subject": "Hello", "TextBody": "Hi"}"#;
const CLINIC: &str = r#"{"baseUrl": "https://ehr.example/r4", "auth": "bearer"}"#;

/// Words, as they are separated by white space; a table's headings and a card's names differ in case alone.
fn words(text: &str) -> BTreeSet<String> {
    let word = |word: &str| word.trim_end_matches([',', ';', '.', ':']).to_lowercase();
    text.split_whitespace().map(word).collect()
}

/// Whether a line may be longer than the terminal is wide: what is copied is never broken.
fn is_copied(line: &str) -> bool {
    let line = line.trim();
    let words = line.split_whitespace().count();
    let of_grant =
        ["[[", "method = ", "url = ", "query = ", "headers = ", "slots = ", "operations = ", "carve_outs = "];
    words <= 1
        || of_grant.iter().any(|start| line.starts_with(start))
        || ["Usage: ", "portcullis ", "curl ", "-H ", "--data", "# "].iter().any(|start| line.starts_with(start))
        // A label and one word that is longer than the rest of the line.
        || line.split_whitespace().any(|word| word.len() > 50)
}

fn fits(place: &Place, arguments: &[&str]) {
    let unbroken = place.run_at("0", arguments, "");
    let known = words(&format!("{}\n{}", unbroken.out, unbroken.err));
    for width in [80, 120] {
        let ran = place.run_at(&width.to_string(), arguments, "");
        assert_eq!(ran.code, unbroken.code, "{arguments:?}");
        for (name, text) in [("out", &ran.out), ("err", &ran.err)] {
            assert!(!text.contains('\u{1b}'), "no colours where nobody looks: {arguments:?}");
            for line in text.lines() {
                let length = line.chars().count();
                assert!(
                    length <= width || is_copied(line),
                    "{arguments:?}, std{name}: a line of {length} at {width} columns:\n{line}"
                );
            }
        }
        let told = format!("{}\n{}", ran.out, ran.err);
        let broken: Vec<String> =
            words(&told).into_iter().filter(|word| word.len() > 2 && !known.contains(word)).collect();
        // Numbers of a receipt, times and ids are others each time.
        let broken: Vec<String> =
            broken.into_iter().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
        // A summary says how many it leaves out.
        let broken: Vec<String> = broken.into_iter().filter(|word| word != "more" && word != "and").collect();
        assert!(broken.is_empty(), "{arguments:?} at {width}: {broken:?} in\n{told}");
    }
}

#[test]
fn what_is_told_of_adapters_fits() {
    let place = Place::new();
    let (postmark, stripe, clinic) = (built("postmark"), built("stripe"), built("guests/puppet_clinic"));
    let (probe, panics) = (built("guests/puppet_probe"), built("guests/hostile_panic"));
    let grant = place.grant(&postmark, "{}", |grant| grant.replace("    \"getBounces\",", "    #"));
    let ceiling = place.write("ceiling.toml", "methods = [\"GET\"]\n[limits]\nrequests = 4\n");
    for arguments in [
        &["inspect", &postmark][..],
        &["inspect", &stripe],
        &["inspect", &clinic],
        &["inspect", &clinic, "--config", CLINIC],
        &["inspect", &probe],
        &["inspect", &postmark, "--ceiling", &ceiling, "--under", &grant],
        &["inspect", &postmark, "--operation", "sendEmail"],
        &["inspect", &stripe, "--operation", "createPaymentIntent"],
        &["inspect", &stripe, "--operation", "refund"],
        &["explain", &postmark, "--grant", &grant, "--ceiling", &ceiling],
        &["explain", &stripe, "--grant", &grant],
        &["diff", &panics, &probe],
        &["diff", &postmark, &stripe],
        &["invoke", &postmark, "--grant", &grant, "--operation", "getBounces", "--input", "{}"],
        &["invoke", &postmark, "--grant", &grant, "--operation", "getBounce", "--input", "{}"],
        &["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--input", "{}"],
        &["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--input", EMAIL, "--live"],
        &["invoke", &postmark, "--grant", "/none", "--operation", "sendEmail"],
        &["credential", "kinds"],
        &["schema", "grants"],
    ] {
        fits(&place, arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_the_ledger_and_of_what_is_kept_fits() {
    let place = Place::new();
    let history = History::of(&place).await;
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    for arguments in [
        &["adapter", "add", &postmark][..],
        &["integration", "add", "mail-of-the-billing-department", "--adapter", "postmark", "--grant", &grant],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let added =
        place.run_with(&["credential", "add", "mail-of-the-billing-department", "server-token"], "0123456789-token");
    assert_eq!(added.code, 0, "{}", added.err);
    for arguments in [
        &["audit", "list"][..],
        &["audit", "list", "--workspace", "@host"],
        &["audit", "list", "--limit", "2"],
        &["audit", "workspaces"],
        &["audit", "verify"],
        &["audit", "show", "1"],
        &["audit", "show", "2"],
        &["audit", "why", "abc"],
        &["adapter", "list"],
        &["integration", "list"],
        &["integration", "show", "mail-of-the-billing-department"],
        &["credential", "list"],
        &["call", "mail-of-the-billing-departmend", "sendEmail"],
        &["store", "verify"],
        &["audit", "list", "--data", "/none"],
    ] {
        fits(&place, arguments);
    }
    for status in [Status::Done, Status::Denied, Status::UpstreamFailed, Status::Abandoned, Status::Unknown] {
        let call = history.call(status).to_string();
        fits(&place, &["audit", "show", &call]);
        fits(&place, &["audit", "why", &call]);
        fits(&place, &["audit", "payload", &call]);
    }
}

#[test]
fn help_fits() {
    let place = Place::new();
    for command in [
        &[][..],
        &["inspect"],
        &["invoke"],
        &["call"],
        &["explain"],
        &["diff"],
        &["schema"],
        &["adapter"],
        &["adapter", "add"],
        &["integration"],
        &["integration", "add"],
        &["integration", "show"],
        &["credential"],
        &["credential", "add"],
        &["credential", "rotate"],
        &["credential", "reconnect"],
        &["store"],
        &["store", "import"],
        &["audit"],
        &["audit", "list"],
        &["audit", "why"],
        &["audit", "verify"],
        &["audit", "export"],
        &["audit", "erase"],
    ] {
        for help in ["--help", "-h"] {
            fits(&place, &[command, &[help]].concat());
        }
    }
    fits(&place, &["invoke", "--wat"]);
    fits(&place, &["inspekt"]);
}
