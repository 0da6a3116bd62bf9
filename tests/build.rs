//! Lists the guests, so that the compiler knows them by name: a guest without a test does not compile, nor does a test
//! without its guest.
//!
//! `guests.rs` has a constant for each guest, for the library. `named.rs` has them once more for the tests' own crate,
//! where one that nothing uses is dead code, and dead code is denied.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("guests");
    let mut guests = Vec::new();
    for (folder, extension) in [(folder.join("examples"), "rs"), (folder, "wat")] {
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                guests.push(path);
            }
        }
    }
    guests.sort_unstable();
    let (mut constants, mut named) = (String::new(), String::new());
    for path in guests {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a guest's name is not UTF-8")?;
        let constant = name.to_uppercase();
        let text = if path.extension().is_some_and(|found| found == "wat") {
            format!("Some(include_str!({:?}))", path.display().to_string())
        } else {
            "None".to_owned()
        };
        writeln!(constants, "/// `{name}`.\npub const {constant}: Guest = Guest {{ name: {name:?}, text: {text} }};")?;
        writeln!(named, "pub(crate) const {constant}: Guest = portcullis_tests::guests::{constant};")?;
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("guests.rs"), constants)?;
    fs::write(Path::new(&out).join("named.rs"), named)?;
    Ok(())
}
