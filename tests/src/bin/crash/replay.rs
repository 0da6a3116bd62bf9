//! A power cut that can be made again: where in which trace, by which numbers, and what was in the folder and in the log before.
//!
//! What writers did is in the trace, and the image is drawn from the cut's own seed, so the same store comes of it each time.
//! What the check then does with it is an engine's business, threads and all.
//!
//! ```text
//! cut.json       engine, place in the trace, seeds, files whose flushes do not count, the path that was recorded
//! trace          what the recorder wrote
//! before/        what was in the folder before
//! journal        the test's own log before, and what was written to it during the trace is in the trace
//! left/          the store and the log as the cut leaves them
//! 1/, 2/         the same after they were checked
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    child::verdict,
    files::{Scratch, copy, list},
    journal::mend,
    model::image,
    power::{Recording, WITHIN},
    random::Random,
    report,
    trace::{Time, Trace},
};

const CUT: &str = "cut.json";
const TRACE: &str = "trace";
const BEFORE: &str = "before";
const JOURNAL: &str = "journal";
const LEFT: &str = "left";

/// A power cut in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    pub(crate) engine: String,
    /// Where in the trace.
    pub(crate) at: Time,
    /// What the image is drawn from.
    pub(crate) seed: u64,
    /// Files whose flushes do not count.
    pub(crate) deaf_to: Vec<String>,
}

/// A cut that was kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    cut: Cut,
    /// The folder that was recorded.
    root: PathBuf,
    /// What the check begins with.
    check: u64,
}

impl Cut {
    /// The store, and the log, as it leaves them.
    pub(crate) fn make(&self, log_before: &[u8], trace: &Trace, folder: &Path) -> io::Result<Recording> {
        let left = Recording::new(folder)?;
        image(trace, self.at, &self.deaf_to, &mut Random::new(self.seed, 3), &left.root)?;
        let mut log = log_before.to_vec();
        log.extend(trace.marks_until(self.at));
        fs::write(&left.journal, log)?;
        mend(&left.journal)?;
        Ok(left)
    }

    /// Keeps all that it takes to make it again.
    pub(crate) fn keep(&self, recording: &Recording, trace: &Trace, check: u64, folder: &Path) -> io::Result<()> {
        let kept = Kept { cut: self.clone(), root: recording.root.canonicalize()?, check };
        fs::write(folder.join(CUT), serde_json::to_vec_pretty(&kept)?)?;
        fs::copy(&recording.trace, folder.join(TRACE))?;
        copy(&recording.before, &folder.join(BEFORE))?;
        fs::write(folder.join(JOURNAL), &recording.log_before)?;
        self.make(&recording.log_before, trace, &folder.join(LEFT)).map(drop)
    }
}

/// What came of making a cut again.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Replayed {
    engine: String,
    /// Whether the store that came of it is the one that was kept, byte for byte.
    same: bool,
    acknowledged: usize,
    lost: usize,
    phantom: usize,
    refused: Option<String>,
    problems: Vec<String>,
}

impl report::Trial for Replayed {
    fn is_good(&self) -> bool {
        self.same && self.lost + self.phantom == 0 && self.refused.is_none() && self.problems.is_empty()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// Makes a cut that was kept once more, and looks at what comes of it.
pub(crate) fn run(scratch: &Path, kept: &Path) -> io::Result<Replayed> {
    let named = |what: &str, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {what}: {error}; name a folder that a run kept", kept.display()))
    };
    let text = fs::read(kept.join(CUT)).map_err(|error| named(CUT, &error))?;
    let Kept { cut, root, check } = serde_json::from_slice(&text).map_err(|error| named(CUT, &error))?;
    let engine = cut.engine.parse().map_err(|error: String| named(CUT, &error))?;
    let trace = Trace::read_of(&kept.join(TRACE), &root, &kept.join(BEFORE)).map_err(|error| named(TRACE, &error))?;
    let log_before = fs::read(kept.join(JOURNAL)).map_err(|error| named(JOURNAL, &error))?;
    let folder = Scratch::new(scratch, "replay")?;
    let left = cut.make(&log_before, &trace, folder.path())?;
    let mut replayed = Replayed { engine: cut.engine.clone(), ..Replayed::default() };
    replayed.same = contents(&left.root)? == contents(&kept.join(LEFT).join("root"))?;
    match verdict(&left.place(engine, check), WITHIN)? {
        Ok(verdict) => {
            replayed.acknowledged = verdict.acknowledged;
            (replayed.lost, replayed.phantom) = (verdict.lost, verdict.phantom);
            replayed.refused = verdict.refused;
            replayed.problems = verdict.problems;
        }
        Err(ended) => replayed.problems.push(format!("the check did not end well: {ended:?}")),
    }
    Ok(replayed)
}

/// All that is in a folder, by its path in it.
fn contents(folder: &Path) -> io::Result<Vec<(String, Option<Vec<u8>>)>> {
    let mut paths = Vec::new();
    list(folder, "", &mut paths)?;
    paths
        .into_iter()
        .map(|path| {
            let whole = folder.join(&path);
            let bytes = if whole.is_dir() { None } else { Some(fs::read(whole)?) };
            Ok((path, bytes))
        })
        .collect()
}
