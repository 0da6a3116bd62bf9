//! What a server can do, and single resources.

use portcullis_sdk::prelude::*;

use crate::{
    config::Config,
    resources::{CapabilityStatement, Resource},
    slots::ACCESS_TOKEN,
    stored,
};

/// What is asked for: FHIR's JSON, which some servers send for `application/fhir+json` alone.
pub(crate) const FHIR_JSON: &[(&str, &str)] = &[("Accept", "application/fhir+json")];

/// FHIR wants it to be open to all, so the token stays where it is.
pub(crate) const CAPABILITIES: Route<(), Json<CapabilityStatement>> =
    Route::get("capabilities", "/metadata").headers(FHIR_JSON).describe("Reads what the server can do.");

// FHIR's ids may have dots, so they are no `word`; the adapter refuses what is no id before it asks.
pub(crate) const READ: Route<Read, Json<Resource>> = Route::get("read", "/{resourceType:word(1..64)}/{id:text(1..64)}")
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .describe("Reads a resource.");

pub(crate) const READ_VERSION: Route<ReadVersion, Json<Resource>> =
    Route::get("read-version", "/{resourceType:word(1..64)}/{id:text(1..64)}/_history/{versionId:text(1..64)}")
        .slot(&ACCESS_TOKEN)
        .headers(FHIR_JSON)
        .describe("Reads a resource as it was in one version.");

/// Reads what the server can do: its CapabilityStatement.
#[operation(read, uses(CAPABILITIES))]
pub(crate) fn get_capabilities(cx: &Context<Config>, _input: Nothing) -> Result<Json<CapabilityStatement>, Failure> {
    let (statement, _) = stored::read(&cx.send_response(&CAPABILITIES, &())?)?;
    stored::expect(&statement, "CapabilityStatement")?;
    Ok(statement)
}

/// Reads one resource, as it is now or as it was in one version.
#[operation(read, uses(READ, READ_VERSION))]
pub(crate) fn read(cx: &Context<Config>, input: ReadInput) -> Result<ReadOutput, Failure> {
    let ReadInput { resource_type, id, version_id } = input;
    let response = match version_id {
        None => cx.send_response(&READ, &Read { resource_type, id })?,
        Some(version_id) => cx.send_response(&READ_VERSION, &ReadVersion { resource_type, id, version_id })?,
    };
    let (resource, version_id) = stored::read(&response)?;
    Ok(ReadOutput { version_id, resource })
}

/// Nothing has to be said.
#[model]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Which resource.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ReadInput {
    /// Its type.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Z][A-Za-z]{0,63}$", example = "Patient")]
    pub(crate) resource_type: String,
    /// Its id.
    #[schema(pattern = r"^[A-Za-z0-9\-.]{1,64}$", example = "f001")]
    pub(crate) id: String,
    /// The version; without it the newest.
    #[schema(pattern = r"^[A-Za-z0-9\-.]{1,64}$")]
    pub(crate) version_id: Option<String>,
}

/// A resource that was read.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadOutput {
    /// Its version, for `ifMatch`; none where the server keeps no versions.
    #[schema(example = "1")]
    pub(crate) version_id: Option<String>,
    /// The resource.
    #[schema(sensitive)]
    pub(crate) resource: Json<Resource>,
}

/// The parameters of a read.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    pub(crate) resource_type: String,
    pub(crate) id: String,
}

/// The parameters of a read of one version.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadVersion {
    resource_type: String,
    id: String,
    version_id: String,
}
