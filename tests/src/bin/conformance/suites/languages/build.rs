//! Builds components from JavaScript and Python, each with the tool of its language, as an author would by hand.
//!
//! Sources are copied to where the tool was installed: it finds its packages there, and leaves nothing in the checkout. What
//! a component was made of is kept beside it, so that one whose sources did not change is not built again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use portcullis_tests::folder;

use crate::{
    cache::Cache,
    guard::Task,
    report::{Checked, Stop},
};

const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// A JavaScript file with what stands beside it in its folder.
pub(super) async fn javascript(cache: &Cache, source: &Path) -> Checked<Vec<u8>> {
    let node = cache.node("componentize-js", &[COMPONENTIZE_JS], 20).await?;
    let place = Place::of(source, "javascript", COMPONENTIZE_JS, &["js", "mjs"])?;
    if let Some(built) = place.built() {
        return Ok(built);
    }
    let sources = place.copy(&node.folder.join("sources").join(&place.name))?;
    let script = node.folder.join("sources").join("build.mjs");
    fs::copy(folder::languages().join("javascript/build.mjs"), &script)?;
    let task = node.task(&script).args([&sources, &folder::wit().canonicalize()?, &place.component()]);
    place.run(cache, &task).await
}

/// A Python module with what stands beside it in its folder.
pub(super) async fn python(cache: &Cache, source: &Path) -> Checked<Vec<u8>> {
    let python = cache.python("componentize-py", &[COMPONENTIZE_PY]).await?;
    let place = Place::of(source, "python", COMPONENTIZE_PY, &["py"])?;
    if let Some(built) = place.built() {
        return Ok(built);
    }
    let sources = place.copy(&cache.folder("python-sources").join(&place.name))?;
    let module = place.name.trim_end_matches("-python");
    let task = Task::new(python.with_file_name("componentize-py"))
        .args(["--quiet", "--wit-path"])
        .args([folder::wit().canonicalize()?])
        .args(["--world", "adapter", "componentize", module, "--python-path"])
        .args([sources.parent().unwrap_or(&sources)])
        .args(["--output"])
        .args([place.component()]);
    place.run(cache, &task).await
}

/// A component, its sources, and what it was made of.
struct Place {
    /// `tasks-python`.
    name: String,
    source: PathBuf,
    files: Vec<PathBuf>,
    made_of: String,
}

impl Place {
    fn of(source: &Path, language: &str, tool: &str, extensions: &[&str]) -> io::Result<Self> {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let mut files = files(source.parent().unwrap_or(source), extensions)?;
        let mut made_of = format!("{tool}\n");
        let build = folder::languages().join("javascript/build.mjs");
        let contract = files_of_contract()?;
        for file in files.iter().chain(&contract).chain([&build]) {
            made_of += &fs::read_to_string(file)?;
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension != "mjs"));
        Ok(Self { name: format!("{stem}-{language}"), source: source.to_owned(), files, made_of })
    }

    fn component(&self) -> PathBuf {
        folder::components().join("languages").join(format!("{}.wasm", self.name))
    }

    fn built(&self) -> Option<Vec<u8>> {
        let of = fs::read_to_string(self.component().with_extension("of")).ok()?;
        if of == self.made_of { fs::read(self.component()).ok() } else { None }
    }

    /// Copies the sources and says where the main one is.
    fn copy(&self, to: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(to)?;
        for file in &self.files {
            fs::copy(file, to.join(file.file_name().unwrap_or_default()))?;
        }
        Ok(to.canonicalize()?.join(self.source.file_name().unwrap_or_default()))
    }

    async fn run(&self, cache: &Cache, task: &Task) -> Checked<Vec<u8>> {
        let component = self.component();
        fs::create_dir_all(component.parent().unwrap_or(&component))?;
        let label = format!("build {}", self.name);
        let (good, said) = cache.run(&label, &format!("build-{}", self.name), task).await?;
        if !good {
            return Err(Stop::Failed(format!("{label}: {said}")));
        }
        fs::write(component.with_extension("of"), &self.made_of)?;
        Ok(fs::read(component)?)
    }
}

fn files_of_contract() -> io::Result<Vec<PathBuf>> {
    files(&folder::wit(), &["wit"])
}

/// The files of a folder with one of these extensions, in order.
fn files(folder: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if extensions.iter().any(|extension| path.extension().is_some_and(|found| found == *extension)) {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}
