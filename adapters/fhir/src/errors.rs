//! OperationOutcome as stable failures (<https://hl7.org/fhir/R4/operationoutcome.html>).
//!
//! The code is `fhir.CODE`, from the first issue of the worst severity: `fhir.not-found`, `fhir.conflict`, `fhir.invalid`. Many
//! servers write a code that says little (`processing`, `invalid`) beside a status that says much; where that is so, the
//! status decides, so that a version conflict is `fhir.conflict` on every server. What the server says in words may hold
//! data about a person, so it is in the details alone, which a host does not record; the message says code, status and
//! where.

use portcullis_sdk::prelude::*;

/// One issue of an OperationOutcome, without what is not its own.
#[model]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Issue {
    /// `fatal`, `error`, `warning` or `information`.
    #[schema(example = "error")]
    pub(crate) severity: String,
    /// What kind of issue (value set `issue-type`).
    #[schema(example = "not-found")]
    pub(crate) code: String,
    /// The server's words.
    #[schema(sensitive)]
    pub(crate) text: Option<String>,
    /// The server's words for those who look for the cause.
    #[schema(sensitive)]
    pub(crate) diagnostics: Option<String>,
    /// Where in the resource, as FHIRPath or, from older servers, XPath.
    pub(crate) expression: Option<Vec<String>>,
}

/// What is wrong with a request, or an entry of a Bundle.
#[model]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// `fhir.CODE`, or `http.STATUS` where the server gave no code.
    #[schema(example = "fhir.not-found")]
    pub(crate) code: String,
    /// Whether the same may succeed later without a change.
    #[schema(example = false)]
    pub(crate) retryable: bool,
    /// What the server said.
    pub(crate) issues: Vec<Issue>,
}

/// Most issues that are kept, and most characters of a text in one.
const MAX_ISSUES: usize = 20;
const MAX_TEXT: usize = 1_000;

/// A status of 2xx, unless the body is an OperationOutcome with an error in it.
pub(crate) fn is_success(response: &Response) -> bool {
    response.is_success() && !has_error(&outcome(response))
}

/// What an answer that is no success means.
pub(crate) fn failure(response: &Response) -> Failure {
    from_parts(response, Request::Other)
}

/// The same for a create.
pub(crate) fn create_failure(response: &Response) -> Failure {
    from_parts(response, Request::Create)
}

fn from_parts(response: &Response, request: Request) -> Failure {
    let (status, issues) = (response.status, outcome(response));
    if issues.is_empty() && by_status(status, request).is_none() {
        return Failure::from_status(response);
    }
    let problem = problem(status, request, issues);
    let place = worst(&problem.issues).and_then(|issue| issue.expression.as_ref()?.first());
    let place = place.filter(|place| is_path(place)).map(|place| format!(" at {place}")).unwrap_or_default();
    let reason = problem.code.strip_prefix("fhir.").unwrap_or("no reason").to_owned();
    let message = format!("the FHIR server says `{reason}` (status {status}){place}");
    Failure::new(problem.code, message)
        .retryable(problem.retryable)
        .details(json!({"status": status, "issues": problem.issues}))
}

/// Whether this is a plain path, such as `Patient.name[0].family` or `/f:Patient/f:name[1]`. FHIRPath and XPath can hold texts
/// in quotes, and some servers write sentences: those may be about a person.
fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/[]_".contains(&byte))
}

/// Whether this can be a code of the value set `issue-type`, which is recorded with the call. Some servers write words there.
fn is_code(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// What was asked, where that decides what a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// A create, whose condition is `If-None-Exist`.
    Create,
    /// Anything else, whose condition is a version.
    Other,
}

/// What a status and issues come to: for an answer, and for an entry of a Bundle.
pub(crate) fn problem(status: u16, request: Request, issues: Vec<Issue>) -> Problem {
    let said = worst(&issues).map(|issue| issue.code.as_str());
    let code = match (said, by_status(status, request)) {
        (Some(said), Some(better)) if VAGUE.contains(&said) && status != 422 => better,
        (Some(said), _) => said,
        (None, Some(known)) => known,
        (None, None) => "",
    };
    let code = if code.is_empty() { format!("http.{status}") } else { ERRORS.code(code) };
    let retryable = Failure::is_retryable_status(status) || said.is_some_and(|said| NOT_NOW.contains(&said));
    Problem { code, retryable, issues }
}

const ERRORS: Errors = Errors::new("fhir", &[]);
/// Codes that say nothing a status does not say better.
const VAGUE: &[&str] =
    &["exception", "informational", "invalid", "processing", "security", "transient", "unknown", "value"];
/// Codes that say "not now", whatever the status.
const NOT_NOW: &[&str] = &["lock-error", "throttled", "timeout", "transient"];

/// The code of a status that has one meaning in FHIR's REST API (<https://hl7.org/fhir/R4/http.html>).
fn by_status(status: u16, request: Request) -> Option<&'static str> {
    Some(match status {
        412 if request == Request::Create => "multiple-matches",
        401 => "login",
        403 => "forbidden",
        404 => "not-found",
        405 => "not-supported",
        409 | 412 => "conflict",
        410 => "deleted",
        413 => "too-long",
        422 => "business-rule",
        429 => "throttled",
        _ => return None,
    })
}

fn has_error(issues: &[Issue]) -> bool {
    issues.iter().any(|issue| matches!(issue.severity.as_str(), "error" | "fatal"))
}

/// The first issue of the worst severity.
fn worst(issues: &[Issue]) -> Option<&Issue> {
    let of = |severity: &str| issues.iter().find(|issue| issue.severity == severity);
    of("fatal").or_else(|| of("error")).or_else(|| issues.first())
}

/// The issues in an answer; none where it is no OperationOutcome.
pub(crate) fn outcome(response: &Response) -> Vec<Issue> {
    // Most answers are none, and large ones are not worth reading twice.
    let has_word = response.body.split(|&byte| byte == b'O').any(|rest| rest == b"peration");
    if !has_word || response.json::<Head>().is_ok_and(|head| head.resource_type != "OperationOutcome") {
        return Vec::new();
    }
    response.json::<Value>().map(|body| issues(&body)).unwrap_or_default()
}

/// What a resource is, without the rest of it.
#[model]
#[serde(rename_all = "camelCase")]
struct Head {
    resource_type: String,
}

/// The issues of an OperationOutcome; none where it is something else.
pub(crate) fn issues(outcome: &Value) -> Vec<Issue> {
    if outcome.get("resourceType").and_then(Value::as_str) != Some("OperationOutcome") {
        return Vec::new();
    }
    let found = outcome.get("issue").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    found.iter().take(MAX_ISSUES).map(issue).collect()
}

fn issue(issue: &Value) -> Issue {
    let text = |at: &str| -> Option<String> {
        issue.pointer(at).and_then(Value::as_str).map(|text| text.chars().take(MAX_TEXT).collect())
    };
    let places = |name: &str| {
        let places = issue.get(name)?.as_array()?.iter().filter_map(Value::as_str);
        Some(places.take(MAX_ISSUES).map(|place| place.chars().take(200).collect()).collect())
    };
    // What is no code is words.
    let (code, words) = match text("/code") {
        Some(code) if is_code(&code) => (code, None),
        other => ("unknown".to_owned(), other),
    };
    Issue {
        severity: text("/severity").unwrap_or_else(|| "error".to_owned()),
        code,
        text: text("/details/text").or_else(|| text("/details/coding/0/display")).or(words),
        diagnostics: text("/diagnostics"),
        expression: places("expression").or_else(|| places("location")),
    }
}
