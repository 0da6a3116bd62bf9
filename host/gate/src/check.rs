//! Whether what an adapter declares is well formed, before anybody reads it.
//!
//! The text comes from untrusted code. Lengths are bounded, names are plain, and nothing in it can smuggle a control
//! character onto a reviewer's terminal.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    body::BodyKind,
    descriptor::{Descriptor, DescriptorError, RequestBody},
    header::{folded, is_always_granted, is_reserved, is_same, is_token},
    link::{self, LinkPlace},
    method::Method,
    parameter::{Parameter, Values},
    printable::{is_plain, printable},
    query::OTHERS,
    repeat::Repeat,
    scheme::OpenSlot,
    slots::{self, Slots},
    template::{Tail, Template, TemplateError},
};

/// Largest descriptor: all its text together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Most slots, routes or operations.
const MAX_ITEMS: usize = 2_048;
/// Most path segments of all routes of all operations, counted for each operation that uses them.
const MAX_SEGMENTS: usize = 100_000;
/// Most query parameters, and most header fields, of one route.
const MAX_PARAMETERS: usize = 128;
/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 4096;

/// Checks names, references, templates and sizes. The schemas are compiled elsewhere.
pub(crate) fn check(descriptor: &Descriptor) -> Result<(), DescriptorError> {
    let bytes = text_bytes(descriptor);
    if bytes > MAX_BYTES {
        return err("", format!("{bytes} bytes of text; at most {MAX_BYTES}"));
    }
    identifier("name", &descriptor.name)?;
    let version = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
    if descriptor.version.is_empty() || descriptor.version.len() > 64 || !descriptor.version.bytes().all(version) {
        return err(
            "version",
            format!("`{}` is not 1 to 64 letters, digits, `.`, `+` and `-`", shorten(&descriptor.version)),
        );
    }
    plain("description", &descriptor.description, MAX_DESCRIPTION)?;
    count("slots", descriptor.slots.len())?;
    count("routes", descriptor.routes.len())?;
    count("operations", descriptor.operations.len())?;

    let known = Slots::of(descriptor);
    let mut slots = BTreeSet::new();
    for (i, slot) in descriptor.slots.iter().enumerate() {
        identifier(&format!("slots[{i}].name"), &slot.name)?;
        plain(&format!("slots[{i}].description"), &slot.description, MAX_DESCRIPTION)?;
        if let Some(problem) = slots::scheme_problem(&slot.scheme) {
            return err(&format!("slots[{i}].scheme"), problem);
        }
        if let Some((at, problem)) = slot.oauth.as_ref().and_then(|oauth| slots::oauth_problem(&slot.scheme, oauth)) {
            return err(&format!("slots[{i}].oauth{at}"), problem);
        }
        unique(&mut slots, &format!("slots[{i}].name"), &slot.name)?;
    }
    let mut routes = BTreeSet::new();
    for (i, route) in descriptor.routes.iter().enumerate() {
        identifier(&format!("routes[{i}].id"), &route.id)?;
        plain(&format!("routes[{i}].description"), &route.description, MAX_DESCRIPTION)?;
        unique(&mut routes, &format!("routes[{i}].id"), &route.id)?;
        Template::parse(&route.url).map_err(|error: TemplateError| DescriptorError {
            at: format!("routes[{i}].url"),
            problem: printable(&error.to_string(), 400),
        })?;
        let slots = slots::of_route(&known, route)
            .map_err(|(at, problem)| DescriptorError { at: format!("routes[{i}]{at}"), problem })?;
        let is_prefix = Template::parse(&route.url).is_ok_and(|template| template.segments().1 == Tail::Any);
        if let Some(problem) = link::problem(&route.links, route.method, is_prefix) {
            return err(&format!("routes[{i}].links"), problem);
        }
        if !route.links.is_empty() && slots.iter().any(|slot| slot.segment.is_some()) {
            let problem = "no secret goes into the path of a link: the host would change what the provider wrote";
            return err(&format!("routes[{i}].slots"), problem.to_owned());
        }
        check_parameters(
            &format!("routes[{i}].query"),
            &route.query,
            |name| query_problem(name, &slots),
            str::to_owned,
        )?;
        check_parameters(&format!("routes[{i}].headers"), &route.headers, |name| header_problem(name, &slots), folded)?;
        if let Repeat::WithKey(name) = &route.repeat {
            let at = format!("routes[{i}].repeat");
            if let Some(problem) = header_problem(name, &slots) {
                return err(&at, format!("`{}` {problem}", shorten(name)));
            }
            // With a rule of its own, a grant that leaves the rule out would allow more than one that has it.
            if route.headers.iter().any(|header| is_same(&header.name, name)) {
                return err(&at, format!("`{}` stands in `headers` too; leave it out there", shorten(name)));
            }
        }
        let at = format!("routes[{i}].request");
        match &route.request {
            Some(_) if matches!(route.method, Method::Get | Method::Head) => {
                return err(&at, format!("{} requests have no body; declare POST, or none", route.method));
            }
            Some(RequestBody { kind: BodyKind::Raw(_), schema: Some(_) }) => {
                return err(&at, "a raw body has no schema".to_owned());
            }
            Some(RequestBody { kind, .. }) => {
                if let Some(problem) = kind.problem() {
                    return err(&at, problem);
                }
            }
            None => {}
        }
    }
    let segments: BTreeMap<&str, usize> =
        descriptor.routes.iter().map(|route| (route.id.as_str(), route.url.split('/').count())).collect();
    let mut used_segments = 0;
    let mut operations = BTreeSet::new();
    for (i, operation) in descriptor.operations.iter().enumerate() {
        let at = format!("operations[{i}].name");
        let name = &operation.name;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return err(&at, format!("`{}` is not 1 to 64 letters and digits", shorten(name)));
        }
        unique(&mut operations, &at, name)?;
        plain(&format!("operations[{i}].description"), &operation.description, MAX_DESCRIPTION)?;
        let at = format!("operations[{i}].routes");
        let mut used = BTreeSet::new();
        for id in &operation.routes {
            if !routes.contains(id.as_str()) {
                return err(&at, format!("`{}` is not one of the routes", shorten(id)));
            }
            unique(&mut used, &at, id)?;
        }
        used_segments += used.iter().filter_map(|id| segments.get(id)).sum::<usize>();
        if used_segments > MAX_SEGMENTS {
            let problem = format!("the routes of all operations up to this one have more than {MAX_SEGMENTS} segments");
            return err(&at, problem);
        }
    }
    Ok(())
}

pub(crate) fn text_bytes(descriptor: &Descriptor) -> usize {
    let slots = descriptor.slots.iter().map(|s| {
        s.name.len()
            + s.description.len()
            + s.scheme.text_bytes()
            + s.oauth.as_ref().map_or(0, crate::OAuth::text_bytes)
    });
    let routes = descriptor.routes.iter().map(|r| {
        r.id.len()
            + r.description.len()
            + r.url.len()
            + r.response.len()
            + r.slots.iter().map(String::len).sum::<usize>()
            + r.links.iter().map(link_bytes).sum::<usize>()
            + r.request.as_ref().and_then(|body| body.schema.as_ref()).map_or(0, String::len)
            + r.query.iter().chain(&r.headers).map(parameter_bytes).sum::<usize>()
            + match r.request.as_ref().map(|body| &body.kind) {
                Some(BodyKind::Raw(types)) => types.iter().map(String::len).sum(),
                _ => 0,
            }
    });
    let operations = descriptor.operations.iter().map(|o| {
        o.name.len()
            + o.description.len()
            + o.input.len()
            + o.output.len()
            + o.routes.iter().map(String::len).sum::<usize>()
    });
    descriptor.description.len() + slots.chain(routes).chain(operations).sum::<usize>()
}

fn link_bytes(place: &LinkPlace) -> usize {
    match place {
        LinkPlace::Header(text) | LinkPlace::Body(text) => text.len(),
    }
}

fn parameter_bytes(parameter: &Parameter) -> usize {
    let values = match &parameter.values {
        // An empty one is one to look at, too.
        Values::OneOf(values) => values.iter().map(|value| 1 + value.len()).sum(),
        Values::Any | Values::Shape(_) => 0,
    };
    1 + parameter.name.len() + values
}

/// Checks that names are fit, stand there once as servers read them, and have values that can be sent.
fn check_parameters(
    at: &str,
    parameters: &[Parameter],
    problem: impl Fn(&str) -> Option<&'static str>,
    read: impl Fn(&str) -> String,
) -> Result<(), DescriptorError> {
    if parameters.len() > MAX_PARAMETERS {
        return err(at, format!("{} of them; at most {MAX_PARAMETERS}", parameters.len()));
    }
    let mut seen = HashSet::new();
    for parameter in parameters {
        if let Some(problem) = problem(&parameter.name) {
            return err(at, format!("`{}` {problem}", shorten(&parameter.name)));
        }
        parameter.check_values().or_else(|error| err(at, error.to_string()))?;
        if !seen.insert(read(&parameter.name)) {
            return err(at, format!("`{}` stands there twice", parameter.name));
        }
    }
    Ok(())
}

/// Why a query parameter of this name cannot be declared.
fn query_problem(name: &str, slots: &[OpenSlot]) -> Option<&'static str> {
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| (b'!'..0x7f).contains(&b)) {
        return Some("is not 1 to 128 printable ASCII characters");
    }
    slots::writes_query(slots, name.bytes()).then_some("is the slot's to write")
}

/// Why a header field of this name cannot be declared.
fn header_problem(name: &str, slots: &[OpenSlot]) -> Option<&'static str> {
    if name == OTHERS {
        Some("stands for query parameters only; list each header field by its name")
    } else if !is_token(name) || name.len() > 128 {
        Some("is not a header name")
    } else if is_reserved(name) {
        Some("is the host's to write")
    } else if is_always_granted(name) {
        Some("need not be declared: every route may send it")
    } else {
        slots.iter().any(|slot| slot.scheme.writes_header(name)).then_some("is the slot's to write")
    }
}

fn err<T>(at: &str, problem: String) -> Result<T, DescriptorError> {
    Err(DescriptorError { at: at.to_owned(), problem })
}

fn count(at: &str, items: usize) -> Result<(), DescriptorError> {
    if items > MAX_ITEMS { err(at, format!("{items} of them; at most {MAX_ITEMS}")) } else { Ok(()) }
}

fn unique<'a>(seen: &mut BTreeSet<&'a str>, at: &str, name: &'a str) -> Result<(), DescriptorError> {
    if seen.insert(name) { Ok(()) } else { err(at, format!("`{name}` stands there twice")) }
}

fn identifier(at: &str, name: &str) -> Result<(), DescriptorError> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return err(at, format!("`{}` is not 1 to 64 lower-case letters, digits and `-`", shorten(name)));
    }
    Ok(())
}

fn plain(at: &str, text: &str, most: usize) -> Result<(), DescriptorError> {
    if text.len() > most {
        return err(at, format!("{} bytes; at most {most}", text.len()));
    }
    if text.chars().any(|c| !is_plain(c) && c != '\n') {
        return err(at, "it holds control or invisible characters".to_owned());
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    printable(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Scheme,
        descriptor::{Operation, Route, tests::sample},
    };

    #[test]
    fn a_well_formed_descriptor_passes() {
        sample().check().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        type Spoil = fn(&mut Descriptor);
        let cases: &[(Spoil, &str)] = &[
            (|d| d.name = "Bad Name".into(), "name"),
            (|d| d.description = "\x1b[2J".into(), "description"),
            (|d| d.description = "\u{202e}evil".into(), "description"),
            (|d| d.version = "1\ncarve_outs = [\"169.254.169.254:80\"] #".into(), "version"),
            (|d| d.slots[1].name = "key".into(), "slots[1].name"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "Host".into(), prefix: String::new() }, "slots[0].scheme"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "a b".into(), prefix: String::new() }, "slots[0].scheme"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "X".into(), prefix: "a\r\nb".into() }, "slots[0].scheme"),
            (|d| d.routes[0].url = "https://{host}/".into(), "routes[0].url"),
            (|d| d.routes[0].slots = vec!["none".into()], "routes[0].slots"),
            (|d| d.routes[0].slots = vec!["mac".into()], "routes[0].slots"),
            (|d| d.routes[1].id = "read-item".into(), "routes[1].id"),
            (|d| d.operations[0].routes = vec!["none".into()], "operations[0].routes"),
            (|d| d.operations[0].name = "a-b".into(), "operations[0].name"),
            (|d| d.operations[1].name = "readItem".into(), "operations[1].name"),
            (|d| d.routes[0].response = "x".repeat(2 << 20), ""),
            (|d| d.operations[0].routes = vec!["open".into(); 2], "operations[0].routes"),
            (
                |d| {
                    let long = format!("https://open.example.com{}", "/x".repeat(60));
                    d.routes = (0..40)
                        .map(|i| Route { id: format!("r{i}"), url: long.clone(), ..d.routes[2].clone() })
                        .collect();
                    let routes: Vec<String> = (0..40).map(|i| format!("r{i}")).collect();
                    let operation =
                        |i| Operation { name: format!("o{i}"), routes: routes.clone(), ..d.operations[0].clone() };
                    d.operations = (0..50).map(operation).collect();
                },
                "operations[39].routes",
            ),
            (|d| d.routes = vec![d.routes[0].clone(); 2_049], "routes"),
            (|d| d.routes[0].query = vec![Parameter::any("a b")], "routes[0].query"),
            (|d| d.routes[0].query = vec![Parameter::any("q"); 2], "routes[0].query"),
            (|d| d.routes[0].query = (0..129).map(|i| Parameter::any(i.to_string())).collect(), "routes[0].query"),
            (|d| d.routes[0].query[0].values = Values::OneOf(Vec::new()), "routes[0].query"),
            (|d| d.routes[0].headers = vec![Parameter::any("Host")], "routes[0].headers"),
            (|d| d.routes[0].query = vec![Parameter::any("*"); 2], "routes[0].query"),
            (|d| d.slots[0].scheme = Scheme::Query { name: "*".into() }, "slots[0].scheme"),
            (
                |d| {
                    d.slots[0].scheme = Scheme::Query { name: "key".into() };
                    d.routes[0].query = vec![Parameter::any("KEY"), Parameter::any("*")];
                },
                "routes[0].query",
            ),
            (|d| d.routes[0].headers = vec![Parameter::any("*")], "routes[0].headers"),
            (|d| d.routes[0].repeat = Repeat::WithKey("*".into()), "routes[0].repeat"),
            (|d| d.routes[0].headers = vec![Parameter::any("a b")], "routes[0].headers"),
            (|d| d.routes[0].headers = vec![Parameter::any("x-key")], "routes[0].headers"),
            (|d| d.routes[0].headers = vec![Parameter::any("Accept")], "routes[0].headers"),
            (|d| d.routes[0].headers = vec![Parameter::any("X-A"), Parameter::any("x_a")], "routes[0].headers"),
            (|d| d.routes[0].repeat = Repeat::WithKey("cookie".into()), "routes[0].repeat"),
            (
                |d| {
                    d.routes[0].headers = vec![Parameter::any("X-A")];
                    d.routes[0].repeat = Repeat::WithKey("x_a".into());
                },
                "routes[0].repeat",
            ),
            (|d| d.routes[0].request = Some(RequestBody { kind: BodyKind::Json, schema: None }), "routes[0].request"),
            (
                |d| d.routes[1].request = Some(RequestBody { kind: BodyKind::Raw(Vec::new()), schema: None }),
                "routes[1].request",
            ),
            (
                |d| {
                    let kind = BodyKind::Raw(vec!["text/csv".into()]);
                    d.routes[1].request = Some(RequestBody { kind, schema: Some("{}".into()) });
                },
                "routes[1].request",
            ),
        ];
        for (spoil, at) in cases {
            let mut descriptor = sample();
            spoil(&mut descriptor);
            assert_eq!(descriptor.check().unwrap_err().at, *at);
        }
    }

    #[test]
    fn headers_know_no_star_and_queries_do() {
        let mut descriptor = sample();
        descriptor.routes[0].query = vec![Parameter::any("*"), Parameter::any("q")];
        descriptor.check().unwrap();
        descriptor.routes[0].headers = vec![Parameter::any("*")];
        let told = descriptor.check().unwrap_err().to_string();
        assert!(told.contains("`*` stands for query parameters only; list each header field"), "{told}");
    }

    #[test]
    fn everything_that_can_be_long_counts_towards_the_size() {
        let long = |count: usize| (0..count).map(|i| format!("{i:0>900}")).collect::<Vec<String>>();
        let mut descriptor = sample();
        descriptor.routes[0].query[0].values = Values::OneOf(long(200));
        descriptor.check().unwrap();
        type Fill = fn(&mut Descriptor, Vec<String>);
        let fills: &[Fill] = &[
            |d, long| d.routes[0].query[0].values = Values::OneOf(long),
            |d, long| d.routes[0].headers = vec![Parameter { name: "X-A".into(), values: Values::OneOf(long) }],
            |d, long| {
                d.routes[1].request = Some(RequestBody { kind: BodyKind::Raw(long), schema: None });
            },
            |d, long| d.operations[0].routes = long,
            |d, long| d.routes[0].response = long.concat(),
            |d, long| d.operations[0].output = long.concat(),
        ];
        for fill in fills {
            let mut descriptor = sample();
            fill(&mut descriptor, long(1_200));
            assert_eq!(descriptor.check().unwrap_err().at, "");
        }
    }

    #[test]
    fn a_refusal_is_short_and_plain_whatever_is_refused() {
        let odd = "\u{1b}[2J".repeat(10_000);
        type Spoil = fn(&mut Descriptor, String);
        let spoils: &[Spoil] = &[
            |d, odd| d.name = odd,
            |d, odd| d.version = odd,
            |d, odd| d.routes[0].id = odd,
            |d, odd| d.routes[0].url = odd,
            |d, odd| d.routes[0].slots = vec![odd],
            |d, odd| d.routes[0].query[0].name = odd,
            |d, odd| d.routes[0].repeat = Repeat::WithKey(odd),
            |d, odd| d.slots[0].scheme = Scheme::Header { name: odd, prefix: String::new() },
            |d, odd| d.slots[0].scheme = Scheme::Query { name: odd },
            |d, odd| d.routes[1].request = Some(RequestBody { kind: BodyKind::Raw(vec![odd]), schema: None }),
            |d, odd| d.operations[0].name = odd,
            |d, odd| d.operations[0].routes = vec![odd],
        ];
        for (number, spoil) in spoils.iter().enumerate() {
            let mut descriptor = sample();
            spoil(&mut descriptor, odd.clone());
            let told = descriptor.check().unwrap_err().to_string();
            assert!(told.len() < 1_500 && told.chars().all(is_plain), "{number}: {} bytes", told.len());
        }
    }
}
