//! Compiling: within bounds that are the operator's, and once.

use std::{path::PathBuf, sync::Arc};

use portcullis_runtime::{
    CodeError, CompileError, CompileLimits, Compiler, Credentials, HostSettings, KeyProvider, LoadError, MemoryStore,
    Runtime, RuntimeBuilder,
};
use portcullis_tests::folder;
use portcullis_vault::LocalKey;

use crate::{
    guests,
    harness::{compiler, load},
    hostile::stores::Folder,
    state::history::{by, ledger, master},
};

/// Where no compiler is.
fn nobody() -> Compiler {
    Compiler::Program(PathBuf::from("/nonexistent/compiler"))
}

/// A host on an empty store.
async fn host(master: Arc<dyn KeyProvider>, set_up: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder) -> Runtime {
    let ledger = ledger(Arc::new(MemoryStore::new())).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master).await.unwrap();
    set_up(Runtime::builder(ledger).credentials(credentials).calls_at_once(2).compiler(compiler())).build().unwrap()
}

fn bound(loaded: Result<portcullis_runtime::Adapter, LoadError>) -> (&'static str, String) {
    match loaded {
        Err(LoadError::Compile(error @ CompileError::Bound { name, .. })) => (name, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// A component that takes seconds to compile: a thousand functions of a few thousand instructions, on many locals.
fn long_to_compile() -> Vec<u8> {
    let line = |at: usize| {
        let (a, b, c) = (at % 61, at * 7 % 59, at * 13 % 53);
        format!("local.get {a} local.get {b} i64.mul local.get {c} i64.rotl local.set {b}\n")
    };
    let body: String = (0..600).map(line).collect();
    let function =
        format!("(func (export \"f\") (param i64) (result i64) (local {}) {body} local.get 3)", "i64 ".repeat(64));
    let functions: String = (0..1_000).map(|number| function.replacen("\"f\"", &format!("\"f{number}\""), 1)).collect();
    let component = format!(
        "(component (core module $part {functions}) (instance $nothing)
           (export \"portcullis:adapter/operations@0.1.0\" (instance $nothing)))"
    );
    wat::parse_str(&component).unwrap()
}

#[tokio::test]
async fn the_bounds_of_compiling_are_what_the_operator_sets_and_the_error_says_how() {
    let runtime = host(master(), |builder| builder).await;
    let state = runtime.credentials().unwrap().state();
    let unset = HostSettings::of(&state).await.unwrap();
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();

    let set = |cpu: Option<u64>, memory: Option<u64>| {
        let mut settings = unset.clone();
        (settings.compile_cpu, settings.compile_memory) = (cpu, memory);
        settings
    };
    let small = set(None, Some(64 * 1024 * 1024));
    small.keep(&unset, &state, &by()).await.unwrap();
    let (name, told) = bound(load(&runtime, &probe).await);
    assert_eq!(name, "compile_memory");
    assert!(told.contains("64 MiB") && told.contains("portcullis host set --compile-memory BYTES"), "{told}");

    let short = set(Some(1), None);
    short.keep(&small, &state, &by()).await.unwrap();
    let (name, told) = bound(load(&runtime, &long_to_compile()).await);
    assert_eq!(name, "compile_cpu");
    assert!(told.contains("at most 1 s") && told.contains("portcullis host set --compile-cpu SECONDS"), "{told}");

    // What is set is what holds, and not what the code around it says.
    unset.keep(&short, &state, &by()).await.unwrap();
    load(&runtime, &probe).await.unwrap();
    for wrong in [set(Some(0), None), set(None, Some(1))] {
        assert!(wrong.keep(&unset, &state, &by()).await.is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn where_nothing_is_set_the_bounds_of_an_embedder_hold() {
    let limits = CompileLimits { memory_bytes: 64 * 1024 * 1024, ..CompileLimits::default() };
    let runtime = host(master(), |builder| builder.compile_limits(limits)).await;
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    assert_eq!(bound(load(&runtime, &probe).await).0, "compile_memory");
}

#[tokio::test]
async fn code_that_was_compiled_in_advance_is_taken_by_who_has_the_same_master_key_and_by_nobody_else() {
    let (here, there) = (Folder::new("compiled-here"), Folder::new("compiled-there"));
    let (probe, clinic) = (guests::PUPPET_PROBE, guests::PUPPET_CLINIC);
    let (probe, clinic) = (folder::guest(probe).unwrap(), folder::guest(clinic).unwrap());
    let builds = host(master(), |builder| builder.cache(here.path())).await;
    let code = builds.compile(&probe).await.unwrap();

    // Another host: its own store, an empty cache, and nothing to compile with.
    let takes = host(master(), |builder| builder.cache(there.path()).compiler(nobody())).await;
    let refused =
        async |runtime: &Runtime, component: &[u8], code: &[u8]| match runtime.take_compiled(component, code).await {
            Err(LoadError::Code(error)) => error,
            other => panic!("{other:?}"),
        };
    assert!(matches!(refused(&takes, &clinic, &code).await, CodeError::Adapter { .. }));
    let head = code.windows(2).position(|bytes| bytes == b"\n\n").unwrap();
    let line = std::str::from_utf8(&code[..head]).unwrap().lines().find(|line| line.starts_with("engine ")).unwrap();
    let other = line.replace("portcullis ", "portcullis 9");
    let text = String::from_utf8(code[..head].to_vec()).unwrap().replace(line, &other);
    let newer = [text.as_bytes(), &code[head..]].concat();
    assert!(matches!(refused(&takes, &probe, &newer).await, CodeError::Engine { .. }));
    let mut changed = code.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&takes, &probe, &changed).await, CodeError::Changed);
    assert_eq!(refused(&takes, &probe, b"code").await, CodeError::Form);
    let another: Arc<dyn KeyProvider> = Arc::new(LocalKey::new(vec![8; 32].into()).unwrap());
    let stranger = host(another, |builder| builder.cache(there.path()).compiler(nobody())).await;
    assert!(matches!(refused(&stranger, &probe, &code).await, CodeError::Key { .. }));
    assert_eq!(std::fs::read_dir(there.path()).unwrap().count(), 0, "what is refused is not kept");
    assert!(load(&takes, &probe).await.is_err(), "there is nothing to compile with");

    takes.take_compiled(&probe, &code).await.unwrap();
    load(&takes, &probe).await.unwrap();
    // And in each process that comes later.
    load(&host(master(), |builder| builder.cache(there.path()).compiler(nobody())).await, &probe).await.unwrap();
}

#[tokio::test]
async fn what_is_added_is_compiled_once() {
    let cache = Folder::new("compiled-once");
    let ledger = ledger(Arc::new(MemoryStore::new())).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
    let start = |compiler: Compiler| {
        let builder = Runtime::builder(ledger.clone()).credentials(credentials.clone()).cache(cache.path());
        builder.calls_at_once(2).compiler(compiler).build().unwrap()
    };
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    start(compiler()).keep_adapter(&probe, "probe", &by()).await.unwrap();
    start(nobody()).kept_adapter("probe").await.unwrap();
}
