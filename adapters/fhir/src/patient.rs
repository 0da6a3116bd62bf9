//! Finding patients.

use portcullis_sdk::{paging::Reason, prelude::*};

use crate::{
    config::Config,
    errors::Issue,
    forms::{escaped, is_date},
    reading::FHIR_JSON,
    resources::Patient,
    searching::{NEXT_PAGE, SearchMethod, page_size, walk},
    slots::ACCESS_TOKEN,
};

pub(crate) const FIND_BY_POST: Route<PatientQuery, Json<PatientSet>> =
    Route::post("find-patients-by-post", "/Patient/_search")
        .form()
        .idempotent()
        .slot(&ACCESS_TOKEN)
        .headers(FHIR_JSON)
        .describe("Searches patients, with the parameters in the body.");

pub(crate) const FIND: Route<PatientQuery, Json<PatientSet>> = Route::get("find-patients", "/Patient")
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .describe("Searches patients, and reads further pages.");

/// Finds patients by an identifier, or by family name, given name and date of birth.
#[operation(read, uses(FIND_BY_POST, FIND, NEXT_PAGE))]
pub(crate) fn find_patient(cx: &Context<Config>, input: PatientInput) -> Result<PatientOutput, Error> {
    let PatientInput { identifier, family, given, birthdate, gender, method, limit } = input;
    if birthdate.as_deref().is_some_and(|date| !is_date(date)) {
        return Err(Error::invalid_input("/birthdate", "a date is `2026`, `2026-11` or `2026-11-21`"));
    }
    let limit = limit.unwrap_or(10);
    let query = PatientQuery {
        identifier: identifier.as_ref().map(Identifier::token),
        family: family.as_deref().map(escaped),
        given: given.as_deref().map(escaped),
        birthdate,
        gender: gender.map(|gender| gender.code().to_owned()),
        count: page_size(limit),
    };
    // Names and numbers of patients do not belong in URLs, so POST unless somebody wants it otherwise.
    let found = match method.unwrap_or(SearchMethod::Post) {
        SearchMethod::Post => walk(cx, &FIND_BY_POST, &query, limit, Some("Patient"))?,
        SearchMethod::Get => walk(cx, &FIND, &query, limit, Some("Patient"))?,
    };
    Ok(PatientOutput {
        total: found.total,
        more: found.more,
        reason: found.reason,
        patients: found.resources.into_iter().map(Json::cast).collect(),
        warnings: found.warnings,
    })
}

/// Which patients. By identifier, or by at least one of family, given and birthdate.
#[model]
#[serde(deny_unknown_fields)]
#[schema(extend("anyOf" = [
    {"required": ["identifier"]}, {"required": ["family"]}, {"required": ["given"]}, {"required": ["birthdate"]}
]))]
pub(crate) struct PatientInput {
    /// An identifier, such as a medical record number.
    identifier: Option<Identifier>,
    /// How the family name starts, without regard to case and accents.
    #[schema(length(min = 1, max = 200), sensitive, example = "Chalmers")]
    family: Option<String>,
    /// How a given name starts.
    #[schema(length(min = 1, max = 200), sensitive, example = "Peter")]
    given: Option<String>,
    /// Date of birth: a day, a month or a year.
    #[schema(pattern = "^[0-9]{4}(-[0-9]{2}){0,2}$", sensitive, example = "1974-12-25")]
    birthdate: Option<String>,
    /// Administrative gender.
    #[schema(sensitive)]
    gender: Option<Gender>,
    /// How the search is sent. By default `POST`: it keeps the patient out of URLs, which servers write to their logs.
    method: Option<SearchMethod>,
    /// Most patients in all. By default 10.
    #[schema(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
}

/// What somebody knows a thing by.
#[model]
#[serde(deny_unknown_fields)]
#[schema(sensitive)]
pub(crate) struct Identifier {
    /// Who gave it, as a URI.
    #[schema(length(min = 1, max = 500), example = "https://clinic.example.org/mrn")]
    pub(crate) system: Option<String>,
    /// The identifier itself.
    #[schema(length(min = 1, max = 200), example = "MRN-88123")]
    pub(crate) value: String,
}

impl Identifier {
    /// As a search parameter.
    pub(crate) fn token(&self) -> String {
        match &self.system {
            Some(system) => [&escaped(system), "|", &escaped(&self.value)].concat(),
            None => escaped(&self.value),
        }
    }
}

/// Administrative gender.
#[model]
#[derive(Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gender {
    Male,
    Female,
    Other,
    Unknown,
}

impl Gender {
    fn code(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// Patients that were found.
#[model]
pub(crate) struct PatientOutput {
    /// How many there are in all, where the server says so.
    #[schema(example = 1)]
    total: Option<u64>,
    /// Whether there are more than were read.
    #[schema(example = false)]
    more: bool,
    /// Why not all of them were read, where a later page failed or there were too many pages.
    reason: Option<Reason>,
    /// The patients.
    #[schema(sensitive)]
    patients: Vec<Json<Patient>>,
    /// What the server has to say about the search.
    warnings: Vec<Issue>,
}

/// The parameters of the search.
#[model]
pub(crate) struct PatientQuery {
    identifier: Option<String>,
    family: Option<String>,
    given: Option<String>,
    birthdate: Option<String>,
    gender: Option<String>,
    #[serde(rename = "_count")]
    count: String,
}

/// A Bundle of patients.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct PatientSet {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["searchset"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [1]))]
    total: Option<Value>,
    #[schema(extend("examples" = [[{"relation": "self", "url": "https://fhir.example.org/r4/Patient?_count=10"}]]))]
    link: Option<Value>,
    entry: Option<Vec<PatientEntry>>,
}

/// One patient that was found.
#[model]
pub(crate) struct PatientEntry {
    resource: Patient,
    #[schema(extend("examples" = [{"mode": "match"}]))]
    search: Option<Value>,
}
