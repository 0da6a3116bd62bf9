//! An endpoint as a route of the SDK's: the names that it borrows, put in order.

use std::collections::BTreeMap;

use portcullis_sdk::{Encoding, Link, Method, Repeat, Slot, UntypedRoute};

use crate::{
    auth::Auth,
    config::Config,
    endpoint::{self, Body, Endpoint, HeaderValue, Next, ResponseType},
    rules::Rules,
};

/// What a route of an endpoint borrows.
pub(crate) struct Parts<'c> {
    endpoint: &'c Endpoint,
    id: String,
    slots: Vec<Slot<'c>>,
    headers: Vec<(&'c str, &'c str)>,
    header_fields: Vec<(&'c str, &'c str)>,
    query: Vec<&'c str>,
    media_types: Vec<&'c str>,
    rules: Rules<'c>,
    /// Where the API writes the URL of the next page.
    next: Option<NextPage<'c>>,
}

/// The route of links to further pages.
struct NextPage<'c> {
    id: String,
    url: String,
    description: String,
    places: [Link<'c>; 1],
    /// Whether the query parameters are not named.
    any_query: bool,
}

impl<'c> Parts<'c> {
    pub(crate) fn new(config: &'c Config, endpoint: &'c Endpoint) -> Self {
        let mut headers: BTreeMap<String, (&str, &str)> = BTreeMap::new();
        if let Some(accept) = endpoint.accept() {
            headers.insert("accept".to_owned(), ("Accept", accept));
        }
        let of_all = config.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut header_fields = Vec::new();
        let own = endpoint.headers.iter().filter_map(|(name, value)| match value {
            HeaderValue::Constant(text) => Some((name.as_str(), text.as_str())),
            HeaderValue::Field(_) => None,
        });
        for (name, value) in of_all.chain(own) {
            headers.insert(folded(name), (name, value));
        }
        for (name, value) in &endpoint.headers {
            if let HeaderValue::Field(from) = value {
                headers.remove(&folded(name));
                header_fields.push((name.as_str(), from.field.as_str()));
            }
        }
        let media_types = match &endpoint.body {
            Some(Body::Raw { media_types, .. }) => media_types.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        Self {
            endpoint,
            id: id(&endpoint.name),
            slots: config.auth.slots(),
            headers: headers.into_values().collect(),
            header_fields,
            query: endpoint.query.iter().map(String::as_str).collect(),
            media_types,
            rules: Rules::new(config, endpoint),
            next: NextPage::new(config, endpoint),
        }
    }

    /// The route by which further pages are read at URLs that the API wrote; none where pages are found otherwise, and where a
    /// secret goes into the path: then what the API writes there is no URL any more, and the endpoint's own route is taken.
    pub(crate) fn next_page(&self) -> Option<UntypedRoute<'_>> {
        let next = self.next.as_ref()?;
        Some(UntypedRoute {
            description: &next.description,
            slots: carried(self.slots.iter()),
            headers: &self.headers,
            any_query: next.any_query,
            links: &next.places,
            judge: Some(&self.rules),
            ..UntypedRoute::new(Method::Get, &next.id, &next.url)
        })
    }

    /// The header fields with the same value in each request.
    pub(crate) fn constants(&self) -> &[(&'c str, &'c str)] {
        &self.headers
    }

    pub(crate) fn route(&self) -> UntypedRoute<'_> {
        let endpoint = self.endpoint;
        let method = endpoint.method.of_the_sdk();
        let plain = UntypedRoute::new(method, &self.id, &endpoint.path);
        let (encoding, body_field) = match &endpoint.body {
            None => (plain.encoding, None),
            Some(Body::None) => (Encoding::Query, None),
            Some(Body::Json { field }) => (Encoding::Json, field.as_deref()),
            Some(Body::Form { field }) => (Encoding::Form, field.as_deref()),
            Some(Body::Multipart { field }) => (Encoding::Multipart, field.as_deref()),
            Some(Body::Raw { field, .. }) => (Encoding::Raw(&self.media_types), Some(field.as_str())),
        };
        let next = endpoint.paging.as_ref().map(|paging| &paging.next).filter(|_| self.next.is_none());
        UntypedRoute {
            description: &endpoint.description,
            slots: carried(self.slots.iter()),
            headers: &self.headers,
            header_fields: &self.header_fields,
            query: &self.query,
            any_query: matches!(
                next,
                Some(Next::LinkHeader { link_query: None, .. } | Next::Url { link_query: None, .. })
            ),
            encoding,
            body_field,
            brackets: endpoint.brackets,
            judge: Some(&self.rules),
            repeat: match &endpoint.repeat {
                None => plain.repeat,
                Some(endpoint::Repeat::Never) => Repeat::Never,
                Some(endpoint::Repeat::Idempotent) => Repeat::Idempotent,
                Some(endpoint::Repeat::Key(header)) => Repeat::WithKey(header),
            },
            ..plain
        }
    }
}

impl<'c> NextPage<'c> {
    fn new(config: &Config, endpoint: &'c Endpoint) -> Option<Self> {
        let (place, below, names) = match &endpoint.paging.as_ref()?.next {
            Next::LinkHeader { links_below, link_query } => (Link::Header("next"), links_below, link_query),
            // What the contract takes for a place.
            Next::Url { url, links_below, link_query }
                if url.starts_with('/') && url.len() <= 256 && url.split('/').count() <= 9 && url.is_ascii() =>
            {
                (Link::Body(url), links_below, link_query)
            }
            _ => return None,
        };
        if config.auth.each().any(|(_, auth)| matches!(auth, Auth::Path(_))) {
            return None;
        }
        let below = below.as_deref().unwrap_or_default().trim_end_matches('/');
        Some(Self {
            // No endpoint's own: there a hyphen stands before a letter.
            id: format!("{}-2", id(&endpoint.name)),
            url: format!("{below}/{{link*}}"),
            description: format!("Reads a further page of `{}`, at the link that the API wrote.", endpoint.name),
            places: [place],
            any_query: names.is_none(),
        })
    }
}

impl Endpoint {
    /// What a successful answer is.
    pub(crate) fn answers(&self) -> ResponseType {
        let usual = if self.method == endpoint::Method::Head { ResponseType::None } else { ResponseType::Json };
        self.response_type.unwrap_or(usual)
    }

    /// The media type to ask for, where it is not JSON.
    fn accept(&self) -> Option<&str> {
        match self.answers() {
            ResponseType::Json => self.accept.as_deref(),
            _ => Some(self.accept.as_deref().unwrap_or("*/*")),
        }
    }
}

impl endpoint::Method {
    pub(crate) fn of_the_sdk(self) -> Method {
        match self {
            Self::Get => Method::Get,
            Self::Head => Method::Head,
            Self::Post => Method::Post,
            Self::Put => Method::Put,
            Self::Patch => Method::Patch,
            Self::Delete => Method::Delete,
        }
    }
}

/// The slots of a route, of which there are at most four.
pub(crate) fn carried<'s>(mut slots: impl Iterator<Item = &'s Slot<'s>>) -> [Option<&'s Slot<'s>>; 4] {
    std::array::from_fn(|_| slots.next())
}

/// The route's id: `get-item` for `getItem`. Two names never have the same.
pub(crate) fn id(name: &str) -> String {
    let mut id = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            id.push('-');
        }
        id.push(c.to_ascii_lowercase());
    }
    id
}

/// A header's name as the host compares it: without regard to case, with `_` for `-`.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
