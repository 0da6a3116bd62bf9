//! `Link` header fields (RFC 8288, section 3, read as its appendix B.2 says).
//!
//! A field is a list of `<target>; name=value; name="value, with; anything"`. What stands in quotes is one value; empty
//! elements count for nothing; the first `rel` of a link counts and no other, nor does `rel*`, which is another name. A link
//! with an `anchor` is about the page that this names.

use crate::resolve;

/// One link of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, as it is written: a URL reference.
    pub target: String,
    /// Its relation types, as they are written: several are separated by spaces.
    pub relations: String,
    /// Which page it is about, where that is not the one it came with: a URL reference.
    pub anchor: Option<String>,
}

impl Link {
    /// Whether it has this relation type. They are compared without regard to case (RFC 8288, section 2.1.1).
    #[must_use]
    pub fn has_relation(&self, relation: &str) -> bool {
        self.relations.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(relation))
    }
}

/// Where the links with this relation lead that the page itself has: resolved against `page`, the page's URL.
///
/// ```
/// use portcullis_reference::targets;
///
/// let fields = [r#"<?page=1>; rel="first"; title="a; rel=next", <?page=3>; rel="next last""#];
/// let next: Vec<String> = targets("https://api.example.com/items?page=2", fields, "next").collect();
/// assert_eq!(next, ["https://api.example.com/items?page=3"]);
/// ```
pub fn targets<'a>(
    page: &'a str,
    fields: impl IntoIterator<Item = &'a str> + 'a,
    relation: &'a str,
) -> impl Iterator<Item = String> + 'a {
    let about_page = move |link: &Link| {
        link.anchor.as_deref().is_none_or(|anchor| !anchor.contains('#') && resolve(page, anchor) == resolve(page, ""))
    };
    let wanted = move |link: &Link| link.has_relation(relation) && about_page(link);
    fields.into_iter().flat_map(links).filter(wanted).map(move |link| resolve(page, &link.target))
}

/// The links of one field, in order. What is no link ends an element: it is left out up to the next comma.
#[must_use]
pub fn links(field: &str) -> Vec<Link> {
    let mut rest = field;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return found;
        }
        let Some((target, after)) = rest.strip_prefix('<').and_then(|inside| inside.split_once('>')) else {
            rest = parameters(rest, &mut |_, _| {});
            continue;
        };
        let (mut relations, mut anchor) = (None, None);
        rest = parameters(after, &mut |name, value| match name {
            "rel" => drop(relations.get_or_insert(value)),
            "anchor" => drop(anchor.get_or_insert(value)),
            _ => {}
        });
        found.push(Link { target: target.trim().to_owned(), relations: relations.unwrap_or_default(), anchor });
    }
}

/// Shows `each` the parameters up to the next comma that is not in quotes, with their names in lower case. Returns what
/// follows that comma.
fn parameters<'a>(text: &'a str, each: &mut dyn FnMut(&str, String)) -> &'a str {
    let mut rest = text;
    loop {
        let end = rest.find([';', ',', '=', '"']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let name = name.trim().to_ascii_lowercase();
        let mut after = after.chars();
        rest = match after.next() {
            None => return "",
            Some(',') => {
                each(&name, String::new());
                return after.as_str();
            }
            Some('=') => {
                let (value, behind) = value(after.as_str().trim_start());
                each(&name, value);
                behind
            }
            Some('"') => quoted(after.as_str()).1,
            Some(_) => after.as_str(),
        };
    }
}

/// A value up to the next `;` or `,`, and what follows it, the `;` or `,` included.
fn value(text: &str) -> (String, &str) {
    if let Some(inside) = text.strip_prefix('"') {
        return quoted(inside);
    }
    let end = text.find([';', ',']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.trim().to_owned(), rest)
}

/// What stands in quotes (RFC 9110, section 5.6.4), and what follows the quote that ends it.
fn quoted(inside: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => value.extend(rest.next()),
            _ => value.push(c),
        }
    }
    (value, rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str], relation: &str) -> Vec<String> {
        targets("https://a.example/list?page=1", fields.iter().copied(), relation)
            .map(|url| url.replace("https://a.example/", ""))
            .collect()
    }

    #[test]
    fn a_link_is_found_by_its_relation_whatever_stands_beside_it() {
        for (field, next) in [
            (r#"<?p=2>; rel="next""#, "list?p=2"),
            ("<?p=2>;rel=next", "list?p=2"),
            ("<?p=2> ; REL = NeXT", "list?p=2"),
            (r#"<?p=2>; rel="prev  next""#, "list?p=2"),
            (r#"<?p=0>; rel="prev"; title="go; rel=next", <?p=2>; rel="next""#, "list?p=2"),
            (r#"<?p=0>; title="a, <b>; rel=\"next\""; rel=prev, <?p=2>; rel=next"#, "list?p=2"),
            (r#",, ,<?p=0>; rel="prev",, <?p=2>; rel="next","#, "list?p=2"),
            ("<x?a=1,2;3>; rel=next", "x?a=1,2%3B3"),
            (r#"<?p=2>; rel="next"; rel="prev""#, "list?p=2"),
            (r#"<?p=2>; crossorigin; rel=next"#, "list?p=2"),
            (r#"<?p=2>; rel=next; title*=UTF-8''n%c3%a4chste"#, "list?p=2"),
            ("garbage, <?p=2>; rel=next", "list?p=2"),
            (r#"x="a,b"; <?p=1>, <?p=2>; rel=next"#, "list?p=2"),
            (r#"<>; rel=next"#, "list?page=1"),
            (r#"<?p=2>; rel=next; anchor="""#, "list?p=2"),
            (r#"<?p=2>; rel=next; anchor="https://a.example/list?page=1""#, "list?p=2"),
            ("<?p=2>; rel=\"next", "list?p=2"),
        ] {
            assert_eq!(of(&[field], "next"), [next], "{field}");
        }
    }

    #[test]
    fn what_is_no_next_link_is_not_taken_for_one() {
        for field in [
            "",
            ",",
            "<?p=2",
            "?p=2; rel=next",
            "<?p=2>",
            "<?p=2>; rel=nextish",
            "<?p=2>; rel*=UTF-8''next",
            "<?p=2>; rev=next",
            r#"<?p=2>; title="rel=next""#,
            r#"<?p=2>; title="; rel=next; ""#,
            r#"<?p=2>; rel=prev; rel=next"#,
            r##"<?p=2>; rel=next; anchor="#part""##,
            r#"<?p=2>; rel=next; anchor="/other""#,
            r#"<?p=2>; rel="""#,
        ] {
            assert_eq!(of(&[field], "next"), Vec::<String>::new(), "{field}");
        }
    }

    #[test]
    fn several_fields_are_read_in_order() {
        assert_eq!(of(&["<a>; rel=first", "<b>; REL=Next", "<c>; rel=next"], "next"), ["b", "c"]);
    }

    #[test]
    fn reading_ends_and_takes_time_that_grows_with_the_text() {
        for odd in ["<", ",", "\"", ";", "=", "\\", "<>;", "<>;a=\"", "a=,"] {
            let _ = links(&odd.repeat(20_000));
        }
    }
}
