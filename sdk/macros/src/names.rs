//! From Rust's names and comments to the contract's.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// `send_email` becomes `sendEmail`; a leading `r#` and empty parts are dropped.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    for part in name.strip_prefix("r#").unwrap_or(name).split('_').filter(|part| !part.is_empty()) {
        let mut letters = part.chars();
        if let (false, Some(first)) = (camel.is_empty(), letters.next()) {
            camel.extend(first.to_uppercase());
            camel.push_str(letters.as_str());
        } else {
            camel.push_str(part);
        }
    }
    camel
}

/// The first paragraph of an item's doc comment on one line; empty where there is none.
pub(crate) fn first_paragraph(attributes: &[Attribute]) -> String {
    let mut words: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(meta) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { continue };
        let line = text.value();
        if line.trim().is_empty() && !words.is_empty() {
            break;
        }
        words.extend(line.split_whitespace().map(str::to_owned));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn snake_case_becomes_camel_case() {
        for (rust, contract) in [
            ("send_email", "sendEmail"),
            ("noop", "noop"),
            ("get_v2_items", "getV2Items"),
            ("_private__name_", "privateName"),
            ("r#move", "move"),
        ] {
            assert_eq!(camel_case(rust), contract);
        }
    }

    #[test]
    fn a_description_is_the_first_paragraph_on_one_line() {
        let item: syn::ItemFn = parse_quote! {
            /// Sends one
            /// email.
            ///
            /// Not two.
            #[inline]
            fn send() {}
        };
        assert_eq!(first_paragraph(&item.attrs), "Sends one email.");
    }
}
