//! Carrying out a call: the endpoint's request, or the requests of its pages, and what is made of the answer.

use portcullis_sdk::{
    Map,
    paging::{self, Items},
    prelude::*,
};

use crate::{
    check::pointer,
    config::Config,
    endpoint::{Endpoint, Next, Paging, ResponseType},
    integers,
    route::Parts,
    shape::{item_mismatch, mismatch},
};

/// Carries out an operation.
pub(crate) fn run(cx: &Context<Config>, operation: &str, input: &str) -> Result<String, Error> {
    let config = cx.config();
    let endpoint = config.endpoints.iter().find(|endpoint| endpoint.name == operation);
    let endpoint = endpoint.ok_or_else(|| Error::UnknownOperation(operation.to_owned()))?;
    let mut fields: Map = portcullis_sdk::serde_json::from_slice(input.as_bytes())
        .map_err(|_| Error::invalid_input("", "the input is not a JSON object"))?;
    let parts = Parts::new(config, endpoint);
    let route = parts.route();
    integers::written_out(endpoint, &route, &mut fields)?;
    let output = match &endpoint.paging {
        Some(rule) => {
            let items = usize::try_from(rule.max_items).unwrap_or(usize::MAX);
            let schema = endpoint.output_schema();
            let next_page = parts.next_page();
            let paging = paging::Paging { follow: next_page.as_ref(), ..rule.of_the_sdk() };
            let is_wrong = |index, item: &Value| item_mismatch(&schema, index, item);
            let found: Items<Value> =
                cx.collect_untyped(&route, fields, &paging, items, &is_wrong).map_err(of_the_caller)?;
            let items: Vec<Value> = found.items.into_iter().map(Json::into_value).collect();
            let mut output = json!({ "items": items, "more": found.more });
            if let (Value::Object(members), Some(reason)) = (&mut output, found.reason) {
                members.insert("reason".to_owned(), json!(reason));
            }
            return Ok(output.to_string());
        }
        None => output(endpoint, &cx.send_untyped(&route, fields).map_err(of_the_caller)?)?,
    };
    if let Some(wrong) = mismatch(&endpoint.output_schema(), &output) {
        let message = format!("the output made of the answer is not as the config describes it: {wrong}");
        return Err(Failure::new("http.unexpected-body", message).into());
    }
    Ok(output.to_string())
}

/// What cannot be written where it goes was given by the caller: fields of the request are those of the input.
fn of_the_caller(failure: Failure) -> Error {
    let field = failure.details.as_ref().and_then(|details| details.get("field")).and_then(Value::as_str);
    match field {
        Some(field) if matches!(failure.code.as_ref(), "adapter.path-segment" | "adapter.header") => {
            Error::invalid_input(pointer("", field), failure.message)
        }
        _ => failure.into(),
    }
}

/// The output made of a successful answer.
fn output(endpoint: &Endpoint, response: &Response) -> Result<Value, Failure> {
    match endpoint.answers() {
        ResponseType::None => Ok(Value::Null),
        ResponseType::Bytes => Ok(Value::String(response.base64())),
        ResponseType::Text => match std::str::from_utf8(&response.body) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(Failure::new("http.unexpected-body", "the answer is not text in UTF-8")),
        },
        ResponseType::Json => {
            let mut answer: Value = response.json()?;
            let Some(selected) = &endpoint.output else { return Ok(answer) };
            answer.pointer_mut(&selected.pointer).map(Value::take).ok_or_else(|| {
                let message = format!("the answer has nothing at `{}`", selected.pointer);
                Failure::new("http.unexpected-body", message)
            })
        }
    }
}

impl Paging {
    /// The same as the SDK's.
    fn of_the_sdk(&self) -> paging::Paging<'_> {
        let next = match &self.next {
            Next::Cursor { cursor, field } => paging::Next::Cursor { cursor, field },
            Next::LastId { id, field, more } => paging::Next::LastId { id, field, more: more.as_deref() },
            Next::Page { field, first, size } => paging::Next::Page { field, first: *first, size: size.as_deref() },
            Next::Offset { field, size, total } => {
                paging::Next::Offset { field, size: size.as_deref(), total: total.as_deref() }
            }
            Next::LinkHeader { .. } => paging::Next::LinkHeader,
            Next::Url { url, .. } => paging::Next::Url(url),
        };
        let paging = paging::Paging::new(&self.items, next).max_pages(self.max_pages);
        self.ends.as_deref().map_or(paging, |statuses| paging.ends(statuses))
    }
}
