//! What a descriptor asks for, in a form that can be compared: which operation may make which exchange.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::{
    body::BodyKind,
    descriptor::{Descriptor, Effect, Route},
    link::LinkPlace,
    method::Method,
    parameter::{Parameter, Values},
    printable::printable,
    repeat::Repeat,
    scheme::{OAuth, OpenSlot, Scheme},
    slots::{Slots, of_route},
    template::Template,
    work::{Spent, Work},
};

/// What one exchange may be: everything about a route that gives power, and nothing that only names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Power {
    pub(super) method: Method,
    /// The template with its parameters' names taken out.
    pub(super) url: String,
    pub(super) query: BTreeSet<Parameter>,
    pub(super) headers: BTreeSet<Parameter>,
    /// The slots, and how each goes on the wire.
    pub(super) slots: BTreeSet<(String, String)>,
    /// The query parameters that the slots write: no rule of the query stands for them.
    pub(super) own: BTreeSet<String>,
    /// Where its URLs have to be written; empty where it takes any.
    pub(super) links: BTreeSet<LinkPlace>,
    pub(super) body: Option<BodyKind>,
    pub(super) repeat: Repeat,
}

/// The exchanges of two descriptors, each with a number. An exchange's lists can be long and thousands of operations can make it,
/// so it is compared as a whole once; after that, what has the same number is the same.
#[derive(Default)]
pub(super) struct Exchanges(HashMap<Power, usize>);

impl Exchanges {
    fn number(&mut self, power: Power) -> usize {
        let next = self.0.len();
        *self.0.entry(power).or_insert(next)
    }

    /// The exchange of each number.
    pub(super) fn by_number(self) -> BTreeMap<usize, Power> {
        self.0.into_iter().map(|(power, number)| (number, power)).collect()
    }
}

/// What a descriptor asks for.
pub(super) struct Asks<'a> {
    pub(super) operations: BTreeMap<&'a str, (Effect, BTreeSet<usize>)>,
    /// Each exchange that some operation may make, with the first route that stands for it.
    pub(super) powers: BTreeMap<usize, &'a Route>,
    /// Slots that can be used: sent by such a route, or signed with.
    pub(super) slots: BTreeMap<&'a str, (String, Option<&'a OAuth>)>,
}

impl<'a> Asks<'a> {
    pub(super) fn of(descriptor: &'a Descriptor, exchanges: &mut Exchanges, work: &Work) -> Result<Self, Spent> {
        // What its routes have is looked at a few times: put in order, made a text of, compared.
        work.charge(4 * descriptor.weight())?;
        let known = Slots::of(descriptor);
        let numbered =
            |route: &'a Route| Some((route.id.as_str(), (exchanges.number(Power::of(&known, route)?), route)));
        let by_id: HashMap<&str, (usize, &Route)> = descriptor.routes.iter().filter_map(numbered).collect();
        let mut asks = Self { operations: BTreeMap::new(), powers: BTreeMap::new(), slots: BTreeMap::new() };
        for operation in &descriptor.operations {
            let mut powers = BTreeSet::new();
            work.charge(8 * operation.routes.len() as u64)?;
            for (number, route) in operation.routes.iter().filter_map(|id| by_id.get(id.as_str())) {
                asks.powers.entry(*number).or_insert(route);
                powers.insert(*number);
            }
            asks.operations.insert(&operation.name, (operation.effect, powers));
        }
        let sent: HashSet<&str> = asks.powers.values().flat_map(|route| &route.slots).map(String::as_str).collect();
        for slot in &descriptor.slots {
            if sent.contains(slot.name.as_str()) || slot.scheme == Scheme::SigningKey {
                asks.slots.insert(&slot.name, (scheme(&slot.scheme), slot.oauth.as_ref()));
            }
        }
        Ok(asks)
    }

    pub(super) fn origins(&self) -> BTreeSet<String> {
        let origin = |route: &&Route| Some(Template::parse(&route.url).ok()?.origin().to_owned());
        self.powers.values().filter_map(origin).collect()
    }
}

impl Power {
    fn of(known: &Slots<'_>, route: &Route) -> Option<Self> {
        let slots = of_route(known, route).ok()?;
        let headers = route.headers.iter().map(|p| in_order(p, p.name.to_ascii_lowercase()));
        let body = route.request.as_ref().map(|body| match &body.kind {
            BodyKind::Raw(types) => {
                let types: BTreeSet<String> = types.iter().map(|media| media.to_ascii_lowercase()).collect();
                BodyKind::Raw(types.into_iter().collect())
            }
            other => other.clone(),
        });
        let repeat = match &route.repeat {
            Repeat::WithKey(name) => Repeat::WithKey(name.to_ascii_lowercase()),
            other => other.clone(),
        };
        Some(Self {
            method: route.method,
            url: Template::parse(&route.url).ok()?.with_credentials(slots.iter().filter_map(|s| s.segment)).unnamed(),
            query: route.query.iter().map(|p| in_order(p, p.name.clone())).collect(),
            headers: headers.collect(),
            own: slots.iter().filter_map(|slot| slot.scheme.query_name()).map(str::to_owned).collect(),
            slots: slots.iter().map(|slot| (slot.name.clone(), placed(slot))).collect(),
            links: route.links.iter().cloned().collect(),
            body,
            repeat,
        })
    }

    /// The exchange in a few words, with the URL as the route writes it.
    pub(super) fn told(&self, url: &str) -> String {
        let mut text = format!("{} {url}", self.method);
        if !self.slots.is_empty() {
            let slots: Vec<&str> = self.slots.iter().map(|(slot, _)| slot.as_str()).collect();
            text += &format!(" with {}", slots.join(", "));
        }
        if !self.links.is_empty() {
            let places: Vec<String> = self.links.iter().map(ToString::to_string).collect();
            text += &format!(", where it is written at {}", places.join(", "));
        }
        text
    }
}

/// The parameter by this name, its list sorted: the order says nothing.
fn in_order(parameter: &Parameter, name: String) -> Parameter {
    let values = match &parameter.values {
        Values::OneOf(values) => Values::OneOf(values.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()),
        other => other.clone(),
    };
    Parameter { name, values }
}

pub(super) fn scheme(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer => "bearer".to_owned(),
        Scheme::Basic => "basic".to_owned(),
        Scheme::Header { name, prefix } => format!("header {}: {prefix}…", name.to_ascii_lowercase()),
        Scheme::Query { name } => format!("query ?{name}=…"),
        // Which segment that is, is the route's to say.
        Scheme::Path { prefix, .. } => format!("path {prefix}…"),
        Scheme::Cookie { name } => format!("cookie {name}=…"),
        Scheme::Body { name } => format!("body {name}"),
        Scheme::Sigv4 { service, region } => format!("sigv4 {service} {region}"),
        Scheme::Hmac(hmac) => {
            let headers: BTreeMap<String, &str> =
                hmac.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
            let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let what = printable(&format!("{:?} {:?}", hmac.algorithm, hmac.encoding), 80);
            format!("hmac {what} of {:?} in {}", hmac.message, headers.join(", "))
        }
        Scheme::ClientCertificate | Scheme::SigningKey => scheme.as_str().to_owned(),
    }
}

/// How a slot goes on the wire of one route.
fn placed(slot: &OpenSlot) -> String {
    match slot.segment {
        Some(segment) => format!("{} as segment {}", scheme(&slot.scheme), segment + 1),
        None => scheme(&slot.scheme),
    }
}
