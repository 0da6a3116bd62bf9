//! Compiles in a child process with bounded memory and CPU time.
//!
//! A compiler is large, and the input comes from a stranger. In a process of its own, what it eats is bounded by the
//! kernel, and what it breaks is not the host. The child is this same program, started again: its `main` calls
//! [`compile_if_asked`] before anything else, which does nothing unless the environment says so.

use std::{
    env,
    io::{self, Read, Write},
    ops::RangeInclusive,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Semaphore,
    time::timeout,
};

use crate::{engine::compiling_engine, upload::MAX_UPLOAD};

/// Set in the child's environment, and only there.
const ASKED: &str = "PORTCULLIS_COMPILE";
const MIB: u64 = 1024 * 1024;
/// Largest compiled code, in bytes.
const MAX_CODE: u64 = 192 * 1024 * 1024;
/// Most threads of the child: each costs address space.
const THREADS: usize = 4;
/// First byte of the child's answer.
const DONE: u8 = b'+';
/// First byte of the child's answer, where a message follows.
const FAILED: u8 = b'-';

/// What compiling one adapter may take. It protects from a file that claims to be one, and is the operator's to set: how long
/// an honest one takes depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time of the child process, over all its threads, in seconds. A JavaScript component of 12 MB takes 25 s on two
    /// cores of today, so the default of 240 holds on a machine that is several times slower, and busy.
    pub cpu_seconds: u64,
    /// Its address space, in bytes.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { cpu_seconds: 240, memory_bytes: 1024 * MIB }
    }
}

impl CompileLimits {
    /// What `cpu_seconds` can be.
    pub const CPU_SECONDS: RangeInclusive<u64> = 1..=86_400;
    /// What `memory_bytes` can be.
    pub const MEMORY_BYTES: RangeInclusive<u64> = 64 * MIB..=64 * 1024 * MIB;

    /// How long the child is waited for: it may share its processor with others.
    fn wall(&self) -> Duration {
        Duration::from_secs(self.cpu_seconds.saturating_mul(5).saturating_add(60))
    }

    fn bound(&self, name: &'static str) -> CompileError {
        let (limit, option) = match name {
            "compile_memory" => (format!("{} MiB", self.memory_bytes / MIB), "--compile-memory BYTES"),
            "compile_wall" => (format!("{} s", self.wall().as_secs()), "--compile-cpu SECONDS"),
            _ => (format!("{} s", self.cpu_seconds), "--compile-cpu SECONDS"),
        };
        CompileError::Bound { name, limit, option }
    }

    /// As the child is told.
    fn to_text(self) -> String {
        format!("{} {}", self.cpu_seconds, self.memory_bytes)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (cpu, memory) = text.split_once(' ')?;
        Some(Self { cpu_seconds: cpu.parse().ok()?, memory_bytes: memory.parse().ok()? })
    }
}

/// What compiles adapters.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// This program, started again. Its `main` must begin with [`compile_if_asked`].
    #[default]
    ThisProgram,
    /// Another program whose `main` begins with [`compile_if_asked`].
    Program(PathBuf),
}

/// An adapter cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A bound of the child was hit.
    #[error(
        "compiling it hit the bound {name}: at most {limit}. If you trust the file, raise the bound for this host: portcullis \
         host set {option}; `inspect`, `explain` and `diff` take {option} themselves"
    )]
    Bound {
        /// Which.
        name: &'static str,
        /// With its unit.
        limit: String,
        /// What raises it.
        option: &'static str,
    },
    /// wasmtime refused it.
    #[error("it cannot be compiled: {0}")]
    Refused(String),
    /// There was no child, or it was not ours.
    #[error("the compiler's process failed: {0}")]
    Process(String),
}

impl Compiler {
    /// Compiles a component that was inspected, within these limits.
    pub async fn compile(&self, component: &[u8], limits: &CompileLimits) -> Result<Vec<u8>, CompileError> {
        if env::var_os(ASKED).is_some() {
            return Err(CompileError::Process(
                "this program was started as a compiler and did not notice; call `compile_if_asked` first in `main`"
                    .to_owned(),
            ));
        }
        // Each child may take a GiB, and its answer is held here.
        static ONE: Semaphore = Semaphore::const_new(1);
        let _one = ONE.acquire().await;
        let process = |error: io::Error| CompileError::Process(error.to_string());
        let program = match self {
            Compiler::ThisProgram => env::current_exe().map_err(process)?,
            Compiler::Program(path) => path.clone(),
        };
        let mut child = Command::new(program)
            .env_clear()
            .env(ASKED, limits.to_text())
            .env("RAYON_NUM_THREADS", threads().to_string())
            // Each arena of the allocator would reserve 64 MiB of the address space.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(process)?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(CompileError::Process("it has no pipes".to_owned()));
        };
        let mut answer = Vec::new();
        let mut said = Vec::new();
        let exchange = async {
            let feed = async {
                // A child that dies early closes the pipe; its end says why.
                let _ = stdin.write_all(component).await;
                drop(stdin);
            };
            let mut stdout = stdout.take(MAX_CODE + 1);
            let mut stderr = stderr.take(16 * 1024);
            let (_, read, _) = tokio::join!(feed, stdout.read_to_end(&mut answer), stderr.read_to_end(&mut said));
            read?;
            child.wait().await
        };
        let status = match timeout(limits.wall(), exchange).await {
            Err(_) => return Err(limits.bound("compile_wall")),
            Ok(status) => status.map_err(process)?,
        };
        match answer.first() {
            Some(&DONE) if status.success() && answer.len() as u64 <= MAX_CODE => {
                answer.remove(0);
                Ok(answer)
            }
            Some(&FAILED) => {
                let said = String::from_utf8_lossy(answer.get(1..).unwrap_or_default());
                Err(CompileError::Refused(portcullis_gate::printable(&said, 400)))
            }
            _ => Err(why(&status, &said, limits)),
        }
    }
}

/// Reads off a child's end which bound it hit.
fn why(status: &std::process::ExitStatus, said: &[u8], limits: &CompileLimits) -> CompileError {
    let said = String::from_utf8_lossy(said);
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGXCPU: i32 = 24;
        const SIGKILL: i32 = 9;
        match status.signal() {
            Some(SIGXCPU) => return limits.bound("compile_cpu"),
            Some(SIGKILL) => {
                let why =
                    "it was killed from outside: the machine may have less memory than the bound compile_memory allows";
                return CompileError::Process(why.to_owned());
            }
            _ => {}
        }
    }
    // A thread's stack is address space, too.
    let no_memory = ["memory allocation", "Cannot allocate memory", "Resource temporarily unavailable"];
    if no_memory.iter().any(|words| said.contains(words)) {
        return limits.bound("compile_memory");
    }
    CompileError::Process(format!(
        "it ended with {status}; does the program's `main` begin with `compile_if_asked`? It said: {}",
        portcullis_gate::printable(&said, 400)
    ))
}

/// Compiles and ends, if this process was started to do that; does nothing otherwise. Call it first in `main`:
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if let Some(code) = portcullis_sandbox::compile_if_asked() {
///         return code;
///     }
///     // …
///     std::process::ExitCode::SUCCESS
/// }
/// ```
#[must_use = "return the exit code from `main`"]
pub fn compile_if_asked() -> Option<ExitCode> {
    let asked = env::var_os(ASKED)?;
    let limits = asked.to_str().and_then(CompileLimits::from_text);
    let limits = limits.ok_or_else(|| format!("{ASKED} is for this program's own use; take it out of the environment"));
    let answer = limits.and_then(bound_this_process).and_then(|()| compile_standard_input());
    let (tag, bytes) = match &answer {
        Ok(code) => (DONE, code.as_slice()),
        Err(message) => (FAILED, message.as_bytes()),
    };
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(&[tag]).and_then(|()| stdout.write_all(bytes)).and_then(|()| stdout.flush());
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bound_this_process(limits: CompileLimits) -> Result<(), String> {
    let bound = |resource, soft, hard| {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) }).map_err(|error| error.to_string())
    };
    bound(Resource::As, limits.memory_bytes, limits.memory_bytes)?;
    bound(Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds.saturating_add(1))?;
    // It reads one pipe and writes two; it opens nothing.
    bound(Resource::Core, 0, 0)
}

fn compile_standard_input() -> Result<Vec<u8>, String> {
    let mut component = Vec::new();
    io::stdin().lock().take(MAX_UPLOAD as u64 + 1).read_to_end(&mut component).map_err(|error| error.to_string())?;
    if component.len() > MAX_UPLOAD {
        return Err("the component is too large".to_owned());
    }
    let engine = compiling_engine().map_err(|error| format!("{error:#}"))?;
    engine.precompile_component(&component).map_err(|error| format!("{error:#}"))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(THREADS))
}
