//! The contract, generated from `wit/0.1.0`: types, imports and the [`export!`] macro.
//!
//! Adapters do not need it. It is public for code that has to say things the typed layer does not, such as requests
//! that no route describes: implement [`exports::portcullis::adapter::operations::Guest`] and write
//! `portcullis_sdk::bindings::export!(Component with_types_in portcullis_sdk::bindings);`. The imports exist inside a
//! component only; elsewhere they panic.

#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    path: "../wit/0.1.0",
    world: "adapter",
    pub_export_macro: true,
    default_bindings_module: "portcullis_sdk::bindings",
    additional_derives: [PartialEq],
});
