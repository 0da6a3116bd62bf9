//! Files that operators write, and whoever sends them one: grants and ceilings. No text makes a parser panic; what is read is
//! written so that it reads the same again; what is refused is told.
#![no_main]

#[path = "../../../host/gate/tests/generate/mod.rs"]
#[allow(dead_code, unused_imports)]
mod generate;

use generate::{ceiling_reads_as_written, grant_reads_as_written};
use libfuzzer_sys::fuzz_target;
use portcullis_gate::{Ceiling, Grant};

fuzz_target!(|text: &str| {
    match Grant::parse(text) {
        Ok(grant) => grant_reads_as_written(&grant),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match Ceiling::parse(text) {
        Ok(ceiling) => ceiling_reads_as_written(&ceiling),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
