//! Emails made from a template.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::{
    config::Config,
    email::{Attachment, MessageHeader, Sent, TrackLinks},
    errors,
    slots::SERVER_TOKEN,
};

pub(crate) const SEND_WITH_TEMPLATE: Route<Json<TemplatedEmail>, Json<Sent>> =
    Route::post("send-email-with-template", "/email/withTemplate")
        .slot(&SERVER_TOKEN)
        .describe("Sends one email made from a template.");

/// Sends one email made from a template.
#[operation(destructive, uses(SEND_WITH_TEMPLATE))]
pub(crate) fn send_email_with_template(
    cx: &Context<Config>,
    email: Json<TemplatedEmail>,
) -> Result<Json<Sent>, Failure> {
    errors::accepted(cx.send(&SEND_WITH_TEMPLATE, &email)?)
}

/// One email made from a template, which is named by TemplateId or by TemplateAlias.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[schema(extend("oneOf" = [{"required": ["TemplateId"]}, {"required": ["TemplateAlias"]}]))]
pub(crate) struct TemplatedEmail {
    /// The template's id. Required if TemplateAlias is not given.
    #[schema(range(min = 1), example = 1234)]
    pub(crate) template_id: Option<u64>,
    /// The template's alias. Required if TemplateId is not given.
    #[schema(length(min = 1))]
    pub(crate) template_alias: Option<String>,
    /// What the template's placeholders stand for. The names are the template's own.
    #[schema(example = {"name": "Ada"}, sensitive)]
    pub(crate) template_model: BTreeMap<String, Value>,
    /// Whether style rules are put on the elements they apply to. By default true.
    #[serde(default = "yes")]
    pub(crate) inline_css: bool,
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
    /// Categorises the email for statistics.
    #[schema(length(max = 1000))]
    pub(crate) tag: Option<String>,
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

fn yes() -> bool {
    true
}
