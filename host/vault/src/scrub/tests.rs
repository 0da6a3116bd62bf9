//! What the scrubber finds, leaves and says, case by case. `chains.rs` has every encoding of every other.

use ::base64::{Engine, prelude::BASE64_STANDARD};

use super::*;

fn scrubber(secret: &[u8]) -> Scrubber {
    Scrubber::of([("key", secret)].into_iter())
}

fn scrub(secret: &str, text: &str) -> Option<String> {
    let scrubbed = scrubber(secret.as_bytes()).scrub(text.as_bytes())?;
    Some(String::from_utf8_lossy(&scrubbed.bytes).into_owned())
}

const TOKEN: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

#[test]
fn a_clean_text_is_left_alone() {
    assert_eq!(scrub(TOKEN, "nothing to see"), None);
    assert_eq!(Scrubber::default().scrub(b"abc"), None);
    assert_eq!(scrub(TOKEN, ""), None);
}

#[test]
fn the_secret_is_found_wherever_it_stands_and_its_surroundings_are_kept() {
    for (before, behind) in [("", ""), ("a", "b"), ("{\"k\":\"", "\"}"), ("%41\\n&amp;", "=3D%")] {
        let left = scrub(TOKEN, &format!("{before}{TOKEN}{behind}")).unwrap();
        assert_eq!(left, format!("{before}[redacted:key]{behind}"));
    }
}

#[test]
fn each_of_several_secrets_is_replaced_by_its_own_slot_and_counted() {
    let scrubber = Scrubber::of([("one", &b"first-secret"[..]), ("two", &b"second-secret"[..])].into_iter());
    let scrubbed = scrubber.scrub(b"second-secret, first-secret, second%2Dsecret").unwrap();
    assert_eq!(scrubbed.bytes, b"[redacted:two], [redacted:one], [redacted:two]");
    assert_eq!(scrubbed.found, 3);
    // What is found in a view comes later than what is found in the text itself, and may stand before it.
    let scrubbed = scrubber.scrub(b"second%2Dsecret, first-secret").unwrap();
    assert_eq!(scrubbed.bytes, b"[redacted:two], [redacted:one]");
}

#[test]
fn secrets_that_overlap_leave_nothing_of_either() {
    let scrubber = Scrubber::of([("one", &b"abcdefgh"[..]), ("two", &b"efghijkl"[..])].into_iter());
    assert_eq!(scrubber.scrub(b"-abcdefghijkl-").unwrap().bytes, b"-[redacted:one]-");
}

#[test]
fn the_password_half_of_a_basic_credential_is_found_and_a_lone_user_too() {
    assert_eq!(scrub("user:hunter22", "pw=hunter22").unwrap(), "pw=[redacted:key]");
    assert_eq!(scrub("user:hunter22", "user:hunter22").unwrap(), "[redacted:key]");
    assert_eq!(scrub("user:hunter22", "hello user"), None);
    assert_eq!(scrub("sk_live_1:", "sk_live_1").unwrap(), "[redacted:key]");
    // A password that is a dummy, as `x` is: then the key is the user.
    assert_eq!(scrub("apikey123:x", "{\"user\":\"apikey123\"}").unwrap(), "{\"user\":\"[redacted:key]\"}");
    // As it goes on the wire, `Authorization: Basic`, whole and in quotes that were escaped.
    assert_eq!(scrub("user:hunter22", "Basic dXNlcjpodW50ZXIyMg==").unwrap(), "Basic [redacted:key]==");
    assert_eq!(scrub("user:hunter22", "\\\"dXNlcjpodW50ZXIyMg==\\\"").unwrap(), "\\\"[redacted:key]==\\\"");
}

#[test]
fn one_case_is_found_and_short_secrets_only_in_their_own() {
    assert_eq!(scrub(TOKEN, &TOKEN.to_lowercase()).unwrap(), "[redacted:key]");
    assert_eq!(scrub(TOKEN, &TOKEN.to_uppercase()).unwrap(), "[redacted:key]");
    assert_eq!(scrub("Ab1!", "ab1! Ab1!").unwrap(), "ab1! [redacted:key]");
}

#[test]
fn layers_in_one_text_are_undone_in_any_order() {
    let secret = "s3cr3t/+&\"token\"<x>~";
    for text in [
        // Base64 whose slash JSON has escaped, and whose plus is percent-encoded.
        "czNjcjN0LysmInRva2VuIjx4Pn4=",
        "c\\u007aNjcjN0LysmInRva2VuIjx4Pn4",
        "czNjcjN0LysmInR%76a2VuIjx4Pn4",
        // Broken into lines, which JSON has escaped.
        "czNjcjN0Lysm\\r\\nInRva2VuIjx4Pn4=",
        "czNjcjN0Lysm\\\\nInRva2VuIjx4Pn4=",
        // Hexadecimal as dumps have it.
        "0x73, 0x33, 0x63, 0x72, 0x33, 0x74, 0x2f, 0x2b, 0x26, 0x22, 0x74, 0x6f, 0x6b, 0x65, 0x6e, 0x22, 0x3c, 0x78, 0x3e, 0x7e",
        // Wrapped by quoted-printable.
        "s3cr3t/+=26=22to=\r\nken=22<x>~",
    ] {
        let left = scrub(secret, &format!("- {text} -")).unwrap_or_else(|| panic!("{text}"));
        assert!(left.starts_with("- ") && left.ends_with(" -"), "{left}");
        assert!(left.len() < 30, "{left}");
    }
}

#[test]
fn a_backslash_that_means_itself_takes_nothing_of_what_follows() {
    let left = scrub("n3cr3t&\"token", "DOMAIN\\n3cr3t&amp;&quot;token").unwrap();
    assert_eq!(left, "DOMAIN\\[redacted:key]");
}

#[test]
fn a_secret_that_looks_escaped_itself_is_found_behind_other_escapes() {
    for secret in ["%41\"bcdefgh", "C:\\new\"folder", "a&amp;b\"cdefg", "=41\"bcdefgh"] {
        let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
        let html = secret.replace('&', "&amp;").replace('"', "&quot;");
        for text in [secret, &json, &html] {
            assert_eq!(scrub(secret, &format!("<{text}>")).as_deref(), Some("<[redacted:key]>"), "{text}");
        }
    }
}

#[test]
fn a_query_parameter_that_begins_with_two_digits_is_not_taken_for_quoted_printable() {
    assert_eq!(scrub("ab/cd-efgh", "key=ab%2Fcd-efgh&x").unwrap(), "key=[redacted:key]&x");
    assert_eq!(scrub("ab/cd-efgh", "a%2Db=ab%2Fcd-efgh&x").unwrap(), "a%2Db=[redacted:key]&x");
}

#[test]
fn base64_and_hexadecimal_are_found_when_other_letters_are_glued_to_them() {
    let base64 = "c2tfbGl2ZV80ZUMzOUhxTHlqV0Rhcmp0VDF6ZHA3ZGM=";
    let hex: String = TOKEN.bytes().map(|b| format!("{b:02x}")).collect();
    for glue in ["", "x", "xy", "xyz", "/v1/", "a", "abc"] {
        for text in [base64, &hex] {
            let left = scrub(TOKEN, &format!("{glue}{text}")).unwrap_or_else(|| panic!("{glue}{text}"));
            assert!(left.starts_with(glue), "{left}");
            assert!(left.len() < glue.len() + 16, "{left}");
        }
    }
    let left = scrub(TOKEN, &format!("a{hex}b")).unwrap();
    assert_eq!(left, "a[redacted:key]b");
}

#[test]
fn base64_and_hexadecimal_are_found_between_bytes_that_are_no_text() {
    for (before, behind) in [(0, 0), (1, 1), (2, 2), (1, 2), (0, 1)] {
        let bytes = [&vec![0xff; before], TOKEN.as_bytes(), &vec![0xff; behind]].concat();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        for text in [BASE64_STANDARD.encode(&bytes), hex] {
            let left = scrub(TOKEN, &text).unwrap_or_else(|| panic!("{text}"));
            assert!(left.len() < 25, "{left}");
        }
    }
}

#[test]
fn secrets_that_share_their_rarest_bytes_are_all_found() {
    // `#$%^` and `%^&*` are searched for; the first ends within the second.
    let scrubber = Scrubber::of([("one", &b"aaaa#$%^aaa"[..]), ("two", &b"%^aaa&*eeee"[..])].into_iter());
    assert_eq!(scrubber.scrub(b"-aaaa#$%^aaa&*eeee-").unwrap().bytes, b"-[redacted:one]-");
    let scrubber = Scrubber::of([("one", &b"#$%^eeee"[..]), ("two", &b"eeee$%^!"[..])].into_iter());
    assert_eq!(scrubber.scrub(b"eeee#$%^! eeee$%^!").unwrap().bytes, b"eeee#$%^! [redacted:two]");
    let scrubber = Scrubber::of([("one", &b"a#$%^"[..]), ("two", &b"$%^!a"[..])].into_iter());
    assert_eq!(scrubber.scrub(b"-#$%^!a-").unwrap().bytes, b"-#[redacted:two]-");
}

#[test]
fn windows_of_a_view_do_not_touch() {
    // In the view of JSON only what stands round a `\\/` is left, and a quote is what no secret has.
    assert_eq!(scrub("abc/defg/hij", "\"abc\\/de\"fg\\/hij\""), None);
}

#[test]
fn what_a_secret_shares_with_a_text_is_not_taken_for_it() {
    for cut in 1..TOKEN.len() {
        let (before, behind) = TOKEN.split_at(cut);
        assert_eq!(scrub(TOKEN, &format!("\"{before}\" \"{behind}\" {before}%20{behind} {behind}")), None, "{cut}");
    }
}

#[test]
fn the_scrubber_does_not_print_secrets() {
    assert_eq!(format!("{:?}", scrubber(TOKEN.as_bytes())), "Scrubber(1 secrets)");
}

#[test]
fn many_finds_in_views_of_views_are_each_put_in_their_place() {
    for (text, end) in
        [("\\u0073ecret-4", " "), ("%5Cu0073ecret-4", " "), ("\\u0073ecret-4", "\""), ("%5Cu0073ecret-4", "\"")]
    {
        // One window of all, and one for each.
        let scrubbed = scrubber(b"secret-4").scrub(format!("{text}{end}").repeat(20_000).as_bytes()).unwrap();
        assert_eq!(scrubbed.found, 20_000);
        assert_eq!(scrubbed.bytes, format!("[redacted:key]{end}").repeat(20_000).as_bytes());
    }
}
