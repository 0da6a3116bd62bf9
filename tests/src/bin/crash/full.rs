//! A disk that is full, or takes no writes, at a random moment of a load, twice in a process' life.
//!
//! Full is real: a small tmpfs in a mount namespace of its own, filled by another file, with the store's floor of free space
//! and without. Read-only is made by the recorder, which lets changes fail with EROFS: a file system cannot be remounted
//! while files are open for writing. At the end of a run on tmpfs it is remounted for real, and the store opened there.
//!
//! Meanwhile appends fail with a typed error, reads go on; when it is over appends go on in the same process; and what was
//! acknowledged is there at the end.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use portcullis_store::EngineKind;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{
    check::{Verdict, check_with},
    child::{Ended, Place, Task, wait},
    files::Scratch,
    journal::{Journal, mend},
    load::Load,
    random::Random,
    recording::{Recorder, faults, set_fault},
    report::{self, Progress},
    subject::{self, Subject, told},
};

/// The size of the small disk.
const DISK: &str = "size=48m";
/// The floor of free space, where there is one.
const FLOOR: u64 = 4 << 20;
/// Troubles in a run.
const ROUNDS: usize = 2;
const CALLERS: usize = 16;
/// How long it may take until something is refused, and until all goes on.
const NOTICED: Duration = Duration::from_secs(20);
const RESUMED: Duration = Duration::from_secs(15);
/// Records that have to be acknowledged afterwards.
const AFTERWARDS: usize = 40;
/// How long a run may take.
const RUN: Duration = Duration::from_secs(120);
/// Errors that say what is the matter.
const TYPED: [&str; 3] = ["Full", "ReadOnly", "Io"];
const EROFS: i32 = 30;

/// What is the matter with the disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Trouble {
    /// It is full; the store keeps so much free.
    Full { floor_bytes: u64 },
    /// It takes no writes while this file says so.
    ReadOnly { control: PathBuf },
}

/// What a run comes to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    verdict: Verdict,
    /// Appends that were refused, by the error.
    errors: BTreeMap<String, usize>,
    /// Reads during trouble.
    reads: usize,
    /// The longest until all went on again.
    resumed_ms: u64,
    /// What a store on a disk that is read-only said when it was opened.
    opened_read_only: Option<String>,
    problems: Vec<String>,
}

fn mount(arguments: &[&str], on: &Path) -> Result<(), String> {
    let said = Command::new("mount").args(arguments).arg(on).output().map_err(told)?;
    if said.status.success() { Ok(()) } else { Err(format!("mount: {}", String::from_utf8_lossy(&said.stderr).trim())) }
}

impl Trouble {
    fn begin(&self, disk: &Path) -> io::Result<()> {
        let Self::Full { .. } = self else {
            let Self::ReadOnly { control } = self else { return Ok(()) };
            return set_fault(control, EROFS);
        };
        let mut filler = File::create(disk.join("filler"))?;
        // To the last page.
        for piece in [vec![0; 1 << 20], vec![0; 4096]] {
            while filler.write_all(&piece).is_ok() {}
        }
        Ok(())
    }

    fn end(&self, disk: &Path) -> io::Result<()> {
        match self {
            Self::Full { .. } => fs::remove_file(disk.join("filler")),
            Self::ReadOnly { control } => set_fault(control, 0),
        }
    }
}

/// One run, in a process of its own; on a small disk, in a mount namespace of its own.
pub(crate) async fn in_trouble(place: &Place, trouble: Trouble) -> Result<Told, String> {
    let disk = place.folder.parent().ok_or("the store has no folder around it")?.to_owned();
    let floor = match &trouble {
        Trouble::Full { floor_bytes } => {
            mount(&["-t", "tmpfs", "-o", DISK, "tmpfs"], &disk)?;
            *floor_bytes
        }
        Trouble::ReadOnly { .. } => 0,
    };
    let mut random = Random::new(place.seed, 3);
    let mut said = Told::default();
    let subject = subject::open(&place.folder, place.engine()?, floor).await?;
    let mut load = Load::new(subject.ledger.clone(), Arc::new(Journal::open(&place.journal).map_err(told)?));
    load.goes_on = true;
    let load = Arc::new(load);
    let callers: Vec<_> = (0..CALLERS).map(|number| tokio::spawn(load.clone().caller(number, place.seed))).collect();
    for _ in 0..ROUNDS {
        sleep(Duration::from_millis(random.between(20, 300) as u64)).await;
        round(&load, &subject, &trouble, &disk, &mut random, &mut said).await?;
    }
    load.end.store(true, Ordering::Relaxed);
    for caller in callers {
        match timeout(RESUMED, caller).await {
            Ok(ended) => ended.map_err(told)?.map_err(told)?,
            Err(_) => said.problems.push("an append hangs".to_owned()),
        }
    }
    said.errors = load.errors.lock().map_err(told)?.clone();
    drop(load);
    subject.close().await?;
    if let Trouble::Full { floor_bytes } = trouble {
        said.opened_read_only = Some(open_read_only(place, &disk, floor_bytes).await?);
    }
    let subject = subject::open(&place.folder, place.engine()?, floor).await?;
    said.verdict = check_with(&subject, &place.journal).await?;
    subject.close().await?;
    Ok(said)
}

fn refused(load: &Load) -> usize {
    load.errors.lock().map_or(0, |errors| errors.values().sum())
}

/// Trouble comes, is noticed, and goes.
async fn round(
    load: &Load,
    subject: &Subject,
    trouble: &Trouble,
    disk: &Path,
    random: &mut Random,
    said: &mut Told,
) -> Result<(), String> {
    let before = refused(load);
    trouble.begin(disk).map_err(told)?;
    let began = Instant::now();
    while refused(load) == before && began.elapsed() < NOTICED {
        sleep(Duration::from_millis(1)).await;
    }
    if refused(load) == before {
        said.problems.push("nothing was refused".to_owned());
    }
    let until = Instant::now() + Duration::from_millis(random.between(10, 400) as u64);
    loop {
        read(load, subject, said).await;
        if Instant::now() > until {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let acknowledged = load.acknowledged.load(Ordering::Relaxed);
    trouble.end(disk).map_err(told)?;
    let ended = Instant::now();
    while load.acknowledged.load(Ordering::Relaxed) < acknowledged + AFTERWARDS {
        if ended.elapsed() > RESUMED {
            said.problems.push("it does not go on when the trouble is over".to_owned());
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    said.resumed_ms = said.resumed_ms.max(ended.elapsed().as_millis() as u64);
    Ok(())
}

/// What was acknowledged can be read.
async fn read(load: &Load, subject: &Subject, said: &mut Told) {
    let Some((workspace, call)) = load.last.lock().ok().and_then(|last| last.clone()) else { return };
    match timeout(RESUMED, subject.ledger.reader().call(&workspace, call)).await {
        Ok(Ok(records)) if !records.is_empty() => said.reads += 1,
        Ok(Ok(_)) => said.problems.push(format!("call {call} was acknowledged and cannot be found meanwhile")),
        Ok(Err(error)) => said.problems.push(format!("reading meanwhile: {error}")),
        Err(_) => said.problems.push("reading meanwhile hangs".to_owned()),
    }
}

/// Opens the store where nothing can be written at all.
async fn open_read_only(place: &Place, disk: &Path, floor: u64) -> Result<String, String> {
    mount(&["-o", "remount,ro"], disk)?;
    let opened = match timeout(RESUMED, subject::open(&place.folder, place.engine()?, floor)).await {
        Ok(Ok(subject)) => {
            let read = subject.verify().await;
            subject.close().await.ok();
            read.map(|()| "opened and read".to_owned()).unwrap_or_else(|why| why)
        }
        Ok(Err(why)) => why,
        Err(_) => "hangs".to_owned(),
    };
    mount(&["-o", "remount,rw"], disk)?;
    Ok(opened)
}

/// What came of all runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Disks {
    engine: String,
    runs: usize,
    full_above_floor: usize,
    full: usize,
    read_only: usize,
    acknowledged: usize,
    lost: usize,
    phantom: usize,
    unknown: usize,
    /// Appends that were refused.
    refused: usize,
    reads_meanwhile: usize,
    slowest_resume_ms: u64,
    hung: usize,
    panicked: usize,
    errors: BTreeMap<String, usize>,
    seconds: u64,
    seed: u64,
    skipped: Option<String>,
    problems: Vec<String>,
}

impl report::Trial for Disks {
    fn is_good(&self) -> bool {
        self.lost + self.phantom + self.hung + self.panicked == 0 && self.problems.is_empty()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Disks {
    fn take(&mut self, name: &str, ended: Ended) -> io::Result<()> {
        let said: Told = match ended {
            Ended::Well(said) => serde_json::from_str(said.trim())?,
            Ended::Panicked(text) => {
                self.panicked += 1;
                self.problems.push(format!("{name}: panicked: {text}"));
                return Ok(());
            }
            Ended::Hung => {
                self.hung += 1;
                self.problems.push(format!("{name}: hung"));
                return Ok(());
            }
            Ended::Otherwise(why) => {
                self.problems.push(format!("{name}: {why}"));
                return Ok(());
            }
        };
        self.acknowledged += said.verdict.acknowledged;
        self.lost += said.verdict.lost;
        self.phantom += said.verdict.phantom;
        self.unknown += said.verdict.unknown;
        self.refused += said.errors.values().sum::<usize>();
        self.reads_meanwhile += said.reads;
        self.slowest_resume_ms = self.slowest_resume_ms.max(said.resumed_ms);
        let untyped = said.errors.keys().filter(|error| !TYPED.contains(&error.as_str()));
        let untyped = untyped.map(|error| format!("an append was refused as {error}"));
        let verdict = said.verdict.refused.into_iter().chain(said.verdict.problems);
        let problems = untyped.chain(verdict).chain(said.problems).map(|problem| format!("{name}: {problem}"));
        self.problems.extend(problems);
        said.errors.into_iter().for_each(|(error, times)| *self.errors.entry(error).or_default() += times);
        if let Some(opened) =
            said.opened_read_only.filter(|said| said != "opened and read" && !said.contains("read-only"))
        {
            self.problems.push(format!("{name}: opened where it is read-only: {opened}"));
        }
        Ok(())
    }
}

/// Whether a small disk can be had here; why not, otherwise.
fn small_disk(folder: &Path) -> Result<(), String> {
    let tried = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(folder).output();
    let said = tried.map_err(|error| format!("unshare: {error}"))?;
    if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()) }
}

/// So many runs, of each kind in turn.
pub(crate) fn run(scratch: &Path, engine: EngineKind, runs: usize, seed: u64) -> io::Result<Disks> {
    let mut random = Random::new(seed, 5);
    let mut result = Disks { engine: engine.to_string(), seed, ..Disks::default() };
    let tools = Scratch::new(scratch, "recorder")?;
    let disk = small_disk(tools.path());
    let recorder = Recorder::build(tools.path())?;
    let mut progress = Progress::new(format!("full and read-only, {engine}"), runs);
    for number in 0..runs {
        let folder = Scratch::new(scratch, "disk")?;
        let disk_folder = folder.path().join("disk");
        fs::create_dir_all(&disk_folder)?;
        let place = Place {
            folder: disk_folder.join("store"),
            journal: folder.path().join("journal"),
            engine: engine.to_string(),
            seed: random.next(),
        };
        let (name, command, skipped) = match (number % 3, &disk, &recorder) {
            (2, _, Ok(recorder)) => {
                let control = folder.path().join("control");
                fs::write(&control, [0; 8])?;
                let mut command =
                    Task::Full(place.clone(), Trouble::ReadOnly { control: control.clone() }).command()?;
                recorder.fail(&mut command, &disk_folder, &control);
                result.read_only += 1;
                ("read-only", Some((command, Some(control))), None)
            }
            (2, _, Err(why)) | (_, Err(why), _) => ("", None, Some(why.clone())),
            (kind, Ok(()), _) => {
                let floor_bytes = if kind == 0 { FLOOR } else { 0 };
                let inner = Task::Full(place.clone(), Trouble::Full { floor_bytes }).command()?;
                let mut command = Command::new("unshare");
                command.arg("-m").arg(inner.get_program()).args(inner.get_args());
                command.stdin(std::process::Stdio::null());
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                if kind == 0 {
                    result.full_above_floor += 1
                } else {
                    result.full += 1
                }
                (if kind == 0 { "full, with a floor" } else { "full" }, Some((command, None)), None)
            }
        };
        if let Some(why) = skipped {
            anstream::eprintln!("a run on a disk in trouble is skipped: {why}");
            result.skipped = Some(why);
            continue;
        }
        if let Some((mut command, control)) = command {
            result.runs += 1;
            result.take(name, wait(command.env_remove("RUST_BACKTRACE").spawn()?, RUN)?)?;
            if control.is_some_and(|control| faults(&control).is_ok_and(|count| count == 0)) {
                result.problems.push(format!("{name}: no change was made to fail"));
            }
            mend(&place.journal)?;
        }
        progress.at(number + 1);
    }
    result.seconds = progress.seconds();
    Ok(result)
}
