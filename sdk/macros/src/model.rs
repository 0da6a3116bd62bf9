//! `#[model]`: three derives with the crate paths they need, and `Option` fields that are left out when they are none.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Field, Fields, Item, Result, Type, parse_quote};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "`#[model]` takes no arguments; write them below it, as `#[serde(…)]` or `#[schemars(…)]`",
        ));
    }
    match syn::parse2(item)? {
        Item::Struct(mut item) => {
            leave_out_none(&mut item.fields);
            Ok(derived(&item))
        }
        Item::Enum(mut item) => {
            item.variants.iter_mut().for_each(|variant| leave_out_none(&mut variant.fields));
            Ok(derived(&item))
        }
        other => Err(Error::new_spanned(other, "`#[model]` goes on a struct or an enum: the shape of a JSON value")),
    }
}

fn derived(item: &impl ToTokens) -> TokenStream {
    quote! {
        #[derive(
            ::portcullis_sdk::serde::Serialize,
            ::portcullis_sdk::serde::Deserialize,
            ::portcullis_sdk::schemars::JsonSchema,
        )]
        #[serde(crate = "::portcullis_sdk::serde")]
        #[schemars(crate = "::portcullis_sdk::schemars")]
        #item
    }
}

/// Providers tell "not given" from "null"; a field that is `None` was not given. Fields that say how they are written
/// are left alone.
fn leave_out_none(fields: &mut Fields) {
    let Fields::Named(fields) = fields else { return };
    for field in &mut fields.named {
        if is_option(&field.ty) && !says_how_it_is_written(field) {
            field.attrs.push(parse_quote!(#[serde(skip_serializing_if = "::core::option::Option::is_none")]));
        }
    }
}

fn is_option(kind: &Type) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}

fn says_how_it_is_written(field: &Field) -> bool {
    field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")).any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        ["skip", "with", "flatten"].iter().any(|word| text.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_left_out_when_they_are_none_unless_they_say_otherwise() {
        let count = |item: TokenStream| {
            expand(TokenStream::new(), item).unwrap().to_string().matches("skip_serializing_if").count()
        };
        assert_eq!(
            count(quote!(
                struct S {
                    a: Option<u8>,
                    b: u8,
                    c: std::option::Option<u8>,
                }
            )),
            2
        );
        assert_eq!(
            count(quote!(
                struct S {
                    #[serde(skip_serializing_if = "mine")]
                    a: Option<u8>,
                }
            )),
            1
        );
        assert_eq!(
            count(quote!(
                struct S {
                    #[serde(flatten)]
                    a: Option<T>,
                }
            )),
            0
        );
        assert_eq!(
            count(quote!(
                enum E {
                    A { a: Option<u8> },
                    B(Option<u8>),
                }
            )),
            1
        );
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        assert!(
            expand(
                quote!(strict),
                quote!(
                    struct S;
                )
            )
            .unwrap_err()
            .to_string()
            .contains("write them below it")
        );
        assert!(
            expand(
                quote!(),
                quote!(
                    fn f() {}
                )
            )
            .unwrap_err()
            .to_string()
            .contains("a struct or an enum")
        );
    }
}
