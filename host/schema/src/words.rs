//! What a violation is called: what is missing, all that is allowed, and for a choice what each of its branches asks for.
//!
//! Of the value nothing is told but property names; of the schema all that helps, within bounds.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::{node, validate::Violation};

/// Most values of an `enum`, names of properties or branches of a choice that are listed.
const MAX_LISTED: usize = 24;
/// Longest message, in characters.
const MAX_MESSAGE: usize = 800;
/// How deep choices within choices are told.
const MAX_CHOICES: usize = 3;

/// Says what is wrong.
pub(crate) fn describe(root: &Value, error: &ValidationError<'_>) -> Violation {
    described(root, error, 0)
}

fn described(root: &Value, error: &ValidationError<'_>, depth: usize) -> Violation {
    let kind = error.kind();
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = kind
        && depth < MAX_CHOICES
    {
        return of_branches(root, error, context, depth);
    }
    let mut at = error.instance_path().to_string();
    let message = match kind {
        Kind::Required { property } => {
            at = node::join(&at, property.as_str().unwrap_or_default());
            "is required".to_owned()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known(root, error);
            match unexpected.as_slice() {
                [only] => {
                    at = node::join(&at, only);
                    format!("is not a known property{known}")
                }
                many => format!("has unknown properties: {}{known}", listed(many.iter().cloned())),
            }
        }
        Kind::Enum { options } => match options.as_array() {
            Some(options) => format!("is not one of {}", listed(options.iter().map(Value::to_string))),
            None => "is not one of the values in the schema".to_owned(),
        },
        Kind::Constant { expected_value } => format!("is not {expected_value}"),
        Kind::OneOfMultipleValid { .. } => "fits more than one of the branches that exclude one another".to_owned(),
        // The library shows the offending name in full through the inner error.
        Kind::PropertyNames { .. } => "has a property name that is not allowed".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::Not { .. } => "matches what `not` excludes".to_owned(),
        // Byte offsets into the value are about the value.
        Kind::FromUtf8 { .. } => "is not UTF-8 text once decoded".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "fits none of several branches".to_owned(),
        _ => {
            let masked = error.masked_with("").to_string();
            masked.strip_prefix(' ').map_or_else(|| masked.clone(), str::to_owned)
        }
    };
    violation(error, &at, &message)
}

/// What is wrong where none of several schemas fits: the values that there are, or what the one that was meant says, or what
/// each of them asks for.
fn of_branches(
    root: &Value,
    error: &ValidationError<'_>,
    branches: &[Vec<ValidationError<'_>>],
    depth: usize,
) -> Violation {
    let here = error.instance_path();
    let is_other_type =
        |error: &ValidationError<'_>| matches!(error.kind(), Kind::Type { .. }) && error.instance_path() == here;
    let of_the_type: Vec<_> = branches.iter().filter(|errors| !errors.iter().any(is_other_type)).collect();
    let constant = |error: &ValidationError<'_>| match error.kind() {
        Kind::Constant { expected_value } => Some((error.instance_path().to_string(), expected_value.to_string())),
        _ => None,
    };
    let constants: Vec<_> = of_the_type.iter().filter_map(|errors| errors.iter().find_map(constant)).collect();
    let mut meant = of_the_type.iter().filter(|errors| !errors.iter().any(|error| constant(error).is_some()));
    match (meant.next(), meant.next(), constants.first()) {
        (Some(only), None, _) => {
            if let Some(first) = only.first() {
                return described(root, first, depth + 1);
            }
        }
        (None, None, Some((at, _))) if constants.iter().all(|(other, _)| other == at) => {
            let values = constants.iter().map(|(_, value)| value.clone());
            return violation(error, at, &format!("is not one of {}", listed(values)));
        }
        _ => {}
    }
    // Where none has the type, all are told.
    let told: Vec<&Vec<_>> = if of_the_type.is_empty() { branches.iter().collect() } else { of_the_type };
    let here = here.to_string();
    let wanted = told.iter().map(|errors| of_branch(root, &here, errors, depth));
    let mut distinct: Vec<String> = Vec::new();
    for wanted in wanted {
        if !distinct.contains(&wanted) {
            distinct.push(wanted);
        }
    }
    let are_names = told.iter().all(|errors| matches!(errors.as_slice(), [one] if is_missing(&here, one)));
    let message = match are_names {
        true => format!("needs one of {}", listed(distinct.into_iter())),
        false => format!("fits none of {} branches: {}", told.len(), several(distinct, "; or ")),
    };
    violation(error, &here, &message)
}

fn is_missing(here: &str, error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), Kind::Required { .. }) && error.instance_path().to_string() == here
}

/// What a branch asks for: a name where that is what is missing, else what is wrong first, and where.
fn of_branch(root: &Value, here: &str, errors: &[ValidationError<'_>], depth: usize) -> String {
    if let [one] = errors
        && let Kind::Required { property } = one.kind()
        && is_missing(here, one)
    {
        return format!("`{}`", property.as_str().unwrap_or_default());
    }
    let Some(first) = errors.first() else { return "nothing".to_owned() };
    let told = described(root, first, depth + 1);
    match told.at.strip_prefix(here) {
        Some("") => told.message,
        Some(below) => format!("{below} {}", told.message),
        None => format!("{} {}", told.at, told.message),
    }
}

/// The properties that stand beside the rule that was broken.
fn known(root: &Value, error: &ValidationError<'_>) -> String {
    let place = error.schema_path().to_string();
    let names = place
        .rsplit_once('/')
        .and_then(|(schema, _)| root.pointer(schema)?.get("properties")?.as_object())
        .map(|properties| listed(properties.keys().map(|name| format!("`{name}`"))));
    names.filter(|names| !names.is_empty()).map_or_else(String::new, |names| format!("; known are {names}"))
}

fn listed(all: impl Iterator<Item = String>) -> String {
    several(all.collect(), ", ")
}

/// So many of them as are told, and how many there are beside.
fn several(all: Vec<String>, between: &str) -> String {
    let told: Vec<String> = all.iter().take(MAX_LISTED).map(|one| node::short(one)).collect();
    let mut text = told.join(between);
    if let Some(more) = all.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        text += &format!(" and {more} more");
    }
    text
}

fn violation(error: &ValidationError<'_>, at: &str, message: &str) -> Violation {
    Violation {
        at: node::short(at),
        rule: node::short(&error.schema_path().to_string()),
        keyword: node::short(error.kind().keyword()),
        message: portcullis_gate::printable(message, MAX_MESSAGE),
    }
}
