//! Asks for a TCP socket, and for the network where it is told to, and so imports `wasi:sockets`.
//!
//! By name and not through std, which reaches for sockets only where the C library it is built on has them.
#![cfg(target_arch = "wasm32")]

use portcullis_sdk::prelude::Value;
use wasip2::sockets::{
    instance_network::instance_network, network::IpAddressFamily, tcp_create_socket::create_tcp_socket,
};

portcullis_guests::guest!("hostile-imports-sockets", "connect", |input: Value| {
    if input.get("network").is_some() {
        drop(instance_network());
    }
    Ok(format!(r#"{{"connected": {}}}"#, create_tcp_socket(IpAddressFamily::Ipv4).is_ok()))
});
