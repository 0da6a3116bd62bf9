//! Whether a pattern can be one that the host matches: a regular expression of ECMA-262 that is matched in linear time.
//!
//! Not a compiler: what is looked for is what descriptions of APIs hold and the host refuses, so that it is told when the config is
//! read and where it stands. The host compiles the pattern and has the last word.

/// What is wrong with a pattern, and what to do.
pub(crate) fn wrong(pattern: &str) -> Option<String> {
    let mut scan = Scan { rest: pattern, open: 0, repeats: false };
    loop {
        match scan.step() {
            Ok(true) => {}
            Ok(false) => break,
            Err(why) => return Some(why),
        }
    }
    (scan.open > 0).then(|| "a group is not closed; write `)` at its end".to_owned())
}

struct Scan<'p> {
    rest: &'p str,
    /// Groups that are open.
    open: usize,
    /// Whether what was read last can be repeated.
    repeats: bool,
}

const LINEAR: &str = "patterns are matched in linear time, which this one cannot be";

impl Scan<'_> {
    /// Reads one thing. False at the end.
    fn step(&mut self) -> Result<bool, String> {
        let Some(c) = self.rest.chars().next() else { return Ok(false) };
        match c {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                self.open = self.open.checked_sub(1).ok_or("`)` closes no group; write `\\)` for the character")?;
                self.skip(1);
                self.repeats = true;
            }
            '*' | '+' | '?' => self.repeated(1)?,
            '{' => match counted(self.rest) {
                Some((length, least, most)) => {
                    if most.is_some_and(|most| most < least) {
                        return Err(format!("`{}` counts down; write the smaller number first", self.shown(length)));
                    }
                    self.repeated(length)?;
                }
                None => {
                    return Err("`{` begins no repetition such as `{1,9}`; write `\\{` for the character".to_owned());
                }
            },
            '^' | '$' | '|' => {
                self.skip(1);
                self.repeats = false;
            }
            c => {
                self.skip(c.len_utf8());
                self.repeats = true;
            }
        }
        Ok(true)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn shown(&self, bytes: usize) -> String {
        self.rest.get(..bytes).unwrap_or(self.rest).chars().take(24).collect()
    }

    /// A repetition of so many bytes, and the `?` of a lazy one.
    fn repeated(&mut self, length: usize) -> Result<(), String> {
        if !self.repeats {
            return Err(format!("`{}` repeats nothing; write `\\` before it for the character", self.shown(length)));
        }
        self.skip(length);
        self.repeats = false;
        if self.rest.starts_with('?') {
            self.skip(1);
        }
        if self.rest.starts_with('+') {
            return Err(format!(
                "a possessive repetition (`++`) is not of ECMA-262, and {LINEAR}; leave the last `+` out"
            ));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let mut after = self.rest.chars().skip(1);
        match after.next() {
            None => return Err("it ends with `\\`; write `\\\\` for the character".to_owned()),
            Some(digit @ '1'..='9') => {
                return Err(format!("it holds a back-reference (`\\{digit}`): {LINEAR}; write out what is repeated"));
            }
            Some('k') if after.next() == Some('<') => {
                return Err(format!("it holds a back-reference (`\\k<…>`): {LINEAR}; write out what is repeated"));
            }
            Some(c) => {
                self.skip(1 + c.len_utf8());
                self.repeats = !matches!(c, 'b' | 'B');
                // `\p{…}`, `\u{…}`: what stands in braces is no repetition.
                if matches!(c, 'p' | 'P' | 'u') && self.rest.starts_with('{') {
                    let end =
                        self.rest.find('}').ok_or_else(|| format!("`\\{c}{{` is not closed; write `}}` at its end"))?;
                    self.skip(end + 1);
                }
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        for (start, what) in [
            ("(?=", "a look-ahead"),
            ("(?!", "a negative look-ahead"),
            ("(?<=", "a look-behind"),
            ("(?<!", "a negative look-behind"),
            ("(?>", "an atomic group"),
            ("(?(", "a condition"),
        ] {
            if self.rest.starts_with(start) {
                return Err(format!(
                    "it holds {what} (`{start}…)`): {LINEAR}; say the same with several `pattern`s under `allOf`, or leave it out"
                ));
            }
        }
        self.open += 1;
        self.repeats = false;
        let length = match self.rest.strip_prefix("(?") {
            // A name.
            Some(rest) if rest.starts_with('<') || rest.starts_with("P<") => {
                3 + rest.find('>').ok_or("a group's name is not closed; write `>` at its end")?
            }
            Some(rest) => match rest.find([':', ')']) {
                Some(flags)
                    if rest
                        .get(..flags)
                        .is_some_and(|flags| flags.bytes().all(|b| matches!(b, b'i' | b'm' | b's' | b'-'))) =>
                {
                    // `(?i)` is no group, its `)` closes it.
                    2 + flags + usize::from(rest.get(flags..).is_some_and(|rest| rest.starts_with(':')))
                }
                _ => return Err(format!("`{}` begins no group; write `(?:…)`", self.shown(4))),
            },
            None => 1,
        };
        self.skip(length);
        Ok(())
    }

    /// A class, up to its `]`.
    fn class(&mut self) -> Result<(), String> {
        let mut end = None;
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                ']' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or("`[` begins a class that is not closed; write `]` at its end")?;
        self.skip(end + 1);
        self.repeats = true;
        Ok(())
    }
}

/// The length of a repetition such as `{2}`, `{2,}` or `{2,5}`, and its numbers.
fn counted(text: &str) -> Option<(usize, u32, Option<u32>)> {
    let end = text.find('}')?;
    let inside = text.get(1..end)?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
    let most = if most.is_empty() { None } else { Some(most.parse().ok()?) };
    Some((end + 1, least.parse().ok()?, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_matched_in_linear_time_is_named() {
        for (pattern, told) in [
            (r"^(?=.*[0-9])[a-z0-9]{8,}$", "a look-ahead (`(?=…)`)"),
            (r"^(?!x)", "a negative look-ahead"),
            (r"(?<=a)b", "a look-behind"),
            (r"(?<!a)b", "a negative look-behind"),
            (r"(?>a)b", "an atomic group"),
            (r"(a)\1", "a back-reference (`\\1`)"),
            (r"(?<n>a)\k<n>", "a back-reference (`\\k<…>`)"),
            (r"a++", "possessive"),
        ] {
            assert!(wrong(pattern).unwrap().contains(told), "{pattern}: {:?}", wrong(pattern));
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for pattern in ["(", ")", "[a", "*a", "a**", "a{2,1}", "a{", "{", "\\", "(?<n", "(?x:a)", "\\p{L", "^*"] {
            assert!(wrong(pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn patterns_of_descriptions_pass() {
        for pattern in [
            "",
            "^[A-Za-z0-9\\-\\.]{1,64}$",
            r"^\d{4}-\d{2}(-\d{2})?$",
            r"[\s\S]*?",
            r"^(?:a|b)+?$",
            r"(?<year>\d{4})",
            r"\p{L}+",
            r"[(?=]",
            r"\(\?=",
            r"^[\]\[(]{2,}$",
            r"(?i)abc",
            r"(?i:a)b",
            r"a|b|",
            r"\u00e9{2}",
            r"\b\w+\b",
            r"[^\x00-\x1f]*",
            r"\/x\}",
        ] {
            assert_eq!(wrong(pattern), None, "{pattern}");
        }
    }
}
