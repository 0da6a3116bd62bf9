//! `register!`: the adapter's trait on its config type, and the exports of the component.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Error, Expr, Ident, Path, Result, Token, Type,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

const SHAPE: &str = "write `register!(config: Config, base: |config| &config.base_url, operations: [send_email])`";

#[derive(Default)]
struct Registration {
    config: Option<Type>,
    base: Option<Expr>,
    operations: Option<Punctuated<Path, Token![,]>>,
    describe: Option<Expr>,
    run: Option<Expr>,
    headers: Option<Expr>,
    oauth: Option<Expr>,
    check: Option<Expr>,
    success: Option<Expr>,
    error: Option<Expr>,
    name: Option<Expr>,
    version: Option<Expr>,
    description: Option<Expr>,
}

impl Parse for Registration {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut all = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse().map_err(|error| Error::new(error.span(), SHAPE))?;
            input.parse::<Token![:]>().map_err(|error| Error::new(error.span(), SHAPE))?;
            let fresh = match key.to_string().as_str() {
                "config" => all.config.replace(input.parse()?).is_none(),
                "base" => all.base.replace(input.parse()?).is_none(),
                "describe" => all.describe.replace(input.parse()?).is_none(),
                "run" => all.run.replace(input.parse()?).is_none(),
                "headers" => all.headers.replace(input.parse()?).is_none(),
                "oauth" => all.oauth.replace(input.parse()?).is_none(),
                "check" => all.check.replace(input.parse()?).is_none(),
                "success" => all.success.replace(input.parse()?).is_none(),
                "error" => all.error.replace(input.parse()?).is_none(),
                "name" => all.name.replace(input.parse()?).is_none(),
                "version" => all.version.replace(input.parse()?).is_none(),
                "description" => all.description.replace(input.parse()?).is_none(),
                "operations" => {
                    let list;
                    syn::bracketed!(list in input);
                    all.operations.replace(list.parse_terminated(Path::parse, Token![,])?).is_none()
                }
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!(
                            "`{other}` is not known here; the keys are `config`, `base`, `operations` (or `describe` and \
                             `run`), `headers`, `oauth`, `check`, `success`, `error`, `name`, `version` and `description`"
                        ),
                    ));
                }
            };
            if !fresh {
                return Err(Error::new(key.span(), format!("`{key}` is said twice; keep one")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(all)
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let registration: Registration = syn::parse2(input)?;
    let missing = |key: &str| Error::new(Span::call_site(), format!("`{key}` is missing; {SHAPE}"));
    let config = registration.config.ok_or_else(|| missing("config"))?;
    let base = base_of(registration.base.ok_or_else(|| missing("base"))?)?;
    let (describe, run) = match (registration.operations, registration.describe, registration.run) {
        (Some(operations), None, None) if !operations.is_empty() => {
            let operations = operations.iter();
            let entries = quote!(&[#(::portcullis_sdk::Entry::of::<#operations>()),*]);
            (
                quote!(::core::result::Result::Ok(::portcullis_sdk::describe_entries(#entries, declared))),
                quote!(::portcullis_sdk::run_entry(#entries, cx, operation, input)),
            )
        }
        (None, Some(describe), Some(run)) => {
            (quote!((#describe)(self, declared)), quote!((#run)(cx, operation, input)))
        }
        (Some(operations), None, None) if operations.is_empty() => {
            return Err(Error::new(
                Span::call_site(),
                "an adapter without operations can do nothing; list them: `operations: [send_email]`",
            ));
        }
        (None, None, None) => return Err(missing("operations")),
        _ => {
            return Err(Error::new(
                Span::call_site(),
                "operations are a list, or made from the config: write `operations: […]`, or `describe: f, run: g`",
            ));
        }
    };
    let name = registration.name.map_or_else(|| quote!(env!("CARGO_PKG_NAME")), |given| quote!(#given));
    let version = registration.version.map_or_else(|| quote!(env!("CARGO_PKG_VERSION")), |given| quote!(#given));
    let description =
        registration.description.map_or_else(|| quote!(env!("CARGO_PKG_DESCRIPTION")), |given| quote!(#given));
    let error = registration.error.map(|map| {
        quote! {
            fn error(response: &::portcullis_sdk::Response) -> ::portcullis_sdk::Failure {
                (#map)(response)
            }
        }
    });
    let success = registration.success.map(|is| {
        quote! {
            fn success(response: &::portcullis_sdk::Response) -> bool {
                (#is)(response)
            }
        }
    });
    let check = registration.check.map(|check| {
        quote! {
            fn check(&self) -> ::core::result::Result<(), ::portcullis_sdk::Error> {
                (#check)(self)
            }
        }
    });
    let headers = registration.headers.map(|headers| {
        quote! {
            fn headers(&self) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
                let headers: fn(&Self) -> _ = #headers;
                headers(self)
            }
        }
    });
    let oauth = registration.oauth.map(|oauth| {
        quote! {
            fn oauth(&self, slot: &str, server: &mut ::portcullis_sdk::DeclaredOAuth) {
                let oauth: fn(&Self, &str, &mut ::portcullis_sdk::DeclaredOAuth) = #oauth;
                oauth(self, slot, server)
            }
        }
    });

    Ok(quote! {
        impl ::portcullis_sdk::Adapter for #config {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const DESCRIPTION: &'static str = #description;
            fn base_url(&self) -> ::std::borrow::Cow<'_, str> {
                #base
            }

            fn describe(
                &self,
                declared: &mut ::portcullis_sdk::Declared,
            ) -> ::core::result::Result<::std::vec::Vec<::portcullis_sdk::DescribedOperation>, ::portcullis_sdk::Error> {
                #describe
            }

            fn run(
                cx: &::portcullis_sdk::Context<Self>,
                operation: &str,
                input: &str,
            ) -> ::core::result::Result<::std::string::String, ::portcullis_sdk::Error> {
                #run
            }

            #headers
            #oauth
            #check
            #success
            #error
        }

        const _: () = ::portcullis_sdk::check::<#config>();

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::portcullis_sdk::bindings::exports::portcullis::adapter::operations::{Call, Error, Guest};
            use ::portcullis_sdk::bindings::portcullis::adapter::descriptor::Descriptor;

            struct Component;

            impl Guest for Component {
                fn config_schema() -> ::std::string::String {
                    ::portcullis_sdk::export::config_schema::<#config>()
                }

                fn describe(config: ::std::string::String) -> ::core::result::Result<Descriptor, Error> {
                    ::portcullis_sdk::export::describe::<#config>(&config)
                }

                fn invoke(call: Call) -> ::core::result::Result<::std::string::String, Error> {
                    ::portcullis_sdk::export::invoke::<#config>(call)
                }
            }

            ::portcullis_sdk::bindings::export!(Component with_types_in ::portcullis_sdk::bindings);
        };
    })
}

/// The body of `base_url`: a closure of one argument is opened, so that what it borrows is borrowed from `self`.
fn base_of(base: Expr) -> Result<TokenStream> {
    Ok(match base {
        Expr::Closure(closure) => {
            let mut inputs = closure.inputs.iter();
            let (Some(config), None) = (inputs.next(), inputs.next()) else {
                return Err(Error::new(
                    closure.span(),
                    "`base` is a function of the config; write `base: |config| &config.base_url`",
                ));
            };
            let body = &closure.body;
            quote! { let #config = self; ::core::convert::Into::into(#body) }
        }
        Expr::Path(path) => quote! { ::core::convert::Into::into(#path(self)) },
        other => quote! { ::core::convert::Into::into(#other) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: TokenStream) -> String {
        expand(input).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_complete_registration_expands() {
        let tokens = expand(quote!(config: Config, base: |c| &c.base_url, operations: [send_email, mail::list,]));
        let tokens = tokens.unwrap().to_string();
        for part in ["let c = self", "CARGO_PKG_DESCRIPTION", "Entry :: of :: < mail :: list >"] {
            assert!(tokens.contains(part), "{part} is missing in {tokens}");
        }
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        assert!(refusal(quote!()).contains("`config` is missing; write `register!("));
        assert!(refusal(quote!(config: C, operations: [a])).contains("`base` is missing"));
        assert!(refusal(quote!(config: C, base: "x", operations: [])).contains("list them"));
        assert!(refusal(quote!(config: C, routes: [a])).contains("`routes` is not known here"));
        assert!(refusal(quote!(config: C, config: D)).contains("said twice"));
        assert!(refusal(quote!(config: C, base: || "x", operations: [a])).contains("a function of the config"));
        assert!(refusal(quote!("postmark")).contains("write `register!("));
    }
}
