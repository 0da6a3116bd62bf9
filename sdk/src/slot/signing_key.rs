//! Keys that are never sent.

use super::is_name;
use crate::{
    bindings::portcullis::adapter::descriptor::{self, Scheme},
    describe::{Declare, Declared},
};

/// A named key for [`Context::sign`](crate::Context::sign) and [`Context::verify`](crate::Context::verify): it stays with the
/// host and is never sent. A constant; list it in the operation's `uses`.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// const KEY: SigningKey = SigningKey::new("webhook-key").describe("The signing secret: Settings, Webhooks.");
/// ```
///
/// It is no [`Slot`](crate::Slot), so it cannot be put on a route, and a slot that is sent cannot sign:
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const KEY: SigningKey = SigningKey::new("webhook-key");
/// const GET: Route<(), Value> = Route::get("get", "/items").slot(&KEY);
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::{Adapter, prelude::*};
///
/// const TOKEN: Slot = Slot::bearer("token");
/// fn sign<C: Adapter>(cx: &Context<C>) -> Result<Vec<u8>, Failure> {
///     cx.sign(&TOKEN, MacAlgorithm::HmacSha256, b"message")
/// }
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::{Adapter, prelude::*};
///
/// const TOKEN: Slot = Slot::bearer("token");
/// fn verify<C: Adapter>(cx: &Context<C>) -> Result<bool, Failure> {
///     cx.verify(&TOKEN, MacAlgorithm::HmacSha256, b"message", b"mac")
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SigningKey<'a> {
    name: &'a str,
    description: &'a str,
}

impl<'a> SigningKey<'a> {
    /// Nothing: what can be wrong with a key is found where it is written.
    #[doc(hidden)]
    pub const fn check(&self) {}

    /// A key of this name: lower-case letters, digits and `-`, 1 to 64 bytes, unique among the adapter's slots.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        assert!(is_name(name), "a key's name is 1 to 64 lower-case letters, digits and `-`, as in `webhook-key`");
        Self { name, description: "" }
    }

    /// One sentence for the operator: which key, and where to find it.
    #[must_use]
    pub const fn describe(mut self, description: &'a str) -> Self {
        self.description = description;
        self
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }
}

impl Declare for SigningKey<'_> {
    fn declare(&self, declared: &mut Declared) -> Option<String> {
        declared.add_slot(descriptor::Slot {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            scheme: Scheme::SigningKey,
            oauth: None,
        });
        None
    }
}
