//! What an author says about a schema: doc comments and `#[schema(…)]`, as the SDK's keywords.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Result, Token, Type, parenthesized,
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

    fn item(&mut self, input: ParseStream) -> Result<()> {
        let name: Ident = input.parse().map_err(|error| Error::new(error.span(), KNOWN))?;
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
}
