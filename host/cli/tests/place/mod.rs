//! Runs the command as a person or a script would: in a folder of its own, with its output taken.

#![allow(dead_code, unreachable_pub, reason = "shared by test programs, none of which is a library")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tempfile::TempDir;

pub const SECRET: &str = "pm-0123456789-secret";

/// How a command ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// A folder of its own to run the command in.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        self.run_at("0", arguments, input)
    }

    /// As on a terminal of this width.
    pub fn run_at(&self, columns: &str, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(arguments)
            .env("PORTCULLIS_DATA", self.folder.path().join("data"))
            .env("PM_TOKEN", SECRET)
            // Nothing is broken to fit, so that sentences can be looked for.
            .env("COLUMNS", columns)
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "the secret was printed");
        ran
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A grant for everything that an adapter declares for a config, with these lines changed.
    pub fn grant(&self, adapter: &str, config: &str, change: impl Fn(String) -> String) -> String {
        let ran = self.run(&["inspect", adapter, "--config", config, "--grant"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        self.write("grant.toml", &change(ran.out))
    }
}

/// A built adapter's file.
pub fn built(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/adapters/out").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing; run `cargo xtask build` first", path.display());
    path.display().to_string()
}

/// Answers every request with this status and JSON; returns its address and what it receives.
pub fn upstream(status: u16, body: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let received = Arc::new(Mutex::new(String::new()));
    let log = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 8192];
            let mut text = String::new();
            // Small requests: the header says how long the body is.
            loop {
                let count = stream.read(&mut buffer).unwrap_or(0);
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
                let length = text
                    .to_lowercase()
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok()));
                let body_so_far = text.split("\r\n\r\n").nth(1).map(str::len);
                if count == 0 || body_so_far.is_some_and(|so_far| so_far >= length.unwrap_or(0)) {
                    break;
                }
            }
            log.lock().unwrap().push_str(&text);
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, received)
}
