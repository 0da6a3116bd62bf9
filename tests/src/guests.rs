//! The guests in `tests/guests`, by name. The list is made by `build.rs`.
//!
//! Most are Rust, `examples/<suite>_<case>.rs`, built by `cargo xtask build`. What no compiler would write is text,
//! `<suite>_<case>.wat`: a component, or a core module that is wrapped as a component of the contract's world here.

use std::{io, path::Path};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::folder;

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// A guest that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    name: &'static str,
    /// Where it is written by hand.
    text: Option<&'static str>,
}

impl Guest {
    /// Its name in `tests/guests`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The component.
    pub fn wasm(self) -> io::Result<Vec<u8>> {
        match self.text {
            None => {
                let path = folder::components().join("guests").join(format!("{}.wasm", self.name));
                folder::read(path)
            }
            Some(text) => assemble(text).map_err(|error| io::Error::other(format!("{}: {error}", self.name))),
        }
    }
}

fn assemble(text: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut bytes = wat::parse_str(text)?;
    if wasm_is_component(&bytes) {
        return Ok(bytes);
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/0.1.0"))?;
    let world = resolve.select_world(&[package], Some("adapter"))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    Ok(ComponentEncoder::default().module(&bytes)?.validate(true).encode()?)
}

/// By the layer in its header: 0 is a core module, 1 a component.
fn wasm_is_component(bytes: &[u8]) -> bool {
    bytes.get(6) == Some(&1)
}
