//! Power cuts: a writer's changes of its files are recorded, and stores are built as a cut at a random instant could have
//! left them (`model.rs`). Each must open, and have everything that was acknowledged before the cut.
//!
//! A trace goes through several lives of a writer: some end by themselves, some are killed in the middle, so that what one
//! left in the page cache is lost in the next one's time. Some lives end while the store is being made, and some compact it. Some
//! images are cut once more while they are being recovered. A cut of which something bad comes is kept with its trace
//! (`replay.rs`).

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use portcullis_store::EngineKind;
use serde::Serialize;

use crate::{
    arguments::Arguments,
    child::{Ended, Place, Task, Writing, verdict, wait},
    files::{Scratch, copy},
    journal::{Log, mend},
    model::differences,
    random::Random,
    recording::Recorder,
    replay::Cut,
    report::{self, Progress},
    trace::{Time, Trace},
};

/// Images that are made from a trace.
const IMAGES_A_TRACE: usize = 20;
/// Of a hundred images, how many are cut again while they are recovered.
const CUT_AGAIN: usize = 25;
/// About how many events it takes to make a store.
const MAKING: usize = 90;
/// How long a writer or a check may take.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);
/// Most problems that are told.
const TOLD: usize = 20;

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PowerCuts {
    engine: String,
    power_cuts: usize,
    /// Records that were acknowledged before the cuts.
    acknowledged: usize,
    /// Those of them that are not there, in stores that opened as if whole.
    lost: usize,
    phantom: usize,
    unknown: usize,
    /// Cuts during the recovery from another.
    again: usize,
    /// Stores that did not open, or did not verify.
    refused: usize,
    traces: usize,
    /// Changes and flushes that were recorded.
    events: usize,
    seconds: u64,
    seed: u64,
    skipped: Option<String>,
    problems: Vec<String>,
}

impl report::Trial for PowerCuts {
    fn is_good(&self) -> bool {
        self.skipped.is_some() || (self.lost + self.phantom + self.refused == 0 && self.problems.is_empty())
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// What is recorded of one store, and where.
pub(crate) struct Recording {
    /// The folder that is recorded; the store is in it.
    pub(crate) root: PathBuf,
    /// What was in it before.
    pub(crate) before: PathBuf,
    pub(crate) trace: PathBuf,
    pub(crate) journal: PathBuf,
    /// What the log said before.
    pub(crate) log_before: Vec<u8>,
}

impl Recording {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let recording = Self {
            root: folder.join("root"),
            before: folder.join("before"),
            trace: folder.join("trace"),
            journal: folder.join("journal"),
            log_before: Vec::new(),
        };
        fs::create_dir_all(&recording.root)?;
        fs::create_dir_all(&recording.before)?;
        Ok(recording)
    }

    pub(crate) fn place(&self, engine: EngineKind, seed: u64) -> Place {
        Place { folder: self.root.join("store"), journal: self.journal.clone(), engine: engine.to_string(), seed }
    }

    /// What is in the folder now is what the trace begins with.
    fn begin(&mut self) -> io::Result<()> {
        fs::remove_dir_all(&self.before)?;
        copy(&self.root, &self.before)?;
        self.log_before = fs::read(&self.journal).unwrap_or_default();
        Ok(())
    }

    /// One life of a child, recorded.
    fn live(&self, recorder: &Recorder, task: &Task, stop: Option<usize>) -> io::Result<Ended> {
        let mut command = task.command()?;
        recorder.record(&mut command, &self.root, &self.trace, &self.journal, stop);
        let ended = wait(command.spawn()?, WITHIN)?;
        mend(&self.journal)?;
        Ok(ended)
    }

    /// The trace, if nothing is missing in it.
    fn read(&self) -> io::Result<Trace> {
        let trace = Trace::read(&self.trace, &self.root, &self.before)?;
        let differences = differences(&trace, &self.root)?;
        if differences.is_empty() {
            return Ok(trace);
        }
        Err(io::Error::other(format!("the recorder missed something: {}", differences.join("; "))))
    }
}

/// Makes images of traces, and looks at what comes of them.
pub(crate) struct Cutter<'a> {
    recorder: &'a Recorder,
    scratch: &'a Path,
    engine: EngineKind,
    random: Random,
    /// Files whose flushes do not count.
    deaf_to: &'a [String],
    result: PowerCuts,
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(
        recorder: &'a Recorder,
        scratch: &'a Path,
        engine: EngineKind,
        seed: u64,
        deaf_to: &'a [String],
    ) -> Self {
        let result = PowerCuts { engine: engine.to_string(), seed, ..PowerCuts::default() };
        Self { recorder, scratch, engine, random: Random::new(seed, 2), deaf_to, result }
    }

    fn problem(&mut self, what: String) {
        if self.result.problems.len() < TOLD {
            self.result.problems.push(what);
        }
    }

    /// A store that is written to, recorded.
    fn recorded(&mut self, recording: &mut Recording) -> io::Result<Trace> {
        let random = &mut self.random;
        if random.percent(40) {
            // Not from the beginning of the store.
            let writing = Writing { callers: 8, records: random.between(50, 2000), early: false };
            let ended = Task::Write(recording.place(self.engine, random.next()), writing).run(WITHIN)?;
            if !matches!(ended, Ended::Well(_)) {
                self.problem(format!("the writer did not end well: {ended:?}"));
            }
        }
        recording.begin()?;
        let lives = self.random.between(1, 3);
        for life in 0..lives {
            let random = &mut self.random;
            let writing = Writing { callers: random.between(4, 32), records: random.between(20, 600), early: false };
            let stop = match random.below(100) {
                0..=29 if life == 0 && lives > 1 => Some(random.between(1, MAKING)),
                0..=59 => Some(random.between(1, 900)),
                _ => None,
            };
            let place = recording.place(self.engine, random.next());
            let compacts = life > 0 && random.percent(10) && place.folder.join("format").exists();
            let task = if compacts { Task::Compact(place) } else { Task::Write(place, writing) };
            let ended = recording.live(self.recorder, &task, stop)?;
            let as_meant = match &ended {
                Ended::Well(_) => true,
                Ended::Otherwise(_) => stop.is_some(),
                Ended::Panicked(_) | Ended::Hung => false,
            };
            if !as_meant {
                self.problem(format!("a recorded writer did not end well: {ended:?}"));
            }
        }
        let trace = recording.read()?;
        let log = Log::read(&recording.journal)?;
        log.errors.iter().for_each(|error| self.problem(format!("an append was refused: {error}")));
        self.result.traces += 1;
        self.result.events += trace.events;
        Ok(trace)
    }

    /// An instant: any, or right after something was acknowledged.
    fn instant(&mut self, trace: &Trace) -> Time {
        match trace.marks.get(self.random.below(trace.marks.len())) {
            Some((mark, _)) if self.random.percent(50) => mark + 1,
            _ => self.random.between(1, trace.events),
        }
    }

    /// Somewhere in a trace, by numbers of its own.
    fn cut(&mut self, trace: &Trace) -> Cut {
        let at = self.instant(trace);
        Cut { engine: self.engine.to_string(), at, seed: self.random.next(), deaf_to: self.deaf_to.to_vec() }
    }

    /// One image, and maybe another one while it is recovered. Whether all was well.
    fn image(&mut self, recording: &Recording, trace: &Trace) -> io::Result<bool> {
        let mut folder = Scratch::new(self.scratch, "cut")?;
        let mut cut = self.cut(trace);
        let mut left = cut.make(&recording.log_before, trace, &folder.path().join("1"))?;
        let mut again = None;
        if self.random.percent(CUT_AGAIN) {
            left.begin()?;
            let task = Task::Check(left.place(self.engine, self.random.next()));
            let stop = self.random.percent(70).then(|| self.random.between(1, 200));
            left.live(self.recorder, &task, stop)?;
            let recovering = left.read()?;
            if recovering.events > 1 {
                cut = self.cut(&recovering);
                let second = cut.make(&left.log_before, &recovering, &folder.path().join("2"))?;
                again = Some((std::mem::replace(&mut left, second), recovering));
                self.result.again += 1;
            }
        }
        self.result.power_cuts += 1;
        let seed = self.random.next();
        let place = left.place(self.engine, seed);
        let good = match verdict(&place, WITHIN)? {
            Ok(verdict) => {
                self.result.acknowledged += Log::read(&left.journal)?.acknowledged();
                self.result.lost += verdict.lost;
                self.result.phantom += verdict.phantom;
                self.result.unknown += verdict.unknown;
                self.result.refused += usize::from(verdict.refused.is_some());
                let good = verdict.is_good();
                verdict.refused.into_iter().chain(verdict.problems).for_each(|problem| self.problem(problem));
                good
            }
            Err(ended) => {
                self.problem(format!("the check did not end well: {ended:?}"));
                false
            }
        };
        if !good {
            let (recording, trace) = again.as_ref().map_or((recording, trace), |(recording, trace)| (recording, trace));
            cut.keep(recording, trace, seed, folder.path())?;
            folder.keep();
            let kept = folder.path().display();
            self.problem(format!("kept: {kept}; look at it again: cargo xtask crash --replay {kept}"));
        }
        Ok(good)
    }

    /// So many cuts. Stops at the first trace of which an image is bad.
    pub(crate) fn run(mut self, cuts: usize) -> io::Result<PowerCuts> {
        let mut progress = Progress::new(format!("power loss, {}", self.engine), cuts);
        while self.result.power_cuts < cuts {
            let folder = Scratch::new(self.scratch, "trace")?;
            let mut recording = Recording::new(folder.path())?;
            let trace = self.recorded(&mut recording)?;
            let mut good = true;
            for _ in 0..IMAGES_A_TRACE.min(cuts - self.result.power_cuts) {
                good &= self.image(&recording, &trace)?;
                progress.at(self.result.power_cuts);
            }
            if !good {
                break;
            }
        }
        self.result.seconds = progress.seconds();
        Ok(self.result)
    }
}

/// Cuts the power so often.
pub(crate) fn run(scratch: &Path, engine: EngineKind, arguments: &Arguments) -> io::Result<PowerCuts> {
    let (cuts, seed) = (arguments.power_loss, arguments.seed);
    let folder = Scratch::new(scratch, "recorder")?;
    match Recorder::build(folder.path())? {
        Ok(recorder) => Cutter::new(&recorder, scratch, engine, seed, &arguments.deaf_to).run(cuts),
        Err(why) => {
            anstream::eprintln!("power loss skipped: {why}");
            Ok(PowerCuts { engine: engine.to_string(), seed, skipped: Some(why), ..PowerCuts::default() })
        }
    }
}
