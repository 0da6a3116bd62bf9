//! Which suites are wanted, and in which form to tell what became of them.

/// The command line, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// One JSON object on stdout instead of lines.
    pub(crate) json: bool,
    /// Names of suites; none means all.
    wanted: Vec<String>,
}

impl Arguments {
    /// Reads the arguments. `known` are the names of all suites.
    pub(crate) fn parse(given: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut arguments = Self::default();
        for argument in given {
            match argument.as_str() {
                "--json" => arguments.json = true,
                name if known.contains(&name) => arguments.wanted.push(argument),
                other => return Err(format!("there is no suite `{other}`; there are {}", known.join(", "))),
            }
        }
        Ok(arguments)
    }

    /// Whether this suite is to run.
    pub(crate) fn wants(&self, suite: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        Arguments::parse(text.split_whitespace().map(str::to_owned), &["postmark", "stripe"])
    }

    #[test]
    fn without_a_name_every_suite_is_wanted_and_with_names_only_those() {
        let all = parse("--json").unwrap();
        assert!(all.json && all.wants("postmark") && all.wants("stripe"));
        let one = parse("stripe").unwrap();
        assert!(!one.json && !one.wants("postmark") && one.wants("stripe"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = parse("--json strip").unwrap_err();
        assert_eq!(error, "there is no suite `strip`; there are postmark, stripe");
        assert!(parse("--jsn").is_err());
    }
}
