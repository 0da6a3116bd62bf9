//! What a README tells people to paste works when it is pasted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod place;

use std::{path::Path, process::Command};

use crate::place::{Place, built};

/// The `sh` blocks of a README, without those lines that build.
fn lines(readme: &str) -> String {
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.starts_with("cargo ") && !line.starts_with("PATH="));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_five_minutes_of_custom_http_end_with_a_call() {
    built("custom_http");
    let place = Place::new();
    let folder = place.folder.path().display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("adapters/custom-http/README.md")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap().to_owned();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let script = lines(&readme).replace("/tmp/", &format!("{folder}/"));
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(&root).env("PATH", path).env("PORTCULLIS_DATA", place.folder.path());
    let output = shell.env_remove("RUST_LOG").output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{err}");
    for said in [
        "/endpoints/*/path",
        "https://weather.acme.example/v1/cities/{city:word(1..40)}/forecast",
        "GET https://weather.acme.example/v1/cities/bern/forecast?days=3",
        "-H \"X-Api-Key: $SLOT_CREDENTIAL\"",
        "\"celsius\":",
    ] {
        assert!(out.contains(said) || err.contains(said), "`{said}` is not in {out}{err}");
    }
    // The mistake that it tells of.
    let config = std::fs::read_to_string(place.folder.path().join("weather.json")).unwrap();
    let wrong = config.replace("{city:word(1..40)}", "{town}");
    let ran = place.run(&["inspect", &built("custom_http"), "--config", &wrong]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("/endpoints/0/path") && ran.err.contains("add `town`"), "{}", ran.err);
}
