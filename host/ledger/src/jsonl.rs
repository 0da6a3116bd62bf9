//! A ledger that is a JSON Lines file: one record a line, in the order they were kept.
//!
//! Each record is one `write` before `append` returns, so that killing the process loses nothing that was acknowledged.
//! It is not synced to the disk, so a power cut can; and it is not chained, so an editor goes unseen. Both are the work of
//! the ledger that takes this one's place.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{Ledger, LedgerError, record::Record};

/// An append-only JSON Lines file.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Bytes of whole records.
    length: u64,
    buffer: Vec<u8>,
    /// A torn line could not be taken back: nothing may be written after it.
    torn: bool,
}

impl JsonLines {
    /// Opens or creates the file, readable by its owner alone.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LedgerError> {
        let path = path.into();
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let io = |error: std::io::Error| problem(&path, error.to_string());
        let mut file = options.open(&path).map_err(io)?;
        if path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            lock(&file).map_err(|why| problem(&path, why))?;
            end_torn_line(&path, &mut file).map_err(io)?;
        }
        let length = file.metadata().map_err(io)?.len();
        let state = State { file, length, buffer: Vec::with_capacity(1024), torn: false };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[async_trait]
impl Ledger for JsonLines {
    async fn append(&self, record: &Record<'_>) -> Result<(), LedgerError> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        if state.torn {
            return Err(problem(&self.path, "an earlier record is torn and could not be taken back".to_owned()));
        }
        state.buffer.clear();
        serde_json::to_writer(&mut state.buffer, record).map_err(|error| problem(&self.path, error.to_string()))?;
        state.buffer.push(b'\n');
        match state.file.write_all(&state.buffer) {
            Ok(()) => {
                state.length += state.buffer.len() as u64;
                Ok(())
            }
            Err(error) => {
                state.torn = state.file.set_len(state.length).is_err();
                Err(problem(&self.path, error.to_string()))
            }
        }
    }
}

/// One process writes to a ledger. Another may be about to end, as a command does; it is waited for, for a moment.
fn lock(file: &File) -> Result<(), String> {
    for _ in 0..100 {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(error)) => return Err(error.to_string()),
        }
    }
    Err("another process writes to it; give each its own, or end that one".to_owned())
}

/// A process that was killed in the middle of a record leaves half a line; the next one starts a line of its own.
fn end_torn_line(path: &Path, file: &mut File) -> std::io::Result<()> {
    let mut last = [b'\n'];
    let mut reader = File::open(path)?;
    if reader.seek(SeekFrom::End(0))? > 0 {
        reader.seek(SeekFrom::End(-1))?;
        reader.read_exact(&mut last)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

fn problem(path: &Path, problem: String) -> LedgerError {
    LedgerError { place: path.display().to_string(), problem }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{CallId, Caller, Event, Mode, Subject};

    fn append(ledger: &JsonLines) -> Result<(), LedgerError> {
        let caller = Caller::principal("user:ada");
        let subject = Subject {
            call: CallId::generate(),
            workspace: "acme",
            integration: "mail",
            adapter: "sha256:00",
            grant: "sha256:11",
            operation: "sendEmail",
            mode: Mode::Live,
            caller: &caller,
        };
        let record =
            Record { time: Timestamp::UNIX_EPOCH, subject: Some(&subject), event: Event::Intent { input_bytes: 2 } };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(ledger.append(&record))
    }

    #[test]
    fn every_acknowledged_record_is_a_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        for _ in 0..2 {
            append(&JsonLines::open(&path).unwrap()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["kind"], "intent");
        assert_eq!(lines[0]["time"], "1970-01-01T00:00:00Z");
        assert_eq!(lines[0]["caller"]["principal"], "user:ada");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_not_a_lost_record() {
        let error = append(&JsonLines::open("/dev/full").unwrap()).unwrap_err();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}
