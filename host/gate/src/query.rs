//! A query as the gate reads it: pairs of names and values, decoded as servers do, and the rules that stand for a name.
//!
//! A name that is listed has the rules that list it and no others. Every other name has the rules of `*`, where there are
//! any. So what stands beside `*` narrows it. The name that the route's slot writes has no rules at all, in any case: a
//! guest that could write it beside the host would choose the credential for a server that reads the other one.
//!
//! A list goes beyond another where it allows one name with one value that the other does not. As `*` of a list stands
//! for the names that the list leaves out, it stands for those that the other list has, too: they must be as wide there,
//! or be listed here. Nothing is narrowed in silence: what is open is what the grant says, or the grant is refused.

use std::collections::{HashMap, HashSet};

use crate::{
    parameter::Parameter,
    read_as::is_read_as,
    scheme::OpenSlot,
    slots::writes_query,
    url::RequestUrl,
    work::{Spent, Work},
};

/// The name that stands for every name that is not listed.
pub(crate) const OTHERS: &str = "*";

/// Whether some server may read this as the name that a slot of the route writes.
pub(crate) fn is_slots(own: Option<&str>, name: impl Iterator<Item = u8> + Clone) -> bool {
    own.is_some_and(|own| is_read_as(own, name))
}

/// The rules that stand for a name, on a route with these slots. Allocates nothing.
pub(crate) fn rules_for<'a, N>(
    rules: &'a [Parameter],
    slots: &[OpenSlot],
    name: N,
) -> impl Iterator<Item = &'a Parameter> + use<'a, N>
where
    N: Iterator<Item = u8> + Clone,
{
    let lists = |rule: &Parameter, name: &N| name.clone().eq(rule.name.bytes());
    let is_listed = rules.iter().any(|rule| lists(rule, &name));
    let rules = if writes_query(slots, name.clone()) { &[] } else { rules };
    rules.iter().filter(move |rule| if is_listed { lists(rule, &name) } else { rule.name == OTHERS })
}

/// How a list of rules goes beyond a declared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond<'a> {
    /// A name that is not declared.
    Name(&'a Parameter),
    /// The name that the slot writes.
    Slots(&'a Parameter),
    /// A rule, and the declared one that has fewer values.
    Values(&'a Parameter, &'a Parameter),
    /// A declared rule that is not listed, so that a `*` with more values stands for its name.
    Unlisted(&'a Parameter),
}

/// The first respect in which rules go beyond declared ones; none if all that they allow is declared.
///
/// Each list is looked at once; what can cost more is a list with many rules of `*`, each of which is held against every declared
/// rule that the list leaves out.
pub(crate) fn beyond<'a>(
    rules: impl Iterator<Item = &'a Parameter> + Clone,
    declared: impl Iterator<Item = &'a Parameter> + Clone,
    slots: &[OpenSlot],
    work: &Work,
) -> Result<Option<Beyond<'a>>, Spent> {
    let mut known: HashMap<&str, &'a Parameter> = HashMap::new();
    for rule in declared.clone() {
        work.charge(rule.weight())?;
        known.entry(&rule.name).or_insert(rule);
    }
    let mut listed: HashSet<&str> = HashSet::new();
    let mut others: Vec<&Parameter> = Vec::new();
    for rule in rules {
        // The name is held against each slot's as well.
        work.charge(rule.weight() + slots.len() as u64 * (1 + rule.name.len() as u64 / 8))?;
        let wide = known.get(rule.name.as_str()).or_else(|| known.get(OTHERS)).copied();
        let problem = match wide {
            _ if writes_query(slots, rule.name.bytes()) => Some(Beyond::Slots(rule)),
            None => Some(Beyond::Name(rule)),
            Some(wide) => {
                work.charge(wide.weight())?;
                (!wide.covers(rule)).then_some(Beyond::Values(rule, wide))
            }
        };
        if problem.is_some() {
            return Ok(problem);
        }
        listed.insert(&rule.name);
        if rule.name == OTHERS {
            others.push(rule);
        }
    }
    for wide in declared.filter(|wide| !listed.contains(wide.name.as_str())) {
        for rule in &others {
            work.charge(wide.weight() + rule.weight())?;
            if !wide.covers(rule) {
                return Ok(Some(Beyond::Unlisted(wide)));
            }
        }
    }
    Ok(None)
}

/// The pairs of a query, in order. Between two `&` with nothing in between there is none.
pub(crate) fn pairs(url: &RequestUrl) -> impl Iterator<Item = (Decoded<'_>, Decoded<'_>)> {
    url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Decoded(name.as_bytes()), Decoded(value.as_bytes()))
    })
}

/// The bytes that `application/x-www-form-urlencoded` text stands for: `%XX` and `+` decoded, all else as it is.
#[derive(Clone, Debug)]
pub(crate) struct Decoded<'a>(pub(crate) &'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, tail) = self.0.split_first()?;
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if *first == b'%'
            && let [high, low, rest @ ..] = tail
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            self.0 = rest;
            return Some(high * 16 + low);
        }
        self.0 = tail;
        Some(if *first == b'+' { b' ' } else { *first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parameter::Values, scheme::Scheme};

    fn decoded(text: &str) -> String {
        Decoded(text.as_bytes()).map(char::from).collect()
    }

    #[test]
    fn escapes_and_plus_are_decoded_and_stray_percents_stay() {
        assert_eq!(decoded("a%5Bb%5d+c"), "a[b] c");
        assert_eq!(decoded("a%5"), "a%5");
        assert_eq!(decoded("a%zz%2"), "a%zz%2");
        assert_eq!(decoded("%%41"), "%A");
        for byte in 0..=255_u8 {
            assert_eq!(Decoded(format!("%{byte:02x}%{byte:02X}").as_bytes()).collect::<Vec<u8>>(), [byte, byte]);
        }
        assert_eq!(decoded("x41"), "x41");
    }

    #[test]
    fn pairs_are_what_stands_between_two_ampersands() {
        let url = RequestUrl::parse("https://a.example/?a=1&&b&=2&c=d=e", 100).unwrap();
        let read: Vec<(String, String)> =
            pairs(&url).map(|(n, v)| (n.map(char::from).collect(), v.map(char::from).collect())).collect();
        let expected = [("a", "1"), ("b", ""), ("", "2"), ("c", "d=e")];
        assert_eq!(read, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    fn slots(own: &[&str]) -> Vec<OpenSlot> {
        let slot = |name: &&str| OpenSlot {
            name: (*name).to_owned(),
            scheme: Scheme::Query { name: (*name).to_owned() },
            segment: None,
        };
        own.iter().map(slot).collect()
    }

    /// What one name may have, in a world of four values: nothing where no rule stands for it.
    fn allowed(rules: &[Parameter], own: &[OpenSlot], name: &str) -> Vec<&'static str> {
        let stand = || rules_for(rules, own, name.bytes());
        ["", "x", "y", "z"].into_iter().filter(|value| stand().any(|rule| rule.allows(value.bytes()))).collect()
    }

    /// Every list of at most two rules of `a`, `b`, `c` and `*`, each with any value or some.
    fn lists() -> Vec<Vec<Parameter>> {
        let one_of = |values: &[&str]| Values::OneOf(values.iter().map(|value| (*value).to_owned()).collect());
        let values = [Values::Any, one_of(&["x"]), one_of(&["x", "y"]), Values::Shape("text".parse().unwrap())];
        let rule = |name: &str, values: &Values| Parameter { name: name.to_owned(), values: values.clone() };
        let rules: Vec<Parameter> =
            ["a", "b", "c", "*"].iter().flat_map(|name| values.iter().map(move |values| rule(name, values))).collect();
        let pairs = rules.iter().flat_map(|one| rules.iter().map(move |two| vec![one.clone(), two.clone()]));
        rules.iter().map(|one| vec![one.clone()]).chain(pairs).chain([Vec::new()]).collect()
    }

    #[test]
    fn a_list_is_within_another_just_where_every_name_may_have_no_more() {
        let all = lists();
        let twice = |rules: &[Parameter]| rules.len() == 2 && rules[0].name == rules[1].name;
        let (mut within, mut outside) = (0, 0);
        for own in [slots(&[]), slots(&["C"]), slots(&["d", "C"])] {
            // What is declared has each name once, and none that the slot writes; a grant may have both.
            let own = own.as_slice();
            let slots = |rules: &[Parameter]| !own.is_empty() && rules.iter().any(|rule| rule.name == "c");
            for declared in all.iter().filter(|rules| !twice(rules) && !slots(rules)) {
                for rules in &all {
                    let found = beyond(rules.iter(), declared.iter(), own, &Work::new(u64::MAX)).unwrap();
                    let is_within = ["a", "b", "c", "other", "*"].iter().all(|name| {
                        let wide = allowed(declared, own, name);
                        allowed(rules, own, name).iter().all(|value| wide.contains(value))
                    });
                    assert_eq!(
                        found.is_none(),
                        is_within && !slots(rules),
                        "{rules:?} {declared:?} {own:?}: {found:?}"
                    );
                    *(if is_within { &mut within } else { &mut outside }) += 1;
                }
            }
        }
        assert!(within > 1_000 && outside > 1_000, "{within} {outside}");
    }

    #[test]
    fn a_name_that_is_listed_has_its_own_rules_and_every_other_those_of_the_star() {
        let rule =
            |name: &str, shape: &str| Parameter { name: name.into(), values: Values::Shape(shape.parse().unwrap()) };
        let rules = [rule("a", "digits"), rule("*", "word"), rule("a", "hex")];
        let stand = |own: &[&str], name: &str| {
            rules_for(&rules, &slots(own), name.bytes()).map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(stand(&[], "a"), "a:digits a:hex");
        for other in ["A", "b", "", "a%", "*"] {
            assert_eq!(stand(&[], other), "*:word", "{other}");
        }
        assert_eq!((stand(&["Key"], "kEY"), stand(&["Key"], "keys")), (String::new(), "*:word".to_owned()));
        assert_eq!(stand(&["other", "Key"], "kEY"), "", "each of several slots");
        assert_eq!(stand(&["A"], "a"), "", "a slot's name has no rule, though it be listed");
    }
}
