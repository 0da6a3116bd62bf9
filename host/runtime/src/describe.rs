//! What an adapter says about itself, as the gate reads it.

use portcullis_gate::{
    BodyKind, Descriptor, DescriptorError, Effect, HmacScheme, LinkPlace, MacAlgorithm, MacEncoding, Method, OAuth,
    Operation, Parameter, Repeat, RequestBody, Route, Scheme, Slot, Values,
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
            .map(|slot| Slot {
                name: slot.name,
                description: slot.description,
                scheme: scheme(slot.scheme),
                oauth: slot.oauth.map(oauth),
            })
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
        slots: route.slots,
        links: route
            .links
            .into_iter()
            .map(|place| match place {
                wit::LinkPlace::Header(relation) => LinkPlace::Header(relation),
                wit::LinkPlace::Body(pointer) => LinkPlace::Body(pointer),
            })
            .collect(),
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
        wit::Scheme::Path(path) => Scheme::Path { name: path.name, prefix: path.prefix },
        wit::Scheme::Cookie(name) => Scheme::Cookie { name },
        wit::Scheme::Body(name) => Scheme::Body { name },
        wit::Scheme::Sigv4(aws) => Scheme::Sigv4 { service: aws.service, region: aws.region },
        wit::Scheme::Hmac(hmac) => Scheme::Hmac(HmacScheme {
            algorithm: mac(hmac.algorithm),
            message: hmac.message,
            encoding: match hmac.encoding {
                wit::MacEncoding::Hex => MacEncoding::Hex,
                wit::MacEncoding::Base64 => MacEncoding::Base64,
                wit::MacEncoding::Base64Url => MacEncoding::Base64Url,
            },
            headers: hmac.headers.into_iter().map(|header| (header.name, header.value)).collect(),
        }),
        wit::Scheme::ClientCertificate => Scheme::ClientCertificate,
        wit::Scheme::SigningKey => Scheme::SigningKey,
    }
}

fn oauth(oauth: wit::Oauth) -> OAuth {
    OAuth {
        token_url: oauth.token_url,
        authorize_url: oauth.authorize_url,
        revoke_url: oauth.revoke_url,
        metadata_url: oauth.metadata_url,
        scopes: oauth.scopes,
        values: oauth.values,
    }
}

pub(crate) fn mac(algorithm: wit::MacAlgorithm) -> MacAlgorithm {
    match algorithm {
        wit::MacAlgorithm::HmacSha1 => MacAlgorithm::HmacSha1,
        wit::MacAlgorithm::HmacSha256 => MacAlgorithm::HmacSha256,
        wit::MacAlgorithm::HmacSha512 => MacAlgorithm::HmacSha512,
    }
}
