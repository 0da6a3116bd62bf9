//! Who left a secret in a block: the innermost function of the stack that is not the standard library's.

use std::backtrace::Backtrace;

/// Crates that only do what they are told to: they free what somebody else owns.
const OTHERS: [&str; 8] = ["std", "core", "alloc", "wiped", "hashbrown", "__rustc", "backtrace", "dyn core"];

/// The functions of a stack, the innermost first, each with its file where that is known.
pub(crate) fn functions(stack: &Backtrace) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // `  12: portcullis_vault::secret::Secret::new`, then `             at PATH:LINE:COLUMN`.
    for line in stack.to_string().lines().map(str::trim) {
        let numbered = line.split_once(": ").filter(|(number, _)| number.parse::<usize>().is_ok());
        match (numbered, line.strip_prefix("at ")) {
            (Some((_, function)), _) => found.push(function.to_owned()),
            (None, Some(file)) => {
                if let Some(function) = found.last_mut() {
                    *function = format!("{function} at {file}");
                }
            }
            _ => {}
        }
    }
    found
}

/// The place, as `crate: function`.
pub(crate) fn place(functions: &[String]) -> String {
    let owner = |function: &String| Some(format!("{}: {function}", owner(function)?));
    functions.iter().find_map(owner).unwrap_or_else(|| format!("nobody: {functions:?}"))
}

/// The crate that a function, or the type that is dropped, belongs to.
fn owner(function: &str) -> Option<String> {
    let (name, file) = function.split_once(" at ").unwrap_or((function, ""));
    // What is dropped says more than who drops it.
    if !file.is_empty() && !name.contains("drop_in_place<") {
        return of_file(file);
    }
    let names = name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    // Of a path the first part is the crate; what has one part only is a type's parameter, a keyword, or C, and what begins
    // with colons goes on behind a type.
    let crates = names.filter_map(|path| path.split_once("::")).map(|(first, _)| first);
    crates.filter(|name| !name.is_empty() && !OTHERS.contains(name)).map(str::to_owned).next()
}

fn of_file(file: &str) -> Option<String> {
    if file.contains("/library/") || file.contains("bin/wiped") {
        return None;
    }
    if let Some((_, package)) = file.split_once("/registry/src/") {
        // `INDEX/hyper-1.2.3/src/…`
        let package = package.split('/').nth(1)?;
        return Some(package.rsplit_once('-').map_or(package, |(name, _)| name).replace('-', "_"));
    }
    let (before, _) = file.split_once("/src/")?;
    let folder = before.rsplit('/').next()?;
    Some(format!("portcullis_{folder}"))
}
