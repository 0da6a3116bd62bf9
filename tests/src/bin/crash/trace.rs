//! What the recorder wrote (`tests/crash/recorder.c`), read: files and names, and when each of them was changed and flushed.
//!
//! A file is known by a number of its own, because names move and are used again. An event's place in the trace is its
//! time.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

/// The number of a file or folder. The folder that is recorded is 0.
pub(crate) type Node = usize;
/// When: an event's place in the trace.
pub(crate) type Time = usize;

/// A change of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Bytes at an offset.
    Write(usize, Vec<u8>),
    /// Another size: cut off, or grown with zeros.
    Resize(usize),
}

/// Names that came, went or moved in one step: folder, name, what it is from then on.
pub(crate) type Names = Vec<(Node, String, Option<Node>)>;

/// A file or folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inode {
    /// Whether it is a folder.
    pub(crate) folder: bool,
    /// What it held, durably, when the trace began.
    pub(crate) before: Vec<u8>,
    /// What was done to its content.
    pub(crate) changes: Vec<(Time, Change)>,
    /// Flushes of it, from and to. Each covers what was done before it began.
    pub(crate) flushes: Vec<(Time, Time)>,
}

impl Inode {
    /// What was done before this time is durable at `now`.
    pub(crate) fn durable_until(&self, now: Time) -> Time {
        self.flushes.iter().filter(|(_, end)| *end < now).map(|(begin, _)| *begin).max().unwrap_or(0)
    }
}

/// All that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) inodes: Vec<Inode>,
    /// The names there were when the trace began.
    pub(crate) names_before: BTreeMap<(Node, String), Node>,
    /// What was done to names.
    pub(crate) names: Vec<(Time, Names)>,
    /// What was written to the test's own log, and when.
    pub(crate) marks: Vec<(Time, Vec<u8>)>,
    /// How many events there are.
    pub(crate) events: Time,
}

const HEAD: usize = 32;

/// One event, as it is written.
struct Event<'a> {
    op: u32,
    fd: i32,
    at: i64,
    extra: i64,
    ok: bool,
    data: &'a [u8],
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The next event, and what is left; none at the end, or where the process was killed while it wrote.
fn next(bytes: &[u8]) -> Option<(Event<'_>, &[u8])> {
    let length = u32::from_le_bytes(number(bytes, 24)?) as usize;
    let event = Event {
        op: u32::from_le_bytes(number(bytes, 0)?),
        fd: i32::from_le_bytes(number(bytes, 4)?),
        at: i64::from_le_bytes(number(bytes, 8)?),
        extra: i64::from_le_bytes(number(bytes, 16)?),
        ok: u32::from_le_bytes(number(bytes, 28)?) != 0,
        data: bytes.get(HEAD..HEAD + length)?,
    };
    Some((event, bytes.get(HEAD + length..)?))
}

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("the trace cannot be used: {what}"))
}

/// Reads one trace.
struct Reader {
    root: PathBuf,
    trace: Trace,
    /// The names there are now.
    names: BTreeMap<(Node, String), Node>,
    open: HashMap<i32, Node>,
    /// Flushes under way, by number.
    flushing: HashMap<i64, (Node, Time)>,
}

impl Trace {
    /// Reads a trace of what happened below `root`. What was there before is in `before`, a copy of that folder.
    pub(crate) fn read(file: &Path, root: &Path, before: &Path) -> io::Result<Self> {
        Self::read_of(file, &root.canonicalize()?, before)
    }

    /// The same, where the folder that was recorded may be gone: `root` is its whole path.
    pub(crate) fn read_of(file: &Path, root: &Path, before: &Path) -> io::Result<Self> {
        let mut reader = Reader {
            root: root.to_owned(),
            trace: Self::default(),
            names: BTreeMap::new(),
            open: HashMap::new(),
            flushing: HashMap::new(),
        };
        reader.trace.inodes.push(Inode { folder: true, ..Inode::default() });
        reader.there_before(before, 0)?;
        reader.trace.names_before = reader.names.clone();
        let bytes = fs::read(file)?;
        let mut rest = bytes.as_slice();
        while let Some((event, more)) = next(rest) {
            reader.take(&event)?;
            reader.trace.events += 1;
            rest = more;
        }
        Ok(reader.trace)
    }

    /// The log of the test, as far as it was written at a time.
    pub(crate) fn marks_until(&self, now: Time) -> Vec<u8> {
        self.marks.iter().filter(|(time, _)| *time < now).flat_map(|(_, data)| data.clone()).collect()
    }
}

impl Reader {
    fn there_before(&mut self, folder: &Path, node: Node) -> io::Result<()> {
        // In an order that is the folder's own nowhere: files are numbered by it, and images drawn in that order.
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let is_folder = entry.file_type()?.is_dir();
            let before = if is_folder { Vec::new() } else { fs::read(entry.path())? };
            let new = self.new_node(Inode { folder: is_folder, before, ..Inode::default() });
            self.names.insert((node, entry.file_name().to_string_lossy().into_owned()), new);
            if is_folder {
                self.there_before(&entry.path(), new)?;
            }
        }
        Ok(())
    }

    fn new_node(&mut self, inode: Inode) -> Node {
        self.trace.inodes.push(inode);
        self.trace.inodes.len() - 1
    }

    /// The folder a path's last name stands in, and that name; none for the root itself.
    fn place(&self, path: &[u8]) -> io::Result<Option<(Node, String)>> {
        let path = PathBuf::from(String::from_utf8(path.to_vec()).map_err(wrong)?);
        let inner = path.strip_prefix(&self.root).map_err(|_| wrong(path.display()))?;
        let mut names: Vec<String> = inner.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let Some(last) = names.pop() else { return Ok(None) };
        let mut folder = 0;
        for name in names {
            folder = self.names.get(&(folder, name)).copied().ok_or_else(|| wrong(path.display()))?;
        }
        Ok(Some((folder, last)))
    }

    fn of(&mut self, fd: i32) -> io::Result<&mut Inode> {
        let node = self.open.get(&fd).copied().ok_or_else(|| wrong(format!("file {fd} was never opened")))?;
        self.trace.inodes.get_mut(node).ok_or_else(|| wrong("a file that is none"))
    }

    fn name(&mut self, names: Names) {
        for (folder, name, node) in &names {
            match node {
                Some(node) => self.names.insert((*folder, name.clone()), *node),
                None => self.names.remove(&(*folder, name.clone())),
            };
        }
        self.trace.names.push((self.trace.events, names));
    }

    /// Carries on with one event. The numbers are those of the recorder.
    fn take(&mut self, event: &Event<'_>) -> io::Result<()> {
        let now = self.trace.events;
        let at = usize::try_from(event.at).unwrap_or(0);
        match event.op {
            // A process begins; the one before has ended.
            1 => {
                self.open.clear();
                self.flushing.clear();
            }
            2 => self.opened(event)?,
            3 => drop(self.open.remove(&event.fd)),
            4 => {
                let node = self.open.get(&event.fd).copied().ok_or_else(|| wrong("a copy of a file never opened"))?;
                self.open.insert(i32::try_from(event.extra).map_err(wrong)?, node);
            }
            5 => self.of(event.fd)?.changes.push((now, Change::Write(at, event.data.to_vec()))),
            6 => self.of(event.fd)?.changes.push((now, Change::Resize(at))),
            7 => {
                let node = self.open.get(&event.fd).copied().ok_or_else(|| wrong("a flush of a file never opened"))?;
                self.flushing.insert(event.extra, (node, now));
            }
            8 => {
                if let Some((node, begin)) = self.flushing.remove(&event.extra)
                    && event.ok
                    && let Some(inode) = self.trace.inodes.get_mut(node)
                {
                    inode.flushes.push((begin, now));
                }
            }
            9 => self.moved(event.data)?,
            10 => {
                let (folder, name) = self.place(event.data)?.ok_or_else(|| wrong("the root was removed"))?;
                self.name(vec![(folder, name, None)]);
            }
            11 => {
                if let Some((folder, name)) = self.place(event.data)? {
                    let node = self.new_node(Inode { folder: true, ..Inode::default() });
                    self.name(vec![(folder, name, Some(node))]);
                }
            }
            12 => self.trace.marks.push((now, event.data.to_vec())),
            _ => return Err(wrong(String::from_utf8_lossy(event.data))),
        }
        Ok(())
    }

    fn opened(&mut self, event: &Event<'_>) -> io::Result<()> {
        const O_TRUNC: i64 = 0o1000;
        let Some((folder, name)) = self.place(event.data)? else {
            self.open.insert(event.fd, 0);
            return Ok(());
        };
        let node = match self.names.get(&(folder, name.clone())) {
            Some(node) => *node,
            None if event.extra != 0 => return Err(wrong(format!("the folder {name} came from nowhere"))),
            None => {
                let node = self.new_node(Inode::default());
                self.name(vec![(folder, name, Some(node))]);
                node
            }
        };
        self.open.insert(event.fd, node);
        if event.at & O_TRUNC != 0 {
            let now = self.trace.events;
            self.of(event.fd)?.changes.push((now, Change::Resize(0)));
        }
        Ok(())
    }

    fn moved(&mut self, data: &[u8]) -> io::Result<()> {
        let mut paths = data.split(|byte| *byte == 0);
        let (Some(from), Some(to)) = (paths.next(), paths.next()) else { return Err(wrong("a move without a target")) };
        let (Some(from), Some(to)) = (self.place(from)?, self.place(to)?) else {
            return Err(wrong("the root was moved"));
        };
        let node = self.names.get(&from).copied();
        self.name(vec![(from.0, from.1, None), (to.0, to.1, node)]);
        Ok(())
    }
}
