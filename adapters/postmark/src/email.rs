//! Emails with a body: one, or up to 500 at once.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::{config::Config, errors, slots::SERVER_TOKEN};

pub(crate) const SEND_EMAIL: Route<Json<Email>, Json<Sent>> =
    Route::post("send-email", "/email").slot(&SERVER_TOKEN).describe("Sends one email.");

pub(crate) const SEND_EMAIL_BATCH: Route<Json<Batch>, Json<Vec<Sent>>> =
    Route::post("send-email-batch", "/email/batch").slot(&SERVER_TOKEN).describe("Sends up to 500 emails at once.");

/// Sends one email.
#[operation(destructive, uses(SEND_EMAIL))]
pub(crate) fn send_email(cx: &Context<Config>, email: Json<Email>) -> Result<Json<Sent>, Failure> {
    errors::accepted(cx.send(&SEND_EMAIL, &email)?)
}

/// Sends up to 500 emails and returns one result for each, in their order; look at each result's ErrorCode.
#[operation(destructive, uses(SEND_EMAIL_BATCH))]
pub(crate) fn send_email_batch(cx: &Context<Config>, batch: Json<Batch>) -> Result<Json<Vec<Sent>>, Failure> {
    cx.send(&SEND_EMAIL_BATCH, &batch)
}

/// One email. Needs HtmlBody, TextBody or both.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[schema(extend("anyOf" = [{"required": ["HtmlBody"]}, {"required": ["TextBody"]}]))]
pub(crate) struct Email {
    /// The sender, as `a@b.c` or `Name <a@b.c>`. Must have a registered and confirmed Sender Signature.
    #[schema(length(min = 3, max = 255), example = "sender@example.com")]
    pub(crate) from: String,
    /// Recipients, separated by commas. At most 50.
    #[schema(length(min = 3), example = "receiver@example.com", sensitive)]
    pub(crate) to: String,
    /// Recipients of a copy, separated by commas. At most 50.
    #[schema(sensitive)]
    pub(crate) cc: Option<String>,
    /// Recipients of a blind copy, separated by commas. At most 50.
    #[schema(sensitive)]
    pub(crate) bcc: Option<String>,
    /// The subject.
    #[schema(length(max = 2000), example = "Hello", sensitive)]
    pub(crate) subject: Option<String>,
    /// Categorises the email for statistics.
    #[schema(length(max = 1000))]
    pub(crate) tag: Option<String>,
    /// The HTML message, at most 5 MB. If no TextBody is given.
    #[schema(length(max = 5_242_880), sensitive)]
    pub(crate) html_body: Option<String>,
    /// The plain text message, at most 5 MB. If no HtmlBody is given.
    #[schema(length(max = 5_242_880), example = "Hello there", sensitive)]
    pub(crate) text_body: Option<String>,
    /// Where replies go. By default what the Sender Signature says.
    pub(crate) reply_to: Option<String>,
    /// Headers of your own.
    #[schema(sensitive)]
    pub(crate) headers: Option<Vec<MessageHeader>>,
    /// Whether to track when it is opened. By default what the server is set to.
    pub(crate) track_opens: Option<bool>,
    /// Whether to replace links to count clicks. By default what the server is set to.
    pub(crate) track_links: Option<TrackLinks>,
    /// Keys and values that come back in webhooks and searches. Keys of at most 20 characters, values of at most 80.
    #[schema(sensitive)]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    /// Files that go with it. At most 10 MB in all, encoded.
    #[schema(sensitive)]
    pub(crate) attachments: Option<Vec<Attachment>>,
    /// The message stream's id. By default `outbound`, the transactional one.
    #[schema(example = "outbound")]
    pub(crate) message_stream: Option<String>,
}

/// Up to 500 emails.
#[model]
#[derive(Debug)]
#[serde(transparent)]
pub(crate) struct Batch(#[schema(length(min = 1, max = 500))] pub(crate) Vec<Email>);

/// A single header for an email.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct MessageHeader {
    /// The header's name.
    #[schema(length(min = 1))]
    pub(crate) name: String,
    /// The header's value.
    pub(crate) value: String,
}

/// A file that goes with an email.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Attachment {
    /// The file's name.
    #[schema(length(min = 1), example = "readme.txt")]
    pub(crate) name: String,
    /// The file's bytes in base64.
    #[schema(extend("contentEncoding" = "base64"), example = "dGVzdCBjb250ZW50")]
    pub(crate) content: String,
    /// The media type.
    #[schema(example = "text/plain")]
    pub(crate) content_type: String,
    /// For inline images: `cid:` and the id the HTML refers to.
    #[serde(rename = "ContentID")]
    #[schema(example = "cid:image.png")]
    pub(crate) content_id: Option<String>,
}

/// Which links are replaced to count clicks.
#[model]
#[derive(Debug, Clone, Copy)]
pub(crate) enum TrackLinks {
    None,
    HtmlAndText,
    HtmlOnly,
    TextOnly,
}

/// What became of one email. ErrorCode 0 means that Postmark took it.
#[model]
#[derive(Debug, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sent {
    /// Zero, or Postmark's code for what was wrong.
    #[schema(example = 0)]
    pub(crate) error_code: i64,
    /// `OK`, or what was wrong in words.
    #[schema(example = "OK")]
    pub(crate) message: String,
    /// The id to find the email by. Missing where it was refused.
    #[serde(rename = "MessageID")]
    #[schema(format = "uuid", example = "0a129aee-e1cd-480d-b08d-4f48548ff48d")]
    pub(crate) message_id: Option<String>,
    /// When Postmark took it. Missing where it was refused.
    #[schema(format = "date-time", example = "2026-01-15T09:30:00.0000000-05:00")]
    pub(crate) submitted_at: Option<String>,
    /// The recipients.
    #[schema(example = "receiver@example.com", sensitive)]
    pub(crate) to: Option<String>,
}
