//! Where the host may ask for tokens: routes of the grant with `token_for`, which are open to no guest.
//!
//! What a slot's `oauth` names may be granted as it is named, and nothing beside it. What it leaves open is the operator's to
//! name: where there is no token URL or no URL for revocation, any URL by POST; where there are no metadata, any by GET.
//!
//! A token URL may have a query, which is kept (RFC 6749, section 3.2). In a grant it stands apart, each name with the one value
//! that it has: `query = [{ name = "p", one_of = ["B2C_1_x"] }]`.

use crate::{
    body::BodyKind,
    descriptor::Descriptor,
    grant::{GrantedRoute, RouteLimits},
    intersect::Declared,
    method::Method,
    parameter::{Parameter, Values},
    powers::OpenRoute,
    printable::printable,
    query::{Decoded, OTHERS},
    repeat::Repeat,
    scheme::OAuth,
    slots::Slots,
    template::{Tail, Template},
};

/// What powers for a slot's token requests have instead of an operation's name. No operation can be called that.
pub const TOKEN_OPERATION: &str = "@token";

impl OAuth {
    /// What a grant would say to allow all that is named here. In a browser nobody asks the gate: there is no route for
    /// `authorize_url`.
    pub fn token_routes(&self, slot: &str) -> Vec<GrantedRoute> {
        let post = [&self.token_url, &self.revoke_url].into_iter().flatten().map(|url| (Method::Post, url));
        let all = post.chain(self.metadata_url.as_ref().map(|url| (Method::Get, url)));
        let mut routes: Vec<GrantedRoute> = Vec::new();
        for route in all.map(|(method, url)| token_route(method, url.clone(), slot)) {
            if !routes.contains(&route) {
                routes.push(route);
            }
        }
        routes
    }

    /// The URLs named for a method; none where the operator names one of them.
    fn named(&self, method: Method) -> Option<Vec<&str>> {
        let urls = match method {
            Method::Post => vec![self.token_url.as_deref(), self.revoke_url.as_deref()],
            Method::Get => vec![self.metadata_url.as_deref()],
            _ => Vec::new(),
        };
        urls.into_iter().collect()
    }
}

impl Descriptor {
    /// What a grant would say to allow the token requests of all slots, as far as the descriptor names where they go.
    pub fn token_routes(&self) -> Vec<GrantedRoute> {
        let slots = self.slots.iter().filter_map(|slot| Some((slot.name.as_str(), slot.oauth.as_ref()?)));
        slots.flat_map(|(name, oauth)| oauth.token_routes(name)).collect()
    }
}

fn token_route(method: Method, url: String, slot: &str) -> GrantedRoute {
    GrantedRoute {
        method,
        url,
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        token_for: Some(slot.to_owned()),
        limits: RouteLimits::default(),
    }
}

/// What a granted token route opens; or why the adapter declares none such.
pub(crate) fn open(
    slots: &Slots<'_>,
    slot: &str,
    granted: &GrantedRoute,
    template: &Template,
) -> Result<OpenRoute, String> {
    let oauth = match slots.get(slot).map(|slot| slot.oauth.as_ref()) {
        Some(Some(oauth)) => oauth,
        Some(None) => return Err(format!("`token_for`: the slot `{slot}` takes no tokens: it has no `oauth`")),
        None => return Err(format!("`token_for`: there is no slot `{}`", printable(slot, 80))),
    };
    if !matches!(granted.method, Method::Post | Method::Get) {
        return Err("`token_for`: tokens are asked for and revoked by POST, metadata by GET".to_owned());
    }
    if template.segments().1 != Tail::None {
        return Err("`token_for`: write the URL to its end, without `{name..}` and `{name*}`".to_owned());
    }
    // As they are: parameters only where the operator chooses the URL.
    if let Some(named) = oauth.named(granted.method) {
        let is = |url: &&str| Template::parse(url).is_ok_and(|named| named.as_str() == template.as_str());
        if !named.iter().any(is) {
            let (method, none) = (granted.method, "it names no other, and leaves none to the operator");
            let told = printable(&named.join(", "), 400);
            return Err(format!("`token_for`: for the tokens of `{slot}` the adapter names {method} {told}; {none}"));
        }
    }
    Ok(open_route(granted, template.clone()))
}

fn open_route(granted: &GrantedRoute, template: Template) -> OpenRoute {
    let media = ["application/x-www-form-urlencoded", "application/json"];
    let body = (granted.method == Method::Post).then(|| BodyKind::Raw(media.map(str::to_owned).to_vec()));
    OpenRoute {
        id: TOKEN_OPERATION.to_owned(),
        method: granted.method,
        template,
        query: granted.query.clone(),
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        body,
        repeat: Repeat::Never,
        limits: granted.limits,
    }
}

/// Every token route that a slot names.
pub(crate) fn declared(slot: &str, oauth: &OAuth) -> Vec<Declared> {
    let declared = |granted: GrantedRoute| {
        let open = open_route(&granted, Template::parse(&granted.url).ok()?);
        Some(Declared { granted, open })
    };
    oauth.token_routes(slot).into_iter().filter_map(declared).collect()
}

/// The route that an operator would grant for this URL of a slot's token requests, where the adapter leaves that open.
pub(crate) fn left_open(slot: &str, oauth: &OAuth, method: Method, url: String) -> Option<GrantedRoute> {
    let is_left = matches!(method, Method::Post | Method::Get) && oauth.named(method).is_none();
    let (plain, query) = url.split_once('?').unwrap_or((&url, ""));
    let mut route = token_route(method, plain.to_owned(), slot);
    route.query = fixed_query(query);
    (is_left && Template::parse(plain).is_ok()).then_some(route)
}

/// The query of a token URL as a grant names it: each name with the values that it has there.
fn fixed_query(query: &str) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |part: &str| String::from_utf8_lossy(&Decoded(part.as_bytes()).collect::<Vec<u8>>()).into_owned();
        let (name, value) = (text(name), text(value));
        match parameters.iter_mut().find(|parameter| parameter.name == name) {
            Some(Parameter { values: Values::OneOf(values), .. }) => values.push(value),
            _ => parameters.push(Parameter { name, values: Values::OneOf(vec![value]) }),
        }
    }
    parameters
}

/// The lines of a grant that would open this URL for a slot's token requests.
pub fn token_route_lines(method: Method, url: &str, slot: &str) -> String {
    let (plain, query) = url.split_once('?').unwrap_or((url, ""));
    let mut route = token_route(method, plain.to_owned(), slot);
    route.query = fixed_query(query);
    route.to_toml_lines()
}

/// Whether a parameter of a token route says which values it has.
pub(crate) fn is_fixed(parameter: &Parameter) -> bool {
    parameter.name != OTHERS && matches!(parameter.values, Values::OneOf(_))
}

#[cfg(test)]
mod tests;
