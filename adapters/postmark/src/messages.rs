//! Emails that were sent.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::{config::Config, slots::SERVER_TOKEN};

pub(crate) const SEARCH_OUTBOUND: Route<Json<OutboundQuery>, Json<OutboundMessages>> =
    Route::get("search-outbound-messages", "/messages/outbound").slot(&SERVER_TOKEN).describe("Searches sent emails.");

/// Searches sent emails, newest first.
#[operation(read, uses(SEARCH_OUTBOUND))]
pub(crate) fn search_outbound_messages(
    cx: &Context<Config>,
    query: Json<OutboundQuery>,
) -> Result<Json<OutboundMessages>, Failure> {
    cx.send(&SEARCH_OUTBOUND, &query)
}

/// Which emails. Postmark finds the first 10,000: count and offset together cannot be more.
#[model]
#[derive(Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboundQuery {
    /// How many to return. At most 500.
    #[schema(range(min = 1, max = 500), example = 50)]
    pub(crate) count: u32,
    /// How many to skip.
    #[schema(range(max = 10_000), example = 0)]
    pub(crate) offset: u32,
    /// To this address.
    #[schema(email, sensitive)]
    pub(crate) recipient: Option<String>,
    /// From this address.
    #[schema(email)]
    pub(crate) fromemail: Option<String>,
    /// With this tag.
    pub(crate) tag: Option<String>,
    /// In this state.
    pub(crate) status: Option<OutboundStatus>,
    /// Up to this day, as in `2014-02-01`.
    #[schema(format = "date")]
    pub(crate) todate: Option<String>,
    /// From this day, as in `2014-02-01`.
    #[schema(format = "date")]
    pub(crate) fromdate: Option<String>,
    /// With this subject.
    #[schema(sensitive)]
    pub(crate) subject: Option<String>,
    /// In this message stream. By default `outbound`.
    pub(crate) messagestream: Option<String>,
}

/// Whether an email is still waiting at Postmark.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutboundStatus {
    Queued,
    Sent,
}

/// Emails that were found.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OutboundMessages {
    /// How many there are in all.
    #[schema(example = 1)]
    pub(crate) total_count: u64,
    /// Those that were asked for.
    pub(crate) messages: Vec<OutboundMessage>,
}

/// One sent email, without its body.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OutboundMessage {
    /// Its id.
    #[serde(rename = "MessageID")]
    #[schema(example = "0ac29aee-e1cd-480d-b08d-4f48548ff48d")]
    pub(crate) message_id: String,
    /// The message stream it was sent in.
    #[schema(example = "outbound")]
    pub(crate) message_stream: Option<String>,
    /// Its tag.
    #[schema(example = "Invitation")]
    pub(crate) tag: Option<String>,
    /// The sender.
    #[schema(example = "\"Sender\" <sender@example.com>")]
    pub(crate) from: Option<String>,
    /// The recipients.
    #[schema(sensitive)]
    pub(crate) to: Option<Vec<NamedAddress>>,
    /// Those who got a copy.
    #[schema(sensitive)]
    pub(crate) cc: Option<Vec<NamedAddress>>,
    /// Those who got a blind copy.
    #[schema(sensitive)]
    pub(crate) bcc: Option<Vec<NamedAddress>>,
    /// All of them, as addresses only.
    #[schema(extend("examples" = [["receiver@example.com"]]), sensitive)]
    pub(crate) recipients: Option<Vec<String>>,
    /// When Postmark took it.
    #[schema(format = "date-time", example = "2026-01-15T09:30:00.0000000-05:00")]
    pub(crate) received_at: Option<String>,
    /// Its subject.
    #[schema(example = "Hello", sensitive)]
    pub(crate) subject: Option<String>,
    /// Its state, such as `Queued` or `Sent`.
    #[schema(example = "Sent")]
    pub(crate) status: Option<String>,
    /// The files that went with it: their names, or objects with Name, ContentType and ContentID.
    #[schema(extend("items" = {"type": ["string", "object"]}, "examples" = [[]]), sensitive)]
    pub(crate) attachments: Option<Vec<Value>>,
    /// Whether it is tracked when it is opened.
    #[schema(example = true)]
    pub(crate) track_opens: Option<bool>,
    /// Which links were replaced: `None`, `HtmlAndText`, `HtmlOnly` or `TextOnly`.
    #[schema(example = "None")]
    pub(crate) track_links: Option<String>,
    /// The keys and values it was sent with.
    #[schema(sensitive)]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    /// Whether it was sent by a server that delivers nothing.
    #[schema(example = false)]
    pub(crate) sandboxed: Option<bool>,
}

/// An address and the name before it.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedAddress {
    /// The address.
    #[schema(example = "receiver@example.com")]
    pub(crate) email: String,
    /// The name.
    #[schema(example = "Receiver")]
    pub(crate) name: Option<String>,
}
