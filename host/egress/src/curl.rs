//! A request as lines for a POSIX shell that send it with curl, to be read and pasted by a person.
//!
//! Every byte of it was chosen by an adapter, so nothing but quoting stands between it and the person's shell: what is
//! plain text stands in single quotes, and anything else (control characters, bytes that are no text, characters that
//! look like others) is written in octal or in base64. A secret is an environment variable `SLOT_NAME`.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_gate::{Header, Method, OpenSlot, Scheme, printable};

use crate::answer::split_segment;

/// Longest body that is an argument, in bytes. A longer one comes through a pipe: Linux takes 128 KiB in one argument.
const MAX_ARGUMENT: usize = 64 * 1024;

/// What is to be sent, the secret apart.
pub(crate) struct Sketch<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [Header],
    pub(crate) body: Sent<'a>,
    pub(crate) slots: &'a [OpenSlot],
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
    let mut url = Words::of(sketch.url);
    let mut options: Vec<String> = sketch.headers.iter().map(header).collect();
    let mut glob = sketch.url.contains(['[', ']', '{', '}']);
    for slot in sketch.slots {
        let (name, variable) = (&slot.name, variable(&slot.name));
        let note = match &slot.scheme {
            Scheme::Bearer => {
                options.push(with_secret("Authorization", "Bearer ", &variable));
                format!("the secret of the slot {name}")
            }
            Scheme::Header { name: field, prefix } => {
                options.push(with_secret(field, prefix, &variable));
                format!("the secret of the slot {name}")
            }
            Scheme::Cookie { name: cookie } => {
                options.push(with_secret("Cookie", &format!("{cookie}="), &variable));
                format!("the secret of the slot {name}")
            }
            Scheme::Basic => {
                options.push(format!("-u \"${variable}\""));
                format!("the secret of the slot {name}")
            }
            Scheme::Query { name: parameter } => {
                url.query(parameter, &variable);
                glob = true;
                format!("the secret of the slot {name}, percent-encoded")
            }
            Scheme::Path { prefix, .. } => {
                url.segment(slot.segment, prefix, &variable);
                glob = true;
                format!("the secret of the slot {name}, percent-encoded")
            }
            Scheme::Body { name: member } => {
                let member = printable(member, 128);
                format!("the secret of the slot {name}; put it into the body as `{member}`")
            }
            Scheme::Sigv4 { service, region } => {
                options.push(format!("--aws-sigv4 {}", word(format!("aws:amz:{region}:{service}").as_bytes())));
                options.push(format!("-u \"${variable}_ID:${variable}\""));
                format!("the key of the slot {name}, and ${variable}_ID for its name")
            }
            Scheme::Hmac(_) => format!("the key of the slot {name}, with which these lines do not sign"),
            Scheme::ClientCertificate => {
                options.push(format!("--cert \"${variable}\" --key \"${variable}_KEY\""));
                format!("a file with the certificates of the slot {name}, and ${variable}_KEY for one with its key")
            }
            Scheme::SigningKey => continue,
        };
        notes += &format!("# ${variable} stands for {note}.\n");
    }
    if glob {
        // Or curl would make several URLs of one.
        curl.push("-g".to_owned());
    }
    curl.push(url.written());

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

/// A URL as a word of the shell: its text, and variables at their places in it.
struct Words<'a> {
    text: &'a str,
    /// Byte ranges of the text that variables stand for, with what stands before each of them, in order.
    variables: Vec<(std::ops::Range<usize>, String, String)>,
    /// What comes after the text.
    query: String,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, variables: Vec::new(), query: String::new() }
    }

    fn query(&mut self, name: &str, variable: &str) {
        let join = if self.text.contains('?') || !self.query.is_empty() { '&' } else { '?' };
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        self.query += &format!("{}\"${variable}\"", word(format!("{join}{name}=").as_bytes()));
    }

    fn segment(&mut self, segment: Option<usize>, prefix: &str, variable: &str) {
        if let Some((before, after)) = segment.and_then(|segment| split_segment(self.text, segment)) {
            let range = before.len()..self.text.len() - after.len();
            self.variables.push((range, prefix.to_owned(), variable.to_owned()));
            self.variables.sort_by_key(|(range, ..)| range.start);
        }
    }

    fn written(&self) -> String {
        let (mut written, mut at) = (String::new(), 0);
        for (range, prefix, variable) in &self.variables {
            let before = self.text.get(at..range.start).unwrap_or_default();
            written += &format!("{}\"${variable}\"", word(format!("{before}{prefix}").as_bytes()));
            at = range.end;
        }
        let rest = self.text.get(at..).unwrap_or_default();
        if !rest.is_empty() {
            written += &word(rest.as_bytes());
        }
        written + &self.query
    }
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

    fn sketch<'a>(headers: &'a [Header], body: &'a [u8], slots: &'a [OpenSlot]) -> Sketch<'a> {
        Sketch { method: Method::Post, url: "https://a.example/x?q=1", headers, body: Sent::Bytes(body), slots }
    }

    fn open(name: &str, scheme: Scheme, segment: Option<usize>) -> OpenSlot {
        OpenSlot { name: name.to_owned(), scheme, segment }
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
            let lines = curl(&sketch(&typed, body, &[]));
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
            let lines = curl(&sketch(&[field("x-it's", value)], b"{}", &[]));
            let (arguments, _) = pasted(&lines);
            let expected = if value.is_empty() { b"x-it's;".to_vec() } else { [b"x-it's: ", value].concat() };
            assert_eq!(arguments[4], expected, "{lines}");
            assert_eq!(texts(&arguments)[5..7], ["-H", "Content-Type:"], "curl adds no type of its own");
            assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "{lines:?}");
        }
    }

    #[test]
    fn a_header_that_begins_like_an_option_is_none() {
        let lines = curl(&sketch(&[field("-v", b"a\tb")], b"{}", &[]));
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
            let lines = curl(&sketch(&[], b"", &[open("server-token", scheme, None)]));
            assert!(
                lines.starts_with("# $SLOT_SERVER_TOKEN stands for the secret of the slot server-token.\ncurl "),
                "{lines}"
            );
            assert!(lines.contains(shown), "{shown} is not in {lines}");
            let (arguments, _) = pasted(&lines);
            assert_eq!(texts(&arguments)[3..5], [option.to_owned(), format!("{value}{secret}")]);
        }
        let scheme = Scheme::Query { name: "api key".to_owned() };
        let lines = curl(&sketch(&[], b"", &[open("server-token", scheme, None)]));
        assert!(lines.contains("slot server-token, percent-encoded."), "{lines}");
        assert_eq!(texts(&pasted(&lines).0)[3], format!("https://a.example/x?q=1&api+key={secret}"));
        let none = curl(&sketch(&[], b"", &[open("server-token", Scheme::SigningKey, None)]));
        assert!(!none.contains("SERVER_TOKEN"), "a signing key is never sent: {none}");
        assert_eq!([variable("a-b2"), variable("2fa")], ["SLOT_A_B2", "SLOT_2FA"]);
    }

    #[test]
    fn several_secrets_stand_each_in_its_own_place() {
        let path = |prefix: &str| Scheme::Path { name: "x".to_owned(), prefix: prefix.to_owned() };
        let slots = [
            open("b", path("it's"), Some(2)),
            open("a", path("bot"), Some(0)),
            open("q1", Scheme::Query { name: "k".to_owned() }, None),
            open("q2", Scheme::Query { name: "s".to_owned() }, None),
            open("c", Scheme::Cookie { name: "sid".to_owned() }, None),
            open("m", Scheme::Body { name: "auth".to_owned() }, None),
        ];
        let url = "https://a.example/-credential-/x/-credential-/y";
        let lines = curl(&Sketch { method: Method::Get, url, headers: &[], body: Sent::None, slots: &slots });
        let lines = ["A", "B", "Q1", "Q2", "C"]
            .iter()
            .fold(lines, |lines, name| lines.replace(&format!("\"$SLOT_{name}\""), &format!("\"<{name}>\"")));
        let lines = lines.replace("$SLOT_C\"", "<C>\"");
        let told = texts(&pasted(&lines).0);
        assert_eq!(told[..2], ["-g", "https://a.example/bot<A>/x/it's<B>/y?k=<Q1>&s=<Q2>"], "{lines}");
        assert_eq!(told[2..4], ["-H", "Cookie: sid=<C>"]);
        assert!(lines.contains("the slot m; put it into the body as `auth`"), "{lines}");
    }

    #[test]
    fn a_signature_is_made_by_curl_where_it_can_and_else_it_is_said() {
        let ask = |scheme: Scheme| curl(&sketch(&[], b"", &[open("aws", scheme, None)]));
        let aws = ask(Scheme::Sigv4 { service: "s3".to_owned(), region: "eu-1".to_owned() });
        assert!(
            aws.contains("--aws-sigv4 'aws:amz:eu-1:s3'") && aws.contains("-u \"$SLOT_AWS_ID:$SLOT_AWS\""),
            "{aws}"
        );
        let certificate = ask(Scheme::ClientCertificate);
        assert!(certificate.contains("--cert \"$SLOT_AWS\" --key \"$SLOT_AWS_KEY\""), "{certificate}");
        let hmac = portcullis_gate::HmacScheme {
            algorithm: portcullis_gate::MacAlgorithm::HmacSha256,
            message: "{body}".to_owned(),
            encoding: portcullis_gate::MacEncoding::Hex,
            headers: vec![("X-Mac".to_owned(), "{signature}".to_owned())],
        };
        let hmac = ask(Scheme::Hmac(hmac));
        assert!(hmac.contains("with which these lines do not sign"), "{hmac}");
    }

    #[test]
    fn a_url_is_one_url_and_a_method_is_asked_for_as_curl_wants_it() {
        let ask = |method, url: &str| {
            let lines = curl(&Sketch { method, url, headers: &[], body: Sent::None, slots: &[] });
            texts(&pasted(&lines).0).join(" ")
        };
        assert_eq!(ask(Method::Get, "https://a.example/it's?q=$(id)"), "https://a.example/it's?q=$(id)");
        assert_eq!(ask(Method::Head, "https://a.example/"), "-I https://a.example/");
        assert_eq!(ask(Method::Delete, "https://a.example/[1-9]"), "-X DELETE -g https://a.example/[1-9]");
        let url = "https://a.example/";
        let lines = curl(&Sketch { method: Method::Put, url, headers: &[], body: Sent::Omitted(7), slots: &[] });
        assert!(lines.starts_with("# The body has 7 bytes") && lines.contains("--data-binary @body"), "{lines}");
    }
}
