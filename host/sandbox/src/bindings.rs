//! Generated from the contract.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0",
    world: "adapter",
    imports: {
        "portcullis:adapter/credentials.[method]credential.value": async | trappable,
        "portcullis:adapter/http.send": async | trappable,
        "portcullis:adapter/http.send-all": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "portcullis:adapter/credentials.credential": crate::host::Handle },
});
