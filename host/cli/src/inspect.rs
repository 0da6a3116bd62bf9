//! `portcullis inspect`: what an adapter can do, before it does anything.

use std::collections::HashSet;

use portcullis_runtime::{
    Adapter, Ceiling, DescribeError, Descriptor, Explanation, Grant, IntegrateError, Limits, OAuth, Parameter, Repeat,
    Route, Schema, Scheme, Slot, explain, printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Inspect},
    config,
    exit::{Code, DONE, USAGE, Usage},
    explain::{fits, tell_refused, text as effective},
    ledger::no_ledger,
    look, operation,
    read::{integration_name, load, read_ceiling, read_grant, read_json, start},
    sensitive, verdict,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Inspect) -> anyhow::Result<Code> {
    let ceiling = read_ceiling(wanted.ceiling.as_deref())?;
    let given = wanted.config.as_deref().map(|text| read_json("config", text)).transpose()?;
    let runtime = start(arguments, no_ledger().await?, Ceiling::default(), &wanted.compiling).await?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let schema = runtime.config_schema(&adapter).await?;
    if wanted.digest {
        anstream::println!("{}", adapter.digest());
        return Ok(DONE);
    }
    if wanted.config_schema {
        look::print_json(schema.value());
        return Ok(DONE);
    }
    let described = runtime.describe(&adapter, given.as_ref().unwrap_or(&json!({}))).await;
    let descriptor = match described {
        // Nobody said that nothing is its config, so this is no mistake, unless more was asked for.
        Err(DescribeError::Config(why))
            if given.is_none() && !wanted.grant && wanted.under.is_none() && wanted.operation.is_empty() =>
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
    if wanted.grant {
        let some = only(&descriptor, &wanted.operation)?;
        anstream::print!("{}", commented(&some, &whole_grant(&adapter, &some)));
        return Ok(DONE);
    }
    if let [name] = &wanted.operation[..] {
        let call = format!("portcullis invoke {}{again} --grant grant.toml", wanted.adapter.display());
        return operation::run(&descriptor, name, &call, arguments.json);
    }
    if !wanted.operation.is_empty() {
        return Err(Usage("--operation: name one, or several with --grant".to_owned()).into());
    }
    let grant = whole_grant(&adapter, &descriptor);
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
    anstream::println!("\nWhat an operation takes and gives, and a grant for all of it, to be cut down:");
    anstream::println!("  portcullis inspect {file}{again} --operation NAME");
    anstream::println!("  portcullis inspect {file}{again} --grant");
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

/// What is declared for these operations alone; all of it where none is named.
fn only(descriptor: &Descriptor, names: &[String]) -> anyhow::Result<Descriptor> {
    let mut some = descriptor.clone();
    if names.is_empty() {
        return Ok(some);
    }
    for name in names {
        operation::named(descriptor, name)?;
    }
    let names: HashSet<&String> = names.iter().collect();
    some.operations.retain(|operation| names.contains(&operation.name));
    let used: HashSet<&String> = some.operations.iter().flat_map(|operation| &operation.routes).collect();
    some.routes.retain(|route| used.contains(&route.id));
    let sent: HashSet<&String> = some.routes.iter().flat_map(|route| &route.slots).collect();
    // A key that only signs belongs to no route, so any of the operations may use it.
    let goes_along = |slot: &Slot| slot.scheme == Scheme::SigningKey || sent.contains(&slot.name);
    some.slots.retain(goes_along);
    Ok(some)
}

/// A grant for everything that is declared.
fn whole_grant(adapter: &Adapter, descriptor: &Descriptor) -> Grant {
    let routes: Vec<_> = descriptor.routes.iter().map(Route::as_granted).chain(descriptor.token_routes()).collect();
    Grant {
        adapter: adapter.digest().to_owned(),
        operations: descriptor.operations.iter().map(|operation| operation.name.clone()).collect(),
        carve_outs: Grant::needed_carve_outs(&routes).0,
        signing: descriptor
            .slots
            .iter()
            .filter(|slot| slot.scheme == Scheme::SigningKey)
            .map(|slot| slot.name.clone())
            .collect(),
        routes,
        limits: Limits::default(),
    }
}

fn commented(descriptor: &Descriptor, grant: &Grant) -> String {
    let mut text = format!(
        "# What {} {} asks for. Read it, and cut it down to what it should have.\n\nadapter = \"{}\"\noperations = [\n",
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
    if !grant.carve_outs.is_empty() {
        text += &format!("carve_outs = {} # addresses that no grant reaches otherwise\n", json!(grant.carve_outs));
    }
    for port in Grant::needed_carve_outs(&grant.routes).1 {
        text += &format!("# carve_outs = [\"ADDRESS:{port}\"] # plain http to a name: write its address here\n");
    }
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
    text + &tokens(descriptor)
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
    text += &format!("\n{}\n\n", look::wrapped(&look::paragraph(&descriptor.description), 2));
    text += &format!("{}\n\n{}", verdict::text(adapter, descriptor), look::facts(adapter));

    text += &format!("{}\n", look::heading("Operations: what callers can ask of it"));
    for operation in &descriptor.operations {
        let does = look::paragraph(&operation.description);
        let (name, effect) = (printable(&operation.name, 64), operation.effect.as_str());
        text += &format!("{}\n{}\n", look::wrapped(&format!("{name} ({effect})"), 2), look::wrapped(&does, 4));
        // Most operations have one route of nearly their own name; of the others it is told.
        if operation.routes.len() > 1 {
            text += &format!("{}\n", look::wrapped(&format!("routes: {}", operation.routes.join(", ")), 4));
        }
    }
    text += &format!("\n{}\n", look::wrapped(verdict::EFFECTS, 2));
    let about_people = sensitive::section(&descriptor.operations);
    if !about_people.is_empty() {
        text += &format!("{about_people}\n");
    }
    text += &format!("{}\n", look::heading("Routes: what it asks to send, and nothing else"));
    for route in &descriptor.routes {
        text += &format!("{}\n", look::wrapped(&format!("{}: {} {}", route.id, route.method, route.url), 2));
        let about = about(route);
        if !about.is_empty() {
            text += &format!("{}\n", look::wrapped(&about, 4));
        }
    }
    text += &format!("{}\n", look::heading("Slots: secrets it can use and cannot read"));
    if descriptor.slots.is_empty() {
        text += "  None.\n";
    }
    for slot in &descriptor.slots {
        text += &format!("{}\n", look::wrapped(&format!("{}: {}", slot.name, wire(&slot.scheme)), 2));
        text += &format!("{}\n", look::wrapped(&look::paragraph(&slot.description), 4));
        if slot.oauth.is_some() {
            text += &format!("{}\n", look::wrapped(&format!("tokens: {}", issuer(slot.oauth.as_ref())), 4));
        }
    }
    text += &format!("{}\n{}", config::table(schema), look::imports(adapter));
    anstream::println!("{text}");
}

/// What goes with a route's requests, in a line; empty where nothing does.
fn about(route: &Route) -> String {
    let mut told = Vec::new();
    if !route.slots.is_empty() {
        told.push(format!("secrets: {}", route.slots.join(", ")));
    }
    if let Some(body) = &route.request {
        told.push(format!("body: {}", body.kind.told()));
    }
    let key = match &route.repeat {
        Repeat::WithKey(name) => vec![Parameter::any(name)],
        Repeat::Never | Repeat::Idempotent => Vec::new(),
    };
    let headers = [&route.headers[..], &key].concat();
    for (what, parameters) in [("headers", &headers), ("query", &route.query)] {
        if !parameters.is_empty() {
            // Between its values a list may be broken.
            let name = |parameter: &Parameter| parameter.to_string().replace('|', " | ");
            let names = parameters.iter().map(name).collect::<Vec<_>>().join(", ");
            told.push(format!("{what}: {names}"));
        }
    }
    told.join("; ")
}

/// Which routes the operator has to name, and the lines to fill in.
fn tokens(descriptor: &Descriptor) -> String {
    let mut text = String::new();
    for route in descriptor.token_routes() {
        let slot = printable(route.token_for.as_deref().unwrap_or_default(), 64);
        text +=
            &format!("\n# The host itself asks for the tokens of the slot {slot}, or about them; no operation can.\n");
        text += &route.to_toml_lines();
    }
    let open = descriptor.slots.iter().filter_map(|slot| Some((&slot.name, slot.oauth.as_ref()?)));
    for (slot, _) in open.filter(|(_, oauth)| oauth.token_url.is_none()) {
        text += &format!(
            "\n# The adapter does not say where the tokens of the slot {slot} come from. If they are to be asked for, write here:\n"
        );
        text += &format!("# [[routes]]\n# method = \"POST\"\n# url = \"https://…\"\n# token_for = \"{slot}\"\n");
    }
    text
}

/// How a slot goes on the wire.
pub(crate) fn wire(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer => "Authorization: Bearer …".to_owned(),
        Scheme::Basic => "Authorization: Basic …".to_owned(),
        Scheme::Header { name, prefix } => format!("{name}: {prefix}…"),
        Scheme::Query { name } => format!("?{name}=…"),
        Scheme::Path { name, prefix } => format!("{prefix}… in the path, as {{{name}}}"),
        Scheme::Cookie { name } => format!("Cookie: {name}=…"),
        Scheme::Body { name } => format!("{name} of the body"),
        Scheme::Sigv4 { service, region } => format!("signs, as AWS's {service} in {region} wants it"),
        Scheme::Hmac(hmac) => {
            let names: Vec<&str> = hmac.headers.iter().map(|(name, _)| name.as_str()).collect();
            format!("signs, in {}", names.join(", "))
        }
        Scheme::ClientCertificate => "a client certificate of the connection".to_owned(),
        Scheme::SigningKey => "never; signs and verifies".to_owned(),
    }
}

/// Who issues a slot's tokens, with what scopes, and what of the answer the adapter reads; none where nobody does.
pub(crate) fn issuer(oauth: Option<&OAuth>) -> String {
    let Some(oauth) = oauth else { return "none".to_owned() };
    let urls = [("token", &oauth.token_url), ("revoke", &oauth.revoke_url), ("metadata", &oauth.metadata_url)];
    let mut told: Vec<String> =
        urls.iter().filter_map(|(what, url)| Some(format!("{what} {}", url.as_ref()?))).collect();
    if oauth.token_url.is_none() {
        told.insert(0, "token URL: yours to name".to_owned());
    }
    told.extend(oauth.authorize_url.as_ref().map(|url| format!("authorize {url}")));
    if !oauth.scopes.is_empty() {
        told.push(format!("scopes {}", oauth.scopes.join(" ")));
    }
    if !oauth.values.is_empty() {
        told.push(format!("reads {}", oauth.values.join(" ")));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_to_cut_down_has_the_token_routes_and_says_which_the_operator_names() {
        let told = |oauth: Value| {
            let slot = json!({"name": "key", "description": "", "scheme": {"type": "bearer"}, "oauth": oauth});
            let descriptor: Descriptor = serde_json::from_value(json!({
                "name": "a", "version": "1", "description": "", "slots": [slot], "routes": [], "operations": []
            }))
            .unwrap();
            tokens(&descriptor)
        };
        let oauth = |token: Value| json!({"token_url": token, "revoke_url": null, "metadata_url": null, "scopes": [], "values": []});
        let named = told(oauth(json!("https://login.example.com/token")));
        let lines: String =
            named.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let digest = "0".repeat(64);
        let grant = Grant::parse(&format!("adapter = \"sha256:{digest}\"\n{lines}")).unwrap();
        assert_eq!(grant.routes[0].token_for.as_deref(), Some("key"));
        let open = told(oauth(Value::Null));
        assert!(
            open.contains("does not say where the tokens of the slot key") && open.contains("# token_for = \"key\""),
            "{open}"
        );
        assert_eq!(told(Value::Null), "");
    }

    #[test]
    fn a_grant_to_cut_down_says_what_a_star_stands_for() {
        let told = |query: Value| {
            let route = json!({
                "id": "search", "description": "Searches.", "method": "GET", "url": "https://a.example/", "query": query,
                "headers": [], "slots": [], "request": null, "repeat": "never", "response": "{}"
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
