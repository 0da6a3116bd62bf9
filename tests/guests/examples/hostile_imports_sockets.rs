//! Opens a TCP connection with std, and so imports `wasi:sockets`.
#![cfg(target_arch = "wasm32")]

use std::net::TcpStream;

use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-imports-sockets", "connect", |input: Value| {
    let address = input.get("address").and_then(Value::as_str).unwrap_or("127.0.0.1:1");
    Ok(format!(r#"{{"connected": {}}}"#, TcpStream::connect(address).is_ok()))
});
