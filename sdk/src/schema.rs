//! JSON Schemas as static data.
//!
//! What a type looks like in JSON is known when it is compiled, so it is written down then: a [`Schema`] is a tree of
//! constants, and one function (`schema/render.rs`) turns any of them into JSON. Only `describe` calls it. A type brings
//! data into the component, not code. [`model`](macro@crate::model) writes the trees; types that it cannot see through
//! have theirs written by hand:
//!
//! ```
//! use portcullis_sdk::schema::{Keyword, Model, Schema};
//!
//! struct Day(u16, u8, u8);
//!
//! impl Model for Day {
//!     const SCHEMA: &'static Schema =
//!         &Schema::string().with(&[Keyword::description("A day."), Keyword::format("date")]);
//! }
//! ```

mod check;
mod render;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use check::check;
pub(crate) use render::{Direction, render};

/// What has a JSON Schema. [`model`](macro@crate::model) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no JSON Schema",
    note = "put `#[model]` on it, or say at the field what its JSON looks like: `#[schema(with = OtherType)]`"
)]
pub trait Model {
    /// The shape of the type's values in JSON.
    const SCHEMA: &'static Schema;
}

/// How a schema names another one: by a function, [`Schema::of`], so that a type can contain itself.
pub type Get = fn() -> &'static Schema;

/// The shape of a JSON value, and what is said about it.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    name: &'static str,
    shape: Shape,
    keywords: &'static [Keyword],
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Any,
    /// `"type": …` and no more.
    Plain(&'static str),
    OneOf(&'static [&'static str]),
    Array(Get),
    Tuple(&'static [Field]),
    Map(Get),
    Object {
        fields: &'static [Field],
        strict: bool,
    },
    Nullable(Get),
    Same(Get),
    /// The same, as it was received, whichever way it goes.
    PassedOn(Get),
    Enum {
        tag: Tag,
        variants: &'static [Variant],
        strict: bool,
    },
}

/// How an enum's JSON says which variant it is: serde's four ways.
#[derive(Debug, Clone, Copy)]
pub enum Tag {
    /// `{"Name": content}`, or `"Name"` where there is no content.
    External,
    /// `{"tag": "Name", …content's fields}`.
    Internal(&'static str),
    /// `{"tag": "Name", "content": content}`.
    Adjacent(&'static str, &'static str),
    /// The content alone.
    Untagged,
}

impl Schema {
    /// The fields of an object that has no others, where that is known without asking another type.
    pub(crate) const fn own_fields(&self) -> Option<&'static [Field]> {
        let Shape::Object { fields, .. } = self.shape else { return None };
        let mut rest = fields;
        while let [field, others @ ..] = rest {
            if field.flat {
                return None;
            }
            rest = others;
        }
        Some(fields)
    }

    /// The schema of this type, to be named by another: `Schema::array(Schema::of::<Item>)`.
    #[must_use]
    pub fn of<T: Model + ?Sized>() -> &'static Self {
        T::SCHEMA
    }

    /// Any JSON value.
    #[must_use]
    pub const fn any() -> Self {
        Self::new(Shape::Any)
    }

    /// `null`.
    #[must_use]
    pub const fn null() -> Self {
        Self::new(Shape::Plain("null"))
    }

    /// `true` or `false`.
    #[must_use]
    pub const fn boolean() -> Self {
        Self::new(Shape::Plain("boolean"))
    }

    /// A number without a fraction.
    #[must_use]
    pub const fn integer() -> Self {
        Self::new(Shape::Plain("integer"))
    }

    /// A number.
    #[must_use]
    pub const fn number() -> Self {
        Self::new(Shape::Plain("number"))
    }

    /// A text.
    #[must_use]
    pub const fn string() -> Self {
        Self::new(Shape::Plain("string"))
    }

    /// One of these texts.
    #[must_use]
    pub const fn one_of(texts: &'static [&'static str]) -> Self {
        Self::new(Shape::OneOf(texts))
    }

    /// An array of such items.
    #[must_use]
    pub const fn array(items: Get) -> Self {
        Self::new(Shape::Array(items))
    }

    /// An array of exactly these items, in this order. Their names do not matter.
    #[must_use]
    pub const fn tuple(items: &'static [Field]) -> Self {
        Self::new(Shape::Tuple(items))
    }

    /// An object with any names and such values.
    #[must_use]
    pub const fn map(values: Get) -> Self {
        Self::new(Shape::Map(values))
    }

    /// An object with these fields, and others unless it is [`Schema::strict`].
    #[must_use]
    pub const fn object(fields: &'static [Field]) -> Self {
        Self::new(Shape::Object { fields, strict: false })
    }

    /// Such a value or null. A field of such a type may be missing from what is received.
    #[must_use]
    pub const fn nullable(inner: Get) -> Self {
        Self::new(Shape::Nullable(inner))
    }

    /// Such a value, about which more can be said.
    #[must_use]
    pub const fn same(inner: Get) -> Self {
        Self::new(Shape::Same(inner))
    }

    /// Such a value as it was received: what has a default may be missing from it, also where it is sent on.
    #[must_use]
    pub const fn passed_on(inner: Get) -> Self {
        Self::new(Shape::PassedOn(inner))
    }

    /// One of several shapes.
    #[must_use]
    pub const fn variants(tag: Tag, variants: &'static [Variant]) -> Self {
        Self::new(Shape::Enum { tag, variants, strict: false })
    }

    /// Refuses fields that are not named. Says nothing of what is no object and no enum.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        match &mut self.shape {
            Shape::Object { strict, .. } | Shape::Enum { strict, .. } => *strict = true,
            _ => {}
        }
        self
    }

    /// The type's name: the title of a whole schema, and what a type that contains itself is referred to by. Such a type
    /// must have one, and its schema is a `static` that the constant refers to: a constant may be in several places.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// What else is said about it; the last of two keywords of one name holds.
    #[must_use]
    pub const fn with(mut self, keywords: &'static [Keyword]) -> Self {
        self.keywords = keywords;
        self
    }

    const fn new(shape: Shape) -> Self {
        Self { name: "", shape, keywords: &[] }
    }
}

/// One thing that is said about a value: what it is for, what it may be, an example.
#[derive(Debug, Clone, Copy)]
pub struct Keyword(Said);

#[derive(Debug, Clone, Copy)]
enum Said {
    Text(&'static str, &'static str),
    Json(&'static str, &'static str),
    AtLeast(u32),
    AtMost(u32),
}

impl Keyword {
    /// `description`: what it is for, in words.
    #[must_use]
    pub const fn description(text: &'static str) -> Self {
        Self(Said::Text("description", text))
    }

    /// `format`, such as `date` or `email`.
    #[must_use]
    pub const fn format(name: &'static str) -> Self {
        Self(Said::Text("format", name))
    }

    /// `pattern`: a regular expression that the text matches.
    #[must_use]
    pub const fn pattern(pattern: &'static str) -> Self {
        Self(Said::Text("pattern", pattern))
    }

    /// At least so many characters of a text, items of an array or entries of an object.
    #[must_use]
    pub const fn at_least(length: u32) -> Self {
        Self(Said::AtLeast(length))
    }

    /// At most so many characters of a text, items of an array or entries of an object.
    #[must_use]
    pub const fn at_most(length: u32) -> Self {
        Self(Said::AtMost(length))
    }

    /// `x-sensitive`: data about a person, such as a patient's, which nobody should log.
    #[must_use]
    pub const fn sensitive() -> Self {
        Self(Said::Json("x-sensitive", "true"))
    }

    /// Any keyword: its name and its value as JSON, `Keyword::json("minimum", "1")`. What is no JSON is taken for a text.
    #[must_use]
    pub const fn json(name: &'static str, json: &'static str) -> Self {
        Self(Said::Json(name, json))
    }
}

/// A field of an object, or an item of a tuple.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    name: &'static str,
    schema: Get,
    keywords: &'static [Keyword],
    received: Presence,
    sent: Presence,
    flat: bool,
    default: Option<fn() -> Option<String>>,
}

/// Whether a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always; of what is received, unless it may be null.
    Required,
    /// Sometimes.
    Optional,
    /// Never.
    Absent,
}

impl Field {
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// A field that is always sent, and must be received unless it may be null.
    #[must_use]
    pub const fn required(name: &'static str, schema: Get) -> Self {
        let (received, sent) = (Presence::Required, Presence::Required);
        Self { name, schema, keywords: &[], received, sent, flat: false, default: None }
    }

    /// A field that may be missing from what is received and from what is sent.
    #[must_use]
    pub const fn optional(name: &'static str, schema: Get) -> Self {
        Self::required(name, schema).presence(Presence::Optional, Presence::Optional)
    }

    /// The fields of another type, among this one's.
    #[must_use]
    pub const fn flattened(schema: Get) -> Self {
        let mut field = Self::required("", schema);
        field.flat = true;
        field
    }

    /// Whether it is there in what is received, and in what is sent.
    #[must_use]
    pub const fn presence(mut self, received: Presence, sent: Presence) -> Self {
        self.received = received;
        self.sent = sent;
        self
    }

    /// What is said about it, beside what its type says. The last of two keywords of one name holds.
    #[must_use]
    pub const fn with(mut self, keywords: &'static [Keyword]) -> Self {
        self.keywords = keywords;
        self
    }

    /// What it is where it is missing, as JSON.
    #[must_use]
    pub const fn default(mut self, default: fn() -> Option<String>) -> Self {
        self.default = Some(default);
        self
    }
}

/// A variant of an enum.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    name: &'static str,
    content: Option<&'static Schema>,
    keywords: &'static [Keyword],
    received: bool,
    sent: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tagged,
    Untagged,
    Other,
}

impl Variant {
    /// A variant that is only its name.
    #[must_use]
    pub const fn unit(name: &'static str) -> Self {
        Self { name, content: None, keywords: &[], received: true, sent: true, kind: Kind::Tagged }
    }

    /// A variant with content.
    #[must_use]
    pub const fn holding(name: &'static str, content: &'static Schema) -> Self {
        let mut variant = Self::unit(name);
        variant.content = Some(content);
        variant
    }

    /// Its content alone, without its name.
    #[must_use]
    pub const fn untagged(mut self) -> Self {
        self.kind = Kind::Untagged;
        self
    }

    /// Stands for every name that no other variant has, where something is received.
    #[must_use]
    pub const fn other(mut self) -> Self {
        self.kind = Kind::Other;
        self
    }

    /// Whether it is ever received, and ever sent.
    #[must_use]
    pub const fn only(mut self, received: bool, sent: bool) -> Self {
        self.received = received;
        self.sent = sent;
        self
    }

    /// What is said about it.
    #[must_use]
    pub const fn with(mut self, keywords: &'static [Keyword]) -> Self {
        self.keywords = keywords;
        self
    }
}

/// This value as JSON, for the defaults that the macro writes down; none where it cannot be written.
#[doc(hidden)]
pub fn text(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}
