//! Collecting a descriptor: slots and routes from the operations' `uses`, schemas from their types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{
    Failure,
    bindings::portcullis::adapter::descriptor::{Route, Slot},
    route::Parts,
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
        let fields = field_names(&request);
        if let Some(missing) = parts.parameters().find(|name| !fields.contains(name)) {
            self.object(format!("route `{}` has {{{missing}}} in its path and no such field in its type", parts.id));
        }
        let rest = fields.into_iter().filter(|field| !parts.parameters().any(|name| name == *field));
        let query = if parts.has_body() { Vec::new() } else { rest.map(str::to_owned).collect() };
        self.routes.push(Route {
            id: parts.id.to_owned(),
            description: parts.description.to_owned(),
            method: parts.method,
            url,
            query,
            slot: parts.slot.map(|slot| slot.name().to_owned()),
            request: body_schema(parts, &request),
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

fn field_names(schema: &Value) -> Vec<&str> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
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
        assert_eq!(
            (get.url.as_str(), &get.query),
            ("https://a.example/v1/items/{id}", &vec!["maxResults".to_owned(), "q".to_owned()])
        );
        assert_eq!(get.request, None);
        assert!(put.query.is_empty());
        let body: Value = serde_json::from_str(put.request.as_deref().unwrap()).unwrap();
        assert!(body["properties"].get("id").is_none() && body["properties"].get("q").is_some());
        assert_eq!(body["required"], json!(["q", "maxResults"]));
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
