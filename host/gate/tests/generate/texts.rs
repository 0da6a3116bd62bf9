//! Made-up texts: nearly URLs, and nearly files.

use super::Choices;

const OF_URLS: &[&str] = &[
    "https://",
    "http://",
    "HTTPS://",
    "https:",
    "//",
    "/",
    "?",
    "#",
    "@",
    ":",
    "\\",
    "a.example",
    "A.Example",
    "b",
    "..",
    ".",
    "%2e",
    "%2F",
    "%41",
    "%",
    ";",
    "&",
    "=",
    "+",
    "'",
    "\"",
    "ü",
    "{x}",
    "[::1]",
    "127.0.0.1",
    ":443",
    ":80",
    ":8025",
    "[2606:4700::1111]",
    "0x7f.1",
    "xn--bcher-kva",
    "ｅ",
    " ",
    "\t",
    "|",
    "<",
    "`",
    "^",
    "://",
    "-",
    "_",
    "\u{ad}",
    "~",
];

const OF_FILES: &[&str] = &[
    "adapter = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n",
    "operations = [\"a\"]\n",
    "[[routes]]\n",
    "method = \"GET\"\n",
    "url = \"https://a.example/{x}\"\n",
    "url = \"http://a.example:1/\"\n",
    "query = [\"a\", { name = \"b\", shape = \"digits\" }]\n",
    "query = [\"*\", { name = \"*\", shape = \"word\" }]\n",
    "headers = [\"*\"]\n",
    "headers = [{ name = \"b\", one_of = [\"\\u0000\"] }]\n",
    "limits = { requests = 1 }\n",
    "[limits]\n",
    "fuel = 5_000_000\n",
    "fuel = -1\n",
    "origins = [\"https://*.a.example\"]\n",
    "methods = []\n",
    "carve_outs = [\"127.0.0.1:1\"]\n",
    "carve_outs = []\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "=",
    ",",
    "\n",
    "\0",
    "ü",
    "\u{feff}",
    "{\"adapter\":",
    "null",
    "1e999",
    "{x..}",
    "(1..2)",
    "https://a.example/",
    "{x:uuid}",
    "//",
    "[::1]:8",
];

/// A text that is nearly a URL.
pub(crate) fn url_like(choices: &mut Choices<'_>) -> String {
    let start = choices.of(&["https://a.example", "https://a.example", "http://127.0.0.1:8025", "https://", ""]);
    start.to_owned() + &choices.list(7, |c| c.of(OF_URLS)).concat()
}

/// Pieces of grants, ceilings, templates and descriptors in any order, or any text at all.
pub(crate) fn file_like(choices: &mut Choices<'_>) -> String {
    if choices.one_in(5) {
        let bytes = choices.list(40, Choices::byte);
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    choices.list(12, |c| c.of(OF_FILES)).concat()
}
