//! Integers that are written with a point or an exponent: to JSON Schema 3.0 and 3e0 are integers (validation, 6.1.1), and where a
//! value is written as text, in a path, a query, a header or a form, a server reads digits. In a JSON body a number stays as it is.

use portcullis_sdk::{Encoding, Map, Place, UntypedRoute, prelude::*};

use crate::{
    check::pointer,
    endpoint::Endpoint,
    schema::{resolved, types},
};

/// Most levels and branches that are followed.
const MAX_STEPS: u32 = 32;
/// Most digits of an integer whose schema has a minimum: what its parameter is declared with.
const MAX_DIGITS: usize = 20;

/// Writes the integers among these fields as digits, where they go somewhere as text.
pub(crate) fn written_out(endpoint: &Endpoint, route: &UntypedRoute, fields: &mut Map) -> Result<(), Error> {
    let Some(input) = &endpoint.input else { return Ok(()) };
    for (name, value) in fields {
        let as_text = match route.place(name) {
            Place::Body => matches!(route.encoding, Encoding::Form | Encoding::Multipart),
            Place::Path | Place::Query | Place::Header => true,
        };
        let schema = input.get("properties").and_then(|properties| properties.get(name));
        if let (true, Some(schema)) = (as_text, schema) {
            write(input, schema, value, &pointer("", name), MAX_STEPS)?;
        }
    }
    Ok(())
}

fn write(root: &Value, schema: &Value, value: &mut Value, at: &str, steps: u32) -> Result<(), Error> {
    let (Some(schema), Some(steps)) = (resolved(root, schema), steps.checked_sub(1)) else { return Ok(()) };
    match value {
        Value::Number(number) if takes_integers(root, schema, steps) && number.is_integer() => {
            let least = schema.get("minimum").is_some();
            match number.integer().filter(|digits| !least || digits.len() <= MAX_DIGITS) {
                Some(digits) => *number = Number::parse(&digits).unwrap_or_else(|| number.clone()),
                None => {
                    let message = format!("is an integer of more than {MAX_DIGITS} digits, and cannot be written out");
                    return Err(Error::invalid_input(at, message));
                }
            }
        }
        Value::Array(items) => {
            let first = schema.get("prefixItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (index, item) in items.iter_mut().enumerate() {
                if let Some(schema) = first.get(index).or_else(|| schema.get("items")) {
                    write(root, schema, item, &format!("{at}/{index}"), steps)?;
                }
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let own = schema.get("properties").and_then(|properties| properties.get(name));
                if let Some(schema) = own.or_else(|| schema.get("additionalProperties")) {
                    write(root, schema, member, &pointer(at, name), steps)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a schema takes integers and no other numbers, here or in a branch.
fn takes_integers(root: &Value, schema: &Value, steps: u32) -> bool {
    let Some(steps) = steps.checked_sub(1) else { return false };
    let known = types(schema);
    if !known.is_empty() {
        return known.contains(&"integer") && !known.contains(&"number");
    }
    let branches = |key| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let takes = |branch: &Value| resolved(root, branch).is_some_and(|branch| takes_integers(root, branch, steps));
    let numbers = |branch: &Value| resolved(root, branch).is_some_and(|branch| types(branch).contains(&"number"));
    branches("allOf").any(takes)
        || ["anyOf", "oneOf"].into_iter().any(|key| branches(key).any(takes) && !branches(key).any(numbers))
}
