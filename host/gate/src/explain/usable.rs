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
    work::{Spent, Work},
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
    /// For each granted route and each that it opens, what came of it.
    judged: Vec<Vec<Result<(), Removed>>>,
}

/// Carve-outs, to be asked by address and by port.
struct CarvedOut {
    all: CarveOuts,
    ports: HashSet<Option<u16>>,
}

impl<'a> Usable<'a> {
    pub(super) fn of(
        descriptor: &'a Descriptor,
        grant: &Grant,
        left: &Intersection,
        work: &Work,
    ) -> Result<Self, Spent> {
        let granted: HashSet<&str> = grant.operations.iter().map(String::as_str).collect();
        let all = descriptor.operations.iter();
        let of_granted = all.clone().filter(|operation| granted.contains(operation.name.as_str()));
        let allowed = left.carve_outs.iter().filter(|(_, allowed)| allowed.is_ok());
        let mut usable = Self {
            used: all.flat_map(|operation| &operation.routes).map(String::as_str).collect(),
            granted: of_granted.flat_map(|operation| &operation.routes).map(String::as_str).collect(),
            carved: CarvedOut::of(grant.carve_outs.iter().copied()),
            left: CarvedOut::of(allowed.map(|(carve_out, _)| *carve_out)),
            judged: Vec::new(),
        };
        for fate in &left.routes {
            let mut judged = Vec::new();
            for open in &fate.open {
                // One that names an address is held against each carve-out.
                let by_address = open.template.origin_url().address().is_some();
                work.charge(8 + if by_address { grant.carve_outs.len() as u64 } else { 0 })?;
                judged.push(usable.judge(open));
            }
            usable.judged.push(judged);
        }
        Ok(usable)
    }

    /// For each granted route and each that it opens: who keeps requests from leaving by it, if anybody does.
    pub(super) fn judged(&self) -> &[Vec<Result<(), Removed>>] {
        &self.judged
    }

    /// The open routes by which a request can leave.
    pub(super) fn open<'l>(&self, left: &'l Intersection) -> impl Iterator<Item = &'l OpenRoute> {
        let all = left.routes.iter().zip(&self.judged).flat_map(|(fate, judged)| fate.open.iter().zip(judged));
        all.filter(|(_, judged)| judged.is_ok()).map(|(open, _)| open)
    }

    /// Who keeps requests from leaving by an open route, if anybody does.
    fn judge(&self, open: &OpenRoute) -> Result<(), Removed> {
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
        let has_port = self.ports.contains(&None) || self.ports.contains(&Some(port));
        (!secure && !has_port).then(|| format!("plain http to port {port}"))
    }
}
