//! Collecting a descriptor: slots and routes from the operations' `uses`, schemas from their types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{
    Failure,
    bindings::portcullis::adapter::descriptor::{Body, Parameter, Repeat, Route, Slot, Values},
    route::{self, Parts},
};

/// Something an operation uses: a [`Route`](crate::Route), or a [`Slot`](crate::Slot) to sign with.
pub trait Declare: Sync {
    /// Puts itself, and what it needs, into the descriptor, once. Returns its id if it is a route.
    fn declare(&self, declared: &mut Declared) -> Option<&'static str>;
}

/// The slots and routes declared so far, each once, in the order of their first use.
pub struct Declared {
    base: String,
    pub(crate) slots: Vec<Slot>,
    pub(crate) routes: Vec<Route>,
    pub(crate) problem: Option<Failure>,
}

/// Makes a type's schema. A function rather than a value, because a route that is already there needs none.
pub(crate) type Schema = fn(&Declared) -> Value;

impl Declared {
    pub(crate) fn new(base: String) -> Self {
        Self { base, slots: Vec::new(), routes: Vec::new(), problem: None }
    }

    /// The schema of what the adapter reads: inputs, config, responses. Fields with a default are optional.
    pub(crate) fn schema_of_received<T: JsonSchema>(&self) -> Value {
        settings().into_generator().into_root_schema_for::<T>().to_value()
    }

    /// The schema of what the adapter writes: outputs, requests. Fields that are always written are required.
    pub(crate) fn schema_of_sent<T: JsonSchema>(&self) -> Value {
        settings().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
    }

    pub(crate) fn add_slot(&mut self, slot: Slot) {
        match self.slots.iter().find(|known| known.name == slot.name) {
            None => self.slots.push(slot),
            Some(known) if *known == slot => {}
            Some(_) => self.object(format!("two slots are named `{}`; give one another name", slot.name)),
        }
    }

    pub(crate) fn add_route(&mut self, parts: &Parts, request: Schema, response: Schema) {
        let url = parts.template(&self.base);
        if let Some(known) = self.routes.iter().find(|known| known.id == parts.id) {
            if known.url != url || known.method != parts.method {
                self.object(format!("two routes have the id `{}`; give one another id", parts.id));
            }
            return;
        }
        if let Some(slot) = parts.slot {
            crate::Declare::declare(slot, self);
        }
        let request = request(self);
        let fields = fields(&request);
        if let Some(missing) = parts.parameters().find(|name| !fields.iter().any(|(field, _)| field == name)) {
            self.object(format!("route `{}` has {{{missing}}} in its path and no such field in its type", parts.id));
        }
        let rest = fields.into_iter().filter(|(field, _)| !parts.parameters().any(|name| name == *field));
        let parameter = |(name, schema): (&str, &Value)| Parameter { name: name.to_owned(), values: values(schema) };
        let query = if parts.has_body() { Vec::new() } else { rest.map(parameter).collect() };
        let fixed = |(name, value): &(&str, &str)| Parameter {
            name: (*name).to_owned(),
            values: Values::OneOf(vec![(*value).to_owned()]),
        };
        let always = |name: &str| ALWAYS_GRANTED.iter().any(|always| name.eq_ignore_ascii_case(always));
        self.routes.push(Route {
            id: parts.id.to_owned(),
            description: parts.description.to_owned(),
            method: parts.method,
            url,
            query,
            headers: parts.headers.iter().filter(|(name, _)| !always(name)).map(fixed).collect(),
            slot: parts.slot.map(|slot| slot.name().to_owned()),
            request: body_schema(parts, &request).map(Body::Json),
            repeat: match parts.repeat {
                route::Repeat::Never => Repeat::Never,
                route::Repeat::Idempotent => Repeat::Idempotent,
                route::Repeat::WithKey(name) => Repeat::WithKey(name.to_owned()),
            },
            response: response(self).to_string(),
        });
    }

    fn object(&mut self, message: String) {
        self.problem.get_or_insert_with(|| Failure::new("adapter.descriptor", message));
    }
}

/// Draft 2020-12, each type where it is used (only recursive types are referred to), without the `$schema` line.
fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    })
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

/// The request type's schema without the fields that go into the path; none where nothing would be left to send.
fn body_schema(parts: &Parts, request: &Value) -> Option<String> {
    if !parts.has_body() || request.get("type").and_then(Value::as_str) == Some("null") {
        return None;
    }
    let mut schema = request.clone();
    for name in parts.parameters() {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.remove(name);
            if properties.is_empty() {
                return None;
            }
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|field| field != name);
        }
    }
    Some(schema.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Route as Typed, Slot as TypedSlot};

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    struct Find {
        id: u32,
        q: Option<String>,
        #[serde(rename = "maxResults")]
        max_results: u32,
    }

    const TOKEN: TypedSlot = TypedSlot::bearer("token");
    const GET: Typed<Find, ()> = Typed::get("get", "/items/{id}").slot(&TOKEN);
    const PUT: Typed<Find, ()> = Typed::put("put", "/items/{id}").slot(&TOKEN);

    fn declared(uses: &[&dyn Declare]) -> Declared {
        let mut declared = Declared::new("https://a.example/v1".to_owned());
        for used in uses {
            used.declare(&mut declared);
        }
        declared
    }

    #[test]
    fn query_names_are_the_fields_that_are_not_in_the_path() {
        let declared = declared(&[&GET, &PUT]);
        let [get, put] = declared.routes.as_slice() else { panic!("two routes") };
        assert_eq!(get.url, "https://a.example/v1/items/{id}");
        let names: Vec<&str> = get.query.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["maxResults", "q"]);
        assert!(get.request.is_none() && put.query.is_empty());
        let Some(Body::Json(body)) = &put.request else { panic!("a JSON body") };
        let body: Value = serde_json::from_str(body).unwrap();
        assert!(body["properties"].get("id").is_none() && body["properties"].get("q").is_some());
        assert_eq!(body["required"], json!(["q", "maxResults"]));
    }

    #[test]
    fn of_a_query_field_it_is_said_what_values_there_are() {
        use schemars::JsonSchema;

        #[derive(serde::Serialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[allow(dead_code, reason = "its schema is what is tested")]
        enum Status {
            Open,
            Closed,
        }

        #[derive(serde::Serialize, JsonSchema)]
        struct List {
            archived: Option<bool>,
            limit: Option<u16>,
            offset: i32,
            status: Vec<Status>,
            text: String,
        }

        const LIST: Typed<List, ()> = Typed::get("list", "/items").headers(&[("X-Version", "2"), ("Accept", "a/b")]);
        let declared = declared(&[&LIST]);
        let route = declared.routes.first().unwrap();
        let told: Vec<String> = route.query.iter().map(|p| format!("{}: {:?}", p.name, p.values)).collect();
        assert_eq!(
            told,
            [
                r#"archived: Values::OneOf(["false", "true"])"#,
                r#"limit: Values::Shape("digits(1..20)")"#,
                "offset: Values::Any",
                r#"status: Values::OneOf(["open", "closed"])"#,
                "text: Values::Any",
            ]
        );
        let headers: Vec<String> = route.headers.iter().map(|p| format!("{}: {:?}", p.name, p.values)).collect();
        assert_eq!(headers, [r#"X-Version: Values::OneOf(["2"])"#]);
    }

    #[test]
    fn slots_and_routes_are_declared_once() {
        let declared = declared(&[&GET, &GET, &PUT, &TOKEN]);
        assert_eq!((declared.slots.len(), declared.routes.len()), (1, 2));
        assert_eq!(declared.problem, None);
    }

    #[test]
    fn two_meanings_of_one_name_are_refused() {
        const OTHER_GET: Typed<Find, ()> = Typed::get("get", "/other/{id}");
        const OTHER_TOKEN: TypedSlot = TypedSlot::basic("token");
        assert!(declared(&[&GET, &OTHER_GET]).problem.unwrap().message.contains("two routes have the id `get`"));
        assert!(declared(&[&TOKEN, &OTHER_TOKEN]).problem.unwrap().message.contains("two slots are named `token`"));
    }

    #[test]
    fn a_path_parameter_without_a_field_is_refused() {
        const WRONG: Typed<Find, ()> = Typed::get("wrong", "/items/{item}");
        assert!(declared(&[&WRONG]).problem.unwrap().message.contains("has {item} in its path"));
    }
}
