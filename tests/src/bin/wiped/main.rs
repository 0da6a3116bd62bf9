//! A host that uses every kind of credential, revokes them all, ends, and is then looked through: which secret is in which
//! block that was given back, and what is still in memory.
//!
//! | file | what it does |
//! | --- | --- |
//! | `main.rs` | the host: what it is told, what it does, what it tells |
//! | `needle.rs` | what is looked for, masked |
//! | `allocator.rs` | looks into each block that is given back |
//! | `places.rs` | who left what is found there |
//! | `memory.rs` | writes all memory of this process down |
//!
//! Upstream and authorization server are in the process that starts this one: what they have of the secrets is none of the
//! host's. `tests/all/secrets/memory.rs` is that process.

mod allocator;
mod host;
mod memory;
mod needle;
mod places;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

use crate::needle::{Needle, unhex};

#[global_allocator]
static ALLOCATOR: allocator::Watched = allocator::Watched;

/// What this process is to do.
#[derive(Deserialize)]
pub(crate) struct Task {
    /// Where the upstream is.
    origin: String,
    /// Where the one is that speaks TLS, and the authority that signed its certificate.
    tls: (String, SocketAddr),
    root: Vec<u8>,
    address: SocketAddr,
    /// Secrets by name, masked, in hex.
    secrets: BTreeMap<String, String>,
    /// What is looked for, in the same form.
    needles: BTreeMap<String, String>,
    /// Where its memory is to be written.
    dump: PathBuf,
}

/// What it found.
#[derive(Default, Serialize)]
struct Told {
    /// How many blocks were looked into.
    looked: usize,
    /// Where secrets were left, and how often.
    places: BTreeMap<String, Place>,
    /// Steps that did not do what they should.
    failed: Vec<String>,
    /// The data keys that there were, masked, in hex.
    keys: Vec<String>,
}

#[derive(Default, Serialize)]
struct Place {
    times: usize,
    needles: Vec<String>,
    bytes: usize,
    /// One of the stacks.
    stack: Vec<String>,
}

fn main() -> ExitCode {
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    match run() {
        Ok(told) => {
            let text = serde_json::to_string(&told).unwrap_or_default();
            drop(writeln!(io::stdout(), "{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Told, Box<dyn std::error::Error + Send + Sync>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text)?;
    for (name, masked) in &task.needles {
        allocator::look_for(Needle::masked(name, unhex(masked)));
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (failed, keys) = tokio.block_on(host::use_everything(&task))?;
    // Tasks that still hold something end here.
    drop(tokio);
    let (looked, left) = allocator::disarm();
    memory::dump(&task.dump)?;
    let mut told = Told { looked, failed, keys, ..Told::default() };
    for left in left {
        let functions = places::functions(&left.stack);
        let place = told.places.entry(places::place(&functions)).or_default();
        place.times += 1;
        place.bytes = place.bytes.max(left.bytes);
        if !place.needles.contains(&left.needle) {
            place.needles.push(left.needle);
        }
        if place.stack.is_empty() {
            place.stack = functions.into_iter().take(40).collect();
        }
    }
    Ok(told)
}
