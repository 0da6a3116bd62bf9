//! Searching any type, with any parameters, page by page.
//!
//! Next pages are the server's own URLs and opaque (FHIR R4, http, paging): the base with parameters alone (HAPI), the type
//! itself or its `_search`, with or without a slash, with whatever parameters the server likes. They go by a route of links, so
//! what an operator grants is to follow what the server wrote in a Bundle's `link` in this call, below the base URL.

use std::collections::BTreeMap;

use portcullis_sdk::{
    Link,
    paging::{Next, Paging, Reason},
    prelude::*,
};

use crate::{
    bundle::SearchSet,
    config::Config,
    errors::{self, Issue},
    reading::FHIR_JSON,
    resources::Resource,
    slots::ACCESS_TOKEN,
    stored::{expect, kind, resource, unexpected},
};

pub(crate) const SEARCH: Route<Search, Json<SearchSet>> = Route::get("search", "/{resourceType:word(1..64)}")
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .describe("Searches a type of resource.");

pub(crate) const SEARCH_BY_POST: Route<Search, Json<SearchSet>> =
    Route::post("search-by-post", "/{resourceType:word(1..64)}/_search")
        .form()
        .idempotent()
        .slot(&ACCESS_TOKEN)
        .headers(FHIR_JSON)
        .describe("Searches a type of resource, with the parameters in the body.");

pub(crate) const NEXT_PAGE: Route<(), Json<SearchSet>> = Route::get("next-page", "/{link*}")
    .links(&[Link::Body("/link/*/url")])
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .describe("Reads a further page of a search, at the link that the server wrote in the page before.");

/// Searches resources of one type, and reads as many pages as it takes.
#[operation(read, uses(SEARCH, SEARCH_BY_POST, NEXT_PAGE))]
pub(crate) fn search(cx: &Context<Config>, input: SearchInput) -> Result<SearchOutput, Error> {
    let SearchInput { resource_type, mut parameters, method, limit } = input;
    if parameters.keys().any(|name| name == TYPE) {
        return Err(Error::invalid_input("/parameters/resourceType", "the type goes in `type`"));
    }
    let limit = limit.unwrap_or(LIMIT);
    parameters.entry("_count".to_owned()).or_insert_with(|| Texts::One(page_size(limit)));
    let request = Search { resource_type, parameters };
    let found = match method.unwrap_or(SearchMethod::Get) {
        SearchMethod::Get => walk(cx, &SEARCH, &request, limit, None)?,
        SearchMethod::Post => walk(cx, &SEARCH_BY_POST, &request, limit, None)?,
    };
    Ok(SearchOutput {
        total: found.total,
        more: found.more,
        reason: found.reason,
        resources: found.resources.into_iter().map(Json::cast).collect(),
        included: found.included.into_iter().map(Json::cast).collect(),
        warnings: found.warnings,
    })
}

/// The field of [`Search`] that is in the path. No search parameter of FHIR's has this name.
const TYPE: &str = "resourceType";
/// How many are found where nothing is said, and how many a page has at most.
const LIMIT: u32 = 100;
/// A call has 16 requests unless the operator set another limit.
const MAX_PAGES: u32 = 16;

/// What to ask for in a page. Servers have a limit of their own, and give less.
pub(crate) fn page_size(limit: u32) -> String {
    limit.min(LIMIT).to_string()
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) resources: Vec<Json<Value>>,
    pub(crate) included: Vec<Json<Value>>,
    pub(crate) warnings: Vec<Issue>,
    pub(crate) total: Option<u64>,
    pub(crate) more: bool,
    pub(crate) reason: Option<Reason>,
}

/// Searches with `first` and follows the server's links until there are `limit` matches, which are all of one
/// type where one is named. Where a later page cannot be had or read, what was found before it is given, with the reason.
pub(crate) fn walk<First, Answer>(
    cx: &Context<Config>,
    first: &Route<First, Answer>,
    request: &First,
    limit: u32,
    of_type: Option<&str>,
) -> Result<Found, Failure>
where
    First: portcullis_sdk::serde::Serialize,
{
    let mut pages = cx.pages(first, request, &PAGES)?;
    let mut found = Found::default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    while found.resources.len() < limit {
        let Some(page) = pages.read()? else { break };
        let mut further = Found::default();
        let is_good = further.take(&page).and_then(|()| {
            let mut matches = further.resources.iter();
            of_type.map_or(Ok(()), |kind| matches.try_for_each(|found| expect(found, kind)))
        });
        if let Err(failure) = is_good {
            pages.stop(failure)?;
            break;
        }
        found.append(further);
    }
    found.more = pages.more() || found.resources.len() > limit;
    found.reason = pages.reason().cloned();
    found.resources.truncate(limit);
    Ok(found)
}

const PAGES: Paging = Paging::new("/entry", Next::UrlIn(next_link)).max_pages(MAX_PAGES).follow(&NEXT_PAGE);

fn next_link(bundle: &Json<Value>) -> Option<String> {
    let links = bundle.pointer("/link")?;
    let next = links.as_array()?.iter().find(|link| link.get("relation").and_then(Value::as_str) == Some("next"))?;
    Some(next.get("url")?.as_str()?.to_owned())
}

impl Found {
    fn append(&mut self, further: Found) {
        self.resources.extend(further.resources);
        self.included.extend(further.included);
        self.warnings.extend(further.warnings);
        self.total = self.total.or(further.total);
    }

    /// Takes in a page: a Bundle, or a bare list as some servers write it.
    fn take(&mut self, bundle: &Json<Value>) -> Result<(), Failure> {
        if let Some(resources) = bundle.items("") {
            return resources.into_iter().try_for_each(|one| self.add(one, "match"));
        }
        match kind(bundle).as_deref() {
            Some("Bundle") => {}
            // Some servers say so that there is nothing.
            Some("OperationOutcome") => {
                self.warnings.extend(errors::issues(bundle.value()));
                return Ok(());
            }
            _ => return Err(unexpected("the answer is neither a Bundle nor a list of resources")),
        }
        self.total = self.total.or_else(|| bundle.pointer("/total").as_ref().and_then(Value::as_u64));
        let Some(entries) = bundle.items("/entry") else {
            let has_none = bundle.part("/entry").is_none();
            return if has_none { Ok(()) } else { Err(unexpected("the Bundle's entries are no list")) };
        };
        for entry in entries {
            let mode = entry.pointer("/search/mode");
            let resource = entry.part("/resource").unwrap_or_else(|| Json::new(Value::Null));
            self.add(resource, mode.as_ref().and_then(Value::as_str).unwrap_or("match"))?;
        }
        Ok(())
    }

    fn add(&mut self, found: Json<Value>, mode: &str) -> Result<(), Failure> {
        let found = resource(found)?;
        // Whatever an entry calls it, an outcome is no match.
        let is_outcome = kind(&found).is_some_and(|kind| kind == "OperationOutcome");
        let issues = if is_outcome { errors::issues(found.value()) } else { Vec::new() };
        if mode == "outcome" || !issues.is_empty() {
            self.warnings.extend(issues);
        } else if mode == "include" {
            self.included.push(found);
        } else {
            self.resources.push(found);
        }
        Ok(())
    }
}

/// What is searched for.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SearchInput {
    /// The type of resource.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Z][A-Za-z]{0,63}$", example = "Observation")]
    resource_type: String,
    /// Search parameters as FHIR and the server name them, modifiers and all. A list repeats the parameter, which means
    /// "and"; a comma in a text means "or", and is written `\,` where it is meant as it is.
    #[serde(default)]
    #[schema(extend(
        "propertyNames" = {"pattern": "^[A-Za-z_-][A-Za-z0-9_.:-]{0,127}$"},
        "maxProperties" = 64,
        "x-sensitive" = true,
        "examples" = [{"patient": "Patient/f001", "code": "http://loinc.org|8867-4", "date": ["ge2026-01-01", "lt2027-01-01"]}]
    ))]
    parameters: BTreeMap<String, Texts>,
    /// How the search is sent. By default `GET`. `POST` keeps the parameters out of URLs, which servers write to their logs.
    method: Option<SearchMethod>,
    /// Most matches in all. By default 100.
    #[schema(range(min = 1, max = 1000), example = 100)]
    limit: Option<u32>,
}

/// A text, or several.
#[model]
#[serde(untagged)]
pub(crate) enum Texts {
    /// One.
    One(#[schema(length(min = 1, max = 4096))] String),
    /// Several.
    Several(
        #[schema(length(min = 1, max = 64), extend("items" = {"type": "string", "minLength": 1, "maxLength": 4096}))]
        Vec<String>,
    ),
}

/// How a search is sent.
#[model]
#[derive(Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum SearchMethod {
    /// Parameters in the URL.
    Get,
    /// Parameters in the body.
    Post,
}

/// What was found.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchOutput {
    /// How many there are in all, where the server says so.
    #[schema(example = 1)]
    total: Option<u64>,
    /// Whether there are more than were read.
    #[schema(example = false)]
    more: bool,
    /// Why not all of them were read, where a later page failed or there were too many pages.
    reason: Option<Reason>,
    /// The matches.
    #[schema(sensitive)]
    resources: Vec<Json<Resource>>,
    /// What came with them (`_include`).
    #[schema(sensitive)]
    included: Vec<Json<Resource>>,
    /// What the server has to say about the search, such as parameters it does not know.
    warnings: Vec<Issue>,
}

/// The parameters of a search.
#[model]
pub(crate) struct Search {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(flatten)]
    parameters: BTreeMap<String, Texts>,
}
