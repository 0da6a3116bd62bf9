//! This program, started again: to be killed, to be ended when it hangs, to break without taking the rest with it.

use std::{
    env,
    io::{self, Read},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use portcullis_store::EngineKind;
use serde::{Deserialize, Serialize};

use crate::{
    check::{Verdict, check_with},
    full,
    journal::Journal,
    load::Load,
    subject::{self, told},
};

/// The argument before a task.
const CHILD: &str = "--child";

/// What a child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Writes until it is killed, or so many records are acknowledged; then it ends in order.
    Write(Place, Writing),
    /// Makes the engine's files anew from what is live in them.
    Compact(Place),
    /// Compares store and log, and goes on writing a little. Prints a [`Verdict`].
    Check(Place),
    /// Writes while the disk is full or read-only. Prints a [`full::Told`].
    Full(Place, full::Trouble),
}

/// A store and the test's log of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) engine: String,
    pub(crate) seed: u64,
}

impl Place {
    pub(crate) fn engine(&self) -> Result<EngineKind, String> {
        self.engine.parse()
    }
}

/// How it is written to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Writing {
    pub(crate) callers: usize,
    /// 0 sets no limit.
    pub(crate) records: usize,
    /// Whether a record is logged as acknowledged before it was.
    pub(crate) early: bool,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// In order, with this on standard output.
    Well(String),
    /// By a panic.
    Panicked(String),
    /// Not within its time; it was killed.
    Hung,
    /// Otherwise: killed, or by an error.
    Otherwise(String),
}

/// Does a task and ends, if this process was started for one.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(CHILD) {
        return None;
    }
    let done = arguments.next().ok_or_else(|| "no task".to_owned()).and_then(|task| {
        let task: Task = serde_json::from_str(&task).map_err(told)?;
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(told)?;
        let said = tokio.block_on(run(task));
        // What hangs must not keep a child that has its answer.
        tokio.shutdown_timeout(Duration::from_secs(1));
        said
    });
    Some(match done {
        Ok(said) => {
            anstream::println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            anstream::eprintln!("{why}");
            ExitCode::FAILURE
        }
    })
}

async fn run(task: Task) -> Result<String, String> {
    match task {
        Task::Write(place, writing) => write(&place, writing).await,
        Task::Compact(place) => {
            subject::compact(&place.folder, place.engine()?)?;
            Ok(String::new())
        }
        Task::Check(place) => Ok(serde_json::to_string(&check(&place).await?).map_err(told)?),
        Task::Full(place, trouble) => {
            Ok(serde_json::to_string(&full::in_trouble(&place, trouble).await?).map_err(told)?)
        }
    }
}

async fn write(place: &Place, writing: Writing) -> Result<String, String> {
    let journal = Arc::new(Journal::open(&place.journal).map_err(told)?);
    let subject = subject::open(&place.folder, place.engine()?, 0).await?;
    journal.opened().map_err(told)?;
    let mut load = Load::new(subject.ledger.clone(), journal);
    load.most = writing.records;
    load.early = writing.early;
    let load = Arc::new(load);
    let callers: Vec<_> =
        (0..writing.callers).map(|number| tokio::spawn(load.clone().caller(number, place.seed))).collect();
    for caller in callers {
        caller.await.map_err(told)?.map_err(told)?;
    }
    drop(load);
    subject.close().await?;
    Ok(String::new())
}

/// An error at opening is a verdict, not a failure: with damaged files it is what has to come.
async fn check(place: &Place) -> Result<Verdict, String> {
    let subject = match subject::open(&place.folder, place.engine()?, 0).await {
        Ok(subject) => subject,
        Err(why) => return Ok(Verdict { refused: Some(why), ..Verdict::default() }),
    };
    let mut verdict = check_with(&subject, &place.journal).await?;
    if verdict.is_good() {
        // It must also go on: a few calls, which the next check expects to be there.
        let mut load = Load::new(subject.ledger.clone(), Arc::new(Journal::open(&place.journal).map_err(told)?));
        load.most = 8;
        let load = Arc::new(load);
        load.clone().caller(0, place.seed).await.map_err(told)?;
        if let Some(error) = load.errors.lock().ok().and_then(|errors| errors.keys().next().cloned()) {
            verdict.problems.push(format!("it does not go on: {error}"));
        }
    }
    if let Err(why) = subject.close().await {
        verdict.problems.push(format!("it does not close: {why}"));
    }
    Ok(verdict)
}

impl Task {
    /// A process that does it.
    pub(crate) fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.args([CHILD, &serde_json::to_string(self)?]);
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Does it in another process, at most so long.
    pub(crate) fn run(&self, within: Duration) -> io::Result<Ended> {
        wait(self.command()?.spawn()?, within)
    }
}

/// Waits for a child, at most so long, and says how it ended.
pub(crate) fn wait(mut child: Child, within: Duration) -> io::Result<Ended> {
    let said = read(child.stdout.take());
    let complained = read(child.stderr.take());
    let until = Instant::now() + within;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Hung);
        }
        thread::sleep(Duration::from_millis(2));
    };
    let said = said.join().unwrap_or_default();
    let complained = complained.join().unwrap_or_default();
    if complained.contains("panicked at") || status.code() == Some(101) {
        return Ok(Ended::Panicked(complained));
    }
    Ok(if status.success() { Ended::Well(said) } else { Ended::Otherwise(format!("{status}: {}", complained.trim())) })
}

fn read(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Checks a store in another process.
pub(crate) fn verdict(place: &Place, within: Duration) -> io::Result<Result<Verdict, Ended>> {
    let ended = Task::Check(place.clone()).run(within)?;
    Ok(match &ended {
        Ended::Well(said) => Ok(serde_json::from_str(said.trim())?),
        _ => Err(ended),
    })
}
