//! `#[operation(…)]`: leaves the function as it is and puts a type of the same name beside it, which `register!` lists.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{
    Error, Expr, FnArg, GenericArgument, Ident, ItemFn, PathArguments, Result, ReturnType, Token, Type,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

use crate::names;

const SHAPE: &str = "write `#[operation(read, uses(ROUTE))]`: an effect (`read`, `write` or `destructive`), then the \
                     routes it uses";
const SIGNATURE: &str = "an operation is a function of a context and one input: \
                         `fn name(cx: &Context<Config>, input: Input) -> Result<Output, Failure>`";

struct Arguments {
    effect: Ident,
    uses: Punctuated<Expr, Token![,]>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> Result<Self> {
        if input.is_empty() {
            return Err(input.error(SHAPE));
        }
        let effect: Ident = input.parse().map_err(|error| Error::new(error.span(), SHAPE))?;
        match effect.to_string().as_str() {
            "read" | "write" | "destructive" => {}
            "uses" => return Err(Error::new(effect.span(), format!("the effect is missing; {SHAPE}"))),
            other => {
                return Err(Error::new(
                    effect.span(),
                    format!(
                        "`{other}` is no effect; write `read` (changes nothing), `write` (can be changed back) or \
                         `destructive` (cannot be undone: deletes, pays, sends)"
                    ),
                ));
            }
        }
        if input.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                format!(
                    "what does it use? write `#[operation({effect}, uses(ROUTE))]`, or `uses()` if it sends nothing: \
                     during a call no other route is open"
                ),
            ));
        }
        input.parse::<Token![,]>()?;
        let word: Ident = input.parse().map_err(|error| Error::new(error.span(), SHAPE))?;
        if word != "uses" {
            return Err(Error::new(word.span(), format!("`{word}` is not known here; {SHAPE}")));
        }
        let list;
        syn::parenthesized!(list in input);
        let uses = list.parse_terminated(Expr::parse, Token![,])?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error(format!("nothing comes after `uses(…)`; {SHAPE}")));
        }
        Ok(Self { effect, uses })
    }
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Arguments { effect, uses } = syn::parse2(arguments)?;
    let function: ItemFn =
        syn::parse2(item).map_err(|error| Error::new(error.span(), format!("this is no function; {SIGNATURE}")))?;
    let signature = &function.sig;
    if let Some(asyncness) = signature.asyncness {
        return Err(Error::new_spanned(
            asyncness,
            "an operation is not async: `cx.send` waits, and `cx.send_all` sends several at once; remove `async`",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "an operation has no generic parameters: its schemas are those of concrete types",
        ));
    }

    let (context, input) = match signature.inputs.iter().collect::<Vec<_>>().as_slice() {
        [FnArg::Typed(context), FnArg::Typed(input)] => (&*context.ty, &*input.ty),
        [FnArg::Typed(_)] => {
            return Err(Error::new(
                signature.paren_token.span.join(),
                format!("{SIGNATURE}; where there is nothing to say, `Input` is `#[model] struct Nothing {{}}`"),
            ));
        }
        _ => return Err(Error::new(signature.paren_token.span.join(), SIGNATURE)),
    };
    let config = config_of(context)?;
    if let Type::Reference(reference) = input {
        let owned = &reference.elem;
        return Err(Error::new_spanned(
            input,
            format!("the input belongs to the operation; write `{}` without the `&`", quote!(#owned)),
        ));
    }
    let output = output_of(&signature.output, signature.span())?;

    let description = names::first_paragraph(&function.attrs);
    if description.is_empty() {
        return Err(Error::new_spanned(
            &signature.ident,
            "an operation needs a doc comment: `/// One sentence for the caller.` It becomes the description",
        ));
    }
    let ident = &signature.ident;
    let visibility = &function.vis;
    let name = names::camel_case(&ident.to_string());
    let effect = Ident::new(
        match effect.to_string().as_str() {
            "read" => "Read",
            "write" => "Write",
            _ => "Destructive",
        },
        effect.span(),
    );
    all_used(&function, &uses)?;
    let uses: Vec<&Expr> = uses.iter().collect();
    // Where the constant is written, so that what is wrong with it is told there.
    let checks = uses.iter().map(|used| quote_spanned!(used.span()=> const _: () = (#used).check();));

    Ok(quote! {
        #function

        #[doc = #description]
        #[allow(non_camel_case_types, clippy::empty_enum, clippy::empty_enums)]
        #visibility enum #ident {}

        #(#checks)*

        impl ::portcullis_sdk::Operation for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #description;
            const EFFECT: ::portcullis_sdk::Effect = ::portcullis_sdk::Effect::#effect;
            const USES: &'static [&'static dyn ::portcullis_sdk::Declare] = &[#(&#uses),*];
            type Adapter = #config;
            type Input = #input;
            type Output = #output;

            fn run(
                cx: &::portcullis_sdk::Context<#config>,
                input: #input,
            ) -> ::core::result::Result<#output, ::portcullis_sdk::Error> {
                #ident(cx, input).map_err(::core::convert::Into::into)
            }
        }
    })
}

/// Methods of a context whose first argument is a route.
const SENDS: [&str; 9] =
    ["send", "send_response", "exchange", "follow", "send_all", "send_in_batches", "collect", "pages", "collect_from"];

/// Refuses a constant that the function sends by and does not list: the host would refuse the request, and not before a call.
fn all_used(function: &ItemFn, uses: &Punctuated<Expr, Token![,]>) -> Result<()> {
    let last = |expr: &Expr| match expr {
        Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    let known: Vec<String> = uses.iter().filter_map(last).collect();
    // What is no plain name may be anything.
    if known.len() != uses.len() {
        return Ok(());
    }
    let mut sent = Vec::new();
    let block = &function.block;
    routes_in(quote!(#block), &mut sent);
    match sent.into_iter().find(|route| !known.contains(&route.to_string())) {
        None => Ok(()),
        Some(route) => Err(Error::new(
            route.span(),
            format!("`{route}` is not in `uses(…)`, and during a call no other route is open; write `uses({})`", {
                known.iter().cloned().chain([route.to_string()]).collect::<Vec<_>>().join(", ")
            }),
        )),
    }
}

/// The constants in `.send(&ROUTE, …)` and its like.
fn routes_in(tokens: TokenStream, sent: &mut Vec<Ident>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before = |back: usize| at.checked_sub(back).and_then(|index| tokens.get(index));
        let is_sent = matches!(before(1), Some(TokenTree::Ident(method)) if SENDS.contains(&method.to_string().as_str()))
            && matches!(before(2), Some(TokenTree::Punct(dot)) if dot.as_char() == '.');
        if is_sent && group.delimiter() == Delimiter::Parenthesis {
            sent.extend(constant(group.stream()));
        }
        routes_in(group.stream(), sent);
    }
}

/// `ROUTE` of `&ROUTE, …` and of `&module::ROUTE, …`: constants are told by their capitals.
fn constant(arguments: TokenStream) -> Option<Ident> {
    let mut tokens = arguments.into_iter();
    let Some(TokenTree::Punct(and)) = tokens.next() else { return None };
    let mut last = None;
    for token in tokens.take_while(|token| !matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')) {
        match token {
            TokenTree::Ident(ident) => last = Some(ident),
            TokenTree::Punct(colon) if colon.as_char() == ':' => {}
            _ => return None,
        }
    }
    let is_constant = |ident: &Ident| {
        let name = ident.to_string();
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    last.filter(|ident| and.as_char() == '&' && is_constant(ident))
}

/// `Config` of `&Context<Config>`.
fn config_of(context: &Type) -> Result<&Type> {
    let wrong = || Error::new_spanned(context, format!("this is no `&Context<Config>`; {SIGNATURE}"));
    let Type::Reference(reference) = context else { return Err(wrong()) };
    let Type::Path(path) = &*reference.elem else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Context").ok_or_else(wrong)?;
    first_type(&last.arguments).ok_or_else(wrong)
}

/// `Output` of `-> Result<Output, Failure>`.
fn output_of(output: &ReturnType, function: Span) -> Result<&Type> {
    const WRITE: &str = "an operation can fail; write `-> Result<Output, Failure>`";
    let ReturnType::Type(_, output) = output else { return Err(Error::new(function, WRITE)) };
    let wrong = || Error::new_spanned(output, WRITE);
    let Type::Path(path) = &**output else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Result").ok_or_else(wrong)?;
    first_type(&last.arguments).ok_or_else(wrong)
}

fn first_type(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(found) => Some(found),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_complete_operation_expands() {
        let tokens = expand(
            quote!(destructive, uses(SEND, KEY)),
            quote!(
                /// Sends.
                fn send_it(cx: &Context<Config>, input: Email) -> Result<Sent, Failure> {
                    todo()
                }
            ),
        )
        .unwrap()
        .to_string();
        for part in [
            "const _ : () = (SEND) . check ()",
            "\"sendIt\"",
            "\"Sends.\"",
            "Effect :: Destructive",
            "& SEND , & KEY",
            "type Output = Sent",
        ] {
            assert!(tokens.contains(part), "{part} is missing in {tokens}");
        }
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        let good = quote!(
            /// Good.
            fn good(cx: &Context<Config>, input: Email) -> Result<Sent, Failure> {}
        );
        let with = |function: TokenStream| refusal(quote!(read, uses()), function);

        let sends = refusal(
            quote!(read, uses(A)),
            quote!(
                /// Sends.
                fn f(cx: &Context<C>, input: I) -> Result<O, Failure> {
                    let first = cx.send(&A, &input)?;
                    if first.more { cx.collect(&lists::MORE_ITEMS, &input, &PAGING, 5) } else { Ok(first) }
                }
            ),
        );
        assert!(
            sends.contains("`MORE_ITEMS` is not in `uses(…)`") && sends.ends_with("write `uses(A, MORE_ITEMS)`"),
            "{sends}"
        );
        assert!(refusal(quote!(), good.clone()).contains("write `#[operation(read, uses(ROUTE))]`"));
        assert!(refusal(quote!(delete, uses()), good.clone()).contains("`delete` is no effect; write `read`"));
        assert!(refusal(quote!(uses(A)), good.clone()).contains("the effect is missing"));
        assert!(refusal(quote!(write), good.clone()).contains("write `#[operation(write, uses(ROUTE))]`, or `uses()`"));
        assert!(refusal(quote!(read, routes(A)), good.clone()).contains("`routes` is not known here"));
        assert!(refusal(quote!(read, uses(A), uses(B)), good).contains("nothing comes after"));
        assert!(
            with(quote!(
                struct No;
            ))
            .contains("this is no function")
        );
        assert!(
            with(quote!(
                fn f() {}
            ))
            .contains("a context and one input")
        );
        assert!(
            with(quote!(
                fn f(cx: &Context<C>) -> Result<A, B> {}
            ))
            .contains("struct Nothing")
        );
        assert!(
            with(quote!(
                fn f(cx: Context<C>, i: I) -> Result<A, B> {}
            ))
            .contains("this is no `&Context<Config>`")
        );
        assert!(
            with(quote!(
                fn f(cx: &Context<C>, i: &I) -> Result<A, B> {}
            ))
            .contains("write `I` without the `&`")
        );
        assert!(
            with(quote!(
                fn f(cx: &Context<C>, i: I) -> String {}
            ))
            .contains("write `-> Result")
        );
        assert!(
            with(quote!(
                async fn f(cx: &Context<C>, i: I) -> Result<A, B> {}
            ))
            .contains("remove `async`")
        );
        assert!(
            with(quote!(
                fn f(cx: &Context<C>, i: I) -> Result<A, B> {}
            ))
            .contains("needs a doc comment")
        );
    }
}
