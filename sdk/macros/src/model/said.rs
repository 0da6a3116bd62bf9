//! What an author says about a schema: doc comments and `#[schema(…)]`, as the SDK's keywords.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Error, Expr, ExprLit, GenericArgument, Ident, Lit, LitStr, Meta, PathArguments, Result, Token, Type,
    parenthesized,
    parse::{ParseStream, Parser},
};

use super::json;

const KNOWN: &str = "known are `range(min = 1, max = 5)`, `length(min = 1, max = 5)`, `pattern = \"…\"`, `format = \
                     \"date\"`, `email`, `url`, `example = 1`, `sensitive`, `description = \"…\"`, `with = Type` and \
                     `extend(\"key\" = 1)`";

/// What is said about one type, field or variant.
#[derive(Default)]
pub(crate) struct Said {
    /// Expressions of the SDK's `Keyword`, in the order in which they are said.
    pub(crate) keywords: Vec<TokenStream>,
    /// The type whose schema it has instead of its own.
    pub(crate) with: Option<Type>,
    /// `range` and `length`, where they are said.
    bounds: Vec<Ident>,
    examples: Vec<String>,
    extended: Vec<TokenStream>,
}

impl Said {
    /// Reads the doc comment and takes the `#[schema(…)]` attributes away.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Self> {
        let mut said = Self::default();
        let doc = documentation(attributes);
        if !doc.is_empty() {
            said.keywords.push(quote!(::portcullis_sdk::schema::Keyword::description(#doc)));
        }
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("schema")) {
            let list = attribute.meta.require_list()?;
            let items = |input: ParseStream| {
                while !input.is_empty() {
                    said.item(input)?;
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            };
            items.parse2(list.tokens.clone())?;
        }
        attributes.retain(|attribute| !attribute.path().is_ident("schema"));
        if !said.examples.is_empty() {
            let examples = format!("[{}]", said.examples.join(","));
            said.keywords.push(quote!(::portcullis_sdk::schema::Keyword::json("examples", #examples)));
        }
        said.keywords.append(&mut said.extended);
        Ok(said)
    }

    /// Refuses what cannot be of a field of this type, as far as its name says: whoever reads the schema would be told of a bound
    /// that bounds nothing.
    pub(crate) fn fits(&self, ty: &Type) -> Result<()> {
        if self.with.is_some() {
            return Ok(());
        }
        let Some(name) = named(ty) else { return Ok(()) };
        let instead = match name.to_string().as_str() {
            "HashMap" => Some("`HashMap` asks for random numbers, which adapters have not; write `BTreeMap`"),
            "HashSet" => Some("`HashSet` asks for random numbers, which adapters have not; write `BTreeSet`"),
            "SystemTime" | "Instant" => Some(
                "a moment has no JSON of its own, and adapters have no clock; write `String` with `#[schema(format = \"date-time\")]`",
            ),
            "Duration" => Some(
                "a duration has no JSON of its own; write a number, and say in its name what it counts: `timeout_ms: u64`",
            ),
            _ => None,
        };
        if let Some(instead) = instead {
            return Err(Error::new(name.span(), instead));
        }
        let is_text = ["String", "str", "char", "File"].iter().any(|text| name == text);
        let is_number =
            ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64", "Number"]
                .iter()
                .any(|number| name == number);
        for bound in &self.bounds {
            if bound == "range" && (is_text || name == "bool") {
                let message = format!(
                    "`range` bounds numbers, and this is a `{name}`; a text's length is `length(min = 1, max = 5)`"
                );
                return Err(Error::new(bound.span(), message));
            }
            if bound == "length" && (is_number || name == "bool") {
                let message = format!(
                    "`length` is of texts and lists, and this is a `{name}`; a number's bounds are `range(min = 1, max = 5)`"
                );
                return Err(Error::new(bound.span(), message));
            }
        }
        Ok(())
    }

    fn item(&mut self, input: ParseStream) -> Result<()> {
        let name: Ident = input.parse().map_err(|error| Error::new(error.span(), KNOWN))?;
        if name == "range" || name == "length" {
            self.bounds.push(name.clone());
        }
        match name.to_string().as_str() {
            "range" => self.bounds(input, |bound, input| {
                let keyword = if bound == "min" { "minimum" } else { "maximum" };
                let number = json::number(input)?;
                Ok(quote!(::portcullis_sdk::schema::Keyword::json(#keyword, #number)))
            })?,
            "length" => self.bounds(input, |bound, input| {
                let length: Expr = input.parse()?;
                Ok(if bound == "min" {
                    quote!(::portcullis_sdk::schema::Keyword::at_least(#length))
                } else {
                    quote!(::portcullis_sdk::schema::Keyword::at_most(#length))
                })
            })?,
            "pattern" => {
                let pattern = text(input)?;
                self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::pattern(#pattern)));
            }
            "format" => {
                let format = text(input)?;
                self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::format(#format)));
            }
            "description" => {
                let description = text(input)?;
                self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::description(#description)));
            }
            "email" => self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::format("email"))),
            "url" => self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::format("uri"))),
            "sensitive" => self.keywords.push(quote!(::portcullis_sdk::schema::Keyword::sensitive())),
            "example" => {
                input.parse::<Token![=]>()?;
                self.examples.push(json::parse(input)?);
            }
            "extend" => {
                let inside;
                parenthesized!(inside in input);
                while !inside.is_empty() {
                    let key: LitStr = inside.parse().map_err(|error| {
                        Error::new(error.span(), "a keyword's name is a text: `extend(\"key\" = 1)`")
                    })?;
                    inside.parse::<Token![=]>()?;
                    let value = json::parse(&inside)?;
                    self.extended.push(quote!(::portcullis_sdk::schema::Keyword::json(#key, #value)));
                    if !inside.is_empty() {
                        inside.parse::<Token![,]>()?;
                    }
                }
            }
            "with" => {
                input.parse::<Token![=]>()?;
                self.with = Some(input.parse()?);
            }
            other => return Err(Error::new(name.span(), format!("`{other}` is not known to `#[schema(…)]`; {KNOWN}"))),
        }
        Ok(())
    }

    fn bounds(
        &mut self,
        input: ParseStream,
        keyword: impl Fn(&Ident, ParseStream) -> Result<TokenStream>,
    ) -> Result<()> {
        let inside;
        parenthesized!(inside in input);
        while !inside.is_empty() {
            let bound: Ident = inside.parse()?;
            if bound != "min" && bound != "max" {
                return Err(Error::new(bound.span(), "the bounds are `min = …` and `max = …`"));
            }
            inside.parse::<Token![=]>()?;
            self.keywords.push(keyword(&bound, &inside)?);
            if !inside.is_empty() {
                inside.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

/// The name of a type, or of what is optional in it.
fn named(ty: &Type) -> Option<&Ident> {
    let Type::Path(path) = ty else {
        let Type::Reference(reference) = ty else { return None };
        return named(&reference.elem);
    };
    let last = path.path.segments.last()?;
    if last.ident == "Option" || last.ident == "Box" {
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        return arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(inner) => named(inner),
            _ => None,
        });
    }
    Some(&last.ident)
}

fn text(input: ParseStream) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// The doc comment, its lines as they are without the space that starts them.
fn documentation(attributes: &[Attribute]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(meta) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { continue };
        let text = text.value();
        lines.push(text.strip_prefix(' ').unwrap_or(&text).to_owned());
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use syn::{Field, parse_quote};

    use super::*;

    fn said(field: Field) -> Result<String> {
        let mut attributes = field.attrs;
        let said = Said::take(&mut attributes)?;
        assert!(attributes.iter().all(|attribute| attribute.path().is_ident("doc")));
        let keywords = said.keywords;
        Ok(quote!(#(#keywords)*).to_string().replace(' ', "").replace("::portcullis_sdk::schema::", ""))
    }

    #[test]
    fn everything_that_can_be_said_becomes_a_keyword() {
        for (field, keyword) in [
            (parse_quote!(#[doc = " One\n two."] a: A), "Keyword::description(\"One\\ntwo.\")"),
            (
                parse_quote!(#[schema(range(min = -1, max = 0.5))] a: A),
                r#"Keyword::json("minimum","-1")Keyword::json("maximum","0.5")"#,
            ),
            (parse_quote!(#[schema(length(min = 1, max = MAX))] a: A), "Keyword::at_least(1)Keyword::at_most(MAX)"),
            (parse_quote!(#[schema(pattern = "^a$")] a: A), r#"Keyword::pattern("^a$")"#),
            (parse_quote!(#[schema(format = "date")] a: A), r#"Keyword::format("date")"#),
            (parse_quote!(#[schema(email)] a: A), r#"Keyword::format("email")"#),
            (parse_quote!(#[schema(url)] a: A), r#"Keyword::format("uri")"#),
            (parse_quote!(#[schema(sensitive)] a: A), "Keyword::sensitive()"),
            (parse_quote!(#[schema(description = "x")] a: A), r#"Keyword::description("x")"#),
            (parse_quote!(#[schema(example = 1, example = [2])] a: A), r#"Keyword::json("examples","[1,[2]]")"#),
            (
                parse_quote!(#[schema(extend("a" = {}, "b" = 1))] a: A),
                r#"Keyword::json("a","{}")Keyword::json("b","1")"#,
            ),
        ] {
            assert_eq!(said(field).unwrap(), keyword);
        }
        let mut field: Field = parse_quote!(#[schema(with = BTreeMap<String, u8>)] a: A);
        assert!(Said::take(&mut field.attrs).unwrap().with.is_some());
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        let refusal = |field| said(field).unwrap_err().to_string();
        assert!(refusal(parse_quote!(#[schema(regex = "a")] a: A)).contains("`regex` is not known to `#[schema(…)]`"));
        assert!(refusal(parse_quote!(#[schema(range(least = 1))] a: A)).contains("the bounds are `min"));
        assert!(refusal(parse_quote!(#[schema(extend(a = 1))] a: A)).contains("a keyword's name is a text"));
        assert!(refusal(parse_quote!(#[schema(example = &1)] a: A)).contains("without the `&`"));
    }

    #[test]
    fn what_cannot_be_of_a_type_is_answered_with_what_to_write() {
        let refusal = |mut field: syn::Field| {
            let said = Said::take(&mut field.attrs).unwrap();
            said.fits(&field.ty).err().map(|error| error.to_string()).unwrap_or_default()
        };
        for (field, told) in [
            (
                parse_quote!(#[schema(range(min = 1))] a: Option<String>),
                "a text's length is `length(min = 1, max = 5)`",
            ),
            (parse_quote!(#[schema(length(max = 9))] a: u32), "a number's bounds are `range(min = 1, max = 5)`"),
            (parse_quote!(a: std::collections::HashMap<String, u8>), "write `BTreeMap`"),
            (parse_quote!(a: Option<SystemTime>), "adapters have no clock"),
            (parse_quote!(a: Duration), "timeout_ms"),
            (parse_quote!(#[schema(range(min = 1))] a: u32), ""),
            (parse_quote!(#[schema(range(min = 1))] a: Money), ""),
            (parse_quote!(#[schema(length(min = 1))] a: Vec<u8>), ""),
            (parse_quote!(#[schema(with = String)] a: SystemTime), ""),
        ] {
            let refusal = refusal(field);
            assert!(refusal.contains(told) && refusal.is_empty() == told.is_empty(), "{told}: {refusal}");
        }
    }
}
