//! URL templates: a concrete origin and a path whose segments may be `{name}`.
//!
//! A parameter stands for exactly one non-empty segment. There are no wildcards, no optional parts and no regular
//! expressions: what a template matches can be said in one sentence, and so can whether one template covers another.

use std::fmt;

use crate::url::{RequestUrl, UrlRefusal};

/// Longest template, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// `https://api.example.com/v1/customers/{id}`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    origin: RequestUrl,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Percent-encoded, exactly as it must stand in the path.
    Literal(String),
    Parameter(String),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Its origin or a literal segment is not a URL that can be read in one way only.
    #[error("`{template}`: {refusal}")]
    Url {
        /// The whole template.
        template: String,
        /// What is wrong.
        refusal: UrlRefusal,
    },
    /// It has a query; routes name their query parameters apart.
    #[error("`{0}`: a template has no query and no fragment; list the parameters in `query`")]
    Query(String),
    /// Braces that are not a whole segment, or a name that is not a name.
    #[error(
        "`{template}`: `{segment}` is neither a literal nor `{{name}}` (letters, digits, `_`, `-`) as a whole segment"
    )]
    Segment {
        /// The whole template.
        template: String,
        /// The segment at fault.
        segment: String,
    },
}

impl Template {
    /// Parses an absolute template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let refuse = |refusal| TemplateError::Url { template: text.to_owned(), refusal };
        if text.contains(['?', '#']) {
            return Err(TemplateError::Query(text.to_owned()));
        }
        let scheme = text.find("://").map_or(0, |at| at + 3);
        let path_at = text.get(scheme..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| scheme + at);
        let (base, path) = text.split_at(path_at);
        let origin = RequestUrl::parse(base, MAX_BYTES).map_err(refuse)?;
        let mut segments = Vec::new();
        for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
            segments.push(match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name) if is_name(name) => Segment::Parameter(name.to_owned()),
                None if !segment.contains(['{', '}']) => Segment::Literal(segment.to_owned()),
                _ => return Err(TemplateError::Segment { template: text.to_owned(), segment: segment.to_owned() }),
            });
        }
        // A literal must be written as it is sent; with stand-ins for the parameters the whole is such a URL.
        let filled = path.replace(['{', '}'], "");
        RequestUrl::parse(&format!("{}{filled}", origin.origin()), MAX_BYTES).map_err(refuse)?;
        Ok(Self { text: format!("{}/{}", origin.origin(), path.strip_prefix('/').unwrap_or(path)), origin, segments })
    }

    /// The origin, as [`RequestUrl::origin`] gives it.
    pub fn origin(&self) -> &str {
        self.origin.origin()
    }

    /// The origin as a URL, for its host, port and scheme.
    pub fn origin_url(&self) -> &RequestUrl {
        &self.origin
    }

    /// The template in its normal form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this path is one that the template stands for. Allocates nothing.
    pub fn matches_path(&self, path: &str) -> bool {
        let mut given = path.strip_prefix('/').unwrap_or(path).split('/');
        for segment in &self.segments {
            let Some(part) = given.next() else { return false };
            let fits = match segment {
                Segment::Literal(literal) => part == literal,
                Segment::Parameter(_) => !part.is_empty(),
            };
            if !fits {
                return false;
            }
        }
        given.next().is_none()
    }

    /// Whether every URL that `other` stands for is one that this template stands for.
    pub fn covers(&self, other: &Template) -> bool {
        self.origin() == other.origin()
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Parameter(_), Segment::Parameter(_)) => true,
                (Segment::Parameter(_), Segment::Literal(literal)) => !literal.is_empty(),
                (Segment::Literal(ours), Segment::Literal(theirs)) => ours == theirs,
                (Segment::Literal(_), Segment::Parameter(_)) => false,
            })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_one_segment_and_never_none() {
        let template = Template::parse("https://api.example.com/v1/customers/{id}/cards").unwrap();
        assert!(template.matches_path("/v1/customers/cus_1/cards"));
        for path in
            ["/v1/customers//cards", "/v1/customers/a/b/cards", "/v1/customers/a", "/v1/customers/a/cards/", "/"]
        {
            assert!(!template.matches_path(path), "{path}");
        }
    }

    #[test]
    fn an_origin_alone_is_the_root_path() {
        let template = Template::parse("https://api.example.com").unwrap();
        assert_eq!(template.as_str(), "https://api.example.com/");
        assert!(template.matches_path("/"));
        assert!(!template.matches_path("/a"));
    }

    #[test]
    fn a_template_covers_what_is_narrower_and_nothing_else() {
        let wide = Template::parse("https://a.example/v1/{x}").unwrap();
        assert!(wide.covers(&Template::parse("https://a.example/v1/{y}").unwrap()));
        assert!(wide.covers(&Template::parse("https://a.example/v1/me").unwrap()));
        assert!(!wide.covers(&Template::parse("https://a.example/v1/").unwrap()));
        assert!(!wide.covers(&Template::parse("https://b.example/v1/me").unwrap()));
        assert!(!wide.covers(&Template::parse("http://a.example/v1/me").unwrap()));
        assert!(!wide.covers(&Template::parse("https://a.example:444/v1/me").unwrap()));
        assert!(!Template::parse("https://a.example/v1/me").unwrap().covers(&wide));
    }

    #[test]
    fn odd_templates_are_refused() {
        for text in [
            "https://{host}/a",
            "https://a.example/{id}x",
            "https://a.example/{}",
            "https://a.example/{a b}",
            "https://a.example/a?b={c}",
            "https://a.example/a#b",
            "https://a.example/../b",
            "https://a.example/%2e",
            "https://user@a.example/",
            "/relative",
            "",
            "ftp://a.example/",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
