//! What an adapter can do, in five lines: where to, with which secrets, what cannot be undone, what is about people, and what it
//! can call at all.
//!
//! A summary of what the descriptor declares and the file imports. What is granted may be less: `explain` tells that.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_runtime::{Adapter, Descriptor, Effect, Import, Template, printable};

use crate::{look, sensitive};

/// How much of a line the names of the five are, with the space round them.
const NAMES: usize = 16;
/// Room for what stands after names that did not fit.
const MORE: usize = " and 1000 more".len();

/// The lines.
pub(crate) fn text(adapter: &Adapter, descriptor: &Descriptor) -> String {
    let rows = [
        ("reaches", reaches(descriptor)),
        ("with secrets", secrets(descriptor)),
        ("can change", changes(descriptor)),
        ("about people", about_people(descriptor)),
        ("imports", imports(adapter)),
    ];
    look::pairs(&rows.map(|(name, value)| (name.to_owned(), value)))
}

/// What the words for effects mean.
pub(crate) const EFFECTS: &str = "read changes nothing; write creates or changes what can be changed back; destructive cannot be \
                                  undone, such as a message that is sent or money that is moved.";

/// As many of some names as a line holds after what stands before them, and how many more there are.
fn listed<'a>(before: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| printable(name, 100)).collect();
    let most = look::text_width().saturating_sub(NAMES);
    let mut text = before.to_owned();
    for (number, name) in names.iter().enumerate() {
        let next = if number == 0 { name.clone() } else { format!(", {name}") };
        let room = if number + 1 == names.len() { most } else { most.saturating_sub(MORE) };
        if number > 0 && text.chars().count() + next.chars().count() > room {
            return format!("{text} and {} more", names.len() - number);
        }
        text += &next;
    }
    text
}

fn reaches(descriptor: &Descriptor) -> String {
    let mut origins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |url: &str, what: String| {
        let origin = Template::parse(url).map_or_else(|_| printable(url, 200), |template| template.origin().to_owned());
        origins.entry(origin).or_default().insert(what);
    };
    descriptor.routes.iter().for_each(|route| add(&route.url, route.method.to_string()));
    for oauth in descriptor.slots.iter().filter_map(|slot| slot.oauth.as_ref()) {
        let own = [&oauth.token_url, &oauth.revoke_url, &oauth.metadata_url];
        own.into_iter().flatten().for_each(|url| add(url, "tokens".to_owned()));
    }
    if origins.is_empty() {
        return "nothing".to_owned();
    }
    let told = origins.iter().map(|(origin, what)| {
        let what: Vec<&str> = what.iter().map(String::as_str).collect();
        format!("{origin} ({})", what.join(" "))
    });
    let told: Vec<String> = told.collect();
    listed("", told.iter().map(String::as_str))
}

fn secrets(descriptor: &Descriptor) -> String {
    if descriptor.slots.is_empty() {
        return "none".to_owned();
    }
    listed("usable, never readable: ", descriptor.slots.iter().map(|slot| slot.name.as_str()))
}

fn changes(descriptor: &Descriptor) -> String {
    let with = |effect: Effect| {
        descriptor.operations.iter().filter(move |operation| operation.effect == effect).map(|o| o.name.as_str())
    };
    let (destructive, write) = (with(Effect::Destructive).count(), with(Effect::Write).count());
    match (destructive, write) {
        (0, 0) => "nothing: all of its operations only read".to_owned(),
        (0, _) => listed("what can be changed back: ", with(Effect::Write)),
        (_, 0) => listed("CANNOT BE UNDONE: ", with(Effect::Destructive)),
        (_, write) => listed(&format!("{write} can be changed back, CANNOT BE UNDONE: "), with(Effect::Destructive)),
    }
}

fn about_people(descriptor: &Descriptor) -> String {
    let about: Vec<&str> = descriptor
        .operations
        .iter()
        .filter(|operation| sensitive::is_marked(operation))
        .map(|operation| operation.name.as_str())
        .collect();
    if about.is_empty() {
        return "nothing is marked as data about people".to_owned();
    }
    listed(&format!("in {} of {} operations: ", about.len(), descriptor.operations.len()), about)
}

fn imports(adapter: &Adapter) -> String {
    let imports = &adapter.upload().imports;
    let has_power = |import: &&Import| !import.power.starts_with("none");
    let names: Vec<&str> = imports.iter().filter(has_power).map(|import| import.name.as_str()).collect();
    let short = names.iter().map(|name| {
        let name = name.split('@').next().unwrap_or_default();
        name.strip_prefix("portcullis:adapter/").unwrap_or(name)
    });
    listed(&format!("{} of {} have a power: ", names.len(), imports.len()), short)
}
