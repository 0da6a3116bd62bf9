//! Arguments beyond plain flags: a flag with a number (`--seconds N`) or with one of some words (`--engine sled|redb`), and a
//! word (`TARGET`). A command's list of flags says which of them it takes, as its usage shows them.

/// The first argument that a command with these flags does not take.
pub(crate) fn unknown<'a>(flags: &[&str], given: &'a [String]) -> Option<&'a String> {
    let mut rest = given.iter();
    while let Some(argument) = rest.next() {
        let takes = flags.iter().find_map(|flag| flag.split_once(' ').filter(|(name, _)| name == argument));
        let known = match takes {
            Some((_, "N")) => rest.next().is_some_and(|number| number.parse::<u64>().is_ok()),
            Some((_, words)) => rest.next().is_some_and(|given| words.split('|').any(|word| word == given)),
            None if argument.starts_with('-') => flags.contains(&argument.as_str()),
            None => flags.iter().any(|flag| !flag.starts_with('-')),
        };
        if !known {
            return Some(argument);
        }
    }
    None
}

/// The number after this flag.
pub(crate) fn number(given: &[String], flag: &str) -> Option<u64> {
    let at = given.iter().position(|argument| argument == flag)?;
    given.get(at + 1)?.parse().ok()
}

/// The arguments that are neither flags nor their numbers.
pub(crate) fn words(given: &[String]) -> Vec<&str> {
    given.iter().map(String::as_str).filter(|word| !word.starts_with('-') && word.parse::<u64>().is_err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_number_follows_its_flag_and_a_word_stands_where_one_is_taken() {
        let flags = ["TARGET", "--seconds N", "--json"];
        for good in ["", "--json", "header --seconds 5", "--seconds 5 header --json"] {
            assert_eq!(unknown(&flags, &given(good)), None, "{good}");
        }
        for (bad, what) in [("--seconds", "--seconds"), ("--seconds x", "--seconds"), ("--quick", "--quick")] {
            assert_eq!(unknown(&flags, &given(bad)), Some(&what.to_owned()), "{bad}");
        }
        assert_eq!(unknown(&["--json"], &given("header")), Some(&"header".to_owned()));
        let flags = ["--engine sled|redb"];
        assert_eq!(unknown(&flags, &given("--engine redb")), None);
        for bad in ["--engine", "--engine lmdb"] {
            assert_eq!(unknown(&flags, &given(bad)), Some(&"--engine".to_owned()), "{bad}");
        }
        assert_eq!(number(&given("header --seconds 5"), "--seconds"), Some(5));
        assert_eq!(number(&given("header"), "--seconds"), None);
        assert_eq!(words(&given("--json header --seconds 5")), ["header"]);
    }
}
