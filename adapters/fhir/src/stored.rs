//! What a server says of one resource that was read or written: the resource, its version, and where it is.

use portcullis_sdk::prelude::*;

use crate::{
    errors::{self, Issue},
    forms::{is_id, is_type, local, version_of_tag},
    resources::Resource,
};

/// A resource on the server.
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    /// Its id.
    #[schema(example = "f001")]
    pub(crate) id: Option<String>,
    /// Its version, for `ifMatch`; none where the server keeps no versions.
    #[schema(example = "1")]
    pub(crate) version_id: Option<String>,
    /// Whether it was created by this call; false where it was there before.
    #[schema(example = true)]
    pub(crate) created: bool,
    /// The resource as the server keeps it; none where the server does not return it.
    #[schema(sensitive)]
    pub(crate) resource: Option<Json<Resource>>,
    /// What the server has to say beside it.
    pub(crate) warnings: Vec<Issue>,
}

/// What became of a create. One without a condition has created, whatever the status.
pub(crate) fn created(response: &Response, conditional: bool) -> Result<Stored, Failure> {
    let mut stored = written(response)?;
    if stored.id.is_none() {
        let problem = "the answer says neither what was created nor where; it may be there all the same";
        return Err(told(unexpected(problem), response.status, stored.warnings));
    }
    stored.created |= !conditional;
    Ok(stored)
}

/// What became of a write: from the body, else from `ETag` and `Location`.
pub(crate) fn written(response: &Response) -> Result<Stored, Failure> {
    let body: Option<Json<Value>> = response.json()?;
    let is_outcome = body.as_ref().and_then(kind).is_some_and(|kind| kind == "OperationOutcome");
    let (resource, warnings) = match body {
        Some(body) if is_outcome => (None, errors::issues(body.value())),
        Some(body) => (Some(resource(body)?), Vec::new()),
        None => (None, Vec::new()),
    };
    let Place { id, version } = Place::of(resource.as_ref(), response.header("location"), response.header("etag"));
    let created = response.status == 201;
    Ok(Stored { id, version_id: version, created, resource: resource.map(Json::cast), warnings })
}

/// What was read.
pub(crate) fn read<T>(response: &Response) -> Result<(Json<T>, Option<String>), Failure> {
    let read: Json<Value> = response.json()?;
    let read = resource(read)?;
    if kind(&read).is_some_and(|kind| kind == "OperationOutcome") {
        let problem = "the answer is an OperationOutcome without an error, and no resource";
        return Err(told(unexpected(problem), response.status, errors::issues(read.value())));
    }
    let version = Place::of(Some(&read), None, response.header("etag")).version;
    Ok((read.cast(), version))
}

/// Where a resource is, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Its id.
    pub(crate) id: Option<String>,
    /// Its version.
    pub(crate) version: Option<String>,
}

impl Place {
    /// From a resource, a location such as `https://a.example/fhir/Patient/7/_history/1`, and an entity tag.
    pub(crate) fn of(resource: Option<&Json<Value>>, location: Option<&str>, tag: Option<&str>) -> Self {
        let said = |pointer: &str| {
            let value = resource?.pointer(pointer)?;
            value.as_str().filter(|text| is_id(text)).map(str::to_owned)
        };
        let (located, version) = location.and_then(parse).unwrap_or_default();
        let version = version.map(str::to_owned);
        let version = tag.and_then(version_of_tag).map(str::to_owned).or_else(|| said("/meta/versionId")).or(version);
        Self { id: said("/id").or_else(|| located.map(str::to_owned)), version }
    }
}

/// Id and version at the end of a location.
fn parse(location: &str) -> Option<(Option<&str>, Option<&str>)> {
    let (location, version) = match location.split_once("/_history/") {
        Some((location, version)) => (location, Some(version).filter(|version| is_id(version))),
        None => (location, None),
    };
    let (before, id) = location.trim_end_matches('/').rsplit_once('/')?;
    let kind = before.rsplit('/').next()?;
    (is_type(kind) && is_id(id)).then_some((Some(id), version))
}

/// A body that is a resource by its form.
pub(crate) fn resource(body: Json<Value>) -> Result<Json<Value>, Failure> {
    match kind(&body) {
        Some(kind) if is_type(&kind) => Ok(body),
        _ => Err(unexpected("the answer is no resource: it is no JSON object with a `resourceType`")),
    }
}

/// A resource's type.
pub(crate) fn kind<T>(resource: &Json<T>) -> Option<String> {
    resource.pointer("/resourceType")?.as_str().map(str::to_owned)
}

/// A resource of this type, or else the server answers what was not asked.
pub(crate) fn expect<T>(resource: &Json<T>, wanted: &str) -> Result<(), Failure> {
    if kind(resource).is_some_and(|kind| kind == wanted) {
        return Ok(());
    }
    Err(unexpected(&format!("the answer is no {wanted}")))
}

/// A server that does not keep to FHIR.
pub(crate) fn unexpected(problem: &str) -> Failure {
    Failure::new("http.unexpected-body", problem)
}

/// The same failure with what the server said in its own words, which may hold data about a person and stay out of the message.
pub(crate) fn told(failure: Failure, status: u16, issues: Vec<Issue>) -> Failure {
    failure.details(json!({ "status": status, "issues": issues }))
}

/// The id in an input that takes `7` or `Patient/7`.
pub(crate) fn id_of<'t>(kind: &str, text: &'t str, pointer: &str) -> Result<&'t str, Error> {
    if is_id(text) {
        return Ok(text);
    }
    match local(text) {
        Some((found, id)) if found == kind => Ok(id),
        _ => Err(Error::invalid_input(pointer, format!("write the id, or `{kind}/` and the id"))),
    }
}
