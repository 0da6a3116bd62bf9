//! Looks into a file without compiling it.
//!
//! Says what it is, checks that it is well formed, and names every import. An import that is neither in the contract nor
//! in the small WASI of `wasi.rs` nor among the denied stubs of `denied.rs` is refused by name: what is not linked cannot
//! be called, and whoever reads the refusal learns what the adapter wanted.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use wasmparser::{ComponentExternalKind, Parser, Payload, Validator, WasmFeatures};

/// Largest upload, in bytes: JavaScript and Python guests are 12 to 18 MB.
pub const MAX_UPLOAD: usize = 32 * 1024 * 1024;
/// Most imports that are looked at.
const MAX_IMPORTS: usize = 256;

/// The contract, as components name it.
const CONTRACT: &str = "portcullis:adapter/";
/// The one version there is.
const VERSION: &str = "0.1.0";
/// The interface an adapter exports.
const OPERATIONS: &str = "portcullis:adapter/operations";

/// What is linked beside the contract. Any 0.2.x: later ones only add.
const WASI: [&str; 17] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:random/insecure-seed",
];

/// What is linked to stubs that always say no, because runtimes of some languages import it, used or not. HTTP is not
/// among them: those runtimes leave it out when asked, and an adapter that wants it was built for another host.
const DENIED: [&str; 9] = [
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// A file that was looked into and is an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// `sha256:` and 64 hex digits: the adapter's identity.
    pub digest: String,
    /// Size, in bytes.
    pub bytes: usize,
    /// Version of the contract it was built against.
    pub contract: String,
    /// What it imports, in the order of the file.
    pub imports: Vec<Import>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its name in the file.
    pub name: String,
    /// What it lets the adapter do.
    pub power: &'static str,
}

/// A file is not an adapter. Nothing of it was compiled or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Too large.
    #[error("the file has {0} bytes; at most {MAX_UPLOAD}")]
    TooLarge(usize),
    /// Not WebAssembly at all.
    #[error("not a WebAssembly component: {0}")]
    NotWasm(&'static str),
    /// A core module.
    #[error(
        "a core module, not a component; build for the target wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Truncated, bit-flipped, or using a proposal that is turned off.
    #[error("not a valid component: {problem} (at byte {offset})")]
    Invalid {
        /// What the validator says.
        problem: String,
        /// Where.
        offset: u64,
    },
    /// Imports that nobody links.
    #[error("it imports what no adapter gets: {}; adapters get portcullis:adapter@{VERSION} and a WASI without HTTP, in which files and sockets always say no", .0.join(", "))]
    Imports(Vec<String>),
    /// A component of another world.
    #[error("it does not export {OPERATIONS}@{VERSION}, so it is not an adapter (in Rust, `register!` makes it one); it exports {}", if .0.is_empty() { "nothing".to_owned() } else { .0.join(", ") })]
    NotAnAdapter(Vec<String>),
    /// An adapter of another version of the contract.
    #[error(
        "it was built against portcullis:adapter@{0}; this host speaks {VERSION}: rebuild it against `wit/{VERSION}`"
    )]
    Version(String),
}

impl Upload {
    /// Looks into `bytes`.
    pub fn inspect(bytes: &[u8]) -> Result<Self, UploadError> {
        if bytes.len() > MAX_UPLOAD {
            return Err(UploadError::TooLarge(bytes.len()));
        }
        if bytes.starts_with(b"\x7fELF") {
            return Err(UploadError::NotWasm("it is machine code; compiled artifacts are not taken, only components"));
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(UploadError::NotWasm("it does not start with the WebAssembly magic number"));
        }
        if Parser::is_core_wasm(bytes) {
            return Err(UploadError::CoreModule);
        }
        if !Parser::is_component(bytes) {
            return Err(UploadError::NotWasm("its header names neither a module nor a component"));
        }
        Validator::new_with_features(features()).validate_all(bytes).map_err(|error| invalid(&error))?;
        let (imports, exports) = names(bytes)?;
        check_exports(&exports)?;
        check_imports(&imports)?;
        let hash = digest(&SHA256, bytes);
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self {
            digest: format!("sha256:{hex}"),
            bytes: bytes.len(),
            contract: VERSION.to_owned(),
            imports: imports.into_iter().map(|name| Import { power: power(&name), name }).collect(),
        })
    }
}

/// The proposals that adapters may use: what current compilers emit, and no more.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::FLOATS
        | WasmFeatures::COMPONENT_MODEL
}

/// The names of the outermost component's imports and exports.
fn names(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), UploadError> {
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    // How many nested modules and components enclose the payload.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| invalid(&error))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| invalid(&error))?;
                    imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| invalid(&error))?;
                    if export.kind == ComponentExternalKind::Instance {
                        exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
        if imports.len() + exports.len() > MAX_IMPORTS {
            return Err(UploadError::Invalid {
                problem: format!("more than {MAX_IMPORTS} imports and exports"),
                offset: 0,
            });
        }
    }
    Ok((imports, exports))
}

fn check_exports(exports: &[String]) -> Result<(), UploadError> {
    let versions: Vec<&str> = exports
        .iter()
        .filter_map(|name| name.split_once('@').filter(|(interface, _)| *interface == OPERATIONS))
        .map(|(_, version)| version)
        .collect();
    if versions.contains(&VERSION) {
        return Ok(());
    }
    match versions.first() {
        Some(other) => Err(UploadError::Version(portcullis_gate::printable(other, 64))),
        None => {
            Err(UploadError::NotAnAdapter(exports.iter().map(|name| portcullis_gate::printable(name, 100)).collect()))
        }
    }
}

fn check_imports(imports: &[String]) -> Result<(), UploadError> {
    let unknown: Vec<String> =
        imports.iter().filter(|name| !is_linked(name)).map(|name| portcullis_gate::printable(name, 100)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(UploadError::Imports(unknown)) }
}

fn is_linked(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    match interface.strip_prefix(CONTRACT) {
        Some(name) => version == VERSION && matches!(name, "types" | "descriptor" | "credentials" | "http" | "log"),
        None => version.starts_with("0.2.") && (WASI.contains(&interface) || DENIED.contains(&interface)),
    }
}

/// Whether what is linked under this name always says no.
pub(crate) fn is_denied(import: &str) -> bool {
    is_linked(import) && import.split_once('@').is_some_and(|(interface, _)| DENIED.contains(&interface))
}

/// What an import lets an adapter do, for people.
fn power(import: &str) -> &'static str {
    if is_denied(import) {
        return "none: a denied stub";
    }
    match import.split_once('@').map_or(import, |(interface, _)| interface) {
        "portcullis:adapter/http" => "asks the host to send what was granted",
        "portcullis:adapter/credentials" => "uses granted secrets without reading them",
        "portcullis:adapter/log" => "writes to the call's log",
        "portcullis:adapter/types" | "portcullis:adapter/descriptor" => "none: types only",
        "wasi:cli/environment" => "none: the environment is empty",
        "wasi:cli/stdout" | "wasi:cli/stderr" => "writes to the call's log",
        "wasi:cli/exit" => "ends its own call",
        "wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock" => {
            "reads the clock and sleeps, within the call's time"
        }
        "wasi:random/random" | "wasi:random/insecure-seed" => "random numbers, at most 64 KiB at once",
        _ => "none: what a language's runtime starts with",
    }
}

fn invalid(error: &wasmparser::BinaryReaderError) -> UploadError {
    UploadError::Invalid { problem: portcullis_gate::printable(error.message(), 200), offset: error.offset() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_component_is_named_for_what_it_is() {
        assert!(matches!(Upload::inspect(b""), Err(UploadError::NotWasm(_))));
        assert!(matches!(Upload::inspect(b"#!/bin/sh"), Err(UploadError::NotWasm(_))));
        assert!(matches!(Upload::inspect(b"\x7fELF\x02\x01"), Err(UploadError::NotWasm(_))));
        assert_eq!(Upload::inspect(b"\0asm\x01\0\0\0"), Err(UploadError::CoreModule));
        assert!(matches!(Upload::inspect(b"\0asm\x0d\0\x01\0"), Err(UploadError::NotAnAdapter(_))));
        assert!(matches!(Upload::inspect(b"\0asm\x0d\0\x01\0\x07"), Err(UploadError::Invalid { .. })));
        assert!(matches!(Upload::inspect(&vec![0; MAX_UPLOAD + 1]), Err(UploadError::TooLarge(_))));
    }

    #[test]
    fn only_the_contract_and_the_small_wasi_are_linked() {
        assert!(is_linked("portcullis:adapter/http@0.1.0"));
        assert!(is_linked("wasi:io/streams@0.2.6"));
        for import in [
            "portcullis:adapter/http@0.2.0",
            "portcullis:adapter/secrets@0.1.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:filesystem/types@0.3.0",
            "wasi:sockets/tcp",
            "wasi:keyvalue/store@0.2.0",
            "wasi:io/streams@0.3.0",
            "wasi:io/streams",
            "env",
        ] {
            assert!(!is_linked(import), "{import}");
        }
    }

    #[test]
    fn files_and_sockets_are_denied_stubs_and_said_to_be() {
        for import in ["wasi:sockets/tcp@0.2.0", "wasi:filesystem/preopens@0.2.12"] {
            assert!(is_linked(import) && is_denied(import), "{import}");
            assert_eq!(power(import), "none: a denied stub");
        }
        for import in ["portcullis:adapter/http@0.1.0", "wasi:io/streams@0.2.6", "wasi:http/types@0.2.0"] {
            assert!(!is_denied(import), "{import}");
        }
    }
}
