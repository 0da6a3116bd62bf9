//! What an operator hands over: its kind, its fields, and its secrets from where they are.

use std::{collections::BTreeMap, io::IsTerminal};

use anyhow::Context;
use portcullis_runtime::{CredentialField, CredentialKind, Given, Scheme, Secret, Slot, Source, printable};
use serde_json::json;

use crate::{
    arguments::{Arguments, CredentialGiven},
    exit::{Code, DONE, Usage},
    look,
};

/// Lists the kinds and their fields.
pub(super) fn kinds(arguments: &Arguments, kind: Option<&str>) -> anyhow::Result<Code> {
    let kinds: Vec<CredentialKind> = match kind {
        Some(name) => vec![parse_kind(name)?],
        None => CredentialKind::ALL.to_vec(),
    };
    if arguments.json {
        let told = kinds.iter().map(|kind| {
            let field = |field: &CredentialField| {
                json!({ "name": field.name, "secret": field.secret, "required": field.required, "about": field.about })
            };
            json!({ "kind": kind.as_str(), "fields": kind.fields().iter().map(field).collect::<Vec<_>>() })
        });
        look::print_json(&json!({ "kinds": told.collect::<Vec<_>>() }));
        return Ok(DONE);
    }
    for kind in kinds {
        let row = |field: &CredentialField| {
            let how = match (field.secret, field.required) {
                (true, true) => "secret",
                (true, false) => "secret, optional",
                (false, true) => "",
                (false, false) => "optional",
            };
            vec![field.name.to_owned(), how.to_owned(), field.about.to_owned()]
        };
        anstream::println!("{}\n{}", look::heading(kind.as_str()), look::table(&[], kind.fields().iter().map(row)));
    }
    Ok(DONE)
}

fn parse_kind(name: &str) -> Result<CredentialKind, Usage> {
    CredentialKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let kinds: Vec<&str> = CredentialKind::ALL.iter().map(|kind| kind.as_str()).collect();
        Usage(format!("--kind: `{}` is none; there are {}", printable(name, 60), kinds.join(", ")))
    })
}

/// The kind that a slot takes where nobody says.
fn usual(slot: &Slot) -> CredentialKind {
    match slot.scheme {
        Scheme::Sigv4 { .. } => CredentialKind::KeyPair,
        Scheme::ClientCertificate => CredentialKind::ClientCertificate,
        _ => CredentialKind::Secret,
    }
}

/// Reads what was written, and asks for the rest.
pub(super) fn read(wanted: &CredentialGiven, slot: &Slot) -> anyhow::Result<Given> {
    let kind = wanted.kind.as_deref().map(parse_kind).transpose()?.unwrap_or_else(|| usual(slot));
    let mut given = Given { kind, fields: BTreeMap::new(), secrets: BTreeMap::new() };
    for text in &wanted.fields {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Usage(format!("--field: write NAME=VALUE; `{}` names none", printable(text, 60))))?;
        let field = find(kind, name)?;
        if field.secret {
            let how = format!(
                "--field: `{name}` is secret and does not belong on a command line; write --secret {name}=SOURCE"
            );
            return Err(Usage(how).into());
        }
        given.fields.insert(name.to_owned(), value.to_owned());
    }
    let mut standard_input = false;
    for text in &wanted.secrets {
        let (field, source) = secret(kind, text)?;
        if source == Source::Stdin && std::mem::replace(&mut standard_input, true) {
            return Err(Usage("--secret: two of them cannot both come from standard input".to_owned()).into());
        }
        given.secrets.insert(field.name.to_owned(), read_secret(field, &source)?);
    }
    ask_for_the_rest(&mut given, standard_input)?;
    Ok(given)
}

fn find(kind: CredentialKind, name: &str) -> Result<&'static CredentialField, Usage> {
    kind.fields().iter().find(|field| field.name == name).ok_or_else(|| {
        let fields: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
        let name = printable(name, 60);
        Usage(format!("a credential of kind {} has no `{name}`; it has {}", kind.as_str(), fields.join(", ")))
    })
}

/// `NAME=SOURCE`, or a source alone where the kind has one secret that must be given. What was written is not repeated: it may
/// be a secret that should not be there.
fn secret(kind: CredentialKind, text: &str) -> Result<(&'static CredentialField, Source), Usage> {
    let how = || {
        Usage(
            "--secret: write NAME=file:PATH, NAME=env:VARIABLE or NAME=- for standard input; a secret itself does not \
             belong on a command line"
                .to_owned(),
        )
    };
    let named = text.split_once('=').and_then(|(name, source)| Some((find(kind, name).ok()?, source)));
    let mut required = kind.fields().iter().filter(|field| field.secret && field.required);
    let (field, source) = match (named, required.next(), required.next()) {
        (Some((field, source)), _, _) if field.secret => (field, source),
        (None, Some(only), None) => (only, text),
        _ => return Err(how()),
    };
    Ok((field, source.parse().map_err(|_| how())?))
}

fn read_secret(field: &CredentialField, source: &Source) -> anyhow::Result<Secret> {
    let read = if field.is_document() { source.read_document() } else { source.read() };
    read.with_context(|| format!("`{}`", field.name))
}

/// What must be given and was not: asked for at a terminal, or read from standard input if it is one secret.
fn ask_for_the_rest(given: &mut Given, standard_input: bool) -> anyhow::Result<()> {
    let missing: Vec<&CredentialField> = given.kind.fields().iter().filter(|field| field.required).collect();
    let missing = missing
        .into_iter()
        .filter(|field| !given.fields.contains_key(field.name) && !given.secrets.contains_key(field.name));
    let missing: Vec<&CredentialField> = missing.collect();
    let names = || missing.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ");
    if std::io::stdin().is_terminal() && !standard_input {
        for field in &missing {
            anstream::eprint!("{} ({}): ", field.name, field.about);
            if field.secret {
                let secret = super::super::prompt::secret()?;
                given.secrets.insert(field.name.to_owned(), secret);
            } else {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line)?;
                given.fields.insert(field.name.to_owned(), line.trim().to_owned());
            }
        }
        return Ok(());
    }
    match missing.as_slice() {
        [] => Ok(()),
        [only] if only.secret && !standard_input => {
            given.secrets.insert(only.name.to_owned(), read_secret(only, &Source::Stdin)?);
            Ok(())
        }
        _ => {
            let kind = given.kind.as_str();
            let how = "--field NAME=VALUE, --secret NAME=SOURCE";
            Err(Usage(format!("a credential of kind {kind} needs {} ({how})", names())).into())
        }
    }
}
