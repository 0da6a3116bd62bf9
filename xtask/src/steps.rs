//! Runs child processes as steps that a person can watch: a spinner on a terminal, plain lines elsewhere, the time each
//! took, and the end of its output where it failed.
//!
//! Progress goes to stderr, always: stdout belongs to what the commands are for.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Lines of a child's output that are kept, to be shown if it fails.
const TAIL: usize = 200;
/// What takes longer than this is worth a line where nobody asked for a list of steps.
const NOTEWORTHY: Duration = Duration::from_secs(2);
/// Where there is no spinner, a step that runs on says so this often.
const HEARTBEAT: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(100);

/// Where progress is shown, and how much of it.
pub(crate) struct Console {
    terminal: bool,
    /// Steps faster than this leave no line behind.
    noteworthy: Duration,
}

impl Console {
    /// One line for every step.
    pub(crate) fn every_step() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), noteworthy: Duration::ZERO }
    }

    /// Only steps that keep a person waiting leave a line.
    pub(crate) fn slow_steps() -> Self {
        Self { noteworthy: NOTEWORTHY, ..Self::every_step() }
    }

    /// Whether children may write colours: their output reaches the same terminal.
    pub(crate) fn colours(&self) -> bool {
        self.terminal
    }

    /// A line about something that was not run.
    pub(crate) fn skipped(&self, label: &str, why: &str) {
        anstream::eprintln!("{DIM}- {label}: skipped, {why}{DIM:#}");
    }

    fn finished(&self, label: &str, outcome: &Outcome) {
        let seconds = outcome.elapsed.as_secs_f32();
        if outcome.success() {
            if outcome.elapsed >= self.noteworthy {
                anstream::eprintln!("{GOOD}✓{GOOD:#} {label} {DIM}{seconds:.1} s{DIM:#}");
            }
        } else {
            anstream::eprintln!("{BAD}✗ {label}{BAD:#}: {} after {seconds:.1} s", outcome.how());
        }
    }
}

/// What to do with one line of a child's stdout: `true` if it was used up and need not be shown.
type OnStdout<'a> = Box<dyn FnMut(&str) -> bool + 'a>;

/// One child process to run.
pub(crate) struct Step<'a> {
    label: String,
    command: Command,
    limit: Option<Duration>,
    live: bool,
    failure_shown: bool,
    on_stdout: OnStdout<'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(label: impl Into<String>, command: Command) -> Self {
        let on_stdout = Box::new(|_: &str| false);
        Self { label: label.into(), command, limit: None, live: false, failure_shown: true, on_stdout }
    }

    /// Kills the child after this long.
    pub(crate) fn limit(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Passes the child's output on while it runs, stdout to stdout and stderr to stderr.
    pub(crate) fn live(self) -> Self {
        Self { live: true, ..self }
    }

    /// Leaves it to the caller to say that the step failed, because it has another way.
    pub(crate) fn failure_untold(self) -> Self {
        Self { failure_shown: false, ..self }
    }

    /// Sees each line of the child's stdout first.
    pub(crate) fn on_stdout(self, on_stdout: impl FnMut(&str) -> bool + 'a) -> Self {
        Self { on_stdout: Box::new(on_stdout), ..self }
    }

    /// Runs the child to its end. An error only where it could not be started.
    pub(crate) fn run(mut self, console: &Console) -> Result<Outcome> {
        let started = Instant::now();
        let program = self.command.get_program().to_string_lossy().into_owned();
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| format!("{}: cannot start `{program}`", self.label))?;

        let watch = Watch::new(console, &self.label, started);
        let (tail, timed_out) = self.follow(&mut child, watch, started)?;
        let status = child.wait().with_context(|| format!("{}: cannot wait for `{program}`", self.label))?;
        let outcome = Outcome { status, timed_out, elapsed: started.elapsed(), tail };
        if outcome.success() || self.failure_shown {
            console.finished(&self.label, &outcome);
            if !outcome.success() && !self.live {
                outcome.tail.iter().for_each(|line| anstream::eprintln!("  {line}"));
            }
        }
        Ok(outcome)
    }

    /// Runs the child and turns its failure into an error.
    pub(crate) fn require(self, console: &Console) -> Result<Outcome> {
        let (label, shown) = (self.label.clone(), self.failure_shown);
        let outcome = self.run(console)?;
        if outcome.success() {
            return Ok(outcome);
        }
        if shown { bail!("{label}: {}", outcome.how()) } else { bail!("{label}: {}", outcome.explain()) }
    }

    fn follow(&mut self, child: &mut Child, mut watch: Watch, started: Instant) -> Result<(Vec<String>, bool)> {
        let (sender, lines) = mpsc::channel();
        forward(child.stdout.take(), Line::Out, sender.clone());
        forward(child.stderr.take(), Line::Err, sender);
        let mut tail = VecDeque::new();
        loop {
            let line = match lines.recv_timeout(TICK) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    watch.tick();
                    if self.limit.is_some_and(|limit| started.elapsed() > limit) {
                        // Its own children may keep the pipes open, so nobody waits for those to close.
                        child.kill().context("a step took too long and could not be stopped")?;
                        return Ok((tail.into(), true));
                    }
                    continue;
                }
            };
            let (text, is_stdout) = match line {
                Line::Out(text) => (text, true),
                Line::Err(text) => (text, false),
            };
            if is_stdout && (self.on_stdout)(&text) && !self.live {
                // Not what is meant for a program.
                if !text.starts_with('{') {
                    watch.note(&text);
                }
                continue;
            }
            if !is_stdout && is_progress(&text) {
                watch.note(&text);
                continue;
            }
            if self.live {
                watch.print(&text, is_stdout);
            }
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(text);
        }
        Ok((tail.into(), false))
    }
}

/// How a step ended.
pub(crate) struct Outcome {
    status: ExitStatus,
    timed_out: bool,
    elapsed: Duration,
    tail: Vec<String>,
}

impl Outcome {
    pub(crate) fn success(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// How it ended, in a few words.
    fn how(&self) -> String {
        match self.status.code() {
            _ if self.timed_out => "stopped because it took too long".to_owned(),
            Some(0) => "succeeded".to_owned(),
            Some(code) => format!("failed with exit code {code}"),
            None => "was ended by a signal".to_owned(),
        }
    }

    /// How it ended, with the last lines it wrote.
    pub(crate) fn explain(&self) -> String {
        let last: Vec<&str> = self.tail.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        let last = last.iter().skip(last.len().saturating_sub(4)).copied().collect::<Vec<_>>().join("; ");
        if last.is_empty() { self.how() } else { format!("{} ({last})", self.how()) }
    }

    pub(crate) fn tail(&self) -> &[String] {
        &self.tail
    }
}

/// What is seen of a step while it runs.
struct Watch {
    label: String,
    started: Instant,
    spoke: Instant,
    note: String,
    spinner: Option<ProgressBar>,
}

impl Watch {
    fn new(console: &Console, label: &str, started: Instant) -> Self {
        let spinner = console.terminal.then(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}") {
                spinner.set_style(style);
            }
            spinner.set_prefix(label.to_owned());
            spinner.enable_steady_tick(TICK);
            spinner
        });
        // As if it had spoken a while ago, so that the first heartbeat comes when waiting gets noticeable.
        let spoke = started.checked_sub(HEARTBEAT - NOTEWORTHY).unwrap_or(started);
        Self { label: label.to_owned(), started, spoke, note: String::new(), spinner }
    }

    fn note(&mut self, line: &str) {
        let text = anstream::adapter::strip_str(line).to_string();
        text.trim().clone_into(&mut self.note);
        if let Some(spinner) = &self.spinner {
            spinner.set_message(self.note.clone());
        }
        self.tick();
    }

    fn tick(&mut self) {
        if self.spinner.is_none() && self.spoke.elapsed() >= HEARTBEAT {
            self.spoke = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            eprintln!("… {} {seconds} s {}", self.label, self.note);
        }
    }

    fn print(&mut self, line: &str, to_stdout: bool) {
        self.spoke = Instant::now();
        let print = || if to_stdout { anstream::println!("{line}") } else { anstream::eprintln!("{line}") };
        match &self.spinner {
            Some(spinner) => spinner.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

enum Line {
    Out(String),
    Err(String),
}

/// Reads a pipe to its end on a thread of its own. Bytes that are not UTF-8 are replaced, not lost with their line.
fn forward(pipe: Option<impl Read + Send + 'static>, kind: fn(String) -> Line, lines: Sender<Line>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes);
            if lines.send(kind(text.trim_end_matches(['\n', '\r']).to_owned())).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// Whether a line of stderr only says that work goes on (cargo's status lines, rustup's, apt's, a fuzzer's).
fn is_progress(line: &str) -> bool {
    let plain = anstream::adapter::strip_str(line).to_string();
    let first = plain.split_whitespace().next().unwrap_or_default();
    ["Compiling", "Checking", "Downloading", "Downloaded", "Fresh", "Blocking", "Updating", "Locking", "Adding"]
        .contains(&first)
        || first == "info:"
        // A fuzzer's, but for its last; and the hundreds of words that it proposes at its end.
        || (first.starts_with('"') && plain.contains("\" # Uses: "))
        || (first.strip_prefix('#').is_some_and(|count| count.parse::<u64>().is_ok()) && !plain.contains("DONE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn silent() -> Console {
        Console { terminal: false, noteworthy: Duration::MAX }
    }

    #[test]
    fn a_step_tells_its_success_and_shows_its_stdout_to_whoever_asked() {
        let mut seen = Vec::new();
        let step = Step::new("two lines", shell("echo one; echo two; echo three >&2"));
        let outcome = step
            .on_stdout(|line| {
                seen.push(line.to_owned());
                true
            })
            .run(&silent())
            .unwrap();
        assert!(outcome.success());
        assert_eq!(outcome.tail(), ["three"]);
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_failure_carries_its_code_and_the_last_lines() {
        let step =
            Step::new("fails", shell("for i in 1 2 3 4 5 6; do echo line $i >&2; done; exit 7")).failure_untold();
        let error = step.require(&silent()).err().unwrap().to_string();
        assert_eq!(error, "fails: failed with exit code 7 (line 3; line 4; line 5; line 6)");
    }

    #[test]
    fn a_step_past_its_limit_is_stopped() {
        let started = Instant::now();
        let step = Step::new("sleeps", shell("sleep 5 & wait")).failure_untold().limit(Duration::from_millis(300));
        let outcome = step.run(&silent()).unwrap();
        assert!(!outcome.success());
        assert_eq!(outcome.how(), "stopped because it took too long");
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_with_its_name() {
        let error = Step::new("starts", Command::new("no-such-program-here")).run(&silent()).err().unwrap();
        assert!(error.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn status_lines_are_progress_and_diagnostics_are_not() {
        assert!(is_progress("   Compiling serde v1.0.0"));
        assert!(is_progress("\u{1b}[1m\u{1b}[32m   Compiling\u{1b}[0m serde v1.0.0"));
        assert!(!is_progress("error[E0308]: mismatched types"));
        assert!(!is_progress("     Running unittests src/lib.rs"));
        assert!(is_progress("\"\\001\\000\" # Uses: 3") && !is_progress("\"quoted\" text"));
        assert!(is_progress("#4096\tpulse  cov: 12 ft: 34") && !is_progress("#4097\tDONE   cov: 12 ft: 34"));
    }
}
