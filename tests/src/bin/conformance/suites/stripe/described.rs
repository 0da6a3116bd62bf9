//! The adapter's schemas held against Stripe's own description of its API.
//!
//! A request: each field that the adapter declares is there, and takes all values that the adapter lets through; what Stripe
//! requires, the adapter requires. An answer: each field that the adapter declares is there, and the adapter takes all values
//! that Stripe may send; what the adapter requires, Stripe always sends.
//!
//! The copy at hand leaves out what can be expanded: two fields are put back, and ids stand where objects may.

use portcullis_runtime::{Descriptor, Route};
use serde_json::{Value, json};

use super::WHOLE;
use crate::{
    bench::{Bench, Setup},
    cache::Cache,
    expect::holds,
    report::{Checked, Checks, Stop},
};

/// Examples of what Stripe sends.
const FIXTURES: &str = "stripe/fixtures3.json";
/// Fields of a PaymentIntent that the copy leaves out, and what they are.
const LEFT_OUT: [(&str, &str); 2] =
    [("next_action", "payment_intent_next_action"), ("last_payment_error", "api_errors")];

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let mut description = cache.spec_json(WHOLE)?;
    let fixtures = cache.spec_json(FIXTURES)?;
    checks.check("what the copy leaves out is there in Stripe's examples", put_back(&mut description, &fixtures));
    let bench = Bench::new("stripe", Setup::config(json!({}))).await?;
    let version = description.pointer("/info/version").and_then(Value::as_str).unwrap_or_default();
    checks.check("the version that is asked for is the description's", asks_for(&bench.descriptor, version));
    for route in &bench.descriptor.routes {
        let found = endpoint(&description, route);
        checks.check(&format!("{}: the endpoint is described", route.id), found.clone().map(drop));
        let Ok(endpoint) = found else { continue };
        let held = Held { description: &description };
        checks.check(&format!("{}: Stripe takes what is sent", route.id), held.request(route, endpoint));
        checks.check(&format!("{}: what Stripe sends is taken", route.id), held.answer(route, endpoint));
    }
    Ok(())
}

fn put_back(description: &mut Value, fixtures: &Value) -> Checked {
    for (name, schema) in LEFT_OUT {
        let example = fixtures.pointer(&format!("/resources/payment_intent/{name}"));
        holds(example.is_some(), || format!("no PaymentIntent has `{name}`"))?;
        let fields = description.pointer_mut("/components/schemas/payment_intent/properties");
        let fields = fields.and_then(Value::as_object_mut);
        let fields = fields.ok_or_else(|| Stop::Failed("there is no PaymentIntent".to_owned()))?;
        let reference = json!({"anyOf": [{"$ref": format!("#/components/schemas/{schema}")}], "nullable": true});
        fields.entry(name).or_insert(reference);
    }
    Ok(())
}

fn asks_for(descriptor: &Descriptor, version: &str) -> Checked {
    let asked = |route: &Route| {
        let declared = json!(route.headers);
        let fields = declared.as_array().into_iter().flatten();
        fields.clone().any(|field| *field == json!({"name": "Stripe-Version", "one_of": [version]}))
    };
    let others: Vec<&str> = descriptor.routes.iter().filter(|route| !asked(route)).map(|r| r.id.as_str()).collect();
    holds(others.is_empty(), || format!("{version} is not what these ask for: {}", others.join(", ")))
}

/// The endpoint's description: its path has the same segments, whatever its parameters are called.
fn endpoint<'d>(description: &'d Value, route: &Route) -> Checked<&'d Value> {
    let path = route.url.strip_prefix("https://api.stripe.com").unwrap_or(&route.url);
    let bare = |path: &str| -> String {
        path.split('/')
            .map(|segment| if segment.starts_with('{') { "{}" } else { segment })
            .collect::<Vec<_>>()
            .join("/")
    };
    let paths = description.get("paths").and_then(Value::as_object);
    let methods = paths.and_then(|paths| paths.iter().find(|(known, _)| bare(known) == bare(path))).map(|(_, m)| m);
    let found = methods.and_then(|methods| methods.get(route.method.to_string().to_lowercase()));
    found.ok_or_else(|| Stop::Failed(format!("no {} {path} is described", route.method)))
}

/// What is held against what.
struct Held<'d> {
    description: &'d Value,
}

impl Held<'_> {
    fn request(&self, route: &Route, endpoint: &Value) -> Checked {
        let mut problems = Vec::new();
        match route.request.as_ref().map(|body| body.schema.as_deref().map(parsed)) {
            None => {
                for name in json!(route.query).as_array().into_iter().flatten() {
                    let name = name.as_str().or_else(|| name.get("name")?.as_str()).unwrap_or_default();
                    if !self.takes_parameter(endpoint, name) {
                        problems.push(format!("there is no query parameter `{name}`"));
                    }
                }
            }
            Some(Some(ours)) => {
                let place = "/requestBody/content/application~1x-www-form-urlencoded/schema";
                match endpoint.pointer(place) {
                    Some(theirs) => self.covers(theirs, &ours?, true, "", &mut problems),
                    None => problems.push("Stripe takes no form".to_owned()),
                }
            }
            Some(None) => problems.push("the body has no schema".to_owned()),
        }
        told(&problems)
    }

    /// `limit`, `expand[]`, `created[gte]`.
    fn takes_parameter(&self, endpoint: &Value, name: &str) -> bool {
        let (field, inside) =
            name.split_once('[').map_or((name, None), |(field, rest)| (field, rest.strip_suffix(']')));
        let parameters = endpoint.get("parameters").and_then(Value::as_array).into_iter().flatten();
        let mut found = parameters.filter(|one| one.get("name") == Some(&json!(field)) && one["in"] == "query");
        let Some(schema) = found.next().and_then(|parameter| parameter.get("schema")) else { return false };
        let branches = self.branches(schema);
        match inside {
            None => true,
            Some("") => branches.iter().any(|branch| branch["type"] == "array"),
            Some(member) => branches.iter().any(|branch| branch["properties"].get(member).is_some()),
        }
    }

    fn answer(&self, route: &Route, endpoint: &Value) -> Checked {
        let ours = parsed(&route.response)?;
        let theirs = endpoint.pointer("/responses/200/content/application~1json/schema");
        let theirs = theirs.ok_or_else(|| Stop::Failed("no answer is described".to_owned()))?;
        let mut problems = Vec::new();
        self.covers(&ours, theirs, false, "", &mut problems);
        self.knows(theirs, &ours, "", &mut problems);
        told(&problems)
    }

    /// The schema itself, or those of which one has to hold; `$ref` followed.
    fn branches<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
        if let Some(there) = reference.and_then(|place| self.description.pointer(place)) {
            return self.branches(there);
        }
        match schema.get("anyOf").and_then(Value::as_array) {
            Some(branches) => branches.iter().flat_map(|branch| self.branches(branch)).collect(),
            None => vec![schema],
        }
    }

    /// Whether `wide` allows all that `narrow` does. With `closed`, what `wide` does not name it does not allow.
    fn covers(&self, wide: &Value, narrow: &Value, closed: bool, at: &str, problems: &mut Vec<String>) {
        let (all, any) = (self.branches(narrow), self.branches(wide));
        // Null is looked at apart: it may be said beside `anyOf` or `$ref`, and be taken by a branch of its own. What is
        // absent is left out of a form, so that null never arrives there.
        let has_null = |schema: &Value, branches: &[&Value]| {
            is_nullable(schema)
                || branches.iter().any(|branch| types(branch).is_some_and(|types| types.contains(&"null")))
        };
        let takes_any = any.iter().any(|branch| types(branch).is_none());
        if !closed && has_null(narrow, &all) && !takes_any && !has_null(wide, &any) {
            problems.push(format!("{at}: null is not taken"));
        }
        for one in all.into_iter().filter(|one| types(one) != Some(vec!["null"])) {
            let mut fewest: Option<Vec<String>> = None;
            for other in &any {
                let mut here = Vec::new();
                self.covers_one(other, one, closed, at, &mut here);
                if fewest.as_ref().is_none_or(|fewest| here.len() < fewest.len()) {
                    fewest = Some(here);
                }
            }
            problems.extend(fewest.unwrap_or_default());
        }
    }

    fn covers_one(&self, wide: &Value, narrow: &Value, closed: bool, at: &str, problems: &mut Vec<String>) {
        let mut problem = |what: String| problems.push(format!("{at}: {what}"));
        if let Some(taken) = types(wide) {
            let Some(given) = types(narrow) else { return problem(format!("anything is not {taken:?}")) };
            let fits = |name: &str| taken.contains(&name) || (name == "integer" && taken.contains(&"number"));
            let others: Vec<&str> = given.into_iter().filter(|name| *name != "null" && !fits(name)).collect();
            if !others.is_empty() {
                return problem(format!("{others:?} is not {taken:?}"));
            }
        }
        let listed = |schema: &Value| schema.get("enum").and_then(Value::as_array).cloned();
        if let Some(taken) = listed(wide) {
            match listed(narrow) {
                None => problem(format!("a text is not one of {}", Value::Array(taken))),
                Some(given) => {
                    let others: Vec<Value> =
                        given.into_iter().filter(|value| !value.is_null() && !taken.contains(value)).collect();
                    if !others.is_empty() {
                        problem(format!("{} is none of {}", Value::Array(others), Value::Array(taken)));
                    }
                }
            }
        }
        let longest = |schema: &Value| schema.get("maxLength").and_then(Value::as_u64);
        if let (Some(taken), Some(given)) = (longest(wide), longest(narrow))
            && given > taken
        {
            problem(format!("{given} characters are more than {taken}"));
        }
        if let (Some(taken), Some(given)) = (wide.get("items"), narrow.get("items")) {
            self.covers(taken, given, closed, &format!("{at}/*"), problems);
        }
        self.covers_members(wide, narrow, closed, at, problems);
    }

    fn covers_members(&self, wide: &Value, narrow: &Value, closed: bool, at: &str, problems: &mut Vec<String>) {
        let given = narrow.get("properties").and_then(Value::as_object);
        for (name, schema) in given.into_iter().flatten() {
            let place = format!("{at}/{name}");
            let open = wide.get("additionalProperties").filter(|schema| schema.is_object());
            match wide.pointer("/properties").and_then(|known| known.get(name)).or(open) {
                Some(known) => self.covers(known, schema, closed, &place, problems),
                None if closed => problems.push(format!("{place}: there is no such field")),
                None => {}
            }
        }
        if let (Some(taken), Some(given)) = (wide.get("additionalProperties"), narrow.get("additionalProperties"))
            && taken.is_object()
            && given.is_object()
        {
            self.covers(taken, given, closed, &format!("{at}/*"), problems);
        }
        let required = |schema: &Value| schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let always = required(narrow);
        for name in required(wide).iter().filter(|name| !always.contains(name)) {
            problems.push(format!("{at}: {name} is required, and not always there"));
        }
    }

    /// Whether each field that `ours` names is one of `theirs`.
    fn knows(&self, theirs: &Value, ours: &Value, at: &str, problems: &mut Vec<String>) {
        let theirs = self.branches(theirs);
        for ours in self.branches(ours) {
            for (name, schema) in ours.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let place = format!("{at}/{name}");
                let known: Vec<&Value> =
                    theirs.iter().filter_map(|branch| branch.get("properties")?.get(name)).collect();
                if known.is_empty() {
                    problems.push(format!("{place}: Stripe has no such field"));
                }
                known.first().into_iter().for_each(|known| self.knows(known, schema, &place, problems));
            }
            if let Some(items) = ours.get("items") {
                let known = theirs.iter().find_map(|branch| branch.get("items"));
                known.into_iter().for_each(|known| self.knows(known, items, &format!("{at}/*"), problems));
            }
        }
    }
}

fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
}

/// The types that a schema allows; none where it allows any.
fn types(schema: &Value) -> Option<Vec<&str>> {
    let mut types: Vec<&str> = match schema.get("type")? {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    if is_nullable(schema) {
        types.push("null");
    }
    Some(types)
}

fn parsed(schema: &str) -> Checked<Value> {
    serde_json::from_str(schema).map_err(Stop::failed)
}

fn told(problems: &[String]) -> Checked {
    holds(problems.is_empty(), || problems.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(wide: &Value, narrow: &Value, closed: bool) -> Vec<String> {
        let description = json!({"components": {"schemas": {"id": {"type": "string", "maxLength": 5}}}});
        let mut problems = Vec::new();
        Held { description: &description }.covers(wide, narrow, closed, "", &mut problems);
        problems
    }

    #[test]
    fn what_is_narrower_is_covered() {
        let text = json!({"type": "string"});
        let reference = json!({"$ref": "#/components/schemas/id"});
        for (wide, narrow) in [
            (&text, &json!({"type": "string", "enum": ["a"]})),
            (&json!({"type": "number"}), &json!({"type": "integer"})),
            (&json!({"type": ["string", "null"]}), &json!({"type": "string", "nullable": true})),
            (&reference, &json!({"type": "string", "maxLength": 5})),
            (&json!({"anyOf": [{"type": "object"}, {"type": "string"}]}), &reference),
            (&json!({}), &json!({"type": "array"})),
            (&json!({"additionalProperties": text}), &json!({"properties": {"a": text}})),
        ] {
            assert_eq!(problems(wide, narrow, true), Vec::<String>::new(), "{wide} {narrow}");
        }
    }

    #[test]
    fn what_is_wider_is_told_with_its_place() {
        let of = |schema: Value| json!({"properties": {"a": schema}});
        for (wide, narrow, told) in [
            (of(json!({"type": "string"})), of(json!({"type": "integer"})), "/a: [\"integer\"] is not [\"string\"]"),
            (of(json!({"enum": ["x"]})), of(json!({"enum": ["x", "y"]})), "/a: [\"y\"] is none of [\"x\"]"),
            (of(json!({"enum": ["x"]})), of(json!({"type": "string"})), "/a: a text is not one of [\"x\"]"),
            (of(json!({"maxLength": 5})), of(json!({"maxLength": 6})), "/a: 6 characters are more than 5"),
            (json!({}), of(json!({})), "/a: there is no such field"),
            (json!({"required": ["a"]}), json!({}), ": \"a\" is required, and not always there"),
            (json!({"items": {"type": "string"}}), json!({"items": {}}), "/*: anything is not [\"string\"]"),
        ] {
            assert_eq!(problems(&wide, &narrow, true), [told], "{wide} {narrow}");
        }
        assert!(problems(&json!({}), &of(json!({})), false).is_empty());
    }

    #[test]
    fn null_has_to_be_taken_where_it_is_sent_and_is_never_sent_in_a_form() {
        let text = json!({"type": "string"});
        for narrow in [
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
            json!({"anyOf": [{"type": "string"}], "nullable": true}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ] {
            assert_eq!(problems(&text, &narrow, false), [": null is not taken"], "{narrow}");
            assert!(problems(&text, &narrow, true).is_empty(), "{narrow}");
            let either = json!({"anyOf": [{"type": "null"}, {"type": "object"}, text]});
            assert!(problems(&either, &narrow, false).is_empty(), "{narrow}");
        }
    }

    #[test]
    fn a_field_that_stripe_does_not_have_is_told() {
        let description = json!({});
        let held = Held { description: &description };
        let theirs = json!({"items": {"properties": {"a": {"properties": {"b": {}}}}}});
        let mut problems = Vec::new();
        held.knows(
            &theirs,
            &json!({"items": {"properties": {"a": {"properties": {"b": {}, "c": {}}}}}}),
            "",
            &mut problems,
        );
        assert_eq!(problems, ["/*/a/c: Stripe has no such field"]);
    }
}
