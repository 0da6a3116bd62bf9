//! From a type to its schema: an implementation of the SDK's `Model`, written with the constructors that authors have.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{
    Error, Field, Fields, Generics, Index, ItemEnum, ItemStruct, Member, Path, Result, Type, Variant, ext::IdentExt,
    parse_quote,
};

use super::{
    case::Case,
    said::Said,
    serde::{Both, Origin, Serde},
};

/// What the fields of a type or variant share.
struct Around<'a> {
    rename_all: &'a Both<Case>,
    /// The type's default, which its fields' come from.
    default: Option<&'a Origin>,
    strict: bool,
    /// Of a generic type it is not known whether a default can be written as JSON.
    generic: bool,
}

/// A schema's expression, and the keywords that go with it.
type Written = (TokenStream, Vec<TokenStream>);

pub(crate) fn of_struct(item: &mut ItemStruct) -> Result<TokenStream> {
    let serde = Serde::of(&item.attrs)?;
    let said = Said::take(&mut item.attrs)?;
    serde.followed(said.with.is_some())?;
    if serde.tag.is_some() {
        let message = "a struct's tag is not looked at when it is read; make it an enum of one variant, or add a field";
        return Err(Error::new_spanned(&item.ident, message));
    }
    let around = Around {
        rename_all: &serde.rename_all,
        default: serde.default.as_ref(),
        strict: serde.deny_unknown_fields,
        generic: is_generic(&item.generics),
    };
    let (own, mut keywords) = content(&mut item.fields, &around, serde.transparent)?;
    keywords.extend(said.keywords);
    let schema = said.with.as_ref().map_or(own, same);
    Ok(implementation(&item.ident, &item.generics, &schema, &keywords))
}

pub(crate) fn of_enum(item: &mut ItemEnum) -> Result<TokenStream> {
    let serde = Serde::of(&item.attrs)?;
    let said = Said::take(&mut item.attrs)?;
    serde.followed(said.with.is_some())?;
    if item.variants.is_empty() {
        return Err(Error::new_spanned(&item.ident, "an enum without variants has no values; write `()` for nothing"));
    }
    let generic = is_generic(&item.generics);
    let mut variants = Vec::new();
    for one in &mut item.variants {
        variants.extend(variant(one, &serde, generic)?);
    }
    let own = match plain_names(&variants) {
        Some(names) if serde.tag.is_none() && !serde.untagged => {
            quote!(::portcullis_sdk::schema::Schema::one_of(&[#(#names),*]))
        }
        _ => {
            let tag = match (&serde.tag, &serde.content) {
                _ if serde.untagged => quote!(Untagged),
                (Some(tag), Some(content)) => quote!(Adjacent(#tag, #content)),
                (Some(tag), None) => quote!(Internal(#tag)),
                (None, _) => quote!(External),
            };
            let variants = variants.iter().map(|variant| &variant.tokens);
            let strict = strict(serde.deny_unknown_fields);
            quote! {
                ::portcullis_sdk::schema::Schema::variants(
                    ::portcullis_sdk::schema::Tag::#tag,
                    &[#(#variants),*],
                ) #strict
            }
        }
    };
    let schema = said.with.as_ref().map_or(own, same);
    Ok(implementation(&item.ident, &item.generics, &schema, &said.keywords))
}

fn implementation(ident: &Ident, generics: &Generics, schema: &TokenStream, keywords: &[TokenStream]) -> TokenStream {
    let name = ident.unraw().to_string();
    let mut bounded = generics.clone();
    for parameter in bounded.type_params_mut() {
        parameter.bounds.push(parse_quote!(::portcullis_sdk::schema::Model));
    }
    let (parameters, _, conditions) = bounded.split_for_impl();
    let (_, arguments, _) = generics.split_for_impl();
    let said = with(keywords);
    let schema = quote!(#schema.named(#name) #said);
    // A type that contains itself is found again by its schema's address, which only a static has; there are no generic
    // statics, and no `Self` in any.
    let constant = if generics.params.is_empty() {
        let schema = without_self(schema, ident);
        quote!({
            static SCHEMA: ::portcullis_sdk::schema::Schema = #schema;
            &SCHEMA
        })
    } else {
        quote!(&#schema)
    };
    quote! {
        #[automatically_derived]
        impl #parameters ::portcullis_sdk::schema::Model for #ident #arguments #conditions {
            const SCHEMA: &'static ::portcullis_sdk::schema::Schema = #constant;
        }
    }
}

fn without_self(tokens: TokenStream, ident: &Ident) -> TokenStream {
    let plain = |token| match token {
        TokenTree::Ident(found) if found == "Self" => TokenTree::Ident(Ident::new(&ident.to_string(), found.span())),
        TokenTree::Group(group) => {
            let mut inside = Group::new(group.delimiter(), without_self(group.stream(), ident));
            inside.set_span(group.span());
            TokenTree::Group(inside)
        }
        other => other,
    };
    tokens.into_iter().map(plain).collect()
}

/// The schema of a struct's or a variant's fields.
fn content(fields: &mut Fields, around: &Around<'_>, transparent: bool) -> Result<Written> {
    let mut written = Vec::new();
    let mut only = None;
    let (named, single) = (matches!(fields, Fields::Named(_)), fields.len() == 1);
    for (index, field) in fields.iter_mut().enumerate() {
        let serde = Serde::of(&field.attrs)?;
        let said = Said::take(&mut field.attrs)?;
        if serde.never_received && serde.never_sent {
            continue;
        }
        serde.followed(said.with.is_some())?;
        said.fits(&field.ty)?;
        if transparent || (!named && single) {
            let kind = said.with.as_ref().unwrap_or(&field.ty);
            only.get_or_insert((same(kind), said.keywords));
            continue;
        }
        if !named {
            if serde.never_received || serde.never_sent {
                let message = "what is there in one direction only needs a name; make it a struct with named fields";
                return Err(Error::new_spanned(field, message));
            }
            let (schema, said) = (of(said.with.as_ref().unwrap_or(&field.ty)), with(&said.keywords));
            written.push(quote!(::portcullis_sdk::schema::Field::required("", #schema) #said));
            continue;
        }
        written.extend(named_field(field, index, &serde, &said, around)?);
    }
    if let Some(only) = only {
        return Ok(only);
    }
    let strict = strict(around.strict);
    let schema = match fields {
        Fields::Named(_) => quote!(::portcullis_sdk::schema::Schema::object(&[#(#written),*]) #strict),
        Fields::Unnamed(_) => quote!(::portcullis_sdk::schema::Schema::tuple(&[#(#written),*])),
        Fields::Unit => quote!(::portcullis_sdk::schema::Schema::null()),
    };
    Ok((schema, Vec::new()))
}

/// A field of an object: one expression, or two where it has a name for each direction.
fn named_field(
    field: &Field,
    index: usize,
    serde: &Serde,
    said: &Said,
    around: &Around<'_>,
) -> Result<Vec<TokenStream>> {
    let schema = of(said.with.as_ref().unwrap_or(&field.ty));
    let received = match (serde.never_received, serde.default.is_some() || around.default.is_some()) {
        (true, _) => quote!(Absent),
        (false, true) => quote!(Optional),
        (false, false) => quote!(Required),
    };
    let sent = match (serde.never_sent, serde.not_sent_if.is_some()) {
        (true, _) => quote!(Absent),
        (false, true) => quote!(Optional),
        (false, false) => quote!(Required),
    };
    let presence = |received: &TokenStream, sent: &TokenStream| {
        if received.to_string() == "Required" && sent.to_string() == "Required" {
            return TokenStream::new();
        }
        quote! {
            .presence(::portcullis_sdk::schema::Presence::#received, ::portcullis_sdk::schema::Presence::#sent)
        }
    };
    if serde.flatten {
        if around.strict {
            let message = "serde cannot refuse unknown fields beside flattened ones; leave out `deny_unknown_fields` or \
                           `flatten`";
            return Err(Error::new_spanned(field, message));
        }
        let presence = presence(&received, &sent);
        return Ok(vec![quote!(::portcullis_sdk::schema::Field::flattened(#schema) #presence)]);
    }
    let mut rest = with(&said.keywords);
    rest.extend(default(field, index, serde, around));
    let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
    let (in_name, out_name) = names(&serde.rename, around.rename_all, &ident, Case::field);
    let one = |name: &str, received: &TokenStream, sent: &TokenStream| {
        let presence = presence(received, sent);
        quote!(::portcullis_sdk::schema::Field::required(#name, #schema) #presence #rest)
    };
    if in_name == out_name {
        return Ok(vec![one(&in_name, &received, &sent)]);
    }
    Ok(vec![one(&in_name, &received, &quote!(Absent)), one(&out_name, &quote!(Absent), &sent)])
}

/// `.default(…)`, where there is one that can be written as JSON.
fn default(field: &Field, index: usize, serde: &Serde, around: &Around<'_>) -> TokenStream {
    if serde.never_sent || around.generic || serde.opaque.is_some() {
        return TokenStream::new();
    }
    let kind = &field.ty;
    let member = field.ident.clone().map_or_else(|| Member::Unnamed(Index::from(index)), Member::Named);
    let value = match (&serde.default, around.default) {
        (Some(Origin::Trait), _) => quote!(<#kind as ::core::default::Default>::default()),
        (Some(Origin::Function(path)), _) => quote!(#path()),
        (None, Some(Origin::Trait)) => quote!(<Self as ::core::default::Default>::default().#member),
        (None, Some(Origin::Function(path))) => quote!(#path().#member),
        (None, None) => return TokenStream::new(),
    };
    let text = quote!(::portcullis_sdk::schema::text(value));
    let text = serde
        .not_sent_if
        .as_ref()
        .map_or(text.clone(), |skip: &Path| quote!(if #skip(value) { ::core::option::Option::None } else { #text }));
    quote! {
        .default(|| {
            let value: &#kind = &#value;
            #text
        })
    }
}

struct VariantTokens {
    tokens: TokenStream,
    /// The name, where it is no more than that.
    plain: Option<String>,
}

fn variant(variant: &mut Variant, serde: &Serde, generic: bool) -> Result<Vec<VariantTokens>> {
    let own = Serde::of(&variant.attrs)?;
    let said = Said::take(&mut variant.attrs)?;
    if own.never_received && own.never_sent {
        // Its fields are in no JSON, and what is said about them must not stay.
        variant.fields.iter_mut().try_for_each(|field| Said::take(&mut field.attrs).map(drop))?;
        return Ok(Vec::new());
    }
    own.followed(said.with.is_some())?;
    let rename_all = Both {
        received: own.rename_all.received.or(serde.rename_all_fields.received),
        sent: own.rename_all.sent.or(serde.rename_all_fields.sent),
    };
    let around = Around { rename_all: &rename_all, default: None, strict: serde.deny_unknown_fields, generic };
    let (schema, keywords) = content(&mut variant.fields, &around, false)?;
    let schema = match (&said.with, &variant.fields) {
        (Some(with), _) => Some(same(with)),
        (None, Fields::Unit) => None,
        (None, _) => {
            let said = with(&keywords);
            Some(quote!(#schema #said))
        }
    };
    let ident = variant.ident.unraw().to_string();
    let (in_name, out_name) = names(&own.rename, &serde.rename_all, &ident, Case::variant);
    let plain = schema.is_none() && said.keywords.is_empty() && !own.untagged && !own.other;
    let one = |name: &str, received: bool, sent: bool| {
        let mut tokens = match &schema {
            Some(schema) => quote!(::portcullis_sdk::schema::Variant::holding(#name, &#schema)),
            None => quote!(::portcullis_sdk::schema::Variant::unit(#name)),
        };
        if own.untagged {
            tokens.extend(quote!(.untagged()));
        }
        if own.other {
            tokens.extend(quote!(.other()));
        }
        if !(received && sent) {
            tokens.extend(quote!(.only(#received, #sent)));
        }
        tokens.extend(with(&said.keywords));
        VariantTokens { tokens, plain: (plain && received && sent).then(|| name.to_owned()) }
    };
    let (received, sent) = (!own.never_received, !own.never_sent);
    if in_name == out_name {
        return Ok(vec![one(&in_name, received, sent)]);
    }
    Ok(vec![one(&in_name, received, false), one(&out_name, false, sent)])
}

/// All variants' names, if none of them is more than a name.
fn plain_names(variants: &[VariantTokens]) -> Option<Vec<&str>> {
    variants.iter().map(|variant| variant.plain.as_deref()).collect()
}

/// The name in what is received, and in what is sent.
fn names(
    rename: &Both<String>,
    all: &Both<Case>,
    ident: &str,
    apply: impl Fn(Case, &str) -> String,
) -> (String, String) {
    let name = |rename: &Option<String>, all: Option<Case>| {
        rename.clone().unwrap_or_else(|| all.map_or_else(|| ident.to_owned(), |case| apply(case, ident)))
    };
    (name(&rename.received, all.received), name(&rename.sent, all.sent))
}

fn of(kind: &Type) -> TokenStream {
    quote!(::portcullis_sdk::schema::Schema::of::<#kind>)
}

fn same(kind: &Type) -> TokenStream {
    let schema = of(kind);
    quote!(::portcullis_sdk::schema::Schema::same(#schema))
}

fn with(keywords: &[TokenStream]) -> TokenStream {
    if keywords.is_empty() { TokenStream::new() } else { quote!(.with(&[#(#keywords),*])) }
}

fn strict(strict: bool) -> TokenStream {
    if strict { quote!(.strict()) } else { TokenStream::new() }
}

fn is_generic(generics: &Generics) -> bool {
    generics.type_params().next().is_some()
}
