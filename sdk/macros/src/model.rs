//! `#[model]`: serde's derives with the crate paths they need, `Option` fields that are left out when they are none, and
//! the type's schema, written down as constants.

mod case;
mod json;
mod said;
mod serde;
mod shape;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Field, Fields, Item, Result, Type, parse_quote};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "`#[model]` takes no arguments; write them below it, as `#[serde(…)]` or `#[schema(…)]`",
        ));
    }
    match syn::parse2(item)? {
        Item::Struct(mut item) => {
            leave_out_none(&mut item.fields);
            let schema = shape::of_struct(&mut item)?;
            Ok(derived(&item, &schema))
        }
        Item::Enum(mut item) => {
            item.variants.iter_mut().for_each(|variant| leave_out_none(&mut variant.fields));
            let schema = shape::of_enum(&mut item)?;
            Ok(derived(&item, &schema))
        }
        other => Err(Error::new_spanned(other, "`#[model]` goes on a struct or an enum: the shape of a JSON value")),
    }
}

fn derived(item: &impl ToTokens, schema: &TokenStream) -> TokenStream {
    quote! {
        #[derive(::portcullis_sdk::serde::Serialize, ::portcullis_sdk::serde::Deserialize)]
        #[serde(crate = "::portcullis_sdk::serde")]
        #item
        #schema
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
    fn what_the_schema_cannot_follow_is_refused_unless_it_is_said_what_it_looks_like() {
        let refusal = |item: TokenStream| expand(quote!(), item).unwrap_err().to_string();
        let fields = [
            quote!(
                struct S {
                    #[serde(with = "hex")]
                    a: A,
                }
            ),
            quote!(
                struct S {
                    #[serde(serialize_with = "hex")]
                    a: A,
                }
            ),
            quote!(
                enum E {
                    V {
                        #[serde(deserialize_with = "hex")]
                        a: A,
                    },
                }
            ),
            quote!(
                #[serde(try_from = "String")]
                struct S {
                    a: A,
                }
            ),
            quote!(
                #[serde(into = "String")]
                enum E {
                    A,
                }
            ),
            quote!(
                enum E {
                    #[serde(with = "hex")]
                    A(A),
                }
            ),
        ];
        for item in fields {
            let told = refusal(item);
            assert!(told.contains("the schema cannot follow") && told.contains("#[schema(with = String)]"), "{told}");
        }
        for item in [
            quote!(
                struct S {
                    #[serde(with = "hex")]
                    #[schema(with = String)]
                    a: A,
                }
            ),
            quote!(
                #[serde(try_from = "String")]
                #[schema(with = String)]
                struct S {
                    a: A,
                }
            ),
            quote!(
                struct S {
                    #[serde(alias = "b", borrow, bound(serialize = "A: B"))]
                    a: A,
                }
            ),
        ] {
            assert!(expand(quote!(), item).is_ok());
        }
    }

    #[test]
    fn nothing_of_the_schema_attributes_is_left() {
        let tokens = expand(
            quote!(),
            quote!(
                #[schema(sensitive)]
                enum E {
                    #[schema(sensitive)]
                    A(#[schema(sensitive)] A, #[schema(sensitive)] A),
                    #[serde(skip)]
                    B {
                        #[schema(sensitive)]
                        b: B,
                    },
                    C(
                        #[serde(skip)]
                        #[schema(sensitive)]
                        A,
                    ),
                }
            ),
        );
        assert!(!tokens.unwrap().to_string().contains("# [schema"));
    }

    #[test]
    fn shapes_that_json_has_not_are_refused() {
        let refusal = |item: TokenStream| expand(quote!(), item).unwrap_err().to_string();
        assert!(
            refusal(quote!(
                #[serde(tag = "t")]
                struct S {
                    a: A,
                }
            ))
            .contains("make it an enum of one variant")
        );
        assert!(
            refusal(quote!(
                #[serde(deny_unknown_fields)]
                struct S {
                    #[serde(flatten)]
                    a: A,
                }
            ))
            .contains("leave out")
        );
        assert!(
            refusal(quote!(
                struct S(A, #[serde(skip_serializing)] B);
            ))
            .contains("needs a name")
        );
        assert!(
            refusal(quote!(
                enum E {}
            ))
            .contains("has no values")
        );
        assert!(
            refusal(quote!(
                #[serde(rename_all = "Title Case")]
                struct S {}
            ))
            .contains("knows no such case")
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
