//! Builds the recorder (`tests/crash/recorder.c`) and loads it into a child.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = include_str!("../../../crash/recorder.c");

/// A recorder that was built.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(PathBuf);

impl Recorder {
    /// Compiles it into a folder; or says why there is none here.
    pub(crate) fn build(folder: &Path) -> io::Result<Result<Self, String>> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            return Ok(Err("the recorder needs Linux with glibc".to_owned()));
        }
        let (source, library) = (folder.join("recorder.c"), folder.join("recorder.so"));
        fs::write(&source, SOURCE)?;
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o"]).arg(&library).arg(&source);
        let built = match cc.args(["-ldl", "-pthread"]).output() {
            Ok(built) => built,
            Err(error) => return Ok(Err(format!("there is no C compiler `cc` ({error})"))),
        };
        if !built.status.success() {
            return Err(io::Error::other(format!("cc: {}", String::from_utf8_lossy(&built.stderr))));
        }
        Ok(Ok(Self(library)))
    }

    /// Records what a child does below `root`, after what is in the trace already. With `stop`, the child kills itself after
    /// so many events.
    pub(crate) fn record(&self, child: &mut Command, root: &Path, trace: &Path, marks: &Path, stop: Option<usize>) {
        child.env("LD_PRELOAD", &self.0).env("CRASH_ROOT", root).env("CRASH_TRACE", trace).env("CRASH_MARKS", marks);
        if let Some(stop) = stop {
            child.env("CRASH_STOP", stop.to_string());
        }
    }

    /// Lets what a child changes below `root` fail as the file `control` says.
    pub(crate) fn fail(&self, child: &mut Command, root: &Path, control: &Path) {
        child.env("LD_PRELOAD", &self.0).env("CRASH_ROOT", root).env("CRASH_FAULT", control);
    }
}

/// Lets changes fail with this error from now on; 0 ends that.
pub(crate) fn set_fault(control: &Path, errno: i32) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new().write(true).open(control)?.write_all_at(&errno.to_ne_bytes(), 0)
}

/// How many changes have failed by that.
pub(crate) fn faults(control: &Path) -> io::Result<u32> {
    let bytes = fs::read(control)?;
    Ok(bytes.get(4..8).and_then(|count| count.try_into().ok()).map_or(0, u32::from_ne_bytes))
}
