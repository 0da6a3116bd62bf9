//! wasmtime as it is set up here, and the sandbox that adapters are loaded into.
//!
//! Two configurations that must agree, or compiled code would not load: the engine that runs adapters draws instances from
//! a pool; the one that compiles, in a child process, has no pool, since a pool reserves terabytes of address space. What
//! decides about compatibility (features, tunables, processor) is set once, in `common`.

use std::{
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{HasSelf, Linker},
};

use crate::{
    adapter::Adapter,
    artifact::{self, Trusted},
    bindings::{self, AdapterPre},
    cache::Cache,
    code::{CodeError, CodeKeys, Purpose, seal},
    compiler::{CompileLimits, Compiler},
    denied,
    error::LoadError,
    memory::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES},
    state::State,
    upload::{Upload, features},
    wasi,
};

/// How often epochs advance: the grain of the guest's CPU bound.
const TICK: Duration = Duration::from_millis(10);
/// Largest memory of an instance, in bytes. A call's own limit can be less.
const MAX_MEMORY: usize = 64 * 1024 * 1024;
/// Stack for WebAssembly frames, in bytes.
const WASM_STACK: usize = 512 * 1024;
/// Stack of a call's fiber: WebAssembly frames and host functions, in bytes.
const FIBER_STACK: usize = 1024 * 1024;

/// How a sandbox is set up.
pub struct SandboxOptions {
    /// Calls that run at once; more wait for their turn, within their own wall-clock bound.
    pub calls_at_once: u32,
    /// What vouches for compiled code that is kept, or is handed on. Without it none is.
    pub keys: Option<Arc<dyn CodeKeys>>,
    /// Where compiled code is kept. Without `keys` it is not looked at.
    pub cache: Option<PathBuf>,
    /// What compiles.
    pub compiler: Compiler,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { calls_at_once: 128, keys: None, cache: None, compiler: Compiler::default() }
    }
}

/// Loads adapters and runs their calls.
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) calls_at_once: u32,
    linker: Linker<State>,
    /// What code must be compiled for to run here.
    target: String,
    keys: Option<Arc<dyn CodeKeys>>,
    cache: Option<Cache>,
    compiler: Compiler,
}

impl Sandbox {
    /// Sets a sandbox up. Reserves address space for all its calls, and memory for none.
    pub fn new(options: SandboxOptions) -> Result<Self, LoadError> {
        let contract = |error: wasmtime::Error| LoadError::Contract(error.to_string());
        let engine = Engine::new(&pooled(options.calls_at_once)).map_err(contract)?;
        let mut linker = Linker::new(&engine);
        wasi::link(&mut linker).map_err(contract)?;
        bindings::Adapter::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(contract)?;
        let cache = options.cache.zip(options.keys.clone());
        let cache = cache.map(|(folder, keys)| Cache::open(folder, keys)).transpose()?;
        let target = target(&engine);
        tick(&engine).map_err(|error| LoadError::Contract(format!("no thread to bound guests' CPU time: {error}")))?;
        Ok(Self {
            engine,
            turns: Arc::new(Semaphore::new(options.calls_at_once as usize)),
            calls_at_once: options.calls_at_once,
            linker,
            target,
            keys: options.keys,
            cache,
            compiler: options.compiler,
        })
    }

    /// Loads an adapter: looks into it, compiles it or takes compiled code from the cache, and links it.
    pub async fn load(&self, bytes: &[u8], limits: &CompileLimits) -> Result<Adapter, LoadError> {
        let upload = Upload::inspect(bytes)?;
        let component = match self.kept(&upload).await.and_then(|code| artifact::load(&self.engine, &code).ok()) {
            Some(component) => component,
            None => {
                let code = self.compiled(bytes, &upload, limits).await?;
                artifact::load(&self.engine, &code).map_err(|error| LoadError::Shape(format!("{error:#}")))?
            }
        };
        let contract = |error: wasmtime::Error| LoadError::Contract(format!("{error:#}"));
        let mut linker = self.linker.clone();
        denied::link(&mut linker, &component).map_err(contract)?;
        let pre = linker.instantiate_pre(&component).map_err(contract)?;
        Ok(Adapter { upload: Arc::new(upload), pre: AdapterPre::new(pre).map_err(contract)? })
    }
}

impl Sandbox {
    /// Compiles an adapter, or takes it from the cache, for any host with this version, this kind of processor and this master
    /// key: what [`Sandbox::take_compiled`] takes.
    pub async fn compile(&self, bytes: &[u8], limits: &CompileLimits) -> Result<Vec<u8>, LoadError> {
        let keys = self.keys.as_deref().ok_or(CodeError::NoKey)?;
        let upload = Upload::inspect(bytes)?;
        let code = match self.kept(&upload).await {
            Some(code) => code,
            None => self.compiled(bytes, &upload, limits).await?,
        };
        Ok(seal(code.code(), self.purpose(&upload), keys).await?)
    }

    /// Keeps what [`Sandbox::compile`] made of this adapter, here or on another host, so that it is not compiled again.
    pub async fn take_compiled(&self, bytes: &[u8], sealed: &[u8]) -> Result<(), LoadError> {
        let cache = self.cache.as_ref().ok_or(CodeError::NoKey)?;
        let upload = Upload::inspect(bytes)?;
        let purpose = self.purpose(&upload);
        Trusted::open(sealed.to_vec(), purpose, cache.keys()).await?;
        Ok(cache.keep(purpose, sealed)?)
    }

    async fn kept(&self, upload: &Upload) -> Option<Trusted> {
        self.cache.as_ref()?.get(self.purpose(upload)).await
    }

    async fn compiled(&self, bytes: &[u8], upload: &Upload, limits: &CompileLimits) -> Result<Trusted, LoadError> {
        let code = Trusted::from_compiler(self.compiler.compile(bytes, limits).await?);
        if let Some(cache) = &self.cache {
            cache.put(self.purpose(upload), code.code()).await;
        }
        Ok(code)
    }

    fn purpose<'a>(&'a self, upload: &'a Upload) -> Purpose<'a> {
        Purpose { adapter: &upload.digest, engine: &self.target }
    }
}

/// What compiled code must have been compiled for, for people; its last word for machines.
fn target(engine: &Engine) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let (version, processor, hash) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, hasher.finish());
    format!("portcullis {version}, {processor}, engine {hash:016x}")
}

/// The engine of the child process that compiles.
pub(crate) fn compiling_engine() -> wasmtime::Result<Engine> {
    Engine::new(&common())
}

/// What decides whether compiled code fits.
fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(wasmtime::WasmFeatures::all(), false)
        .wasm_features(wasmtime::WasmFeatures::from_bits_truncate(features().bits()), true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A backtrace of guest frames helps nobody here, and costs at each trap.
        .wasm_backtrace_max_frames(None)
        // Or `describe` could differ from one processor to another.
        .cranelift_nan_canonicalization(true)
        .memory_init_cow(true);
    config
}

fn pooled(calls: u32) -> Config {
    let times = |count: usize| calls.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(times(MAX_INSTANCES))
        .total_memories(times(MAX_MEMORIES))
        .total_tables(times(MAX_TABLES))
        .total_stacks(calls)
        .max_core_instances_per_component(MAX_INSTANCES as u32)
        .max_memories_per_component(MAX_MEMORIES as u32)
        .max_tables_per_component(MAX_TABLES as u32)
        .max_memories_per_module(MAX_MEMORIES as u32)
        .max_tables_per_module(MAX_TABLES as u32)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .max_unused_warm_slots(calls)
        // Pages that a guest touched are zeroed in place and stay mapped. Without PAGEMAP_SCAN (Linux 6.7) it is not
        // known which these are, and zeroing all of them costs more than giving them back.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(if pagemap_scan_works() { 1024 * 1024 } else { 0 })
        .table_keep_resident(if pagemap_scan_works() { 64 * 1024 } else { 0 })
        .async_stack_keep_resident(64 * 1024);
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Whether this kernel knows the ioctl, by its version.
fn pagemap_scan_works() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let works = (major, minor) >= (6, 7);
    if !works {
        tracing::info!(release, "no PAGEMAP_SCAN before Linux 6.7: each call will cost more system time");
    }
    works
}

/// Advances the engine's epoch until the engine is gone.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    // Without it guests would be bounded by fuel alone, so without it there is no sandbox.
    thread::Builder::new().name("portcullis-epoch".to_owned()).spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_compiled_without_the_pool_fits_the_engine_with_it() {
        let compiling = compiling_engine().unwrap();
        let running = Engine::new(&pooled(2)).unwrap();
        assert_eq!(target(&compiling), target(&running));
    }
}
