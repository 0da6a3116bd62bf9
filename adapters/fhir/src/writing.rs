//! Creating and updating single resources.

use portcullis_sdk::prelude::*;

use crate::{
    config::Config,
    errors::create_failure,
    forms::tag_of_version,
    resources::Resource,
    slots::ACCESS_TOKEN,
    stored::{self, Stored},
    structure,
};

/// What is sent and asked for: FHIR's JSON, and the resource as it is afterwards.
pub(crate) const WRITING: &[(&str, &str)] = &[
    ("Accept", "application/fhir+json"),
    ("Content-Type", "application/fhir+json"),
    ("Prefer", "return=representation"),
];

pub(crate) const CREATE: Route<Create, Json<Resource>> = Route::post("create", "/{resourceType:word(1..64)}")
    .body_field("resource")
    .header_fields(&[("If-None-Exist", "ifNoneExist")])
    .error(create_failure)
    .slot(&ACCESS_TOKEN)
    .headers(WRITING)
    .describe("Creates a resource.");

pub(crate) const UPDATE: Route<Update, Json<Resource>> =
    Route::put("update", "/{resourceType:word(1..64)}/{id:text(1..64)}")
        .body_field("resource")
        .header_fields(&[("If-Match", "ifMatch")])
        .slot(&ACCESS_TOKEN)
        .headers(WRITING)
        .describe("Replaces a resource.");

/// Creates a resource, if wanted only where none like it exists.
#[operation(write, uses(CREATE))]
pub(crate) fn create(cx: &Context<Config>, input: CreateInput) -> Result<Stored, Error> {
    let CreateInput { resource, if_none_exist } = input;
    let resource_type = structure::check(resource.value(), "/resource")?.to_owned();
    let conditional = if_none_exist.is_some();
    let response = cx.send_response(&CREATE, &Create { resource_type, resource, if_none_exist })?;
    Ok(stored::created(&response, conditional)?)
}

/// Replaces a resource with a new version, if wanted only where it is still in the version that was read.
#[operation(write, uses(UPDATE))]
pub(crate) fn update(cx: &Context<Config>, input: UpdateInput) -> Result<Stored, Error> {
    let UpdateInput { resource, if_match } = input;
    let resource_type = structure::check(resource.value(), "/resource")?.to_owned();
    let Some(id) = resource.value().get("id").and_then(Value::as_str).map(str::to_owned) else {
        return structure::refuse("/resource", "id", "write the id of the resource that is replaced");
    };
    let if_match = if_match.as_deref().map(tag_of_version);
    let mut stored =
        stored::written(&cx.send_response(&UPDATE, &Update { resource_type, id: id.clone(), resource, if_match })?)?;
    // Known, whatever the server says.
    stored.id = Some(id);
    Ok(stored)
}

/// A new resource.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateInput {
    /// The resource. The server gives it an id.
    #[schema(extend(
        "x-sensitive" = true,
        "examples" = [{"resourceType": "Patient", "name": [{"family": "Chalmers", "given": ["Peter"]}], "birthDate": "1974-12-25"}]
    ))]
    resource: Json<Resource>,
    /// Search parameters, as in `identifier=https://a.example/id|7`: where one resource fits them, it is returned and none
    /// is created.
    #[schema(length(min = 3, max = 2048), sensitive)]
    if_none_exist: Option<String>,
}

/// A new version of a resource.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UpdateInput {
    /// The whole resource, with its id.
    #[schema(extend(
        "x-sensitive" = true,
        "examples" = [{"resourceType": "Patient", "id": "f001", "name": [{"family": "Chalmers", "given": ["Peter"]}], "active": true}]
    ))]
    resource: Json<Resource>,
    /// The version that was read: where the resource has another by now, nothing is changed (`fhir.conflict`).
    #[schema(pattern = r"^[A-Za-z0-9\-.]{1,64}$", example = "1")]
    if_match: Option<String>,
}

/// The request of a create.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct Create {
    pub(crate) resource_type: String,
    pub(crate) resource: Json<Resource>,
    pub(crate) if_none_exist: Option<String>,
}

/// The request of an update.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    pub(crate) resource_type: String,
    pub(crate) id: String,
    pub(crate) resource: Json<Resource>,
    pub(crate) if_match: Option<String>,
}
