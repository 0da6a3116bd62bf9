//! Whether a request can leave by an open route at all: some granted operation uses it, and what it leads to may be
//! dialled. What is open is the gate's to say, request by request; here it is told beforehand.

use std::collections::HashSet;

use crate::{
    address::{CarveOut, CarveOuts, judge_address},
    descriptor::Descriptor,
    grant::Grant,
    intersect::{Intersection, Layer, Removed},
    powers::OpenRoute,
    tokens::TOKEN_OPERATION,
};

/// What routes are judged by, gathered once.
pub(super) struct Usable<'a> {
    /// Ids of the routes that some operation uses.
    used: HashSet<&'a str>,
    /// Ids of those that a granted operation uses.
    granted: HashSet<&'a str>,
    /// Carve-outs of the grant, and those that the ceiling leaves.
    carved: CarvedOut,
    left: CarvedOut,
}

/// Carve-outs, to be asked by address and by port.
struct CarvedOut {
    all: CarveOuts,
    ports: Vec<Option<u16>>,
}

impl<'a> Usable<'a> {
    pub(super) fn of(descriptor: &'a Descriptor, grant: &Grant, left: &Intersection) -> Self {
        let granted: HashSet<&str> = grant.operations.iter().map(String::as_str).collect();
        let all = descriptor.operations.iter();
        let of_granted = all.clone().filter(|operation| granted.contains(operation.name.as_str()));
        let allowed = left.carve_outs.iter().filter(|(_, allowed)| allowed.is_ok());
        Self {
            used: all.flat_map(|operation| &operation.routes).map(String::as_str).collect(),
            granted: of_granted.flat_map(|operation| &operation.routes).map(String::as_str).collect(),
            carved: CarvedOut::of(grant.carve_outs.iter().copied()),
            left: CarvedOut::of(allowed.map(|(carve_out, _)| *carve_out)),
        }
    }

    /// Who keeps requests from leaving by an open route, if anybody does.
    pub(super) fn judge(&self, open: &OpenRoute) -> Result<(), Removed> {
        let gone = |by, why: String| Err(Removed { by, why });
        let for_tokens = open.id == TOKEN_OPERATION;
        if !for_tokens && !self.used.contains(open.id.as_str()) {
            return gone(Layer::Descriptor, "no operation uses it".to_owned());
        }
        if !for_tokens && !self.granted.contains(open.id.as_str()) {
            return gone(Layer::Grant, "no operation that uses it is granted".to_owned());
        }
        match (self.left.refuses(open), self.carved.refuses(open)) {
            (None, _) => Ok(()),
            (Some(why), None) => gone(Layer::Ceiling, format!("`carve_outs` leaves out the one that it needs: {why}")),
            (Some(why), Some(_)) => gone(Layer::Grant, format!("the grant has no carve-out for it: {why}")),
        }
    }
}

impl CarvedOut {
    fn of(carve_outs: impl Iterator<Item = CarveOut> + Clone) -> Self {
        Self { all: carve_outs.clone().collect(), ports: carve_outs.map(|carve_out| carve_out.port()).collect() }
    }

    /// Why what a route leads to may not be dialled. What a name resolves to is not known here; over plain http it must be
    /// something that is carved out.
    fn refuses(&self, open: &OpenRoute) -> Option<String> {
        let url = open.template.origin_url();
        let (port, secure) = (url.port(), url.scheme() == "https");
        if let Some(address) = url.address() {
            return judge_address(address, port, secure, &self.all).err().map(|refusal| refusal.to_string());
        }
        let has_port = self.ports.iter().any(|own| own.is_none_or(|own| own == port));
        (!secure && !has_port).then(|| format!("plain http to port {port}"))
    }
}
