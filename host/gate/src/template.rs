//! URL templates: a concrete origin and a path whose segments may be parameters.
//!
//! | written | stands for |
//! | --- | --- |
//! | `{name}` | one segment of 1 to 512 bytes as it is sent |
//! | `{name:digits(1..9)}` | one segment of that [shape](crate::Shape) |
//! | `{name:escaped}` | one segment that may hold `/` as `%2F` |
//! | `{name..}`, at the end only | one or more segments, none of them empty |
//! | `{name*}`, at the end only | whatever follows, and nothing: `/r4/{link*}` is `/r4`, `/r4/` and all below it. Only for URLs that a provider wrote (`link.rs`) |
//!
//! There are no optional parts and no regular expressions: what a template matches can be said in one sentence, and so can
//! whether one template covers another.

use std::fmt;

use crate::{
    scheme::PATH_PLACEHOLDER,
    shape::{ESCAPED_SLASH, Shape},
    url::{RequestUrl, UrlRefusal},
};

/// Longest template, in bytes.
const MAX_BYTES: usize = 8 * 1024;
/// Most segments of a template.
const MAX_SEGMENTS: usize = 64;

/// `https://api.example.com/v1/customers/{id}`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    origin: RequestUrl,
    segments: Vec<Segment>,
    tail: Tail,
}

/// What follows the segments of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    None,
    /// `{name..}`: one or more segments, none of them empty.
    Rest,
    /// `{name*}`: any number of segments, empty ones among them.
    Any,
}

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// Percent-encoded, exactly as it must stand in the path.
    Literal(String),
    /// One that is not always the same.
    Parameter(Shape),
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
    /// Too many segments.
    #[error("`{template}` has {segments} segments; at most {MAX_SEGMENTS}")]
    Segments {
        /// The whole template.
        template: String,
        /// How many.
        segments: usize,
    },
    /// Braces that are not a whole segment, a name that is not a name, or a shape that is none.
    #[error("`{template}`: `{segment}` is neither a literal nor a parameter as a whole segment: {problem}")]
    Segment {
        /// The whole template.
        template: String,
        /// The segment at fault.
        segment: String,
        /// What would be right.
        problem: String,
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
        let mut tail = Tail::None;
        // With stand-ins for the parameters: the path of a URL that the template stands for.
        let mut filled = String::new();
        for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
            let wrong = |problem: &str| TemplateError::Segment {
                template: text.to_owned(),
                segment: segment.to_owned(),
                problem: problem.to_owned(),
            };
            if tail != Tail::None {
                return Err(wrong("nothing comes after `{name..}` and `{name*}`"));
            }
            filled.push('/');
            let Some(inside) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
                if segment.contains(['{', '}']) {
                    return Err(wrong("braces hold a whole segment"));
                }
                filled.push_str(segment);
                segments.push(Segment::Literal(segment.to_owned()));
                continue;
            };
            filled.push('x');
            let open_end = inside.strip_suffix("..").map(|name| (name, Tail::Rest));
            let open_end = open_end.or_else(|| inside.strip_suffix('*').map(|name| (name, Tail::Any)));
            let name = match (open_end, inside.split_once(':')) {
                (Some((name, end)), _) => {
                    tail = end;
                    name
                }
                (None, Some((name, shape))) => {
                    let shape = shape.parse::<Shape>().map_err(|error| wrong(&error.to_string()))?;
                    segments.push(Segment::Parameter(shape));
                    name
                }
                (None, None) => {
                    segments.push(Segment::Parameter(Shape::TEXT));
                    inside
                }
            };
            if !is_name(name) {
                return Err(wrong(
                    "write `{name}`, `{name:digits(1..9)}`, `{name..}` or `{name*}`; a name is 1 to 64 letters, digits, `_` and `-`",
                ));
            }
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(TemplateError::Segments { template: text.to_owned(), segments: segments.len() });
        }
        // A literal must be written as it is sent.
        RequestUrl::parse(&format!("{}{filled}", origin.origin()), MAX_BYTES).map_err(refuse)?;
        let text = format!("{}/{}", origin.origin(), path.strip_prefix('/').unwrap_or(path));
        Ok(Self { text, origin, segments, tail })
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

    /// The template with one name for all parameters, so that equal texts stand for equal paths.
    pub(crate) fn unnamed(&self) -> String {
        let mut text = self.origin().to_owned();
        for segment in &self.segments {
            text.push('/');
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Parameter(Shape::TEXT) => text.push_str("{any}"),
                Segment::Parameter(shape) => text += &format!("{{any:{shape}}}"),
            }
        }
        match self.tail {
            Tail::None => {}
            Tail::Rest => text.push_str("/{any..}"),
            Tail::Any => text.push_str("/{any*}"),
        }
        text
    }

    /// The template with these segments, counted from 0, as a guest writes them where the host puts a secret. Only those that
    /// are parameters without a shape: any other stays as it is.
    #[must_use]
    pub(crate) fn with_credentials(mut self, at: impl Iterator<Item = usize>) -> Self {
        let mut parts: Vec<String> =
            self.text.splitn(4, '/').nth(3).unwrap_or_default().split('/').map(str::to_owned).collect();
        for at in at {
            if let (Some(segment @ Segment::Parameter(Shape::TEXT)), Some(part)) =
                (self.segments.get_mut(at), parts.get_mut(at))
            {
                *segment = Segment::Literal(PATH_PLACEHOLDER.to_owned());
                PATH_PLACEHOLDER.clone_into(part);
            }
        }
        self.text = format!("{}/{}", self.origin.origin(), parts.join("/"));
        self
    }

    /// Whether a path that it stands for may hold `%2F`.
    pub(crate) fn takes_escaped(&self) -> bool {
        let is_escaped = |segment: &Segment| matches!(segment, Segment::Parameter(shape) if shape.is_escaped());
        self.tail == Tail::Any || self.segments.iter().any(is_escaped)
    }

    /// Its segments, and what follows them.
    pub(crate) fn segments(&self) -> (&[Segment], Tail) {
        (&self.segments, self.tail)
    }

    /// Whether this path is one that the template stands for. Allocates nothing.
    pub fn matches_path(&self, path: &str) -> bool {
        let mut given = path.strip_prefix('/').unwrap_or(path).split('/');
        for segment in &self.segments {
            if !given.next().is_some_and(|part| segment.fits(part)) {
                return false;
            }
        }
        match self.tail {
            Tail::None => given.next().is_none(),
            Tail::Rest => given.next().is_some_and(is_plain_part) && given.all(is_plain_part),
            Tail::Any => true,
        }
    }

    /// Whether every URL that `other` stands for is one that this template stands for.
    pub fn covers(&self, other: &Template) -> bool {
        let (ours, theirs) = (self.segments.len(), other.segments.len());
        let enough = match (self.tail, other.tail) {
            (Tail::None, Tail::None) => theirs == ours,
            (Tail::Rest, Tail::None) => theirs > ours,
            (Tail::Rest, Tail::Rest) | (Tail::Any, _) => theirs >= ours,
            (Tail::None, _) | (Tail::Rest, Tail::Any) => false,
        };
        let mut others = other.segments.iter();
        enough
            && self.origin() == other.origin()
            && self.segments.iter().zip(&mut others).all(|(ours, theirs)| ours.covers(theirs))
            && (self.tail == Tail::Any || others.all(Segment::is_always_plain))
    }
}

impl Segment {
    /// Whether a part of a path, between two slashes, is one that this segment stands for.
    pub(crate) fn fits(&self, part: &str) -> bool {
        match self {
            Segment::Literal(literal) => part == literal,
            Segment::Parameter(shape) => shape.fits_segment(part),
        }
    }

    /// Whether every part of a path that `other` stands for is one that this segment stands for.
    pub(crate) fn covers(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::Parameter(wide), Segment::Parameter(narrow)) => wide.covers(narrow),
            (Segment::Literal(_), Segment::Parameter(_)) => false,
            (_, Segment::Literal(literal)) => self.fits(literal),
        }
    }

    /// Whether what it stands for is always one of the segments of `{name..}`.
    fn is_always_plain(&self) -> bool {
        match self {
            Segment::Literal(literal) => is_plain_part(literal),
            Segment::Parameter(shape) => !shape.is_escaped(),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether this can be one of the segments of `{name..}`: not empty, and without `%2F`.
pub(crate) fn is_plain_part(part: &str) -> bool {
    !part.is_empty() && !part.contains(ESCAPED_SLASH)
}

pub(crate) fn is_name(name: &str) -> bool {
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
    fn an_open_end_is_whatever_follows_and_nothing() {
        let template = Template::parse("https://a.example/r4/{link*}").unwrap();
        for path in ["/r4", "/r4/", "/r4/Patient", "/r4//", "/r4/Patient/?", "/r4/a/b/"] {
            assert!(template.matches_path(path.trim_end_matches('?')), "{path}");
        }
        for path in ["/", "/r", "/r44", "/x/r4", "/R4"] {
            assert!(!template.matches_path(path), "{path}");
        }
        assert!(
            Template::parse("https://a.example/{link*}/x").is_err()
                && Template::parse("https://a.example/{*}").is_err()
        );
        assert_eq!(template.unnamed(), "https://a.example/r4/{any*}");
    }

    #[test]
    fn one_template_covers_another_just_where_every_path_says_so() {
        let parts = ["", "a", "{p}", "{p:digits}", "{p:escaped}"];
        let mut templates = Vec::new();
        for one in parts {
            for end in ["", "/{r..}", "/{r*}"] {
                templates.push(format!("https://a.example/{one}{end}"));
                templates.extend(parts.map(|two| format!("https://a.example/{one}/{two}{end}")));
            }
        }
        templates.extend(["https://a.example/{r..}", "https://a.example/{r*}"].map(str::to_owned));
        let templates: Vec<Template> = templates.iter().map(|text| Template::parse(text).unwrap()).collect();
        let segments = ["", "a", "a%2Fb", "1", "x"];
        let mut paths = Vec::new();
        for one in segments {
            paths.push(format!("/{one}"));
            for two in segments {
                paths.push(format!("/{one}/{two}"));
                for three in segments {
                    paths.push(format!("/{one}/{two}/{three}"));
                    paths.extend(segments.map(|four| format!("/{one}/{two}/{three}/{four}")));
                }
            }
        }
        for wide in &templates {
            for narrow in &templates {
                let within = paths.iter().all(|path| !narrow.matches_path(path) || wide.matches_path(path));
                let covers = wide.covers(narrow);
                assert!(!covers || within, "{wide} {narrow}");
                // An open end has longer segments than these paths, which a parameter does not stand for.
                assert!(covers || !within || narrow.tail != Tail::None, "{wide} {narrow}");
            }
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
    fn the_path_starts_after_the_host_however_short_that_is() {
        let template = Template::parse("http://a/b/{c}").unwrap();
        assert_eq!((template.origin(), template.as_str()), ("http://a", "http://a/b/{c}"));
        assert_eq!(template.to_string(), template.as_str());
        assert!(template.matches_path("/b/x") && !template.matches_path("/"));
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
    fn a_shape_and_a_rest_are_matched_and_covered() {
        let typed = Template::parse("https://a.example/v1/{id:digits(1..3)}").unwrap();
        assert!(typed.matches_path("/v1/12") && !typed.matches_path("/v1/1234") && !typed.matches_path("/v1/%31"));
        let rest = Template::parse("https://a.example/files/{path..}").unwrap();
        assert!(rest.matches_path("/files/a") && rest.matches_path("/files/a/b/c"));
        for path in ["/files", "/files/", "/files/a//b", "/files/a/", "/file/a"] {
            assert!(!rest.matches_path(path), "{path}");
        }
        let covers = |wide: &str, narrow: &str| {
            let parse = |path: &str| Template::parse(&format!("https://a.example{path}")).unwrap();
            parse(wide).covers(&parse(narrow))
        };
        assert!(covers("/{a}", "/{b:word}") && !covers("/{b:word}", "/{a}"));
        assert!(covers("/{a:digits}", "/12") && !covers("/{a:digits}", "/me"));
        for narrow in ["/f/a", "/f/{x}", "/f/a/{x:uuid}/b", "/f/{x..}", "/f/a/{x..}"] {
            assert!(covers("/f/{x..}", narrow), "{narrow}");
        }
        for other in ["/f", "/f/", "/f/a/", "/f//a", "/f/a//{x..}", "/{x..}", "/g/a"] {
            assert!(!covers("/f/{x..}", other), "{other}");
        }
        assert!(
            !covers("/f/{a}/{b}", "/f/{x..}") && !covers("/f/{a}", "/f/{x..}") && !covers("/f/a/{x..}", "/f/{x..}")
        );
    }

    #[test]
    fn parameters_of_512_bytes_at_most_unless_said_otherwise() {
        let template = Template::parse("https://a.example/{id}").unwrap();
        assert!(template.matches_path(&format!("/{}", "x".repeat(512))));
        assert!(!template.matches_path(&format!("/{}", "x".repeat(513))));
        let long = Template::parse("https://a.example/{id:text(1..2000)}").unwrap();
        assert!(
            long.matches_path(&format!("/{}", "x".repeat(2000))) && long.covers(&template) && !template.covers(&long)
        );
    }

    #[test]
    fn the_longest_there_can_be_are_accepted_and_longer_ones_are_not() {
        let parse = |path: String| Template::parse(&format!("https://a.example{path}"));
        assert!(parse("/x".repeat(64)).is_ok());
        assert!(matches!(parse("/x".repeat(65)), Err(TemplateError::Segments { segments: 65, .. })));
        assert!(
            parse(format!("/{{{}}}", "x".repeat(64))).is_ok() && parse(format!("/{{{}}}", "x".repeat(65))).is_err()
        );
        // 17 bytes of origin and a slash before it.
        assert!(parse(format!("/{}", "x".repeat(8_192 - 18))).is_ok());
        assert!(parse(format!("/{}", "x".repeat(8_192 - 17))).is_err());
    }

    #[test]
    fn names_give_no_power_and_shapes_do() {
        let unnamed = |path: &str| Template::parse(&format!("https://a.example{path}")).unwrap().unnamed();
        assert_eq!(unnamed("/a/{x}/{y:digits(1..9)}/{z..}"), "https://a.example/a/{any}/{any:digits(1..9)}/{any..}");
        assert_eq!(unnamed("/{a-b_c1:text(1..512)}"), unnamed("/{other}"));
        assert_eq!(unnamed(""), "https://a.example/");
    }

    #[test]
    fn odd_templates_are_refused() {
        let deep = format!("https://a.example{}", "/x".repeat(65));
        for text in [
            "https://a.example/{a..}/b",
            "https://a.example/{a..}/{b..}",
            "https://a.example/{..}",
            "https://a.example/{a:int}",
            "https://a.example/{a:}",
            "https://a.example/{a:word..}",
            "https://a.example/x{a..}",
            &deep,
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
