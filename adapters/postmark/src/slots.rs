//! The two kinds of token: what belongs to one server (sending, its messages and bounces), and what belongs to the
//! account (its servers).

use portcullis_sdk::prelude::*;

pub(crate) const SERVER_TOKEN: Slot = Slot::header("server-token", "X-Postmark-Server-Token")
    .describe("A server API token: Servers, your server, API Tokens. `POSTMARK_API_TEST` accepts mail and sends none.");

pub(crate) const ACCOUNT_TOKEN: Slot = Slot::header("account-token", "X-Postmark-Account-Token")
    .describe("The account API token: Account, API Tokens. Only account owners and admins see it.");
