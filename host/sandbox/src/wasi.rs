//! The smallest WASI that a language's runtime starts with. Nothing in it reads the machine.
//!
//! No arguments, no environment, no files, no sockets (`denied.rs` answers whoever asks for those). Standard input is at
//! its end; what is printed goes to the call's journal. Clocks and random numbers are real during a call, and stand still
//! while an adapter describes itself, so that the same bytes and config always give the same descriptor. Clocks go on by
//! whole milliseconds: what the host does between two looks at them, a search or a comparison, takes less than that.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::{
    cli::{
        environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr, terminal_stdin,
        terminal_stdout,
    },
    clocks::{monotonic_clock, wall_clock},
    random::{insecure_seed, random},
};
use wasmtime_wasi_io::{
    poll::{DynPollable, Pollable, subscribe},
    streams::{DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult},
};

use crate::{journal::Journal, memory::BoundHit, state::State};

/// Most random bytes of one request.
const MAX_RANDOM: u64 = 64 * 1024;
/// What a guest's clocks go on by, in nanoseconds.
const TICK: u64 = 1_000_000;
/// Most bytes of one write to standard output or error.
const MAX_WRITE: usize = 4 * 1024;

/// Links all of it.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    environment::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    exit::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    stdin::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    stdout::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    stderr::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    terminal_input::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    terminal_output::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    terminal_stdin::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    terminal_stdout::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    terminal_stderr::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    wall_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    random::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    insecure_seed::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    Ok(())
}

impl environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for State {
    fn exit(&mut self, _: Result<(), ()>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("it called exit"))
    }

    fn exit_with_code(&mut self, _: u8) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("it called exit"))
    }
}

/// Standard input, at its end.
struct Nothing;

#[async_trait]
impl Pollable for Nothing {
    async fn ready(&mut self) {}
}

impl InputStream for Nothing {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

impl stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        Ok(self.table.push(Box::new(Nothing) as DynInputStream)?)
    }
}

/// The call's journal. Streams live in the store's table and cannot reach the rest of the store, so they share it.
pub(crate) type Printed = Arc<Mutex<Journal>>;

/// Standard output or error.
struct Print {
    source: &'static str,
    journal: Printed,
}

#[async_trait]
impl Pollable for Print {
    async fn ready(&mut self) {}
}

impl OutputStream for Print {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).print(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

impl stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream = Print { source: "stdout", journal: self.journal.clone() };
        Ok(self.table.push(Box::new(stream) as DynOutputStream)?)
    }
}

impl stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream = Print { source: "stderr", journal: self.journal.clone() };
        Ok(self.table.push(Box::new(stream) as DynOutputStream)?)
    }
}

impl terminal_input::Host for State {}
impl terminal_output::Host for State {}

impl terminal_input::HostTerminalInput for State {
    fn drop(&mut self, resource: Resource<terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        Ok(())
    }
}

impl terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, resource: Resource<terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        Ok(())
    }
}

impl terminal_stdin::Host for State {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for State {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for State {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = if self.describing() {
            Duration::ZERO
        } else {
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
        };
        let nanoseconds = now.subsec_millis() * 1_000_000;
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

/// A point in time that a guest waits for. The call's own wall-clock bound ends the wait if this does not.
enum Deadline {
    At(tokio::time::Instant),
    Never,
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        match self {
            Deadline::At(instant) => tokio::time::sleep_until(*instant).await,
            Deadline::Never => std::future::pending().await,
        }
    }
}

impl State {
    fn since_start(&self) -> u64 {
        if self.describing() { 0 } else { u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX) }
    }

    fn wait(&mut self, nanoseconds: u64) -> wasmtime::Result<Resource<DynPollable>> {
        if self.describing() {
            return Err(wasmtime::Error::msg("`describe` has no powers: it cannot wait"));
        }
        let at = Instant::now().checked_add(Duration::from_nanos(nanoseconds));
        let deadline = at.map_or(Deadline::Never, |at| Deadline::At(at.into()));
        let deadline = self.table.push(deadline)?;
        subscribe(&mut self.table, deadline)
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(self.since_start() / TICK * TICK)
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(TICK)
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(when.saturating_sub(self.since_start()))
    }

    fn subscribe_duration(&mut self, when: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(when)
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > MAX_RANDOM {
            return Err(BoundHit { name: "random_bytes", limit: MAX_RANDOM }.into());
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        if !self.describing() {
            SystemRandom::new()
                .fill(&mut bytes)
                .map_err(|_| wasmtime::Error::msg("the system has no random numbers"))?;
        }
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let mut bytes = [0; 8];
        if !self.describing() {
            SystemRandom::new()
                .fill(&mut bytes)
                .map_err(|_| wasmtime::Error::msg("the system has no random numbers"))?;
        }
        Ok(u64::from_le_bytes(bytes))
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((random::Host::get_random_u64(self)?, random::Host::get_random_u64(self)?))
    }
}
