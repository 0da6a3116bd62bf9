//! `kill -9` at random instants, of a writer under load.
//!
//! Most instants are drawn from the time after the store is open; three in ten fall anywhere, so that starting, opening and
//! closing what the last kill left open are killed too. A store lives
//! through some kills and is then left for a new one, so that most of the time goes into writing.

use std::{fs, io, path::Path, thread, time::Duration};

use portcullis_store::EngineKind;
use serde::Serialize;

use crate::{
    arguments::Arguments,
    child::{Ended, Place, Task, Writing, verdict, wait},
    files::Scratch,
    journal::{Log, mend},
    random::Random,
    report::{self, Progress},
};

/// Kills that a store lives through.
const KILLS_A_STORE: usize = 20;
/// Kills after which store and log are compared.
const KILLS_A_CHECK: usize = 5;
/// How long a check may take.
const CHECK: Duration = Duration::from_secs(120);
/// Most problems that are told.
const TOLD: usize = 20;

fn length(journal: &Path) -> u64 {
    fs::metadata(journal).map_or(0, |found| found.len())
}

/// Whether a writer has opened the store: that is the first thing it logs.
fn began(journal: &Path, before: u64) -> bool {
    length(journal) > before
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Kills {
    engine: String,
    kills: usize,
    /// Records that were acknowledged, by the test's log.
    acknowledged: usize,
    lost: usize,
    phantom: usize,
    /// Calls that were closed as `unknown`.
    unknown: usize,
    /// Kills that came before the store was open.
    while_opening: usize,
    checks: usize,
    seconds: u64,
    seed: u64,
    problems: Vec<String>,
    #[serde(skip)]
    early: bool,
}

impl report::Trial for Kills {
    fn is_good(&self) -> bool {
        self.lost == 0 && self.phantom == 0 && self.problems.is_empty() && self.kills > 0 && self.acknowledged > 0
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Kills {
    fn problem(&mut self, what: String) {
        if self.problems.len() < TOLD {
            self.problems.push(what);
        }
    }

    /// One kill.
    fn kill(&mut self, place: &Place, random: &mut Random) -> io::Result<()> {
        let writing = Writing { callers: random.between(16, 64), records: 0, early: self.early };
        let mut place = place.clone();
        place.seed = random.next();
        let before = length(&place.journal);
        let mut child = Task::Write(place.clone(), writing).command()?.spawn()?;
        if random.percent(30) {
            thread::sleep(Duration::from_millis(random.between(1, 200) as u64));
        } else {
            while !began(&place.journal, before) && child.try_wait()?.is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(random.between(1, 300) as u64));
        }
        let ended = child.try_wait()?;
        child.kill()?;
        self.kills += 1;
        match (ended, wait(child, CHECK)?) {
            (_, Ended::Panicked(text)) => self.problem(format!("the writer panicked: {text}")),
            (Some(_), ended) => self.problem(format!("the writer ended by itself: {ended:?}")),
            _ => {}
        }
        Ok(())
    }

    /// Compares store and log.
    fn check(&mut self, place: &Place) -> io::Result<Option<crate::check::Verdict>> {
        self.checks += 1;
        match verdict(place, CHECK)? {
            Ok(verdict) => Ok(Some(verdict)),
            Err(ended) => {
                self.problem(format!("the check did not end well: {ended:?}"));
                Ok(None)
            }
        }
    }

    /// One store, through some kills. Whether it may be thrown away.
    fn store(&mut self, place: &Place, kills: usize, random: &mut Random, progress: &mut Progress) -> io::Result<bool> {
        let (mut last, mut killed) = (None, 0);
        for number in 1..=kills {
            self.kill(place, random)?;
            killed = number;
            mend(&place.journal)?;
            progress.at(self.kills);
            if number % KILLS_A_CHECK == 0 || number == kills {
                last = self.check(place)?;
                if !last.as_ref().is_some_and(crate::check::Verdict::is_good) {
                    break;
                }
            }
        }
        let Some(last) = last else { return Ok(false) };
        let good = last.is_good();
        self.acknowledged += last.acknowledged;
        self.lost += last.lost;
        self.phantom += last.phantom;
        self.unknown += last.unknown;
        last.refused.into_iter().chain(last.problems).for_each(|problem| self.problem(problem));
        let log = Log::read(&place.journal)?;
        log.errors.iter().for_each(|error| self.problem(format!("an append was refused: {error}")));
        self.while_opening += killed.saturating_sub(log.opened);
        Ok(good)
    }
}

/// Kills a writer so often.
pub(crate) fn run(scratch: &Path, engine: EngineKind, arguments: &Arguments) -> io::Result<Kills> {
    let (kills, seed) = (arguments.kills, arguments.seed);
    let mut random = Random::new(seed, 1);
    let mut result = Kills { engine: engine.to_string(), seed, early: arguments.acknowledge_early, ..Kills::default() };
    let mut progress = Progress::new(format!("kill -9, {engine}"), kills);
    while result.kills < kills {
        let mut folder = Scratch::new(scratch, "kill")?;
        let place = Place {
            folder: folder.path().join("store"),
            journal: folder.path().join("journal"),
            engine: engine.to_string(),
            seed: random.next(),
        };
        let some = KILLS_A_STORE.min(kills - result.kills);
        if !result.store(&place, some, &mut random, &mut progress)? {
            folder.keep();
            result.problem(format!("kept: {}", folder.path().display()));
            break;
        }
    }
    result.seconds = progress.seconds();
    Ok(result)
}
