//! One operation of an adapter, as `portcullis inspect --operation` tells it: what it takes, what it gives, how to call it.

use portcullis_runtime::{Descriptor, Operation, Schema, is_plain, printable};
use serde_json::{Value, json};

use crate::{
    config,
    exit::{Code, DONE, Usage},
    look,
    near::did_you_mean,
};

/// The operation of this name.
pub(crate) fn named<'a>(descriptor: &'a Descriptor, name: &str) -> Result<&'a Operation, Usage> {
    descriptor.operation(name).ok_or_else(|| {
        let names = || descriptor.operations.iter().map(|operation| operation.name.as_str());
        let near = did_you_mean(name, names());
        let all = names().collect::<Vec<_>>().join(", ");
        Usage(format!("--operation: there is no `{}`{near}; the operations are {all}", printable(name, 64)))
    })
}

/// Tells of the operation of this name; `call` is how a call of the adapter begins.
pub(crate) fn run(descriptor: &Descriptor, name: &str, call: &str, as_json: bool) -> anyhow::Result<Code> {
    let operation = named(descriptor, name)?;
    let input = Schema::compile(&operation.input)?;
    let output = Schema::compile(&operation.output)?;
    if as_json {
        look::print_json(&json!({
            "name": operation.name, "description": operation.description, "effect": operation.effect.as_str(),
            "routes": operation.routes, "input": input.value(), "output": output.value(),
        }));
        return Ok(DONE);
    }
    let mut text =
        look::heading(&format!("{} ({})", operation.name, operation.effect.as_str())).trim_start().to_owned();
    text += &format!("\n{}\n", look::wrapped(&printable(&look::paragraph(&operation.description), 600), 2));
    for (heading, schema) in [("Input: what a caller gives", &input), ("Output: what a caller gets", &output)] {
        text += &format!("{}\n", config::places(heading, schema, "--json prints the schemas"));
    }
    anstream::println!("{text}");
    let example = example(input.value());
    // To be pasted, so never broken to fit.
    anstream::println!("\nIn sandbox mode:\n  {call} --operation {name} --input '{example}'");
    Ok(DONE)
}

/// The required members of an input, with their examples: something to begin with.
fn example(schema: &Value) -> Value {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let members = required.map(|name| {
        let member = schema.get("properties").and_then(|properties| properties.get(name));
        let said = |keyword: &str| match member?.get(keyword)? {
            Value::Array(several) => several.first().cloned(),
            one => Some(one.clone()),
        };
        // What is pasted into a shell is plain, whatever the adapter says.
        let plain = |value: &Value| !value.to_string().contains(|c: char| c == '\'' || !is_plain(c));
        let value = ["examples", "const", "enum", "default"].into_iter().find_map(said).filter(plain);
        (name.to_owned(), value.unwrap_or_else(|| json!("…")))
    });
    members
        .filter(|(name, _)| !name.contains(|c: char| c == '\'' || !is_plain(c)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_what_is_required_and_can_be_pasted() {
        let schema = json!({
            "required": ["amount", "currency", "kind", "note", "mean", "it's"],
            "properties": {
                "amount": {"examples": [2000]}, "currency": {"type": "string"}, "kind": {"enum": ["a", "b"]},
                "note": {"const": "x"}, "mean": {"examples": ["'; rm -rf ~"]}, "optional": {"examples": [1]},
            },
        });
        let told = json!({"amount": 2000, "currency": "…", "kind": "a", "mean": "…", "note": "x"});
        assert_eq!(example(&schema), told);
        assert_eq!(example(&json!(true)), json!({}));
    }
}
