//! `portcullis inspect`: what an adapter can do, before it does anything.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use portcullis_runtime::{
    Adapter, Ceiling, Descriptor, Discard, Grant, Ledger, Limits, Parameter, Repeat, Route, Runtime, Schema, Scheme,
    SystemResolver, printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Inspect},
    exit::{Code, DONE, Usage},
    look,
    progress::Spinner,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Inspect) -> anyhow::Result<Code> {
    let runtime = start(arguments, Arc::new(Discard), Ceiling::default())?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let config = read_json("config", &wanted.config)?;
    let schema = runtime.config_schema(&adapter).await?;
    let descriptor = runtime.describe(&adapter, &config).await?;
    let grant = whole_grant(&adapter, &descriptor);
    if wanted.grant {
        anstream::print!("{}", commented(&descriptor, &grant));
    } else if arguments.json {
        look::print_json(&as_json(&adapter, &schema, &descriptor, &grant)?);
    } else {
        print(&wanted.adapter, &adapter, &descriptor);
    }
    Ok(DONE)
}

/// A runtime with its cache in the data folder.
pub(crate) fn start(arguments: &Arguments, ledger: Arc<dyn Ledger>, ceiling: Ceiling) -> anyhow::Result<Runtime> {
    let builder = Runtime::builder(ledger).cache(arguments.data.join("cache")).calls_at_once(8).ceiling(ceiling);
    Ok(builder.resolver(Arc::new(SystemResolver::default())).build()?)
}

/// Reads and loads an adapter.
pub(crate) async fn load(runtime: &Runtime, path: &Path) -> anyhow::Result<Adapter> {
    let bytes = std::fs::read(path).map_err(|error| Usage(format!("{} cannot be read: {error}", path.display())))?;
    let _spinner = Spinner::start("loading the adapter");
    runtime.load(&bytes).await.with_context(|| path.display().to_string())
}

/// Reads a grant file.
pub(crate) fn read_grant(path: &Path) -> anyhow::Result<Grant> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("the grant {} cannot be read: {error}", path.display())))?;
    Ok(Grant::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// Reads the ceiling's file; without one there is no ceiling.
pub(crate) fn read_ceiling(path: Option<&Path>) -> anyhow::Result<Ceiling> {
    let Some(path) = path else { return Ok(Ceiling::default()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("the ceiling {} cannot be read: {error}", path.display())))?;
    Ok(Ceiling::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// The integration's name: as given, or the adapter's file name.
pub(crate) fn integration_name(given: Option<&String>, adapter: &Path) -> String {
    let stem = || adapter.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    given.cloned().or_else(stem).unwrap_or_else(|| "adapter".to_owned())
}

/// JSON as it was written after an option: itself, `@FILE`, or `-`.
pub(crate) fn read_json(what: &str, text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Usage(format!("{what}: {path} cannot be read: {error}")))?
        }
        None if text == "-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Usage(format!("{what}: standard input cannot be read: {error}")))?,
        None => text.to_owned(),
    };
    Ok(serde_json::from_str(&text).map_err(|error| Usage(format!("{what} is not JSON: {error}")))?)
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
        let first = route.description.lines().next().unwrap_or_default();
        // What an adapter says goes into comments in one line, and with nothing hidden in it.
        text += &format!("\n# {}: {}\n", route.id, printable(first, 200));
        if let Repeat::WithKey(name) = &route.repeat {
            text += &format!("# With {} a request is known again, and may be repeated.\n", printable(name, 128));
        }
        text += &granted.to_toml_lines();
    }
    text
}

fn as_json(adapter: &Adapter, config_schema: &Schema, descriptor: &Descriptor, grant: &Grant) -> anyhow::Result<Value> {
    let mut value = json!({
        "upload": adapter.upload(), "config_schema": config_schema.value(), "descriptor": descriptor, "grant": grant,
    });
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
    Ok(value)
}

fn print(path: &Path, adapter: &Adapter, descriptor: &Descriptor) {
    let upload = adapter.upload();
    let mut text = look::heading(&format!("{} {}", descriptor.name, descriptor.version)).trim_start().to_owned();
    text += &format!("  {}\n", descriptor.description);
    let facts = [
        vec!["digest".to_owned(), upload.digest.clone()],
        vec!["size".to_owned(), look::bytes(upload.bytes as u64)],
        vec!["contract".to_owned(), format!("portcullis:adapter@{}", upload.contract)],
    ];
    text += &look::table(&[], facts);

    text += &format!("\n{}\n", look::heading("Operations: what callers can ask of it"));
    text += &look::table(
        &["operation", "effect", "routes", "what it does"],
        descriptor.operations.iter().map(|operation| {
            let does = first_line(&operation.description);
            vec![operation.name.clone(), operation.effect.as_str().to_owned(), operation.routes.join(", "), does]
        }),
    );
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
        descriptor.slots.iter().map(|slot| vec![slot.name.clone(), wire(&slot.scheme), first_line(&slot.description)]),
    );
    text += &format!("\n{}\n", look::heading("Imports: what it can call at all"));
    text += &look::table(
        &["import", "power"],
        upload.imports.iter().map(|import| vec![import.name.clone(), import.power.to_owned()]),
    );
    anstream::println!("{text}");
    anstream::println!("\nA grant for all of it, to be cut down:  portcullis inspect {} --grant", path.display());
}

fn parameters(parameters: &[Parameter]) -> String {
    let told = parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if told.is_empty() { "none".to_owned() } else { told }
}

fn body(route: &Route) -> String {
    route.request.as_ref().map_or_else(|| "none".to_owned(), |body| body.kind.told())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
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
