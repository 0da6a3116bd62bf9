//! What an adapter says about itself, as the gate reads it.

use portcullis_gate::{Descriptor, Effect, Method, Operation, Route, Scheme, Slot};
use portcullis_sandbox::wit;

/// The contract's descriptor as the gate's. Nothing is judged here; that is [`Descriptor::check`].
pub(crate) fn descriptor(described: wit::Descriptor) -> Descriptor {
    Descriptor {
        name: described.name,
        version: described.version,
        description: described.description,
        config: described.config,
        slots: described
            .slots
            .into_iter()
            .map(|slot| Slot { name: slot.name, description: slot.description, scheme: scheme(slot.scheme) })
            .collect(),
        routes: described
            .routes
            .into_iter()
            .map(|route| Route {
                id: route.id,
                description: route.description,
                method: method(route.method),
                url: route.url,
                query: route.query,
                slot: route.slot,
                request: route.request,
                response: route.response,
            })
            .collect(),
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
    }
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
