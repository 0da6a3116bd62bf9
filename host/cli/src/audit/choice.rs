//! Which records: what was written after `--where`, `--since` and `--until`.

use jiff::Timestamp;
use portcullis_runtime::{
    Status,
    ledger::{Field, Kind, Query},
    printable,
};

use crate::{
    audit::{
        arguments::{Choice, Workspace},
        when,
    },
    exit::Usage,
};

/// Values that are known, for fields where another one would find nothing and say nothing.
fn known(field: Field) -> Option<Vec<&'static str>> {
    match field {
        Field::Kind => Some(Kind::ALL.map(Kind::as_str).to_vec()),
        Field::Status => Some(Status::ALL.map(Status::as_str).to_vec()),
        Field::Mode => Some(vec!["live", "sandbox"]),
        Field::Method => Some(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        _ => None,
    }
}

/// The question that was asked.
pub(super) fn query(workspace: &Workspace, choice: &Choice, now: Timestamp) -> Result<Query, Usage> {
    let mut query = Query::new(&workspace.workspace);
    for text in &choice.fields {
        let (field, value) = field(text)?;
        query = query.field(field, value);
    }
    if let Some(text) = &choice.since {
        query = query.since(when::parse("--since", text, now)?);
    }
    if let Some(text) = &choice.until {
        query = query.until(when::parse("--until", text, now)?);
    }
    Ok(query)
}

fn field(text: &str) -> Result<(Field, String), Usage> {
    let Some((name, value)) = text.split_once('=') else {
        let text = printable(text, 200);
        return Err(Usage(format!("--where: `{text}` has no `=`; write FIELD=VALUE, for example kind=denial")));
    };
    let field: Field = name.parse().map_err(|error| Usage(format!("--where: {error}")))?;
    if let Some(known) = known(field).filter(|known| !known.contains(&value)) {
        let (value, known) = (printable(value, 200), known.join(", "));
        return Err(Usage(format!("--where: `{value}` is no {field}; there are {known}")));
    }
    let hint = match field {
        Field::IntegrationVersion if !value.contains('@') => {
            Some("NAME@VERSION, for example integration_version=mail@2")
        }
        Field::Cost if !value.contains('=') => Some("the tag and its value, for example cost=team=billing"),
        _ => None,
    };
    if let Some(hint) = hint {
        return Err(Usage(format!("--where {field}: write {hint}")));
    }
    Ok((field, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_or_value_that_finds_nothing_by_mistake_is_told_with_those_that_there_are() {
        assert_eq!(field("kind=denial").unwrap(), (Field::Kind, "denial".to_owned()));
        assert_eq!(field("cost=team=billing").unwrap(), (Field::Cost, "team=billing".to_owned()));
        for (text, told) in [
            ("denial", "FIELD=VALUE"),
            ("colour=red", "principal"),
            ("kind=denied", "denial, refusal"),
            ("status=ok", "bound_hit"),
            ("method=get", "GET"),
            ("mode=real", "sandbox"),
            ("integration_version=mail", "mail@2"),
            ("cost=billing", "team=billing"),
        ] {
            let error = field(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
