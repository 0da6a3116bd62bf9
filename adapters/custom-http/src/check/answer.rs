//! What is said of answers: which are successes, what errors look like, which part is the output, how a list goes on.

use portcullis_sdk::{Place, UntypedRoute, prelude::*};

use crate::{
    auth::Auths,
    check::{Checked, parameter, place, refuse, schema, shown, url},
    endpoint::{Endpoint, Errors, Method, Next, Paging, ResponseType, Success},
    route::id,
    schema::{at as schema_at, may_be},
};

pub(crate) fn success(at: &str, rule: &Success) -> Checked {
    for (index, status) in rule.statuses.iter().flatten().enumerate() {
        let class = status.strip_suffix("xx").unwrap_or(status);
        let is_status = match class.as_bytes() {
            [b'1'..=b'5', rest @ ..] => {
                matches!(rest.len(), 0 | 2) && rest.len() + 1 == class.len() && rest.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
        if !is_status || status.len() != 3 {
            let message = "is neither a status nor a class of statuses; write `404` or `2xx`";
            return refuse(format!("{at}/statuses/{index}"), format!("{} {message}", shown(status)));
        }
    }
    for (index, condition) in rule.body.iter().enumerate() {
        let at = format!("{at}/body/{index}");
        place(&format!("{at}/pointer"), &condition.pointer)?;
        let said = [condition.equals.is_some(), condition.not_equals.is_some(), condition.exists.is_some()];
        if said.iter().filter(|said| **said).count() != 1 {
            return refuse(at, "it says one of `equals`, `notEquals` and `exists`; for null write `\"exists\": false`");
        }
    }
    Ok(())
}

pub(crate) fn errors(at: &str, form: &Errors) -> Checked {
    for (index, code) in form.codes.iter().enumerate() {
        place(&format!("{at}/codes/{index}"), code)?;
    }
    form.message.iter().try_for_each(|message| place(&format!("{at}/message"), message))
}

/// `response`, `responseType`, `accept`, `output` and `success`, held against each other.
pub(super) fn check(at: &str, endpoint: &Endpoint) -> Checked {
    let answers = endpoint.answers();
    if endpoint.method == Method::Head && answers != ResponseType::None {
        return refuse(format!("{at}/responseType"), "an answer to HEAD has no body; write `none`, or use GET");
    }
    if let Some(response) = &endpoint.response {
        let at = format!("{at}/response");
        schema::check(&at, response)?;
        let is_text = matches!(answers, ResponseType::Text | ResponseType::Bytes);
        if answers == ResponseType::None {
            return refuse(at, "nothing of the answer matters, as `responseType` says; leave `response` out");
        }
        if is_text && !may_be(response, response, &["string"]) {
            return refuse(
                at,
                "an answer that is text or bytes is described as a string; write `\"type\": \"string\"`",
            );
        }
    }
    if let Some(accept) = &endpoint.accept {
        let at = format!("{at}/accept");
        super::header::value(&at, accept)?;
        let is_type = |one: &str| {
            one.split(';').next().unwrap_or_default().trim().split('/').filter(|part| !part.is_empty()).count() == 2
        };
        if !accept.split(',').all(is_type) {
            return refuse(at, format!("{} is not a media type; write `text/csv` or `image/*`", shown(accept)));
        }
    }
    if let Some(rule) = &endpoint.success {
        success(&format!("{at}/success"), rule)?;
        if !rule.body.is_empty() && answers != ResponseType::Json {
            return refuse(format!("{at}/success/body"), "conditions are for answers in JSON; say `statuses` alone");
        }
    }
    if let Some(form) = &endpoint.errors {
        errors(&format!("{at}/errors"), form)?;
    }
    let Some(output) = &endpoint.output else { return Ok(()) };
    if answers != ResponseType::Json {
        return refuse(format!("{at}/output"), "a part is taken of answers in JSON alone; leave `output` out");
    }
    if endpoint.paging.is_some() {
        return refuse(
            format!("{at}/output"),
            "with `paging` the output is the items; say where they are in `paging.items`",
        );
    }
    place(&format!("{at}/output/pointer"), &output.pointer)?;
    if let Some(given) = &output.schema {
        return schema::check(&format!("{at}/output/schema"), given);
    }
    described(&format!("{at}/output/pointer"), endpoint.response.as_ref(), &output.pointer).map(drop)
}

/// What the response's schema says of a place, which it must.
fn described<'e>(at: &str, response: Option<&'e Value>, pointer: &str) -> Checked<Option<&'e Value>> {
    let Some(root) = response else { return Ok(None) };
    match schema_at(root, root, pointer) {
        Some(found) => Ok(Some(found)),
        None => refuse(at, format!("`response` says nothing of the place {}; correct one of the two", shown(pointer))),
    }
}

/// `paging`, held against the route and the response.
pub(super) fn paging(
    at: &str,
    endpoint: &Endpoint,
    route: &UntypedRoute,
    input: &Value,
    rule: &Paging,
    auth: &Auths,
) -> Checked {
    if endpoint.answers() != ResponseType::Json {
        return refuse(at, "a list that comes in pages is JSON; leave `responseType` out");
    }
    let Some(root) = &endpoint.response else {
        return refuse(
            at,
            "without `response` nobody knows what an item is, and sandbox mode has no pages; describe a page there",
        );
    };
    let items = format!("{at}/items");
    place(&items, &rule.items)?;
    if let Some(found) = described(&items, Some(root), &rule.items)?
        && !may_be(root, found, &["array"])
    {
        return refuse(items, format!("`response` says that at {} there is no array", shown(&rule.items)));
    }
    if matches!(rule.next, Next::LinkHeader { .. } | Next::Url { .. }) && endpoint.method != Method::Get {
        return refuse(
            format!("{at}/next/kind"),
            "a link to the next page is followed with GET; write `cursor` or another kind",
        );
    }
    let free = |at: &str, place: Place, name: &str| match auth.writes(place, name) {
        true => refuse(at, format!("{} carries the secret, as `auth` says", shown(name))),
        false => Ok(()),
    };
    let in_query = |at: &str, name: &str| parameter(at, name).and_then(|()| free(at, Place::Query, name));
    let field = |name: &str| {
        let at = format!("{at}/next/field");
        match route.place(name) {
            Place::Path | Place::Header => refuse(
                at,
                format!("{} goes in the path or a header already; pages are asked for in query or body", shown(name)),
            ),
            Place::Query => in_query(&at, name),
            Place::Body if route.body_field.is_some() => refuse(at, format!("{} is the whole body", shown(name))),
            Place::Body => free(&at, Place::Body, name),
        }
    };
    let size = |size: &Option<String>| match size {
        Some(name) if input.pointer(&super::pointer("/properties", name)).is_none() => {
            refuse(format!("{at}/next/size"), format!("{} is no field of `input`; add it there", shown(name)))
        }
        _ => Ok(()),
    };
    let optional = |what: &str, pointer: &Option<String>| {
        pointer.iter().try_for_each(|pointer| place(&format!("{at}/next/{what}"), pointer))
    };
    let names = |names: &Option<Vec<String>>| {
        let mut named = names.iter().flatten().enumerate();
        named.try_for_each(|(index, name)| in_query(&format!("{at}/next/linkQuery/{index}"), name))
    };
    let below = |path: &Option<String>| {
        let at = format!("{at}/next/linksBelow");
        if id(&endpoint.name).len() > 62 {
            return refuse(at, "the endpoint's name is too long for the id of its further pages; shorten it");
        }
        let Some(path) = path else { return Ok(()) };
        if path.contains(['{', '}']) {
            return refuse(at, format!("{} has a parameter; write the path that all of them begin with", shown(path)));
        }
        url::path(&at, path)
    };
    match &rule.next {
        Next::Cursor { cursor, field: name } => {
            place(&format!("{at}/next/cursor"), cursor)?;
            described(&format!("{at}/next/cursor"), Some(root), cursor)?;
            field(name)
        }
        Next::LastId { id, field: name, more } => {
            place(&format!("{at}/next/id"), id)?;
            optional("more", more)?;
            field(name)
        }
        Next::Page { field: name, size: of, .. } => field(name).and_then(|()| size(of)),
        Next::Offset { field: name, size: of, total } => {
            optional("total", total)?;
            field(name).and_then(|()| size(of))
        }
        Next::LinkHeader { links_below, link_query } => below(links_below).and_then(|()| names(link_query)),
        Next::Url { url: pointer, links_below, link_query } => {
            below(links_below)?;
            place(&format!("{at}/next/url"), pointer)?;
            described(&format!("{at}/next/url"), Some(root), pointer)?;
            names(link_query)
        }
    }
}
