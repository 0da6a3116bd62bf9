//! Checks and what became of them: told one by one as they happen, counted, and as JSON.
//!
//! With `--json`, stdout is for one object, and the lines about checks go to stderr.

use std::io;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::costs::Costs;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Why a check, or all that is left of a suite, did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It cannot be said: something is missing on this machine.
    Skipped(String),
    /// It does not hold.
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Stop {
    /// A check that does not hold.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a check comes to.
pub(crate) type Checked<T = ()> = Result<T, Stop>;

/// A check that was made, or skipped.
#[derive(Debug)]
struct Check {
    name: String,
    result: Checked,
}

/// The checks of one suite.
#[derive(Debug)]
pub(crate) struct Checks {
    suite: &'static str,
    part: String,
    /// Whether stdout is for JSON.
    json: bool,
    checks: Vec<Check>,
    /// What was measured, where something was.
    figures: Value,
    costs: Costs,
}

impl Checks {
    /// None yet.
    pub(crate) fn new(suite: &'static str, json: bool) -> Self {
        let checks = Self {
            suite,
            part: String::new(),
            json,
            checks: Vec::new(),
            figures: Value::Null,
            costs: Costs::default(),
        };
        checks.line(&format!("\n{BOLD}{suite}{BOLD:#}"));
        checks
    }

    /// Records a check.
    pub(crate) fn check(&mut self, name: &str, result: Checked) {
        let name = format!("{}{name}", self.part);
        self.line(&match &result {
            Ok(()) => format!("  {GOOD}ok{GOOD:#}      {name}"),
            Err(Stop::Failed(why)) => {
                format!("  {BAD}failed{BAD:#}  {name}\n          {}", why.replace('\n', "\n          "))
            }
            Err(Stop::Skipped(why)) => format!("  {DIM}skipped{DIM:#} {name}: {why}"),
        });
        self.checks.push(Check { name, result });
    }

    /// Tells something that is no check.
    pub(crate) fn note(&self, text: &str) {
        self.line(&format!("  {text}"));
    }

    /// Adds what was measured to the JSON.
    pub(crate) fn figures(&mut self, figures: Value) {
        self.figures = figures;
    }

    /// Adds what calls cost.
    pub(crate) fn costs(&mut self, costs: &Costs) {
        self.costs.join(costs);
    }

    /// Part of a suite, with a counterpart of its own: where it cannot go on, the next part still runs.
    pub(crate) async fn part(&mut self, name: &str, run: impl AsyncFnOnce(&mut Checks) -> Checked) {
        self.part = format!("{name}: ");
        let ended = run(self).await;
        if ended.is_err() {
            self.check("all checks can be made", ended);
        }
        self.part.clear();
    }

    /// The suite has ended. One that checked nothing has failed.
    pub(crate) fn end(&mut self, ended: Checked) {
        self.part.clear();
        match ended {
            Err(_) => self.check("all checks can be made", ended),
            Ok(()) if self.checks.is_empty() => {
                self.check("there are checks", Err(Stop::Failed("the suite made none".to_owned())));
            }
            Ok(()) => {}
        }
        let table = self.costs.table();
        if !table.is_empty() {
            self.line(&format!("\n  {DIM}what live calls cost, medians{DIM:#}"));
            table.iter().for_each(|line| self.note(line));
        }
    }

    fn line(&self, text: &str) {
        if self.json { anstream::eprintln!("{text}") } else { anstream::println!("{text}") }
    }

    fn count(&self, is: impl Fn(&Checked) -> bool) -> usize {
        self.checks.iter().filter(|check| is(&check.result)).count()
    }

    fn counts(&self) -> [usize; 3] {
        [
            self.count(Result::is_ok),
            self.count(|result| matches!(result, Err(Stop::Failed(_)))),
            self.count(|result| matches!(result, Err(Stop::Skipped(_)))),
        ]
    }

    fn as_json(&self) -> Value {
        let [passed, failed, skipped] = self.counts();
        let check = |check: &Check| match &check.result {
            Ok(()) => json!({ "name": check.name, "result": "passed" }),
            Err(Stop::Failed(why)) => json!({ "name": check.name, "result": "failed", "reason": why }),
            Err(Stop::Skipped(why)) => json!({ "name": check.name, "result": "skipped", "reason": why }),
        };
        let checks: Vec<Value> = self.checks.iter().map(check).collect();
        let mut suite =
            json!({ "name": self.suite, "passed": passed, "failed": failed, "skipped": skipped, "checks": checks });
        if let (Value::Object(fields), false) = (&mut suite, self.figures.is_null()) {
            fields.insert("figures".to_owned(), self.figures.clone());
        }
        if let (Value::Object(fields), Value::Array(costs)) = (&mut suite, self.costs.as_json())
            && !costs.is_empty()
        {
            fields.insert("costs".to_owned(), Value::Array(costs));
        }
        suite
    }
}

/// All suites that ran.
#[derive(Debug, Default)]
pub(crate) struct Report {
    suites: Vec<Checks>,
}

impl Report {
    /// One more suite.
    pub(crate) fn add(&mut self, checks: Checks) {
        self.suites.push(checks);
    }

    /// How many checks failed.
    pub(crate) fn failed(&self) -> usize {
        self.suites.iter().map(|suite| suite.counts()[1]).sum()
    }

    /// Tells the totals.
    pub(crate) fn tell(&self, json: bool) {
        if json {
            anstream::println!("{}", self.as_json());
            return;
        }
        anstream::println!("\n{BOLD}{:<14}{:>8}{:>8}{:>9}{BOLD:#}", "suite", "passed", "failed", "skipped");
        for suite in &self.suites {
            let [passed, failed, skipped] = suite.counts();
            anstream::println!("{:<14}{passed:>8}{failed:>8}{skipped:>9}", suite.suite);
        }
    }

    fn as_json(&self) -> Value {
        json!({ "suites": self.suites.iter().map(Checks::as_json).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped() -> Checked {
        Err(Stop::Skipped("no npm here".to_owned()))
    }

    fn failed() -> Checked {
        Err(Stop::Failed("a is not b".to_owned()))
    }

    #[test]
    fn the_json_has_counts_and_every_check_with_its_reason() {
        let mut checks = Checks::new("postmark", true);
        checks.check("one", Ok(()));
        checks.check("two", failed());
        checks.check("three", skipped());
        checks.end(Ok(()));
        let mut report = Report::default();
        report.add(checks);
        assert_eq!(report.failed(), 1);
        assert_eq!(
            report.as_json(),
            json!({"suites": [{"name": "postmark", "passed": 1, "failed": 1, "skipped": 1, "checks": [
                {"name": "one", "result": "passed"},
                {"name": "two", "result": "failed", "reason": "a is not b"},
                {"name": "three", "result": "skipped", "reason": "no npm here"},
            ]}]})
        );
    }

    #[test]
    fn a_suite_that_could_not_go_on_says_why_and_one_without_checks_has_failed() {
        for (ended, expected) in [(skipped(), [0, 0, 1]), (failed(), [0, 1, 0]), (Ok(()), [0, 1, 0])] {
            let mut checks = Checks::new("stripe", true);
            checks.end(ended);
            assert_eq!(checks.counts(), expected);
        }
    }

    #[tokio::test]
    async fn a_part_that_cannot_go_on_is_one_check_and_the_next_part_has_its_own_name() {
        let mut checks = Checks::new("stripe", true);
        checks.part("localstripe", async |_| skipped()).await;
        checks
            .part("prism", async |checks| {
                checks.check("a", Ok(()));
                Ok(())
            })
            .await;
        checks.check("b", Ok(()));
        let names: Vec<&str> = checks.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["localstripe: all checks can be made", "prism: a", "b"]);
        assert_eq!(checks.counts(), [2, 0, 1]);
    }
}
