//! What an adapter says about itself, as the gate reads it.

use portcullis_gate::{
    BodyKind, Descriptor, DescriptorError, Effect, Method, Operation, Parameter, Repeat, RequestBody, Route, Scheme,
    Slot, Values,
};
use portcullis_sandbox::wit;

/// The contract's descriptor as the gate's. But for shapes, which are read here, nothing is judged; that is
/// [`Descriptor::check`].
pub(crate) fn descriptor(described: wit::Descriptor) -> Result<Descriptor, DescriptorError> {
    Ok(Descriptor {
        name: described.name,
        version: described.version,
        description: described.description,
        slots: described
            .slots
            .into_iter()
            .map(|slot| Slot { name: slot.name, description: slot.description, scheme: scheme(slot.scheme) })
            .collect(),
        routes: described
            .routes
            .into_iter()
            .enumerate()
            .map(|(i, route)| self::route(i, route))
            .collect::<Result<_, _>>()?,
        operations: described
            .operations
            .into_iter()
            .map(|operation| Operation {
                name: operation.name,
                description: operation.description,
                effect: match operation.effect {
                    wit::Effect::Read => Effect::Read,
                    wit::Effect::Write => Effect::Write,
                    wit::Effect::Destructive => Effect::Destructive,
                },
                input: operation.input,
                output: operation.output,
                routes: operation.routes,
            })
            .collect(),
    })
}

fn route(i: usize, route: wit::Route) -> Result<Route, DescriptorError> {
    Ok(Route {
        id: route.id,
        description: route.description,
        method: method(route.method),
        url: route.url,
        query: parameters(&format!("routes[{i}].query"), route.query)?,
        headers: parameters(&format!("routes[{i}].headers"), route.headers)?,
        slot: route.slot,
        request: route.request.map(body),
        repeat: match route.repeat {
            wit::Repeat::Never => Repeat::Never,
            wit::Repeat::Idempotent => Repeat::Idempotent,
            wit::Repeat::WithKey(name) => Repeat::WithKey(name),
        },
        response: route.response,
    })
}

fn parameters(at: &str, parameters: Vec<wit::Parameter>) -> Result<Vec<Parameter>, DescriptorError> {
    let parameter = |parameter: wit::Parameter| {
        let values = match parameter.values {
            wit::Values::Any => Values::Any,
            wit::Values::OneOf(values) => Values::OneOf(values),
            wit::Values::Shape(shape) => {
                Values::Shape(shape.parse().map_err(|error: portcullis_gate::ShapeError| DescriptorError {
                    at: at.to_owned(),
                    problem: error.to_string(),
                })?)
            }
        };
        Ok(Parameter { name: parameter.name, values })
    };
    parameters.into_iter().map(parameter).collect()
}

fn body(body: wit::Body) -> RequestBody {
    let (kind, schema) = match body {
        wit::Body::Json(schema) => (BodyKind::Json, Some(schema)),
        wit::Body::Form(schema) => (BodyKind::Form, Some(schema)),
        wit::Body::Multipart(schema) => (BodyKind::Multipart, Some(schema)),
        wit::Body::Raw(types) => (BodyKind::Raw(types), None),
    };
    RequestBody { kind, schema }
}

pub(crate) fn method(method: wit::Method) -> Method {
    match method {
        wit::Method::Get => Method::Get,
        wit::Method::Head => Method::Head,
        wit::Method::Post => Method::Post,
        wit::Method::Put => Method::Put,
        wit::Method::Patch => Method::Patch,
        wit::Method::Delete => Method::Delete,
        wit::Method::Options => Method::Options,
    }
}

fn scheme(scheme: wit::Scheme) -> Scheme {
    match scheme {
        wit::Scheme::Bearer => Scheme::Bearer,
        wit::Scheme::Basic => Scheme::Basic,
        wit::Scheme::Header(header) => Scheme::Header { name: header.name, prefix: header.prefix },
        wit::Scheme::Query(name) => Scheme::Query { name },
        wit::Scheme::SigningKey => Scheme::SigningKey,
    }
}
