//! Who asks, for the ledger: the system's user, unless whoever runs the command states another name.
//!
//! A stated name is recorded as stated: nothing vouches for it. So it may not look like the name of a system's user, which
//! the kernel vouches for. What it does not do: decide anything. Whoever can open the store can act on it.

use std::path::Path;

use portcullis_runtime::{Caller, KnownBy, is_plain};

use crate::{exit::Usage, file};

/// With what the name of a system's user begins.
const OS: &str = "os:";
/// Longest stated name, in bytes.
const MAX_NAME: usize = 200;
/// Where names of users stand, and how much of it is read.
const USERS: (&str, usize) = ("/etc/passwd", 4 * 1024 * 1024);

/// The caller of this command.
pub(crate) fn caller(stated: Option<&str>) -> Result<Caller, Usage> {
    let Some(name) = stated else {
        let uid = rustix::process::getuid().as_raw();
        return Ok(Caller::principal(of_system(uid)).known_by(KnownBy::OsUser));
    };
    if name.trim().is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        return Err(Usage(format!("--principal: write 1 to {MAX_NAME} bytes of printable text, such as user:ada")));
    }
    if name.starts_with(OS) {
        let why = "names that begin with `os:` are the system's users, which the system names itself";
        return Err(Usage(format!("--principal: {why}; leave the option out, or write user:NAME")));
    }
    Ok(Caller::principal(name).known_by(KnownBy::Stated))
}

/// `os:ada(1000)`; `os:1000` where no local file has a name for the number.
fn of_system(uid: u32) -> String {
    let users = file::bytes("the users", Path::new(USERS.0), USERS.1).unwrap_or_default();
    match name_of(uid, &String::from_utf8_lossy(&users)) {
        Some(name) => format!("{OS}{name}({uid})"),
        None => format!("{OS}{uid}"),
    }
}

/// The name of this user in the form of passwd(5).
fn name_of(uid: u32, users: &str) -> Option<&str> {
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-$@+".contains(&byte);
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    };
    users
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            (number.parse() == Ok(uid)).then_some(name)
        })
        .filter(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_user_has_name_and_number_and_nobody_can_state_one() {
        let users = "root:x:0:0::/root:/bin/sh\n# 7\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\nwith space:x:7:7::/:/\n";
        assert_eq!([0, 1000, 7, 9].map(|uid| name_of(uid, users)), [Some("root"), Some("ada"), None, None]);
        let own = caller(None).unwrap();
        assert_eq!(own.known_by, Some(KnownBy::OsUser));
        assert!(own.principal.starts_with("os:"), "{own:?}");
        let stated = caller(Some("user:ceo")).unwrap();
        assert_eq!((stated.principal.as_str(), stated.known_by), ("user:ceo", Some(KnownBy::Stated)));
        for name in ["os:root(0)", "", "  ", "a\u{202e}b", "a\nb", &"x".repeat(201)] {
            assert!(caller(Some(name)).is_err(), "{name:?}");
        }
    }
}
