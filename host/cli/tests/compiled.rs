//! Compiled code, as an operator meets it: where it is kept, what may be taken, and the bounds of compiling.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod place;

use std::{fs, path::PathBuf};

use crate::place::{Place, Ran, built};

/// Less memory than any component takes to compile.
const LITTLE: &str = "67108864";

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran
}

/// The compiled code that a place keeps.
fn kept(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place.folder.path().join("data/cache")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn looking_at_a_file_makes_no_data_folder_and_uses_what_is_compiled_in_one() {
    let (place, postmark) = (Place::new(), built("postmark"));
    ok(place.run(&["inspect", &postmark]));
    assert!(!place.folder.path().join("data").exists());
    let little = ["inspect", &postmark, "--compile-memory", LITTLE];
    let ran = place.run(&little);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("compile_memory") && ran.err.contains("--compile-memory BYTES"), "{}", ran.err);
    ok(place.run(&["adapter", "add", &postmark]));
    ok(place.run(&little));
    // Without the key nothing there is believed.
    fs::remove_file(place.folder.path().join("data/master.key")).unwrap();
    assert_eq!(place.run(&little).code, 5);
}

#[test]
fn the_bounds_of_compiling_are_set_for_the_host_shown_and_cleared() {
    let (place, postmark) = (Place::new(), built("postmark"));
    assert!(ok(place.run(&["host", "set", "--compile-cpu", "600"])).out.contains("600 s"));
    ok(place.run(&["host", "set", "--compile-memory", LITTLE]));
    let shown = ok(place.run(&["host", "show"])).out;
    assert!(shown.contains("600 s") && shown.contains("64 MiB"), "{shown}");
    let ran = place.run(&["adapter", "add", &postmark]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("portcullis host set --compile-memory BYTES"), "{}", ran.err);
    ok(place.run(&["host", "set", "--clear", "compile-memory"]));
    ok(place.run(&["adapter", "add", &postmark]));
    let shown = ok(place.run(&["host", "show", "--json"])).json();
    assert_eq!((&shown["host"]["compile_cpu"], shown["host"].get("compile_memory")), (&600.into(), None));
    for wrong in [["--compile-cpu", "0"], ["--compile-memory", "1"]] {
        assert_eq!(place.run(&["host", "set", wrong[0], wrong[1]]).code, 2);
    }
}

#[test]
fn code_goes_to_hosts_with_the_same_master_key_and_is_not_compiled_there() {
    let (build, postmark) = (Place::new(), built("postmark"));
    let key = format!("file:{}", build.folder.path().join("master.key").display());
    let code = build.folder.path().join("postmark.code").display().to_string();
    let compile = ["--master-key", &key, "adapter", "compile", &postmark, "--to", &code];
    let ran = build.run(&compile);
    assert_eq!(ran.code, 1, "no key is made for it: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("master key"), "{}", ran.err);
    ok(build.run(&["--master-key", &key, "host", "set", "--compile-cpu", "600"]));
    let ran = ok(build.run(&compile));
    assert!(ran.out.contains("--compiled"), "{}", ran.out);
    assert_ne!(build.run(&compile).code, 0, "a file that is there is not written over");

    let host = Place::new();
    ok(host.run(&["--master-key", &key, "host", "set", "--compile-memory", LITTLE]));
    let add = |place: &Place, key: &str, file: &str, code: &str| {
        place.run(&["--master-key", key, "adapter", "add", file, "--compiled", code])
    };
    let ran = add(&host, &key, &built("stripe"), &code);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("compiled code of the adapter sha256:"), "{}", ran.err);
    let edited = build.folder.path().join("edited.code").display().to_string();
    let mut bytes = fs::read(&code).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&edited, bytes).unwrap();
    let ran = add(&host, &key, &postmark, &edited);
    assert!(ran.code == 2 && ran.err.contains("was changed"), "{}", ran.err);
    assert!(kept(&host).is_empty());
    ok(add(&host, &key, &postmark, &code));
    assert_eq!(fs::read(&kept(&host)[0]).unwrap(), fs::read(&code).unwrap());

    let stranger = Place::new();
    let other = format!("file:{}", stranger.folder.path().join("other.key").display());
    ok(stranger.run(&["--master-key", &other, "host", "set", "--compile-cpu", "600"]));
    let ran = add(&stranger, &other, &postmark, &code);
    assert!(ran.code == 2 && ran.err.contains("same master key"), "{}", ran.err);
}
