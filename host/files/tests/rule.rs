//! The rule, as a user of the crate meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use portcullis_files::{FileError, close_to_others, create, create_new, existing_folder, folder, open_to_others};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_made_is_its_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("a/b");
    folder(&deep).unwrap();
    create(&deep.join("c")).unwrap().write_all(b"text").unwrap();
    create_new(&deep.join("d")).unwrap();
    assert_eq!(mode(&place.path().join("a")), 0o700);
    assert_eq!((mode(&deep), mode(&deep.join("c")), mode(&deep.join("d"))), (0o700, 0o600, 0o600));
    assert!(create_new(&deep.join("d")).is_err(), "it is there already");
    assert!(open_to_others(&place.path().join("a")).unwrap().is_empty());
}

#[test]
fn what_others_can_read_is_closed_to_them_and_told_by_the_walk_before() {
    let place = tempfile::tempdir().unwrap();
    set(place.path(), 0o700);
    let below = place.path().join("sled");
    fs::create_dir(&below).unwrap();
    fs::write(below.join("db"), "x").unwrap();
    set(&below.join("db"), 0o666);
    set(&below, 0o755);
    assert_eq!(open_to_others(place.path()).unwrap(), [below.clone(), below.join("db")]);
    close_to_others(place.path()).unwrap();
    assert!(open_to_others(place.path()).unwrap().is_empty());
    assert_eq!(fs::read(below.join("db")).unwrap(), b"x");
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_with_the_command_that_mends_it() {
    let place = tempfile::tempdir().unwrap();
    for wide in [0o777, 0o720, 0o702, 0o1777] {
        set(place.path(), wide);
        let error = existing_folder(place.path()).unwrap_err();
        assert!(matches!(error, FileError::Writable { .. }), "{error}");
        assert!(error.to_string().contains(&format!("chmod 700 {}", place.path().display())), "{error}");
        assert_eq!(mode(place.path()), wide, "nothing was changed");
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    symlink(&elsewhere, place.path().join("lock")).unwrap();
    assert!(matches!(create(&place.path().join("lock")), Err(FileError::Link { .. })));
    assert!(matches!(close_to_others(place.path()), Err(FileError::Link { .. })));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
    assert!(matches!(create(place.path()), Err(FileError::Io { .. })), "a folder is no file");
}
