//! Emails that did not arrive.

use portcullis_sdk::prelude::*;

use crate::{config::Config, slots::SERVER_TOKEN};

pub(crate) const GET_BOUNCES: Route<Json<BounceQuery>, Json<Bounces>> =
    Route::get("get-bounces", "/bounces").slot(&SERVER_TOKEN).describe("Searches bounces.");

/// Searches bounces, newest first.
#[operation(read, uses(GET_BOUNCES))]
pub(crate) fn get_bounces(cx: &Context<Config>, query: Json<BounceQuery>) -> Result<Json<Bounces>, Failure> {
    cx.send(&GET_BOUNCES, &query)
}

/// Which bounces. Postmark finds the first 10,000: count and offset together cannot be more.
#[model]
#[derive(Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct BounceQuery {
    /// How many to return. At most 500.
    #[schema(range(min = 1, max = 500), example = 50)]
    pub(crate) count: u32,
    /// How many to skip.
    #[schema(range(max = 10_000), example = 0)]
    pub(crate) offset: u32,
    /// Of this type.
    #[serde(rename = "type")]
    pub(crate) kind: Option<BounceType>,
    /// Whose address Postmark deactivated (true) or did not (false).
    pub(crate) inactive: Option<bool>,
    /// Of this address.
    #[serde(rename = "emailFilter")]
    #[schema(email, sensitive)]
    pub(crate) email_filter: Option<String>,
    /// Of this message.
    #[serde(rename = "messageID")]
    pub(crate) message_id: Option<String>,
    /// With this tag.
    pub(crate) tag: Option<String>,
    /// Up to this day, as in `2014-02-01`.
    #[schema(format = "date")]
    pub(crate) todate: Option<String>,
    /// From this day, as in `2014-02-01`.
    #[schema(format = "date")]
    pub(crate) fromdate: Option<String>,
    /// In this message stream. By default `outbound`.
    pub(crate) messagestream: Option<String>,
}

/// Why an email did not arrive.
#[model]
#[derive(Debug, Clone, Copy)]
pub(crate) enum BounceType {
    HardBounce,
    Transient,
    Unsubscribe,
    Subscribe,
    AutoResponder,
    AddressChange,
    DnsError,
    SpamNotification,
    OpenRelayTest,
    Unknown,
    SoftBounce,
    VirusNotification,
    #[serde(rename = "MailFrontier Matador.")]
    MailFrontierMatador,
    BadEmailAddress,
    SpamComplaint,
    ManuallyDeactivated,
    Unconfirmed,
    Blocked,
    #[serde(rename = "SMTPApiError")]
    SmtpApiError,
    InboundError,
    #[serde(rename = "DMARCPolicy")]
    DmarcPolicy,
    TemplateRenderingFailed,
}

/// Bounces that were found.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Bounces {
    /// How many there are in all.
    #[schema(example = 1)]
    pub(crate) total_count: u64,
    /// Those that were asked for.
    pub(crate) bounces: Vec<Bounce>,
}

/// One bounce.
#[model]
#[derive(Debug)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Bounce {
    /// The bounce's id: a number, though Postmark's own description of its API says text.
    #[serde(rename = "ID")]
    #[schema(extend("type" = ["integer", "string"]), example = 692_560_173)]
    pub(crate) id: Value,
    /// Its type's name; those known are the values of the query's `type`.
    #[schema(example = "HardBounce")]
    pub(crate) r#type: Option<String>,
    /// Its type's number.
    #[schema(example = 1)]
    pub(crate) type_code: Option<i64>,
    /// Its type in words.
    #[schema(example = "Hard bounce")]
    pub(crate) name: Option<String>,
    /// The email's tag.
    #[schema(example = "Invitation")]
    pub(crate) tag: Option<String>,
    /// The email's id.
    #[serde(rename = "MessageID")]
    #[schema(example = "2c1b63fe-43f2-4db5-91b0-8bdfa44a9316")]
    pub(crate) message_id: Option<String>,
    /// The server it was sent by.
    #[serde(rename = "ServerID")]
    #[schema(example = 23)]
    pub(crate) server_id: Option<u64>,
    /// The message stream it was sent in.
    #[schema(example = "outbound")]
    pub(crate) message_stream: Option<String>,
    /// What the type means.
    #[schema(example = "The server was unable to deliver your message (ex: unknown user, mailbox not found).")]
    pub(crate) description: Option<String>,
    /// What the other side said.
    #[schema(example = "smtp;550 5.1.1 The email account that you tried to reach does not exist.", sensitive)]
    pub(crate) details: Option<String>,
    /// The address that bounced.
    #[schema(example = "john@example.com", sensitive)]
    pub(crate) email: Option<String>,
    /// The sender.
    #[schema(example = "sender@example.com")]
    pub(crate) from: Option<String>,
    /// When.
    #[schema(format = "date-time", example = "2026-01-15T16:09:19.6421112-05:00")]
    pub(crate) bounced_at: Option<String>,
    /// Whether Postmark still has the raw message.
    #[schema(example = true)]
    pub(crate) dump_available: Option<bool>,
    /// Whether Postmark deactivated the address.
    #[schema(example = true)]
    pub(crate) inactive: Option<bool>,
    /// Whether the address can be activated again.
    #[schema(example = true)]
    pub(crate) can_activate: Option<bool>,
    /// The email's subject.
    #[schema(example = "Hello", sensitive)]
    pub(crate) subject: Option<String>,
    /// The raw message, where the server is set to keep it.
    #[schema(sensitive)]
    pub(crate) content: Option<String>,
}
