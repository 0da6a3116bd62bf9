//! A host's memory, after everything was revoked and the host has ended: nothing of ours is left, and what libraries left is
//! named. The host is a process of its own, `tests/src/bin/wiped`; upstream and authorization server are in this one.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_tests::{
    tls::{Authority, TlsUpstream},
    upstream::{Answer, Received, Upstream},
};
use serde_json::{Value, json};

use super::{Server, echoes, secret};
use crate::{hostile::stores::Folder, needles};

/// Where libraries free memory with a secret in it, and why that cannot be helped from here. SECURITY.md has the same list.
const LIBRARIES: &[(&str, &str)] = &[
    (
        "aws_sigv4: aws_sigv4::sign::v4::generate_signing_key",
        "`AWS4` and the key, from which the signing key is derived",
    ),
    ("bytes:", "read and write buffers of connections"),
    ("hyper:", "a request's head as it is written"),
    ("reqwest:", "copies of a request's URL, with what stands in its path and query"),
    ("rustls:", "what is to be encrypted, and what was decrypted"),
    ("serde_json:", "a string with escapes, in a token's answer"),
    ("url:", "a URL with what stands in its path and query"),
];

/// What stands in the environment of the host: its memory is found to have it.
const MARK: &str = "a-mark-that-is-to-be-found";

/// The name that the server's certificate is for is an address: no name has to be resolved.
const HOST: &str = "127.0.0.1";

fn masked(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{:02x}", byte ^ 0x5a)).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn answering(server: &Arc<Server>) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    let server = server.clone();
    move |request: &Received| match request.target.as_str() {
        "/ok" => Answer::json(&json!({"ok": true})),
        target if target.starts_with("/oauth/") => padded(server.answer(request)),
        _ => padded(echoes::everything(request)),
    }
}

/// With so much behind it that it comes in many pieces, and buffers grow.
fn padded(mut answer: Answer) -> Answer {
    answer.body.extend([b' '; 40_000]);
    answer
}

fn find(memory: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first().unwrap();
    (0..memory.len() - rest.len()).find(|at| memory[*at] == *first && memory[at + 1..].starts_with(rest))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn no_memory_of_ours_has_a_secret_in_it_once_all_were_revoked_and_what_libraries_leave_is_known() {
    let folder = Folder::new("wiped");
    let dump = folder.path().join("memory");
    let server = Arc::new(Server::default());
    let upstream = Upstream::start(answering(&server)).await.unwrap();
    let authority = Authority::new("The authority of the tests").unwrap();
    let tls = TlsUpstream::start(authority.good(HOST).unwrap(), answering(&server)).await.unwrap();
    let (certificate, key) = authority.good_in_der("client.example").unwrap();
    let (certificate, private) = (pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", &key));
    let mut secrets: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, bytes: &[u8]| drop(secrets.insert(name.to_owned(), masked(bytes)));
    for name in ["key", "query-key", "cookie", "bot", "signing", "member", "aws", "mac", "client", "refresh", "post"] {
        put(name, secret(name).as_bytes());
    }
    put("basic", format!("user:{}", secret("basic")).as_bytes());
    put("private-key", private.as_bytes());
    put("certificate", certificate.as_bytes());
    let mut masters = [[0; 32]; 2];
    for master in &mut masters {
        fs::File::open("/dev/urandom").unwrap().read_exact(master).unwrap();
    }
    put("master", &masters[0]);
    put("second-master", &masters[1]);
    let mut looked_for: Vec<(String, Vec<u8>)> =
        // By a name that is none of it: names are not masked.
        needles::of_secrets().map(|needle| ("a secret".to_owned(), needle.as_bytes().to_vec())).collect();
    // The private scalar stands after the tag and the length of its octet string; the second line of the PEM has some of it.
    let scalar = key.windows(2).position(|two| two == [4, 32]).unwrap() + 2;
    looked_for.push(("private key, DER".to_owned(), key[scalar..scalar + 16].to_vec()));
    looked_for.push(("private key, PEM".to_owned(), private.lines().nth(2).unwrap().as_bytes()[..16].to_vec()));
    for master in &masters {
        looked_for.push(("master key".to_owned(), master[..16].to_vec()));
    }
    let needles: BTreeMap<String, String> = looked_for
        .iter()
        .enumerate()
        .map(|(number, (name, bytes))| (format!("{number} {name}"), masked(bytes)))
        .collect();
    let task = json!({
        "origin": upstream.origin(), "address": upstream.address,
        "tls": [format!("https://{HOST}:{}", tls.address.port()), tls.address], "root": authority.root(),
        "secrets": secrets, "needles": needles, "dump": dump,
    });
    let origin = upstream.origin();
    let child = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wiped"))
            .env("PORTCULLIS_TESTS_MARK", MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = child.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{} blocks were looked into", told["looked"]);
    assert_eq!(told["failed"], json!([]), "each credential was used");
    assert!(told["looked"].as_u64().unwrap() > 100_000, "the allocator looks");
    // Who left what.
    let mut wrong = Vec::new();
    for (place, found) in told["places"].as_object().unwrap() {
        println!("{place}: {} times, {}", found["times"], found["needles"]);
        let known = LIBRARIES.iter().any(|(library, _)| place.starts_with(library));
        if place.starts_with("portcullis") || !known {
            let stack = found["stack"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
            wrong.push(format!("{place}: {}\n    {}", found["needles"], stack.collect::<Vec<_>>().join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} places leave secrets in memory:\n{}", wrong.len(), wrong.join("\n"));
    for (library, _) in LIBRARIES {
        assert!(
            told["places"].as_object().unwrap().keys().any(|place| place.starts_with(library)),
            "{library} leaves nothing"
        );
    }
    // What is still there.
    let memory = fs::read(&dump).unwrap();
    println!("{} MiB of memory were looked through", memory.len() >> 20);
    for there in [MARK.as_bytes(), origin.as_bytes()] {
        assert!(find(&memory, there).is_some(), "the search finds what is there");
    }
    for (name, bytes) in looked_for {
        let at = find(&memory, &bytes);
        let around = at.map(|at| memory[at.saturating_sub(64)..(at + 96).min(memory.len())].escape_ascii().to_string());
        assert_eq!(around, None, "{name} is in memory");
    }
    let keys = told["keys"].as_array().unwrap();
    assert!(keys.len() >= 2, "{keys:?}");
    for key in keys {
        let key = key.as_str().unwrap();
        let bytes: Vec<u8> =
            (0..16).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap() ^ 0x5a).collect();
        assert_eq!(find(&memory, &bytes), None, "a data key is in memory");
    }
}
