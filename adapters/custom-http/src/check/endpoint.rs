//! One endpoint: its path, where each field of its input goes, and what it says of answers.

use portcullis_sdk::{Encoding, Place, UntypedRoute, prelude::*};

use crate::{
    auth::Auth,
    check::{Checked, answer, header, parameter, plain, pointer, refuse, schema, shown, url},
    config::Config,
    endpoint::{Body, Effect, Endpoint, HeaderValue, Method, Repeat},
    route::{Parts, folded, id},
    schema::{may_be, resolved, types, written_out},
};

/// Most query parameters, and most header fields, of one route.
const MAX_PARAMETERS: usize = 128;
/// Types that are written as one text.
const SCALARS: [&str; 4] = ["boolean", "integer", "number", "string"];

pub(super) fn check(at: &str, config: &Config, endpoint: &Endpoint) -> Checked {
    if id(&endpoint.name).len() > 64 {
        return refuse(
            format!("{at}/name"),
            "the name is too long for a route's id, which has a hyphen before each capital; shorten it",
        );
    }
    plain(&format!("{at}/description"), &endpoint.description)?;
    let changes = matches!(endpoint.method, Method::Put | Method::Patch | Method::Delete);
    if changes && endpoint.effect == Effect::Read {
        let message =
            "PUT, PATCH and DELETE change something; write `write`, or `destructive` where it cannot be undone";
        return refuse(format!("{at}/effect"), message);
    }
    url::path(&format!("{at}/path"), &endpoint.path)?;
    if let Some(input) = &endpoint.input {
        let at = format!("{at}/input");
        schema::check(&at, input)?;
        if !matches!(types(input).as_slice(), [] | ["object"]) {
            return refuse(
                format!("{at}/type"),
                "the input is an object, whose fields go in path, headers, query and body",
            );
        }
        if input.get("$ref").is_some() {
            return refuse(format!("{at}/$ref"), "the fields of the input are told here; write its `properties`");
        }
    }
    let input = endpoint.input_schema();
    body(at, endpoint, &input)?;
    headers(at, config, endpoint, &input)?;
    let parts = Parts::new(config, endpoint);
    if parts.constants().len() > MAX_PARAMETERS {
        return refuse(
            format!("{at}/headers"),
            format!("with those of the config they are more than {MAX_PARAMETERS}"),
        );
    }
    let route = parts.route();
    secrets(at, config, endpoint, &route, &input)?;
    fields(at, &route, &input)?;
    for (index, redirect) in endpoint.redirects.iter().enumerate() {
        let at = format!("{at}/redirects/{index}");
        if let Some(path) = redirect.strip_prefix("https://").or_else(|| redirect.strip_prefix("http://")) {
            let end = path.find('/').map_or(redirect.len(), |slash| redirect.len() - path.len() + slash);
            let (origin, path) = redirect.split_at(end);
            url::base(&at, origin)?;
            url::path(&at, path)?;
        } else {
            url::path(&at, redirect)?;
        }
        if id(&endpoint.name).len() > 60 {
            return refuse(at, "the endpoint's name is too long for the ids of its redirects; shorten it");
        }
    }
    answer::check(at, endpoint)?;
    match &endpoint.paging {
        Some(rule) => answer::paging(&format!("{at}/paging"), endpoint, &route, &input, rule, &config.auth),
        None => Ok(()),
    }
}

/// The body, and the fields that go in the query beside it.
fn body(at: &str, endpoint: &Endpoint, input: &Value) -> Checked {
    let has_body = match &endpoint.body {
        None => matches!(endpoint.method, Method::Post | Method::Put | Method::Patch),
        Some(Body::None) => false,
        Some(_) => true,
    };
    if has_body && matches!(endpoint.method, Method::Get | Method::Head) {
        return refuse(format!("{at}/body"), "GET and HEAD have no body; leave `body` out, or write another method");
    }
    let field = match &endpoint.body {
        Some(Body::Json { field } | Body::Form { field } | Body::Multipart { field }) => field.as_deref(),
        Some(Body::Raw { field, media_types }) => {
            for (index, media_type) in media_types.iter().enumerate() {
                let token = |part: &str| {
                    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
                };
                if !media_type.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub)) {
                    let at = format!("{at}/body/mediaTypes/{index}");
                    return refuse(
                        at,
                        format!("{} is not a media type; write `text/csv`, without parameters", shown(media_type)),
                    );
                }
            }
            Some(field.as_str())
        }
        _ => None,
    };
    if let Some(field) = field {
        known(&format!("{at}/body/field"), input, field)?;
        let is_form = matches!(endpoint.body, Some(Body::Form { .. } | Body::Multipart { .. }));
        if is_form && !property(input, field).is_some_and(|schema| may_be(input, schema, &["object"])) {
            return refuse(
                format!("{at}/body/field"),
                format!("a form has named fields, so {} is an object", shown(field)),
            );
        }
    }
    for (index, name) in endpoint.query.iter().enumerate() {
        let at = format!("{at}/query/{index}");
        known(&at, input, name)?;
        if !has_body {
            return refuse(at, "there is no body, so all fields go in the query; leave `query` out");
        }
        if field == Some(name) {
            return refuse(at, format!("{} is the whole body, as `body` says; a field goes to one place", shown(name)));
        }
        if endpoint.query.iter().take(index).any(|before| before == name) {
            return refuse(at, format!("{} stands there twice; keep one", shown(name)));
        }
    }
    Ok(())
}

fn headers(at: &str, config: &Config, endpoint: &Endpoint, input: &Value) -> Checked {
    let all = format!("{at}/headers");
    header::once(&all, endpoint.headers.keys().map(String::as_str))?;
    let has_boundary = matches!(endpoint.body, Some(Body::Form { .. } | Body::Multipart { .. } | Body::Raw { .. }));
    if has_boundary && let Some(name) = config.headers.keys().find(|name| folded(name) == "content-type") {
        let message = format!("`{at}/body` says another kind of body; write the header at the endpoints that need it");
        return refuse(pointer("/headers", name), message);
    }
    for (name, value) in &endpoint.headers {
        let at = pointer(&all, name);
        header::name(&at, name, &config.auth)?;
        if has_boundary && folded(name) == "content-type" {
            return refuse(at, "what kind of body it is says `body`; leave the header out");
        }
        match value {
            HeaderValue::Constant(text) => header::value(&at, text)?,
            HeaderValue::Field(from) => {
                let at = format!("{at}/field");
                known(&at, input, &from.field)?;
                scalar(&at, input, &from.field, "a header")?;
            }
        }
    }
    if let Some(Repeat::Key(name)) = &endpoint.repeat {
        let at = format!("{at}/repeat/key");
        header::name(&at, name, &config.auth)?;
        let always = ["accept", "accept-language", "content-type", "user-agent"];
        let taken = endpoint.headers.keys().chain(config.headers.keys()).any(|known| folded(known) == folded(name));
        if taken || always.contains(&folded(name).as_str()) {
            return refuse(
                at,
                format!("{} says something else already; name the header of the key alone", shown(name)),
            );
        }
    }
    Ok(())
}

/// What `auth` writes has its place in the request, and nothing else is there.
fn secrets(at: &str, config: &Config, endpoint: &Endpoint, route: &UntypedRoute, input: &Value) -> Checked {
    for (_, auth) in config.auth.each() {
        match auth {
            Auth::Path(path) => {
                let segment = format!("{{{}}}", path.name);
                if endpoint.path.split('/').filter(|part| **part == segment).count() != 1 {
                    let message = format!("the secret goes into {segment}, as `auth` says; write that segment, once");
                    return refuse(format!("{at}/path"), message);
                }
            }
            Auth::Body(body) => {
                let whole = route.body_field.and_then(|field| property(input, field));
                let is_object = whole.is_none_or(|schema| may_be(input, schema, &["object"]));
                if !is_object || !matches!(route.encoding, Encoding::Json | Encoding::Form) {
                    let message = "the secret goes into the body, as `auth` says; send a JSON object or a form";
                    return refuse(format!("{at}/body"), message);
                }
                if whole.is_some_and(|schema| property(schema, &body.name).is_some()) {
                    let message = format!("its {} carries the secret, as `auth` says; leave it out", shown(&body.name));
                    return refuse(format!("{at}/body/field"), message);
                }
            }
            _ => {}
        }
    }
    for name in input.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let place = route.place(name);
        if route.body_field != Some(name) && config.auth.writes(place, name) {
            let message = format!("{} carries the secret, as `auth` says; leave it out here", shown(name));
            return refuse(pointer(&format!("{at}/input/properties"), name), message);
        }
    }
    Ok(())
}

/// Each field of the input can be written where it goes.
fn fields(at: &str, route: &UntypedRoute, input: &Value) -> Checked {
    let path = format!("{at}/path");
    for name in route.parameters() {
        let Some(schema) = property(input, name) else {
            return refuse(path, format!("{{{name}}} is no field of `input`; add `{name}` to its `properties`"));
        };
        let required = input.get("required").and_then(Value::as_array).into_iter().flatten();
        if !required.into_iter().any(|required| required == name) {
            return refuse(format!("{at}/input"), format!("`{name}` goes in the path; add it to `required`"));
        }
        if !may_be(input, schema, &SCALARS) || types(schema).contains(&"null") {
            return refuse(
                path,
                format!("{{{name}}} is a part of the path, so its type is string, number, integer or boolean"),
            );
        }
        for (taken, what) in [
            (route.query.contains(&name), "query"),
            (route.header_fields.iter().any(|(_, field)| *field == name), "headers"),
            (route.body_field == Some(name), "body"),
        ] {
            if taken {
                return refuse(
                    format!("{at}/{what}"),
                    format!("`{name}` goes in the path already; a field goes to one place"),
                );
            }
        }
    }
    for (header, field) in route.header_fields {
        if route.query.contains(field) || route.body_field == Some(field) {
            return refuse(
                pointer(&format!("{at}/headers"), header),
                format!("{} goes elsewhere too; a field goes to one place", shown(field)),
            );
        }
    }
    let mut parameters = 0;
    for (name, schema) in input.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = pointer(&format!("{at}/input/properties"), name);
        match route.place(name) {
            Place::Query => {
                let Some(schema) = written_out(input, schema) else {
                    return refuse(
                        at,
                        format!("{} goes in the query and refers to itself, or is too large", shown(name)),
                    );
                };
                parameters += in_query(&at, name, &schema, route.brackets)?;
            }
            Place::Body
                if matches!(route.encoding, Encoding::Form | Encoding::Multipart) && route.body_field.is_none() =>
            {
                let is_file = matches!(route.encoding, Encoding::Multipart);
                let wanted: &[&str] = if route.brackets || is_file { &["array", "object"] } else { &["array"] };
                if !may_be(input, schema, &SCALARS) && !may_be(input, schema, wanted) {
                    return refuse(
                        at,
                        format!(
                            "{} is nested, and a form is flat; write `\"brackets\": true` if the API reads `a[b]`",
                            shown(name)
                        ),
                    );
                }
            }
            _ => {}
        }
    }
    if parameters > MAX_PARAMETERS {
        return refuse(
            format!("{at}/input"),
            format!("{parameters} query parameters; at most {MAX_PARAMETERS} can be declared"),
        );
    }
    Ok(())
}

/// How many parameters a field is in the query, which must be able to carry it.
fn in_query(at: &str, name: &str, schema: &Value, brackets: bool) -> Checked<usize> {
    let items = schema.get("items");
    let is = |schema: &Value, kind: &str| types(schema).contains(&kind);
    let is_object = is(schema, "object") || (types(schema).is_empty() && schema.get("properties").is_some());
    let of_objects =
        items.is_some_and(|items| is(items, "object") || is(items, "array") || items.get("properties").is_some());
    if is(schema, "array") && of_objects {
        return refuse(
            at,
            format!("{} is a list of nested values, which a query cannot name; send it in a body", shown(name)),
        );
    }
    if !is_object {
        let bracketed = brackets && is(schema, "array");
        parameter(at, &if bracketed { format!("{name}[]") } else { name.to_owned() })?;
        return Ok(1);
    }
    if !brackets {
        return refuse(
            at,
            format!(
                "{} is nested, and a query is flat; write `\"brackets\": true` if the API reads `a[b]`",
                shown(name)
            ),
        );
    }
    if !is(schema, "object") {
        return refuse(at, format!("{} has `properties`; write its `\"type\": \"object\"`", shown(name)));
    }
    let mut count = 0;
    for (inner, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        count += in_query(&pointer(&format!("{at}/properties"), inner), &format!("{name}[{inner}]"), schema, true)?;
    }
    Ok(count)
}

fn property<'i>(input: &'i Value, name: &str) -> Option<&'i Value> {
    input.get("properties")?.get(name)
}

fn known(at: &str, input: &Value, name: &str) -> Checked {
    match property(input, name) {
        Some(_) => Ok(()),
        None => refuse(at, format!("{} is no field of `input`; add it to its `properties`", shown(name))),
    }
}

fn scalar(at: &str, input: &Value, name: &str, place: &str) -> Checked {
    let schema = property(input, name).and_then(|schema| resolved(input, schema));
    if schema.is_none_or(|schema| may_be(input, schema, &SCALARS)) {
        return Ok(());
    }
    refuse(at, format!("{} goes in {place}, so it is a text, a number or a boolean", shown(name)))
}
