//! What `#[serde(…)]` attributes mean for the JSON, as far as a schema has to follow.

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Error, Expr, LitStr, Path, Result, Token, meta::ParseNestedMeta, parenthesized, token::Paren};

use super::case::Case;

/// Something that may differ between what is received and what is sent.
pub(crate) struct Both<T> {
    pub(crate) received: Option<T>,
    pub(crate) sent: Option<T>,
}

impl<T> Default for Both<T> {
    fn default() -> Self {
        Self { received: None, sent: None }
    }
}

/// Where a default comes from.
pub(crate) enum Origin {
    Trait,
    Function(Path),
}

/// The attributes of a type, a field or a variant; serde itself says which of them may stand where.
#[derive(Default)]
pub(crate) struct Serde {
    pub(crate) rename: Both<String>,
    pub(crate) rename_all: Both<Case>,
    pub(crate) rename_all_fields: Both<Case>,
    pub(crate) default: Option<Origin>,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) transparent: bool,
    pub(crate) flatten: bool,
    pub(crate) never_received: bool,
    pub(crate) never_sent: bool,
    pub(crate) not_sent_if: Option<Path>,
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) untagged: bool,
    pub(crate) other: bool,
    /// What changes the JSON in a way that nobody can see from here, such as `with`.
    pub(crate) opaque: Option<(String, Span)>,
}

impl Serde {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut serde = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| serde.read(&meta))?;
        }
        Ok(serde)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename" => self.rename = both(meta, |text| Ok(text.value()))?,
            "rename_all" => self.rename_all = both(meta, case)?,
            "rename_all_fields" => self.rename_all_fields = both(meta, case)?,
            "default" if meta.input.peek(Token![=]) => {
                self.default = Some(Origin::Function(text(meta)?.parse()?));
            }
            "default" => self.default = Some(Origin::Trait),
            "deny_unknown_fields" => self.deny_unknown_fields = true,
            "transparent" => self.transparent = true,
            "flatten" => self.flatten = true,
            "skip" => (self.never_received, self.never_sent) = (true, true),
            "skip_deserializing" => self.never_received = true,
            "skip_serializing" => self.never_sent = true,
            "skip_serializing_if" => self.not_sent_if = Some(text(meta)?.parse()?),
            "tag" => self.tag = Some(text(meta)?.value()),
            "content" => self.content = Some(text(meta)?.value()),
            "untagged" => self.untagged = true,
            "other" => self.other = true,
            // These change what Rust does, or what else is read, and not what is described.
            "alias" | "borrow" | "bound" | "crate" | "expecting" => rest(meta)?,
            _ => {
                rest(meta)?;
                self.opaque
                    .get_or_insert((name, meta.path.segments.first().map_or_else(Span::call_site, |s| s.ident.span())));
            }
        }
        Ok(())
    }

    /// An error where the schema could not follow, unless the author says what the JSON looks like.
    pub(crate) fn followed(&self, said: bool) -> Result<()> {
        match &self.opaque {
            Some((name, span)) if !said => Err(Error::new(
                *span,
                format!(
                    "`{name}` changes the JSON in a way that the schema cannot follow; say which type it looks like: \
                     `#[schema(with = String)]`"
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    meta.value()?.parse()
}

fn case(text: &LitStr) -> Result<Case> {
    Case::named(&text.value()).ok_or_else(|| {
        Error::new(
            text.span(),
            "serde knows no such case; write `camelCase`, `snake_case`, `kebab-case`, `PascalCase`, …",
        )
    })
}

/// `= "x"`, or `(serialize = "x", deserialize = "y")`.
fn both<T: Clone>(meta: &ParseNestedMeta<'_>, read: impl Fn(&LitStr) -> Result<T>) -> Result<Both<T>> {
    if meta.input.peek(Token![=]) {
        let value = read(&text(meta)?)?;
        return Ok(Both { received: Some(value.clone()), sent: Some(value) });
    }
    let mut both = Both::default();
    meta.parse_nested_meta(|meta| {
        let value = Some(read(&text(&meta)?)?);
        if meta.path.is_ident("serialize") {
            both.sent = value
        } else {
            both.received = value
        }
        Ok(())
    })?;
    Ok(both)
}

/// Reads over a value that does not matter.
fn rest(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(Paren) {
        let inside;
        parenthesized!(inside in meta.input);
        inside.parse::<TokenStream>()?;
    }
    Ok(())
}
