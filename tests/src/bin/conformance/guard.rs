//! Child processes that cannot outlive this program, however it ends.
//!
//! A child is started by a guard: this same program, started again, which waits for the end of its stdin. That pipe closes
//! when the child is dropped here, and as well when this program panics, is interrupted or is killed. The guard then ends
//! the child and all that it started: SIGTERM to their process group, and SIGKILL to what is left a while later. So there
//! is no signal handler, and no list of processes that could be incomplete.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid};

/// What makes this program a guard, as its first argument.
const ASKED: &str = "--guard";
/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often the guard looks.
const TICK: Duration = Duration::from_millis(20);

/// A child under guard. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Guarded {
    guard: tokio::process::Child,
}

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    folder: Option<OsString>,
}

impl Task {
    /// A program, by path or by name.
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: Vec::new(), folder: None }
    }

    /// With these arguments.
    #[must_use]
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// In this folder.
    #[must_use]
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts it. What it says goes to `log`.
    pub(crate) fn start(&self, log: &Path) -> io::Result<Guarded> {
        let out = File::create(log)?;
        self.start_with(out.try_clone()?, out)
    }

    /// Starts it. What it answers goes to `out`, what else it says to `log`.
    pub(crate) fn start_into(&self, out: File, log: &Path) -> io::Result<Guarded> {
        self.start_with(out, File::create(log)?)
    }

    fn start_with(&self, out: File, log: File) -> io::Result<Guarded> {
        let mut guard = tokio::process::Command::new(env::current_exe()?);
        guard.arg(ASKED).arg(&self.program).args(&self.arguments);
        guard.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            guard.current_dir(folder);
        }
        // A group of its own, so that Ctrl-C in a terminal reaches the child by way of the guard alone.
        guard.process_group(0).stdin(Stdio::piped()).stdout(out).stderr(log);
        Ok(Guarded { guard: guard.spawn()? })
    }
}

impl Guarded {
    /// How it ended, where it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.guard.try_wait()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        // `Child::wait` closes stdin, and that would be the end.
        let stdin = self.guard.stdin.take();
        let status = self.guard.wait().await;
        drop(stdin);
        status
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let started = Instant::now();
        // The guard needs no longer than its grace, and whoever runs next may want the port.
        while matches!(self.guard.try_wait(), Ok(None)) && started.elapsed() < GRACE * 2 {
            thread::sleep(TICK);
        }
    }
}

/// The whole of a guard, where this process was started as one.
pub(crate) fn guard_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != ASKED {
        return None;
    }
    let program = arguments.next()?;
    let mut child = Command::new(&program);
    child.args(arguments);
    let code = match watch(child, io::stdin(), GRACE) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{} cannot be started: {error}", program.display());
            127
        }
    };
    Some(ExitCode::from(code))
}

/// Runs a child until it ends or until `pipe` does, and leaves nothing of its process group.
fn watch(mut command: Command, mut pipe: impl Read + Send + 'static, grace: Duration) -> io::Result<u8> {
    // What the child leaves behind becomes the guard's to wait for; elsewhere it is init's. Any number means "yes".
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Pid::from_raw(1))?;
    let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
    let (sender, closed) = mpsc::channel::<()>();
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while pipe.read(&mut buffer).is_ok_and(|count| count > 0) {}
        drop(sender);
    });
    let code = loop {
        if let Some(status) = child.try_wait()? {
            break status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        }
        if closed.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
            break 0;
        }
    };
    stop(&mut child, grace);
    Ok(code)
}

/// Ends what is left of a child's process group.
fn stop(child: &mut Child, grace: Duration) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let mut child_ended = false;
    let asked = Instant::now();
    let mut signal = Signal::TERM;
    let _ = kill_process_group(group, signal);
    // A group is there as long as one of its processes is, and a process until its parent has waited for it.
    while !child_ended || test_kill_process_group(group).is_ok() {
        child_ended = child_ended || !matches!(child.try_wait(), Ok(None));
        while child_ended && matches!(waitpgid(group, WaitOptions::NOHANG), Ok(Some(_))) {}
        if asked.elapsed() > grace && signal != Signal::KILL {
            signal = Signal::KILL;
            let _ = kill_process_group(group, signal);
        }
        if asked.elapsed() > grace * 2 {
            return;
        }
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A shell that writes the ids of itself and of a child to a file, and what became of both under a guard.
    fn guarded(name: &str, script: &str, hold: Duration) -> (u8, Duration, Vec<i32>) {
        let file = env::temp_dir().join(format!("conformance-guard-{name}-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo $$ > {0}; {script}", file.display())]);
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let closing = thread::spawn(move || {
            thread::sleep(hold);
            drop(writer);
        });
        let started = Instant::now();
        let code = watch(command, reader, Duration::from_millis(300)).unwrap();
        let took = started.elapsed();
        closing.join().unwrap();
        let ids = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        (code, took, ids.lines().map(|id| id.parse().unwrap()).collect())
    }

    fn is_there(group: i32) -> bool {
        test_kill_process_group(Pid::from_raw(group).unwrap()).is_ok()
    }

    #[test]
    fn a_child_that_ends_gives_its_exit_code_and_what_it_left_behind_is_ended() {
        let (code, _, ids) = guarded("ends", "sleep 30 & exit 7", Duration::from_secs(1));
        assert_eq!(code, 7);
        assert!(!is_there(ids[0]), "its `sleep` is still there");
    }

    #[test]
    fn when_the_pipe_closes_the_child_is_asked_to_end() {
        let (_, took, ids) = guarded("asked", "sleep 30", Duration::from_millis(200));
        assert!(took < Duration::from_millis(480), "it took {took:?}, as if it had been killed");
        assert!(!is_there(ids[0]));
    }

    #[test]
    fn a_child_that_does_not_listen_is_killed_with_all_of_its_group() {
        let script = "trap '' TERM; sh -c \"trap '' TERM; sleep 30\" & sleep 30";
        let (_, took, ids) = guarded("deaf", script, Duration::from_millis(200));
        assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(5), "{took:?}");
        assert!(!is_there(ids[0]));
    }
}
