//! Collecting a descriptor: slots and routes from the operations' `uses`, schemas from their types.

#[cfg(test)]
mod tests;

use crate::{Value, json};

use crate::{
    Failure,
    bindings::portcullis::adapter::descriptor::{Body, LinkPlace, Parameter, Repeat, Route, Slot, Values},
    route::{self, Encoding, Place, UntypedRoute},
    schema::{Direction, Model, render},
};

/// Something an operation uses: a [`Route`](crate::Route), or a [`SigningKey`](crate::SigningKey).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that an operation uses by itself",
    note = "list routes and signing keys in `uses(…)`; a slot is named at its routes: `Route::get(…).slot(&SLOT)`"
)]
pub trait Declare: Sync {
    /// Puts itself, and what it needs, into the descriptor, once. Returns its id if it is a route.
    fn declare(&self, declared: &mut Declared) -> Option<String>;
}

/// The slots and routes declared so far, each once, in the order of their first use.
pub struct Declared {
    base: String,
    headers: Vec<(&'static str, String)>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) routes: Vec<Route>,
    pub(crate) problem: Option<Failure>,
}

impl Declared {
    pub(crate) fn new(base: String, headers: Vec<(&'static str, String)>) -> Self {
        Self { base, headers, slots: Vec::new(), routes: Vec::new(), problem: None }
    }

    /// The schema of what the adapter reads: inputs, config, responses. Fields with a default are optional.
    pub(crate) fn schema_of_received<T: Model>() -> Value {
        render(T::SCHEMA, Direction::Received)
    }

    /// The schema of what the adapter writes: outputs, requests. Fields that are always written are required.
    pub(crate) fn schema_of_sent<T: Model>() -> Value {
        render(T::SCHEMA, Direction::Sent)
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn add_slot(&mut self, slot: Slot) {
        match self.slots.iter().find(|known| known.name == slot.name) {
            None => self.slots.push(slot),
            Some(known) if *known == slot => {}
            Some(_) => self.object(format!("two slots are named `{}`; give one another name", slot.name)),
        }
    }

    /// Declares a route that is data: the JSON Schemas (2020-12) of its request, an object whose fields go where the route
    /// says, and of a successful response. Returns its id.
    pub fn route(&mut self, route: &UntypedRoute, request: &Value, response: &Value) -> String {
        self.add_route(route, &|| request.clone(), &|| response.clone());
        route.id.to_owned()
    }

    pub(crate) fn add_route(
        &mut self,
        route: &UntypedRoute,
        request: &dyn Fn() -> Value,
        response: &dyn Fn() -> Value,
    ) {
        for slot in route.slots.iter().flatten() {
            slot.declare(self);
        }
        let described = self.described(route, &request(), &response());
        match self.routes.iter().find(|known| known.id == route.id) {
            None => self.routes.push(described),
            Some(known) if *known == described => {}
            Some(_) => self.object(format!("two routes have the id `{}`; give one another id", route.id)),
        }
    }

    fn described(&mut self, route: &UntypedRoute, request: &Value, response: &Value) -> Route {
        let fields = fields(request);
        let known = |name: &str| fields.iter().any(|(field, _)| *field == name);
        let in_headers = route.header_fields.iter().map(|(_, field)| *field);
        // The path of a link is the provider's, not made of fields.
        let in_path = route.parameters().filter(|_| route.links.is_empty());
        for name in in_path.chain(in_headers).chain(route.query.iter().copied()).chain(route.body_field) {
            if !known(name) {
                let place = if route.place(name) == Place::Path { " in its path" } else { "" };
                self.object(format!("route `{}` has {{{name}}}{place} and no such field in its type", route.id));
            }
        }
        for slot in route.slots.iter().flatten() {
            let member =
                slot.body_member().filter(|name| route.body_field.is_none() && route.place(name) == Place::Body);
            if let Some(name) = slot.path_parameter().or(member).filter(|name| known(name)) {
                self.object(format!(
                    "`{name}` in route `{}` is the slot's to write; take it out of its type",
                    route.id
                ));
            }
            if slot.body_member().is_some() && !matches!(route.encoding, Encoding::Json | Encoding::Form) {
                let problem =
                    "goes into a body, and its route sends neither JSON nor a form; add `.json()` or `.form()`";
                self.object(format!("the slot `{}` of route `{}` {problem}", slot.name(), route.id));
            }
        }
        let mut query = Vec::new();
        for (name, schema) in fields.iter().filter(|(name, _)| route.place(name) == Place::Query) {
            if !query_parameters(name, schema, route.brackets, &mut query) {
                let problem = "is nested, and its route has no `brackets()` to write it with";
                self.object(format!("the query parameter `{name}` of route `{}` {problem}", route.id));
            }
        }
        // A map that is flattened into the request has names that nobody can list.
        let others = request.get("additionalProperties").filter(|others| **others != Value::Bool(false));
        let others = others.filter(|_| route.place("*") == Place::Query);
        if route.any_query || others.is_some() {
            let values = if route.any_query { Values::Any } else { others.map_or(Values::Any, values) };
            query.push(Parameter { name: "*".to_owned(), values });
        }
        Route {
            id: route.id.to_owned(),
            description: route.description.to_owned(),
            method: route.method,
            url: route.template(&self.base),
            query,
            headers: self.headers(route, &fields),
            slots: route.slots.iter().flatten().map(|slot| slot.name().to_owned()).collect(),
            links: route
                .links
                .iter()
                .map(|place| match place {
                    route::Link::Header(relation) => LinkPlace::Header((*relation).to_owned()),
                    route::Link::Body(pointer) => LinkPlace::Body((*pointer).to_owned()),
                })
                .collect(),
            request: body(route, request),
            repeat: match route.repeat {
                route::Repeat::Never => Repeat::Never,
                route::Repeat::Idempotent => Repeat::Idempotent,
                route::Repeat::WithKey(name) => Repeat::WithKey(name.to_owned()),
            },
            response: self.with_examples(route, response),
        }
    }

    fn headers(&self, route: &UntypedRoute, fields: &[(&str, &Value)]) -> Vec<Parameter> {
        let always = |name: &str| ALWAYS_GRANTED.iter().any(|always| name.eq_ignore_ascii_case(always));
        let fixed = |name: &str, value: &str| Parameter {
            name: name.to_owned(),
            values: Values::OneOf(vec![value.to_owned()]),
        };
        let constants = route.headers.iter().filter(|(name, _)| !always(name)).map(|(name, value)| fixed(name, value));
        let of_config = self.headers.iter().map(|(name, value)| fixed(name, value));
        let filled = route.header_fields.iter().filter(|(name, _)| !always(name)).map(|(name, field)| {
            let schema = fields.iter().find(|(known, _)| known == field);
            Parameter { name: (*name).to_owned(), values: schema.map_or(Values::Any, |(_, schema)| values(schema)) }
        });
        constants.chain(of_config).chain(filled).collect()
    }

    /// The response's schema, with the route's own examples.
    fn with_examples(&mut self, route: &UntypedRoute, response: &Value) -> String {
        let mut response = response.clone();
        for (name, example) in route.examples {
            let example = serde_json::from_str(example).unwrap_or_else(|_| Value::String((*example).to_owned()));
            let field = response.get_mut("properties").and_then(|properties| properties.get_mut(name));
            match field.and_then(Value::as_object_mut) {
                Some(schema) => drop(schema.insert("examples".to_owned(), Value::Array(vec![example]))),
                None => self.object(format!(
                    "route `{}` has an example for `{name}`, which is no field of its answer",
                    route.id
                )),
            }
        }
        response.to_string()
    }

    fn object(&mut self, message: String) {
        self.problem.get_or_insert_with(|| Failure::new("adapter.descriptor", message));
    }
}

/// Header fields that every route may send without declaring them.
const ALWAYS_GRANTED: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];
/// Most values of one list, as the contract has it.
const MAX_VALUES: usize = 256;

fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .map(|properties| properties.iter().map(|(name, schema)| (name.as_str(), schema)).collect())
        .unwrap_or_default()
}

/// Which texts a field of this schema can become in a query, where that is plain to see. Null is left out of a query, and
/// of an array each item is written by itself.
fn values(schema: &Value) -> Values {
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => Vec::new(),
    };
    let texts = |name: &str| {
        let listed = schema.get(name)?.as_array()?.iter().filter(|value| !value.is_null());
        listed.map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    };
    match types.as_slice() {
        ["boolean"] => Values::OneOf(vec!["false".to_owned(), "true".to_owned()]),
        ["integer"] if schema.get("minimum").and_then(Value::as_u64).is_some() => {
            Values::Shape("digits(1..20)".to_owned())
        }
        ["string"] => match texts("enum") {
            Some(texts) if !texts.is_empty() && texts.len() <= MAX_VALUES => Values::OneOf(texts),
            _ => Values::Any,
        },
        ["array"] => schema.get("items").map_or(Values::Any, values),
        _ => Values::Any,
    }
}

/// The query parameters of a field. Returns whether it can be written.
fn query_parameters(name: &str, schema: &Value, brackets: bool, into: &mut Vec<Parameter>) -> bool {
    let is = |kind: &str| match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    };
    let items = schema.get("items");
    let of_items = |kind: &str| items.is_some_and(|items| items.get(kind).is_some());
    if is("object") || (is("array") && of_items("properties")) {
        if !brackets || is("array") {
            return false;
        }
        return fields(schema)
            .into_iter()
            .all(|(inner, schema)| query_parameters(&format!("{name}[{inner}]"), schema, true, into));
    }
    let name = if brackets && is("array") { format!("{name}[]") } else { name.to_owned() };
    into.push(Parameter { name, values: values(schema) });
    true
}

/// What the route's requests carry; none where nothing would be left to send.
fn body(route: &UntypedRoute, request: &Value) -> Option<Body> {
    // A slot that goes into the body needs one, be it empty.
    let empty = || route.has_body_slot().then(|| json!({"type": "object"}).to_string());
    let json = |body: fn(String) -> Body| body_schema(route, request).or_else(empty).map(body);
    match route.encoding {
        Encoding::Query => None,
        Encoding::Json => json(Body::Json),
        Encoding::Form => json(Body::Form),
        Encoding::Multipart => json(Body::Multipart),
        Encoding::Raw(media_types) => Some(Body::Raw(media_types.iter().map(|name| (*name).to_owned()).collect())),
    }
}

/// The request type's schema without the fields that go elsewhere.
fn body_schema(route: &UntypedRoute, request: &Value) -> Option<String> {
    if request.get("type").and_then(Value::as_str) == Some("null") {
        return None;
    }
    if let Some(whole) = route.body_field {
        let mut schema = request.get("properties")?.get(whole)?.clone();
        // What it refers to comes along.
        if let (Value::Object(schema), Some(definitions)) = (&mut schema, request.get("$defs")) {
            schema.entry("$defs".to_owned()).or_insert_with(|| definitions.clone());
        }
        return Some(schema.to_string());
    }
    if route.is_all_body() {
        return Some(request.to_string());
    }
    let mut schema = request.clone();
    let elsewhere = |name: &str| route.place(name) != Place::Body;
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !elsewhere(name));
        // A map that is flattened into the request is all there is to say of some bodies.
        let others = request.get("additionalProperties").is_some_and(|others| *others != Value::Bool(false));
        if properties.is_empty() && !others {
            return None;
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_none_or(|name| !elsewhere(name)));
    }
    Some(schema.to_string())
}
