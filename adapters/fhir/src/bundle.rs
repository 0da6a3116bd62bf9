//! Bundles: what searches answer with, and batches and transactions with what became of each entry.

use portcullis_sdk::prelude::*;

use crate::{
    config::Config,
    errors::{self, Issue, Problem, Request},
    forms::{is_id, is_type, tag_of_version},
    resources::Resource,
    slots::ACCESS_TOKEN,
    stored::{Place, kind, resource, unexpected},
    structure,
    writing::WRITING,
};

pub(crate) const SUBMIT: Route<BundleRequest, Json<BundleAnswer>> = Route::post("submit-bundle", "")
    .body_field("bundle")
    .slot(&ACCESS_TOKEN)
    .headers(WRITING)
    .describe("Carries out a batch or a transaction: any request to any resource, which the gate cannot see into.");

/// Carries out several requests at once: as a batch, each by itself, or as a transaction, all or none.
#[operation(destructive, uses(SUBMIT))]
pub(crate) fn submit_bundle(cx: &Context<Config>, input: BundleInput) -> Result<BundleOutput, Error> {
    let BundleInput { bundle_type, entry } = input;
    for (index, entry) in entry.iter().enumerate() {
        check_entry(entry, &format!("/entry/{index}"))?;
    }
    Ok(submit(cx, &SUBMIT, bundle_type, entry)?)
}

/// Sends entries that are right, and reads what became of each.
pub(crate) fn submit<Answer>(
    cx: &Context<Config>,
    route: &Route<BundleRequest, Answer>,
    bundle_type: BundleType,
    entries: Vec<Entry>,
) -> Result<BundleOutput, Failure> {
    let methods: Vec<Method> = entries.iter().map(|entry| entry.request.method).collect();
    let bundle = json!({"resourceType": "Bundle", "type": bundle_type, "entry": entries});
    let answer = cx.send_response(route, &BundleRequest { bundle: Json::new(bundle) })?;
    let answer = resource(answer.json()?)?;
    let is_bundle = kind(&answer).is_some_and(|kind| kind == "Bundle");
    let mut answers = match answer.items("/entry") {
        Some(answers) if is_bundle => answers.into_iter(),
        _ => return Err(unexpected("the answer is no Bundle with an entry for each request")),
    };
    let entries: Vec<Outcome> =
        methods.into_iter().map(|method| answers.next().map_or_else(unanswered, |one| outcome(method, one))).collect();
    let failed = entries.iter().filter(|entry| entry.error.is_some()).count() as u64;
    Ok(BundleOutput { failed, entry: entries })
}

/// Carries out a transaction, all of it or nothing. Some servers say of a transaction that a part of it failed.
pub(crate) fn transact<Answer>(
    cx: &Context<Config>,
    route: &Route<BundleRequest, Answer>,
    entries: Vec<Entry>,
) -> Result<Vec<Outcome>, Failure> {
    let BundleOutput { entry, .. } = submit(cx, route, BundleType::Transaction, entries)?;
    let Some((index, status, problem)) =
        entry.iter().enumerate().find_map(|(index, one)| Some((index, one.status, one.error.as_ref()?)))
    else {
        return Ok(entry);
    };
    let statuses: Vec<Option<u16>> = entry.iter().map(|one| one.status).collect();
    let message = format!(
        "the FHIR server did not carry out entry {index} of a transaction; the details say what became of each"
    );
    Err(Failure::new(problem.code.clone(), message)
        .retryable(problem.retryable)
        .details(json!({"status": status, "entry": index, "statuses": statuses, "issues": problem.issues})))
}

/// What became of one entry.
fn outcome(method: Method, answer: Json<Value>) -> Outcome {
    let text = |at: &str| answer.pointer(at)?.as_str().map(str::to_owned);
    // `201 Created`, `201`.
    let status = text("/response/status").and_then(|status| status.split_whitespace().next()?.parse::<u16>().ok());
    let found = answer.part("/resource").filter(|resource| kind(resource).is_some_and(|kind| is_type(&kind)));
    let is_outcome = |found: &Json<Value>| kind(found).is_some_and(|kind| kind == "OperationOutcome");
    let said = answer.part("/response/outcome").or_else(|| found.clone().filter(is_outcome));
    let said = said.map(|said| errors::issues(said.value())).unwrap_or_default();
    let found = found.filter(|found| !is_outcome(found));
    let (location, tag) = (text("/response/location"), text("/response/etag"));
    let Place { id, version } = Place::of(found.as_ref(), location.as_deref(), tag.as_deref());
    let request = if method == Method::Post { Request::Create } else { Request::Other };
    let (error, warnings) = match status {
        Some(200..=399) => (None, said),
        Some(status) => (Some(errors::problem(status, request, said)), Vec::new()),
        None => return unanswered(),
    };
    Outcome { status, id, version_id: version, resource: found.map(Json::cast), error, warnings }
}

/// The server does not say what became of it.
fn unanswered() -> Outcome {
    let error = Problem { code: "fhir.no-answer".to_owned(), retryable: false, issues: Vec::new() };
    Outcome { status: None, id: None, version_id: None, resource: None, error: Some(error), warnings: Vec::new() }
}

fn check_entry(entry: &Entry, at: &str) -> Result<(), Error> {
    let Asked { method, url, .. } = &entry.request;
    let at_url = [at, "/request"].concat();
    let path = url.split('?').next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    let is_known = is_type(first) || first.strip_prefix('$').is_some_and(is_id);
    if !is_known || path.split('/').any(|part| matches!(part, "" | "." | "..")) || url.contains(char::is_whitespace) {
        return structure::refuse(
            &at_url,
            "url",
            "write it relative to the base URL, as in `Patient/7` or `Patient?family=x`",
        );
    }
    match (&entry.resource, method) {
        (Some(resource), _) => {
            let here = [at, "/resource"].concat();
            let found = structure::check(resource.value(), &here)?;
            let is_plain = !path.contains('$') && matches!(method, Method::Post | Method::Put);
            if is_plain && found != first {
                return structure::refuse(&here, "resourceType", "it is not the type in the request's URL");
            }
            Ok(())
        }
        (None, Method::Put | Method::Patch) => structure::refuse(at, "resource", "a PUT or PATCH has a resource"),
        (None, Method::Post) if !path.contains('$') && !path.ends_with("_search") => {
            structure::refuse(at, "resource", "a POST that creates has a resource")
        }
        _ => Ok(()),
    }
}

/// Several requests.
#[model]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleInput {
    /// `batch`: each by itself, and some may fail. `transaction`: all or none.
    #[serde(rename = "type")]
    bundle_type: BundleType,
    /// The requests.
    #[schema(length(min = 1, max = 500), sensitive)]
    entry: Vec<Entry>,
}

/// How the requests of a Bundle belong together.
#[model]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BundleType {
    Batch,
    Transaction,
}

/// One request of a Bundle.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Entry {
    /// What other entries refer to it by, `urn:uuid:…` for what is created.
    #[schema(pattern = "^(urn:(uuid|oid):|https?://)[^ ]+$", length(max = 510))]
    pub(crate) full_url: Option<String>,
    /// The resource that is created or replaced.
    pub(crate) resource: Option<Json<Resource>>,
    /// What is done with it.
    pub(crate) request: Asked,
}

/// What is done in an entry.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Asked {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The URL, relative to the base URL.
    #[schema(length(min = 1, max = 4096), example = "Patient/f001")]
    pub(crate) url: String,
    /// Only where the resource is in this version, as in `W/"1"`.
    #[schema(pattern = r#"^(W/)?"[A-Za-z0-9\-.]{1,64}"$"#)]
    pub(crate) if_match: Option<String>,
    /// Only where the resource is not in this version.
    #[schema(pattern = r#"^(\*|(W/)?"[A-Za-z0-9\-.]{1,64}")$"#)]
    pub(crate) if_none_match: Option<String>,
    /// Only where it was changed since.
    pub(crate) if_modified_since: Option<String>,
    /// Only where no resource fits these search parameters.
    #[schema(length(min = 3, max = 2048))]
    pub(crate) if_none_exist: Option<String>,
}

/// The method of an entry.
#[model]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
}

/// What became of the requests.
#[model]
pub(crate) struct BundleOutput {
    /// How many failed. In a batch the others were carried out.
    #[schema(example = 0)]
    pub(crate) failed: u64,
    /// One for each request, in their order.
    pub(crate) entry: Vec<Outcome>,
}

/// What became of one request.
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// Its HTTP status.
    #[schema(example = 201)]
    pub(crate) status: Option<u16>,
    /// The resource's id.
    #[schema(example = "f001")]
    pub(crate) id: Option<String>,
    /// Its version.
    #[schema(example = "1")]
    pub(crate) version_id: Option<String>,
    /// The resource, or the Bundle that a search found.
    #[schema(sensitive)]
    pub(crate) resource: Option<Json<Resource>>,
    /// Why it failed; none where it did not.
    pub(crate) error: Option<Problem>,
    /// What the server has to say beside it.
    pub(crate) warnings: Vec<Issue>,
}

/// The request of a Bundle.
#[model]
pub(crate) struct BundleRequest {
    bundle: Json<Resource>,
}

impl Entry {
    /// Replaces a resource that is in this version.
    pub(crate) fn replace(kind: &str, id: &str, version: &str, resource: Value) -> Self {
        let url = [kind, "/", id].concat();
        let if_match = Some(tag_of_version(version));
        Self { full_url: None, resource: Some(Json::new(resource)), request: Asked::new(Method::Put, url, if_match) }
    }

    /// Creates a resource.
    pub(crate) fn create(kind: &str, resource: Value) -> Self {
        let request = Asked::new(Method::Post, kind.to_owned(), None);
        Self { full_url: None, resource: Some(Json::new(resource)), request }
    }
}

impl Asked {
    fn new(method: Method, url: String, if_match: Option<String>) -> Self {
        Self { method, url, if_match, if_none_match: None, if_modified_since: None, if_none_exist: None }
    }
}

/// A Bundle with answers.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct BundleAnswer {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["transaction-response"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [
        [
            {"response": {"status": "201 Created", "location": "Patient/p-1042/_history/1", "etag": "W/\"1\""}},
            {"response": {"status": "201 Created", "location": "Observation/o-20391/_history/1", "etag": "W/\"1\""}},
            {"response": {"status": "200 OK", "location": "Patient/f001/_history/5", "etag": "W/\"5\""}},
            {"response": {"status": "200 OK", "location": "Observation/bmi/_history/2", "etag": "W/\"2\""}}
        ],
        [
            {"response": {"status": "201 Created", "location": "Patient/p-1107/_history/1", "etag": "W/\"1\""}},
            {"response": {"status": "200 OK", "location": "Patient/example/_history/3", "etag": "W/\"3\""}},
            {"response": {"status": "201 Created", "location": "Observation/o-20544/_history/1", "etag": "W/\"1\""}},
            {"response": {"status": "200 OK", "location": "Observation/f001/_history/2", "etag": "W/\"2\""}}
        ]
    ]))]
    entry: Option<Value>,
}

/// A Bundle with what a search found.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchSet {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["searchset"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [1]))]
    total: Option<Value>,
    #[schema(extend("examples" = [[{"relation": "self", "url": "https://fhir.example.org/r4/Patient?_count=100"}]]))]
    link: Option<Value>,
    entry: Option<Vec<SearchEntry>>,
}

/// One resource that was found.
#[model]
pub(crate) struct SearchEntry {
    resource: Resource,
    #[schema(extend("examples" = [{"mode": "match"}]))]
    search: Option<Value>,
}
