//! The account's servers.
//!
//! Postmark's answer also has each server's API tokens, and webhook URLs that often carry a user name and a password.
//! They are left out of these types on purpose, and so out of the output: a caller may list servers and must not become
//! able to send from them.

use portcullis_sdk::prelude::*;

use crate::{config::Config, slots::ACCOUNT_TOKEN};

pub(crate) const LIST_SERVERS: Route<Json<ServerQuery>, Servers> =
    Route::get("list-servers", "/servers").slot(&ACCOUNT_TOKEN).describe("Lists the account's servers.");

/// Lists the account's servers, without their tokens.
#[operation(read, uses(LIST_SERVERS))]
pub(crate) fn list_servers(cx: &Context<Config>, query: Json<ServerQuery>) -> Result<Servers, Failure> {
    cx.send(&LIST_SERVERS, &query)
}

/// Which servers.
#[model]
#[derive(Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerQuery {
    /// How many to return. At most 500.
    #[schema(range(min = 1, max = 500), example = 50)]
    pub(crate) count: u32,
    /// How many to skip.
    #[schema(example = 0)]
    pub(crate) offset: u32,
    /// Whose name contains this.
    pub(crate) name: Option<String>,
}

/// Servers that were found.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Servers {
    /// How many there are in all.
    #[schema(example = 1)]
    pub(crate) total_count: u64,
    /// Those that were asked for.
    pub(crate) servers: Vec<Server>,
}

/// One server.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Server {
    /// Its id.
    #[serde(rename = "ID")]
    #[schema(example = 1)]
    pub(crate) id: u64,
    /// Its name.
    #[schema(example = "Staging")]
    pub(crate) name: String,
    /// Its colour in Postmark's pages.
    #[schema(example = "Blue")]
    pub(crate) color: Option<String>,
    /// Its page.
    #[schema(example = "https://postmarkapp.com/servers/1/overview")]
    pub(crate) server_link: Option<String>,
    /// `Live`, or `Sandbox` where nothing is delivered.
    #[schema(example = "Live")]
    pub(crate) delivery_type: Option<String>,
    /// Whether it takes email by SMTP.
    #[schema(example = true)]
    pub(crate) smtp_api_activated: Option<bool>,
    /// Whether inbound webhooks carry the raw email.
    #[schema(example = false)]
    pub(crate) raw_email_enabled: Option<bool>,
    /// The address it receives email at.
    pub(crate) inbound_address: Option<String>,
    /// The domain it receives email at.
    #[schema(example = "inbound.example.com")]
    pub(crate) inbound_domain: Option<String>,
    /// From which score on inbound email counts as spam.
    #[schema(example = 5)]
    pub(crate) inbound_spam_threshold: Option<i64>,
    /// Whether only the first opening is reported.
    #[schema(example = false)]
    pub(crate) post_first_open_only: Option<bool>,
    /// Whether emails are tracked when they are opened.
    #[schema(example = false)]
    pub(crate) track_opens: Option<bool>,
    /// Which links are replaced to count clicks.
    #[schema(example = "None")]
    pub(crate) track_links: Option<String>,
    /// Whether bounce webhooks carry the raw message.
    #[schema(example = true)]
    pub(crate) include_bounce_content_in_hook: Option<bool>,
    /// Whether failures of the SMTP API are reported as bounces.
    #[schema(example = true)]
    pub(crate) enable_smtp_api_error_hooks: Option<bool>,
}
