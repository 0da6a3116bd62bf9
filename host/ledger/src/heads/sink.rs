//! Where signed heads go that is not the store: whoever can write to the store cannot take them back from there.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::SignedHead;

/// How much of a file's end is looked at when a host starts.
const TAIL: u64 = 4 * 1024 * 1024;

/// A sink did not take signed heads, or does not show them. They are given to it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A file.
    #[error("{}: {problem}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// A line of a file is no signed head.
    #[error("{}: its last lines are no signed heads ({what}); it is not written to. Look who wrote there, and name another file", .path.display())]
    NotHeads {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Something that is written to.
    #[error("{name}: {problem}")]
    Write {
        /// Which one.
        name: String,
        /// What went wrong.
        problem: String,
    },
    /// A server.
    #[error("{url}: {problem}")]
    Http {
        /// Which one, without a query.
        url: String,
        /// What went wrong.
        problem: String,
    },
}

/// Takes signed heads.
#[async_trait]
pub trait HeadSink: Send + Sync {
    /// Its name, for people; under it the store remembers how far it is. Holds no secret.
    fn name(&self) -> String;

    /// Keeps signed heads, in this order. What it did not say `Ok` to is given to it again, as a whole.
    async fn write(&self, heads: &[Arc<SignedHead>]) -> Result<(), SinkError>;

    /// The last ones that it can show, oldest first; none where it is new or can only be written to.
    async fn last(&self) -> Result<Vec<SignedHead>, SinkError> {
        Ok(Vec::new())
    }
}

/// A file of signed heads, one a line. Only grows; best where the host's own user may only append.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    /// In this file, which is made where there is none.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn error(path: &Path, what: &str, error: &io::Error) -> SinkError {
        SinkError::File { path: path.to_owned(), problem: format!("signed heads cannot be {what}: {error}") }
    }
}

#[async_trait]
impl HeadSink for FileSink {
    fn name(&self) -> String {
        format!("file {}", self.path.display())
    }

    async fn write(&self, heads: &[Arc<SignedHead>]) -> Result<(), SinkError> {
        let mut text = String::new();
        for head in heads {
            text.push_str(&head.line());
            text.push('\n');
        }
        let path = self.path.clone();
        blocking(move || append(&path, text.as_bytes()).map_err(|error| Self::error(&path, "written", &error))).await
    }

    async fn last(&self) -> Result<Vec<SignedHead>, SinkError> {
        let path = self.path.clone();
        blocking(move || {
            let tail = match tail(&path) {
                Ok(tail) => tail,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(Self::error(&path, "read", &error)),
            };
            let lines = tail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let not_heads = |what| SinkError::NotHeads { path: path.clone(), what };
            lines.map(|line| SignedHead::parse(line).map_err(not_heads)).collect()
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    let ended = |_| SinkError::Write { name: "file".to_owned(), problem: "the program ends".to_owned() };
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}

/// Adds lines. If only a part of them could be written it is taken back, so that the file holds whole lines.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let is_new = !path.exists();
    let mut file = portcullis_files::open_chosen(&options, path)?;
    let whole = whole_lines(&mut file)?;
    if file.metadata()?.len() > whole {
        // Half a line, from a host that ended while it wrote.
        file.set_len(whole)?;
    }
    if let Err(error) = file.write_all(lines).and_then(|()| file.sync_all()) {
        drop(file.set_len(whole));
        return Err(error);
    }
    if is_new {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Where the last whole line ends.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let piece = piece.get_mut(..(end - start) as usize).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The whole lines at a file's end, the last 4 MiB of them at most.
fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let end = whole_lines(&mut file)?;
    let start = end.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    if start > 0 {
        // The first line may be half of one.
        let first = tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        tail.drain(..first);
    }
    Ok(tail)
}

/// Anything that can be written to, one signed head a line: standard output, for one.
pub struct WriterSink<W> {
    name: String,
    writer: Arc<Mutex<W>>,
}

impl WriterSink<io::Stdout> {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::new("stdout", io::stdout())
    }
}

impl<W: Write + Send + 'static> WriterSink<W> {
    /// Under this name.
    pub fn new(name: impl Into<String>, writer: W) -> Self {
        Self { name: name.into(), writer: Arc::new(Mutex::new(writer)) }
    }
}

#[async_trait]
impl<W: Write + Send + 'static> HeadSink for WriterSink<W> {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn write(&self, heads: &[Arc<SignedHead>]) -> Result<(), SinkError> {
        let (name, writer, heads) = (self.name.clone(), self.writer.clone(), heads.to_vec());
        blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = || {
                heads.iter().try_for_each(|head| writeln!(writer, "{}", head.line()))?;
                writer.flush()
            };
            all().map_err(|error: io::Error| SinkError::Write { name, problem: error.to_string() })
        })
        .await
    }
}
