//! JSON in an attribute, as in `example = {"a": [1, null]}`: read from Rust's tokens, kept as text.

use std::fmt::Write;

use syn::{
    Error, Ident, Lit, LitStr, Result, Token, braced, bracketed,
    ext::IdentExt,
    parse::ParseStream,
    token::{Brace, Bracket},
};

const WRITE: &str = "this is no JSON; write a literal, `null`, `[1, 2]` or `{\"name\": \"Ada\"}`";

/// The JSON value that comes next, as text.
pub(crate) fn parse(input: ParseStream) -> Result<String> {
    if input.peek(Brace) {
        let inside;
        braced!(inside in input);
        let entries = inside.parse_terminated(entry, Token![,])?;
        return Ok(format!("{{{}}}", entries.into_iter().collect::<Vec<_>>().join(",")));
    }
    if input.peek(Bracket) {
        let inside;
        bracketed!(inside in input);
        let items = inside.parse_terminated(parse, Token![,])?;
        return Ok(format!("[{}]", items.into_iter().collect::<Vec<_>>().join(",")));
    }
    if input.peek(Token![&]) {
        return Err(input.error("examples are JSON, not values of Rust: write it without the `&`"));
    }
    if input.peek(Ident::peek_any) && !input.peek(Lit) {
        let word = input.call(Ident::parse_any)?;
        return match word.to_string().as_str() {
            "null" => Ok("null".to_owned()),
            "json" => Err(Error::new(word.span(), "it is JSON already: write what is inside of `json!(…)`")),
            _ => Err(Error::new(word.span(), WRITE)),
        };
    }
    if input.peek(Token![-]) || input.peek(Lit) {
        return literal(input);
    }
    Err(input.error(WRITE))
}

/// A number as JSON writes it.
pub(crate) fn number(input: ParseStream) -> Result<String> {
    let place = input.span();
    let text = if input.peek(Token![-]) || input.peek(Lit) { literal(input)? } else { String::new() };
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Ok(text);
    }
    Err(Error::new(place, "a bound is a number, such as `1`, `-5` or `0.5`"))
}

fn literal(input: ParseStream) -> Result<String> {
    let sign = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
    let literal: Lit = input.parse()?;
    match literal {
        Lit::Int(number) => Ok(format!("{sign}{}", number.base10_digits())),
        // Rust may leave out the digits after the point, JSON may not.
        Lit::Float(number) => {
            let digits = number.base10_digits();
            Ok(format!("{sign}{digits}{}", if digits.ends_with('.') { "0" } else { "" }))
        }
        Lit::Str(text) if sign.is_empty() => Ok(quoted(&text.value())),
        Lit::Bool(truth) if sign.is_empty() => Ok(truth.value.to_string()),
        other => Err(Error::new(other.span(), WRITE)),
    }
}

fn entry(input: ParseStream) -> Result<String> {
    let name: LitStr =
        input.parse().map_err(|error| Error::new(error.span(), "a name in JSON is a text: `{\"name\": \"Ada\"}`"))?;
    input.parse::<Token![:]>()?;
    Ok(format!("{}:{}", quoted(&name.value()), parse(input)?))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\u{0}'..='\u{1f}' => {
                // Writing to a text cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse::Parser;

    use super::*;

    #[test]
    fn json_is_kept_as_it_was_written() {
        let tokens = quote!({"a": [1, -2, 0.5, 1., 1_000, 3u8], "b": {"c": null}, "d\n\"": true, "e": "é\\"});
        assert_eq!(
            parse.parse2(tokens).unwrap(),
            r#"{"a":[1,-2,0.5,1.0,1000,3],"b":{"c":null},"d\u000a\"":true,"e":"é\\"}"#
        );
        assert_eq!(parse.parse2(quote!([])).unwrap(), "[]");
    }

    #[test]
    fn what_is_no_json_is_answered_with_what_to_write() {
        let refusal = |tokens| parse.parse2(tokens).unwrap_err().to_string();
        assert!(refusal(quote!(&"a")).contains("without the `&`"));
        assert!(refusal(quote!(json!({}))).contains("what is inside"));
        assert!(refusal(quote!(Some(1))).contains("this is no JSON"));
        assert!(refusal(quote!(-"a")).contains("this is no JSON"));
        assert!(refusal(quote!({a: 1})).contains("a name in JSON is a text"));
        assert!(number.parse2(quote!("1")).unwrap_err().to_string().contains("a bound is a number"));
        assert!(number.parse2(quote!(MAX)).unwrap_err().to_string().contains("a bound is a number"));
    }
}
