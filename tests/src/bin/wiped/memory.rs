//! Writes all memory of this process down that it may have written to: what a core dump would have of it.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Writes every private mapping that can be read and written. Pieces that are all zero are left out.
pub(crate) fn dump(to: &Path) -> io::Result<()> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let (memory, mut file) = (File::open("/proc/self/mem")?, File::create(to)?);
    let mut piece = vec![0; PIECE];
    for line in maps.lines() {
        // `7f12…000-7f12…000 rw-p 00000000 00:00 0   [heap]`
        let mut parts = line.split_whitespace();
        let (Some(range), Some(rights)) = (parts.next(), parts.next()) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let number = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
        let (mut at, end) = (number(from)?, number(to)?);
        if !rights.starts_with("rw") || !rights.ends_with('p') {
            continue;
        }
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let Some(room) = piece.get_mut(..length) else { break };
            // What is mapped and cannot be read all the same (a guard page) has nothing in it.
            if memory.read_exact_at(room, at).is_ok() && room.iter().any(|byte| *byte != 0) {
                file.write_all(room)?;
            }
            at += length as u64;
        }
    }
    Ok(())
}
