//! A request as lines for a POSIX shell that send it with curl, to be read and pasted by a person.
//!
//! Every byte of it was chosen by an adapter, so nothing but quoting stands between it and the person's shell: what is
//! plain text stands in single quotes, and anything else (control characters, bytes that are no text, characters that
//! look like others) is written in octal or in base64. A secret is an environment variable `SLOT_NAME`.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_gate::{Header, Method, Scheme, printable};

/// Longest body that is an argument, in bytes. A longer one comes through a pipe: Linux takes 128 KiB in one argument.
const MAX_ARGUMENT: usize = 64 * 1024;

/// What is to be sent, the secret apart.
pub(crate) struct Sketch<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [Header],
    pub(crate) body: Sent<'a>,
    pub(crate) slot: Option<(&'a str, &'a Scheme)>,
}

/// The body of it.
#[derive(Clone, Copy)]
pub(crate) enum Sent<'a> {
    None,
    Bytes(&'a [u8]),
    /// So many bytes that are not shown.
    Omitted(usize),
}

/// The lines.
pub(crate) fn curl(sketch: &Sketch<'_>) -> String {
    let mut notes = String::new();
    let mut curl = vec!["curl".to_owned()];
    match sketch.method {
        Method::Get => {}
        // `-X HEAD` would wait for a body.
        Method::Head => curl.push("-I".to_owned()),
        other => curl.push(format!("-X {other}")),
    }
    let mut url = word(sketch.url.as_bytes());
    let mut options: Vec<String> = sketch.headers.iter().map(header).collect();
    let mut glob = sketch.url.contains(['[', ']', '{', '}']);
    if let Some((slot, scheme)) = sketch.slot {
        let variable = variable(slot);
        let mut encoded = "";
        match scheme {
            Scheme::Bearer => options.push(with_secret("Authorization", "Bearer ", &variable)),
            Scheme::Header { name, prefix } => options.push(with_secret(name, prefix, &variable)),
            Scheme::Basic => options.push(format!("-u \"${variable}\"")),
            Scheme::Query { name } => {
                let join = if sketch.url.contains('?') { '&' } else { '?' };
                let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
                url = format!("{}\"${variable}\"", word(format!("{}{join}{name}=", sketch.url).as_bytes()));
                (glob, encoded) = (true, ", percent-encoded");
            }
            Scheme::SigningKey => {}
        }
        if *scheme != Scheme::SigningKey {
            notes += &format!("# ${variable} stands for the secret of the slot {slot}{encoded}.\n");
        }
    }
    if glob {
        // Or curl would make several URLs of one.
        curl.push("-g".to_owned());
    }
    curl.push(url);

    let mut pipe = String::new();
    let (body, typed) = match sketch.body {
        Sent::None => (None, true),
        Sent::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_ARGUMENT && is_plain(text));
            let body = text.map_or_else(
                || {
                    pipe = format!("printf '%s' '{}' | base64 -d | ", BASE64_STANDARD.encode(bytes));
                    "--data-binary @-".to_owned()
                },
                |text| format!("--data-raw {}", quoted(text)),
            );
            (Some(body), has_type(sketch.headers))
        }
        Sent::Omitted(bytes) => {
            notes +=
                &format!("# The body has {bytes} bytes and is not shown; it would be read from a file named `body`.\n");
            (Some("--data-binary @body".to_owned()), has_type(sketch.headers))
        }
    };
    if !typed {
        // Or curl would say that it is a form.
        options.push("-H 'Content-Type:'".to_owned());
    }
    options.extend(body);
    let options: String = options.iter().map(|option| format!(" \\\n  {option}")).collect();
    format!("{notes}{pipe}{}{options}", curl.join(" "))
}

/// The variable that stands for a slot's secret. The adapter chose the slot's name: without the prefix it could choose
/// `aws-secret-access-key`, and whoever pastes the line would send what is in that variable.
fn variable(slot: &str) -> String {
    format!("SLOT_{}", slot.to_ascii_uppercase().replace('-', "_"))
}

fn has_type(headers: &[Header]) -> bool {
    headers.iter().any(|header| header.name.eq_ignore_ascii_case("content-type"))
}

fn header(header: &Header) -> String {
    let Header { name, value } = header;
    // With a colon and nothing after it, curl would leave the field out.
    let text =
        if value.is_empty() { format!("{name};").into_bytes() } else { [name.as_bytes(), b": ", value].concat() };
    format!("-H {}", word(&text))
}

fn with_secret(name: &str, prefix: &str, variable: &str) -> String {
    let text = format!("{name}: {prefix}");
    let readable = text.chars().all(|c| c.is_ascii_alphanumeric() || " -_.:/=,;+@".contains(c));
    if readable { format!("-H \"{text}${variable}\"") } else { format!("-H {}\"${variable}\"", word(text.as_bytes())) }
}

/// One word of the shell that is these bytes.
fn word(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain(text) && !text.contains('\n') => quoted(text),
        _ => format!("\"$(printf '{}')\"", bytes.iter().map(|byte| octal(*byte)).collect::<String>()),
    }
}

/// A byte as `printf` reads it in its format. A hyphen is escaped too: at the start it would make an option of it.
fn octal(byte: u8) -> String {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b' ' | b'_' | b'.' | b':' | b'/' => char::from(byte).into(),
        other => format!("\\{other:03o}"),
    }
}

/// In single quotes nothing means anything but the quote that ends them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a text is only what it looks like, on one line or several. A tab is not: pasted, it asks the shell for more.
fn is_plain(text: &str) -> bool {
    text.split('\n').all(|line| printable(line, usize::MAX) == line)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use super::*;

    /// What a shell hands to curl: its arguments, and its standard input where that is the body.
    fn pasted(lines: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
        let stand_in = "curl() { for a in \"$@\"; do printf '%s\\0' \"$a\"; done; printf '<<input>>'; \
                        case \"$*\" in *'--data-binary @-'*) cat ;; esac; }\n";
        let mut shell = Command::new("sh")
            .env("SLOT_SERVER_TOKEN", "s3'c\"r$et `x` \\")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(format!("{stand_in}{lines}\n").as_bytes()).unwrap();
        let ran = shell.wait_with_output().unwrap();
        assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}\n{lines}");
        let mark = b"\0<<input>>";
        let end = ran.stdout.windows(mark.len()).position(|window| window == mark).unwrap();
        let arguments = ran.stdout[..end].split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        (arguments, ran.stdout[end + mark.len()..].to_vec())
    }

    fn texts(arguments: &[Vec<u8>]) -> Vec<String> {
        arguments.iter().map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
    }

    fn sketch<'a>(headers: &'a [Header], body: &'a [u8], scheme: Option<&'a Scheme>) -> Sketch<'a> {
        let slot = scheme.map(|scheme| ("server-token", scheme));
        Sketch { method: Method::Post, url: "https://a.example/x?q=1", headers, body: Sent::Bytes(body), slot }
    }

    fn field(name: &str, value: &[u8]) -> Header {
        Header { name: name.to_owned(), value: value.to_vec() }
    }

    const HOSTILE: &[&str] = &[
        "",
        "plain",
        "it's '' '\\'' \"quoted\"",
        "$(touch /tmp/owned) `touch /tmp/owned` ${IFS} $HOME $'\\n'",
        "!! !$ wow! #comment; & | > /tmp/owned \\",
        "-X DELETE",
        "--output /tmp/owned",
        "@/etc/passwd",
        "<(id) *? [a-z] {1,2} ~root",
        "two\nlines\n\n",
        "\n",
        "%s %n \\0 \\x41 \\",
        "größe 日本 🦀",
        "a\tb",
        "\x1b]0;owned\x07 \x7f \u{9b}31m",
        "\u{202e}fdp.exe\u{200b}",
        "--form-data\r\nContent-Disposition: form-data\r\n\r\nx\r\n",
    ];

    #[test]
    fn whatever_a_body_holds_the_shell_hands_over_just_that() {
        let typed = [field("Content-Type", b"text/plain")];
        let long = "x'".repeat(MAX_ARGUMENT);
        let all: Vec<u8> = (0..=255).collect();
        let bodies = HOSTILE.iter().copied().chain([long.as_str()]).map(str::as_bytes).chain([&all[..], b"\xff\0\xfe"]);
        for body in bodies {
            let lines = curl(&sketch(&typed, body, None));
            let (arguments, input) = pasted(&lines);
            let rest = &texts(&arguments)[..5];
            assert_eq!(rest, ["-X", "POST", "https://a.example/x?q=1", "-H", "Content-Type: text/plain"], "{lines}");
            let sent = match arguments[5].as_slice() {
                b"--data-raw" => &arguments[6],
                _ => &input,
            };
            assert!(sent == body, "{lines}");
            assert!(arguments.iter().all(|argument| argument.len() <= MAX_ARGUMENT), "Linux takes no longer ones");
            assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "nothing acts on a terminal: {lines:?}");
        }
        assert!(!std::path::Path::new("/tmp/owned").exists());
    }

    #[test]
    fn whatever_a_header_holds_the_shell_hands_over_just_that() {
        let one_line = HOSTILE.iter().filter(|text| !text.contains(['\n', '\0'])).map(|text| text.as_bytes());
        for value in one_line.chain([&b"\xff latin \xe9\t'%s'"[..]]) {
            let lines = curl(&sketch(&[field("x-it's", value)], b"{}", None));
            let (arguments, _) = pasted(&lines);
            let expected = if value.is_empty() { b"x-it's;".to_vec() } else { [b"x-it's: ", value].concat() };
            assert_eq!(arguments[4], expected, "{lines}");
            assert_eq!(texts(&arguments)[5..7], ["-H", "Content-Type:"], "curl adds no type of its own");
            assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "{lines:?}");
        }
    }

    #[test]
    fn a_header_that_begins_like_an_option_is_none() {
        let lines = curl(&sketch(&[field("-v", b"a\tb")], b"{}", None));
        assert_eq!(texts(&pasted(&lines).0)[3..5], ["-H", "-v: a\tb"], "{lines}");
    }

    #[test]
    fn the_secret_is_a_variable_with_its_slots_name_in_each_scheme() {
        let secret = "s3'c\"r$et `x` \\";
        let header = |name: &str, prefix: &str| Scheme::Header { name: name.to_owned(), prefix: prefix.to_owned() };
        for (scheme, shown, option, value) in [
            (Scheme::Bearer, "-H \"Authorization: Bearer $SLOT_SERVER_TOKEN\"", "-H", "Authorization: Bearer "),
            (Scheme::Basic, "-u \"$SLOT_SERVER_TOKEN\"", "-u", ""),
            (header("X-Key", "Token "), "-H \"X-Key: Token $SLOT_SERVER_TOKEN\"", "-H", "X-Key: Token "),
            (
                header("X-Key", "a\"$HOME`id`! "),
                "-H 'X-Key: a\"$HOME`id`! '\"$SLOT_SERVER_TOKEN\"",
                "-H",
                "X-Key: a\"$HOME`id`! ",
            ),
        ] {
            let lines = curl(&sketch(&[], b"", Some(&scheme)));
            assert!(
                lines.starts_with("# $SLOT_SERVER_TOKEN stands for the secret of the slot server-token.\ncurl "),
                "{lines}"
            );
            assert!(lines.contains(shown), "{shown} is not in {lines}");
            let (arguments, _) = pasted(&lines);
            assert_eq!(texts(&arguments)[3..5], [option.to_owned(), format!("{value}{secret}")]);
        }
        let scheme = Scheme::Query { name: "api key".to_owned() };
        let lines = curl(&sketch(&[], b"", Some(&scheme)));
        assert!(lines.contains("slot server-token, percent-encoded."), "{lines}");
        assert_eq!(texts(&pasted(&lines).0)[3], format!("https://a.example/x?q=1&api+key={secret}"));
        let none = curl(&sketch(&[], b"", Some(&Scheme::SigningKey)));
        assert!(!none.contains("SERVER_TOKEN"), "a signing key is never sent: {none}");
        assert_eq!([variable("a-b2"), variable("2fa")], ["SLOT_A_B2", "SLOT_2FA"]);
    }

    #[test]
    fn a_url_is_one_url_and_a_method_is_asked_for_as_curl_wants_it() {
        let ask = |method, url: &str| {
            let lines = curl(&Sketch { method, url, headers: &[], body: Sent::None, slot: None });
            texts(&pasted(&lines).0).join(" ")
        };
        assert_eq!(ask(Method::Get, "https://a.example/it's?q=$(id)"), "https://a.example/it's?q=$(id)");
        assert_eq!(ask(Method::Head, "https://a.example/"), "-I https://a.example/");
        assert_eq!(ask(Method::Delete, "https://a.example/[1-9]"), "-X DELETE -g https://a.example/[1-9]");
        let url = "https://a.example/";
        let lines = curl(&Sketch { method: Method::Put, url, headers: &[], body: Sent::Omitted(7), slot: None });
        assert!(lines.starts_with("# The body has 7 bytes") && lines.contains("--data-binary @body"), "{lines}");
    }
}
