//! From the config to operations and routes, as any other adapter's.

use std::iter::once;

use portcullis_sdk::{Declared, DescribedOperation, Effect, Map, Method, Place, UntypedRoute, prelude::*};

use crate::{
    auth::Auth,
    config::Config,
    endpoint::{self, Endpoint, Next, Paging, ResponseType},
    route::{Parts, carried, id},
    rules,
    schema::{alone, at, resolved, with_constant, written_out},
    shape::checked,
};

/// The operations, with their routes put into `declared`.
pub(crate) fn operations(config: &Config, declared: &mut Declared) -> Result<Vec<DescribedOperation>, Error> {
    let operation = |endpoint: &Endpoint| {
        let parts = Parts::new(config, endpoint);
        let input = endpoint.input_schema();
        let route = parts.route();
        let follows_itself = parts.next_page().is_none();
        let sent =
            declared.route(&route, &request(endpoint, &route, &input, follows_itself), &response(config, endpoint));
        DescribedOperation {
            name: endpoint.name.clone(),
            description: endpoint.description.clone(),
            effect: match endpoint.effect {
                endpoint::Effect::Read => Effect::Read,
                endpoint::Effect::Write => Effect::Write,
                endpoint::Effect::Destructive => Effect::Destructive,
            },
            input: input.to_string(),
            output: endpoint.output_schema().to_string(),
            routes: once(sent)
                .chain(next_page(config, endpoint, declared))
                .chain(redirects(config, endpoint, declared))
                .collect(),
        }
    };
    Ok(config.endpoints.iter().map(operation).collect())
}

/// The route for further pages at URLs that the API writes. Returns its id.
fn next_page(config: &Config, endpoint: &Endpoint, declared: &mut Declared) -> Option<String> {
    let parts = Parts::new(config, endpoint);
    let route = parts.next_page()?;
    // Its query has any parameters, or the input's and those that the config names beside them.
    let own = parts.route();
    let mut fields = request(endpoint, &own, &endpoint.input_schema(), true);
    if let Some(Value::Object(fields)) = fields.get_mut("properties") {
        fields.retain(|name, _| !route.any_query && own.place(name) == Place::Query);
    }
    Some(declared.route(&route, &fields, &response(config, endpoint)))
}

/// Routes for what the API redirects to. Nothing is ever sent by them but what the host follows. Returns their ids.
fn redirects(config: &Config, endpoint: &Endpoint, declared: &mut Declared) -> Vec<String> {
    let method = if endpoint.method == endpoint::Method::Head { Method::Head } else { Method::Get };
    let slots: Vec<(&Auth, Slot<'_>)> = config.auth.each().filter_map(|(_, auth)| Some((auth, auth.slot()?))).collect();
    let parts = Parts::new(config, endpoint);
    let declare = |(number, url): (usize, &String)| {
        let id = format!("{}-to-{number}", id(&endpoint.name));
        let description = format!("Where `{}` may be redirected to.", endpoint.name);
        let is_own = url.starts_with('/');
        // What is redirected has no body, and a secret in the path goes where the config shows it.
        let goes_along = |auth: &Auth| match auth {
            Auth::Body(_) => false,
            Auth::Path(path) => url
                .split('/')
                .any(|segment| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(&path.name)),
            _ => true,
        };
        let along = slots.iter().filter(|(auth, _)| is_own && goes_along(auth)).map(|(_, slot)| slot);
        let route = UntypedRoute {
            description: &description,
            slots: carried(along),
            headers: if is_own { parts.constants() } else { &[] },
            any_query: true,
            ..UntypedRoute::new(method, &id, url)
        };
        let fields: Map = route.parameters().map(|name| (name.to_owned(), json!({}))).collect();
        declared.route(&route, &json!({ "properties": fields }), &json!({}))
    };
    endpoint.redirects.iter().enumerate().map(declare).collect()
}

impl Endpoint {
    /// The input's schema: an object, closed unless the config opens it.
    pub(crate) fn input_schema(&self) -> Value {
        let mut members = match &self.input {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        members.entry("type".to_owned()).or_insert_with(|| json!("object"));
        members.entry("additionalProperties".to_owned()).or_insert(Value::Bool(false));
        Value::Object(members)
    }

    /// What the output is, in the words that can be kept to.
    pub(crate) fn output_schema(&self) -> Value {
        match self.answers() {
            ResponseType::None => return json!({"type": "null"}),
            ResponseType::Text => return json!({"type": "string"}),
            ResponseType::Bytes => return json!({"type": "string", "contentEncoding": "base64"}),
            ResponseType::Json => {}
        }
        let anything = Value::Object(Map::new());
        let root = self.response.as_ref().unwrap_or(&anything);
        if let Some(paging) = &self.paging {
            let item = self.item_schema(paging).unwrap_or(&anything);
            let mut item = checked(root, item);
            let definitions = item.as_object_mut().and_then(|members| members.remove("$defs"));
            let mut schema = json!({
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": item},
                    "more": {"type": "boolean", "description": "Whether there are items that were not read, or may be."},
                    "reason": {
                        "type": "object",
                        "description": "Why not all of them were read, where a later page failed or there were too many.",
                        "properties": {
                            "code": {"type": "string", "description": "A failure's code."},
                            "message": {"type": "string", "description": "What happened."},
                            "retryable": {"type": "boolean", "description": "Whether the same call may bring more later."},
                        },
                        "required": ["code", "message", "retryable"],
                        "additionalProperties": false,
                    },
                },
                "required": ["items", "more"],
                "additionalProperties": false,
            });
            if let (Value::Object(members), Some(definitions)) = (&mut schema, definitions) {
                members.insert("$defs".to_owned(), definitions);
            }
            return schema;
        }
        match &self.output {
            Some(output) => match &output.schema {
                Some(given) => checked(given, given),
                None => checked(root, at(root, root, &output.pointer).unwrap_or(&anything)),
            },
            None => checked(root, root),
        }
    }

    /// What the response's schema says of an item.
    fn item_schema(&self, paging: &Paging) -> Option<&Value> {
        let root = self.response.as_ref()?;
        resolved(root, at(root, root, &paging.items)?)?.get("items")
    }
}

/// The schema of what the route is given: the input's, with the fields of paging (those of links only where the route follows
/// them), and without references where values go
/// in query and headers, so that what they may be is plain to see.
fn request(endpoint: &Endpoint, route: &UntypedRoute, input: &Value, follows: bool) -> Value {
    let mut schema = input.clone();
    let Some(members) = schema.as_object_mut() else { return schema };
    let Value::Object(fields) = members.entry("properties".to_owned()).or_insert_with(|| Value::Object(Map::new()))
    else {
        return schema;
    };
    for (_, field) in fields.iter_mut().filter(|(name, _)| route.place(name) != Place::Body) {
        if let Some(plain) = written_out(input, field) {
            *field = plain;
        }
    }
    let number = json!({"type": "integer", "minimum": 0});
    let any = Value::Object(Map::new());
    match endpoint.paging.as_ref().map(|paging| &paging.next) {
        Some(Next::Cursor { field, .. } | Next::LastId { field, .. }) => {
            fields.entry(field.clone()).or_insert(any);
        }
        Some(Next::Page { field, .. } | Next::Offset { field, .. }) => {
            fields.entry(field.clone()).or_insert(number);
        }
        Some(Next::LinkHeader { link_query: Some(names), .. } | Next::Url { link_query: Some(names), .. })
            if follows =>
        {
            for name in names {
                fields.entry(name.clone()).or_insert_with(|| any.clone());
            }
        }
        _ => {}
    }
    schema
}

/// The schema that sandbox mode answers from: what the config says, made such that it is a success.
fn response(config: &Config, endpoint: &Endpoint) -> Value {
    let mut schema = body_of_a_success(config, endpoint);
    let first = rules::success(config, endpoint).and_then(|rule| rule.statuses.as_ref()?.first());
    let status = first.and_then(|status| status.replace("xx", "00").parse::<u16>().ok());
    if let (Value::Object(members), Some(status)) = (&mut schema, status.filter(|status| *status != 200)) {
        members.insert("x-status".to_owned(), json!(status));
    }
    schema
}

fn body_of_a_success(config: &Config, endpoint: &Endpoint) -> Value {
    let given = endpoint.response.as_ref();
    let opaque = |media_type: &str, encoding: Option<&str>, example: &str| {
        let mut schema = given.map_or_else(|| json!({ "examples": [example] }), |given| alone(given, given));
        if let Value::Object(members) = &mut schema {
            let media_type =
                endpoint.accept.as_deref().filter(|given| !given.contains(['*', ','])).unwrap_or(media_type);
            members.insert("type".to_owned(), json!("string"));
            members.insert("contentMediaType".to_owned(), json!(media_type));
            if let Some(encoding) = encoding {
                members.insert("contentEncoding".to_owned(), json!(encoding));
            }
        }
        schema
    };
    match endpoint.answers() {
        ResponseType::None => json!({"type": "null"}),
        ResponseType::Text => opaque("text/plain", None, "Some text."),
        ResponseType::Bytes => opaque("application/octet-stream", Some("base64"), "U29tZSBieXRlcy4="),
        ResponseType::Json => {
            let mut schema = given.cloned().unwrap_or_else(|| json!({"type": "object"}));
            let conditions = rules::success(config, endpoint).map(|rule| rule.body.as_slice()).unwrap_or_default();
            for condition in conditions {
                if let Some(value) = &condition.equals {
                    with_constant(&mut schema, &condition.pointer, value);
                }
            }
            schema
        }
    }
}
