//! `portcullis inspect`: what an adapter can do, before it does anything.

use portcullis_runtime::{
    Adapter, Ceiling, DescribeError, Descriptor, Explanation, Grant, IntegrateError, Limits, Parameter, Repeat, Route,
    Schema, Scheme, explain, printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Inspect},
    config,
    exit::{Code, DONE, USAGE},
    explain::{fits, tell_refused, text as effective},
    ledger::no_ledger,
    look, operation,
    read::{integration_name, load, read_ceiling, read_grant, read_json, start},
    sensitive,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Inspect) -> anyhow::Result<Code> {
    let ceiling = read_ceiling(wanted.ceiling.as_deref())?;
    let given = wanted.config.as_deref().map(|text| read_json("config", text)).transpose()?;
    let runtime = start(arguments, no_ledger().await?, Ceiling::default())?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let schema = runtime.config_schema(&adapter).await?;
    if wanted.config_schema {
        look::print_json(schema.value());
        return Ok(DONE);
    }
    let described = runtime.describe(&adapter, given.as_ref().unwrap_or(&json!({}))).await;
    let descriptor = match described {
        // Nobody said that nothing is its config, so this is no mistake, unless more was asked for.
        Err(DescribeError::Config(why))
            if given.is_none() && !wanted.grant && wanted.under.is_none() && wanted.operation.is_none() =>
        {
            if arguments.json {
                look::print_json(&config::json_without(&adapter, &schema, &why));
            } else {
                config::print_without(&wanted.adapter, &adapter, &schema, &why);
            }
            return Ok(DONE);
        }
        described => described?,
    };
    let again = config_again(wanted);
    if let Some(name) = &wanted.operation {
        let call = format!("portcullis invoke {}{again} --grant grant.toml", wanted.adapter.display());
        return operation::run(&descriptor, name, &call, arguments.json);
    }
    let grant = whole_grant(&adapter, &descriptor);
    if wanted.grant {
        anstream::print!("{}", commented(&descriptor, &grant));
        return Ok(DONE);
    }
    let held = holds(wanted, &adapter, &descriptor, &grant, &ceiling)?;
    let code = if held.as_ref().is_some_and(|held| held.refused.is_some()) { USAGE } else { DONE };
    if arguments.json {
        look::print_json(&as_json(&adapter, &schema, &descriptor, &grant, held.as_ref()));
        return Ok(code);
    }
    print(&adapter, &schema, &descriptor);
    if let Some(held) = &held {
        anstream::println!("\n{}\n{}", look::heading("What holds").trim_start(), effective(held).trim_end());
        tell_refused(held);
    }
    let file = wanted.adapter.display();
    anstream::println!("\nWhat an operation takes and gives:      portcullis inspect {file}{again} --operation NAME");
    anstream::println!("A grant for all of it, to be cut down:  portcullis inspect {file}{again} --grant");
    Ok(code)
}

/// The config as a line to run next would name it.
fn config_again(wanted: &Inspect) -> String {
    match wanted.config.as_deref() {
        None => String::new(),
        Some(file) if file.starts_with('@') => format!(" --config {file}"),
        Some(_) => " --config …".to_owned(),
    }
}

/// What is left of it under a grant or a ceiling, where one of them was named.
fn holds(
    wanted: &Inspect,
    adapter: &Adapter,
    descriptor: &Descriptor,
    whole: &Grant,
    ceiling: &Ceiling,
) -> anyhow::Result<Option<Explanation>> {
    let read = match &wanted.under {
        Some(path) => {
            let grant = read_grant(path)?;
            fits(&grant, path, adapter, &wanted.adapter)?;
            Some(grant)
        }
        None => None,
    };
    if read.is_none() && wanted.ceiling.is_none() {
        return Ok(None);
    }
    let name = integration_name(wanted.integration.as_ref(), &wanted.adapter);
    let held = explain(&format!("local/{name}"), descriptor, read.as_ref().unwrap_or(whole), ceiling);
    Ok(Some(held.map_err(IntegrateError::from)?))
}

/// A grant for everything that is declared.
fn whole_grant(adapter: &Adapter, descriptor: &Descriptor) -> Grant {
    Grant {
        adapter: adapter.digest().to_owned(),
        operations: descriptor.operations.iter().map(|operation| operation.name.clone()).collect(),
        carve_outs: Vec::new(),
        signing: descriptor
            .slots
            .iter()
            .filter(|slot| slot.scheme == Scheme::SigningKey)
            .map(|slot| slot.name.clone())
            .collect(),
        routes: descriptor.routes.iter().map(Route::as_granted).collect(),
        limits: Limits::default(),
    }
}

fn commented(descriptor: &Descriptor, grant: &Grant) -> String {
    let mut text = format!(
        "# Everything that {} {} asks for. Read it, and cut it down to what it should have.\n\nadapter = \"{}\"\noperations = [\n",
        printable(&descriptor.name, 64),
        printable(&descriptor.version, 64),
        grant.adapter
    );
    let longest = descriptor.operations.iter().map(|operation| operation.name.len()).max().unwrap_or(0);
    for operation in &descriptor.operations {
        let pad = " ".repeat(longest - operation.name.len());
        text += &format!("    \"{}\",{pad} # {}\n", operation.name, operation.effect.as_str());
    }
    text += "]\n";
    let signing: Vec<&str> = grant.signing.iter().map(String::as_str).collect();
    if !signing.is_empty() {
        text += &format!("signing = {}\n", json!(signing));
    }
    for (route, granted) in descriptor.routes.iter().zip(&grant.routes) {
        let first = look::paragraph(&route.description);
        // What an adapter says goes into comments in one line, and with nothing hidden in it.
        text += &format!("\n# {}: {}\n", route.id, printable(&first, 200));
        if let Repeat::WithKey(name) = &route.repeat {
            text += &format!("# With {} a request is known again, and may be repeated.\n", printable(name, 128));
        }
        if granted.query.iter().any(|rule| rule.name == "*") {
            text += "# `*` is every query parameter that is not listed, `_method` among them; list what is needed, if that is known.\n";
        }
        text += &granted.to_toml_lines();
    }
    text
}

fn as_json(
    adapter: &Adapter,
    schema: &Schema,
    descriptor: &Descriptor,
    grant: &Grant,
    held: Option<&Explanation>,
) -> Value {
    let mut value = json!({
        "upload": adapter.upload(), "config_schema": schema.value(), "descriptor": descriptor, "grant": grant, "holds": held,
    });
    let operations = value.pointer_mut("/descriptor/operations").and_then(Value::as_array_mut);
    for (told, operation) in operations.into_iter().flatten().zip(&descriptor.operations) {
        if let Some(told) = told.as_object_mut() {
            told.insert("sensitive".to_owned(), sensitive::as_json(operation));
        }
    }
    // Schemas are text in the contract; a machine that reads this wants them as what they are.
    let parse = |value: &mut Value| {
        if let Some(parsed) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            *value = parsed;
        }
    };
    for (list, names) in [("routes", ["request/schema", "response"]), ("operations", ["input", "output"])] {
        let items = value.pointer_mut(&format!("/descriptor/{list}")).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            for name in names {
                if let Some(schema) = item.pointer_mut(&format!("/{name}")) {
                    parse(schema);
                }
            }
        }
    }
    value
}

fn print(adapter: &Adapter, schema: &Schema, descriptor: &Descriptor) {
    let mut text = look::heading(&format!("{} {}", descriptor.name, descriptor.version)).trim_start().to_owned();
    text += &format!("  {}\n", descriptor.description);
    text += &look::facts(adapter);

    text += &format!("{}\n", look::heading("Operations: what callers can ask of it"));
    text += &look::table(
        &["operation", "effect", "routes", "what it does"],
        descriptor.operations.iter().map(|operation| {
            let does = look::paragraph(&operation.description);
            vec![operation.name.clone(), operation.effect.as_str().to_owned(), operation.routes.join(", "), does]
        }),
    );
    text += &sensitive::section(&descriptor.operations);
    text += &format!("\n{}\n", look::heading("Routes: what it asks to send, and nothing else"));
    text += &look::table(
        &["route", "method", "url", "slot", "body", "headers", "query parameters"],
        descriptor.routes.iter().map(|route| {
            let slot = route.slot.clone().unwrap_or_else(|| "none".to_owned());
            let key = match &route.repeat {
                Repeat::WithKey(name) => vec![Parameter::any(name)],
                Repeat::Never | Repeat::Idempotent => Vec::new(),
            };
            let (query, headers) = (parameters(&route.query), parameters(&[&route.headers[..], &key].concat()));
            vec![route.id.clone(), route.method.to_string(), route.url.clone(), slot, body(route), headers, query]
        }),
    );
    text += &format!("\n{}\n", look::heading("Slots: secrets it can use and cannot read"));
    text += &look::table(
        &["slot", "on the wire", "what it is"],
        descriptor
            .slots
            .iter()
            .map(|slot| vec![slot.name.clone(), wire(&slot.scheme), look::paragraph(&slot.description)]),
    );
    text += &format!("\n{}\n{}", config::table(schema), look::imports(adapter));
    anstream::println!("{text}");
}

fn parameters(parameters: &[Parameter]) -> String {
    let told = parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if told.is_empty() { "none".to_owned() } else { told }
}

fn body(route: &Route) -> String {
    route.request.as_ref().map_or_else(|| "none".to_owned(), |body| body.kind.told())
}

fn wire(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer => "Authorization: Bearer …".to_owned(),
        Scheme::Basic => "Authorization: Basic …".to_owned(),
        Scheme::Header { name, prefix } => format!("{name}: {prefix}…"),
        Scheme::Query { name } => format!("?{name}=…"),
        Scheme::SigningKey => "never; signs and verifies".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_to_cut_down_says_what_a_star_stands_for() {
        let told = |query: Value| {
            let route = json!({
                "id": "search", "description": "Searches.", "method": "GET", "url": "https://a.example/", "query": query,
                "headers": [], "slot": null, "request": null, "repeat": "never", "response": "{}"
            });
            let descriptor: Descriptor = serde_json::from_value(json!({
                "name": "a", "version": "1", "description": "", "config": "{}", "slots": [], "routes": [route],
                "operations": []
            }))
            .unwrap();
            let grant = Grant {
                adapter: String::new(),
                operations: Vec::new(),
                carve_outs: Vec::new(),
                signing: Vec::new(),
                routes: descriptor.routes.iter().map(Route::as_granted).collect(),
                limits: Limits::default(),
            };
            commented(&descriptor, &grant)
        };
        assert!(told(json!(["a", "*"])).contains("# `*` is every query parameter that is not listed"));
        assert!(!told(json!(["a"])).contains("`*`"));
    }
}
