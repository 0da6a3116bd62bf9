//! The one secret.

use portcullis_sdk::prelude::*;

pub(crate) const SECRET_KEY: Slot = Slot::bearer("secret-key").describe(
    "A secret or, better, a restricted key: Developers, API keys. `sk_test_…` and `rk_test_…` move no real money.",
);
