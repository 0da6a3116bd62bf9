//! Cost against price of the search for secrets: `host/gate/tests/cost/mod.rs` says how. And its time, which tells nobody what
//! is searched for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss)]

#[path = "../../gate/tests/cost/mod.rs"]
mod cost;

use base64::{Engine, prelude::BASE64_STANDARD};
use cost::{ENDLESS, check, doubling, least};
use portcullis_gate::Work;
use portcullis_vault::{Scrubber, Secret};

const TOKEN: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

fn scrubber(secrets: &[String]) -> Scrubber {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::try_from(secret.clone()).unwrap()).collect();
    Scrubber::new(secrets.iter().map(|secret| ("key", secret)))
}

/// So many secrets of their own.
fn secrets(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{TOKEN}{n:04}!%\u{fc}")).collect()
}

fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes().first().copied().unwrap()
    };
    (0..count).map(|_| next()).collect()
}

/// Searches a text, of each size, for one secret and for several.
fn searched(name: &str, make: impl Fn(usize) -> Vec<u8>) {
    for count in [1, 8] {
        let scrubber = scrubber(&secrets(count));
        check(&format!("{name}, {count}"), &doubling(16 * 1024, 7), &make, |text, work| {
            scrubber.scrub_within(text, work).unwrap();
        });
    }
}

fn repeated(text: &str) -> impl Fn(usize) -> Vec<u8> {
    move |bytes| text.repeat(bytes / text.len()).into_bytes()
}

#[test]
fn texts_of_any_kind() {
    searched("prose", repeated("The customer asked for a refund, which was granted on the second of May. "));
    searched("json", repeated("{\"id\":\"cus_4711\",\"note\":\"one\\nline\",\"url\":\"https:\\/\\/a.example\\/x\"},"));
    searched("base64", |bytes| BASE64_STANDARD.encode(noise(bytes * 3 / 4)).into_bytes());
    searched("base64 of base64", |bytes| BASE64_STANDARD.encode(BASE64_STANDARD.encode(noise(bytes / 2))).into_bytes());
    searched("hexadecimal", |bytes| noise(bytes / 2).iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect());
    searched("binary", noise);
}

#[test]
fn texts_that_are_made_to_be_slow() {
    for text in [
        "%41",
        "\\u0041",
        "\\/",
        "&sol;",
        "=41",
        "%2541",
        "%41\\u0041&#65;=41\\/%2541\\\\u0041=3D41&amp;#65;",
        "VVVV",
        "MjMy",
        "3a3a",
        "41 41 ",
        "    ",
        "\\\\\\\\",
        "a\n",
        "%",
        "&",
        "=",
        "\\",
        "4 1\n",
        "QUFB\r\n  ",
        "%41 %41\"",
    ] {
        searched(text, repeated(text));
    }
}

#[test]
fn texts_that_hold_what_is_searched_for() {
    let all = secrets(8);
    let first = all.first().unwrap().clone();
    searched("the secret itself", repeated(&format!("{first} ")));
    searched("in base64", repeated(&format!("{} ", BASE64_STANDARD.encode(&first))));
    searched("escaped", repeated(&format!("{} ", first.replace('_', "%5F"))));
    searched("half of it", repeated("sk_live_4eC39HqL"));
    // Of one letter: each place holds it.
    let scrubber = scrubber(&["a".repeat(500)]);
    check("one letter", &doubling(4 * 1024, 6), repeated("a"), |text, work| {
        scrubber.scrub_within(text, work).unwrap();
    });
}

#[test]
fn more_and_more_secrets() {
    let text = repeated("{\"id\":\"cus_4711\",\"note\":\"one\\nline\"},")(256 * 1024);
    check(
        "secrets",
        &doubling(1, 7),
        |count| scrubber(&secrets(count)),
        |scrubber, work| {
            scrubber.scrub_within(&text, work).unwrap();
        },
    );
}

#[test]
fn a_search_that_is_too_much_ends_within_its_budget() {
    let scrubber = scrubber(&secrets(4));
    let text = repeated("%2541\\u0041&#65;=41")(1 << 20);
    let (all, work) = (Work::new(ENDLESS), Work::new(100_000));
    scrubber.scrub_within(&text, &all).unwrap();
    scrubber.scrub_within(&text, &work).unwrap_err();
    assert!(work.is_spent() && work.used() == 100_000 && all.used() > 1_000_000, "{}", all.used());
    // What is under way when it is spent goes to its end: a pass over one text.
    let most = 100_000.0 * cost::UNIT * 4.0;
    let took = least(|took| took < most, || drop(scrubber.scrub_within(&text, &Work::new(100_000))));
    assert!(took < most, "{took}");
    scrubber.finds_in(&text, &work).unwrap_err();
    let given_up = Work::new(ENDLESS);
    given_up.give_up();
    scrubber.scrub_within(&text, &given_up).unwrap_err();
}

/// The least CPU time of a few searches; of many, where it is not at most so much.
fn time(scrubber: &Scrubber, text: &[u8], most: f64) -> f64 {
    least(|time| time <= most, || assert_eq!(scrubber.finds_in(text, &Work::new(ENDLESS)), Ok(None)))
}

#[test]
fn neither_price_nor_time_of_a_search_tells_a_piece_of_what_is_searched_for() {
    // Each beside one of the same kind that shares no piece with it.
    for (secret, other) in [
        ("481516", "937290"),
        (TOKEN, "xq_zzzz_9fD17JzNkwZQxfpkvW5oxc8x"),
        ("correct-horse-battery", "mnvqjkl-zwqpx-fghjklm"),
    ] {
        let (right, wrong) = (scrubber(&[secret.to_owned()]), scrubber(&[other.to_owned()]));
        for length in 2..secret.len().min(8) {
            for from in 0..=secret.len() - length {
                let piece = secret.get(from..from + length).unwrap();
                let text = format!("{piece},").repeat(100_000 / length).into_bytes();
                let price = |scrubber: &Scrubber| {
                    let work = Work::new(ENDLESS);
                    assert_eq!(scrubber.finds_in(&text, &work), Ok(None));
                    work.used()
                };
                assert_eq!(price(&right), price(&wrong), "{secret} {piece}");
                // The time of a few of them: it takes long.
                if from % 8 == 0 && length % 2 == 0 {
                    let first = time(&wrong, &text, f64::MAX);
                    let right = time(&right, &text, first * 1.5);
                    let wrong = first.min(time(&wrong, &text, right * 1.5));
                    let ratio = right / wrong;
                    assert!((0.5..2.0).contains(&ratio), "{secret}, {length} bytes: {ratio:.2} times as long");
                }
            }
        }
    }
}
