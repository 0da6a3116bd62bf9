//! Postmark: transactional email.
//!
//! Sends single emails, batches and templates, and reads bounces, sent messages and the account's servers. Sending is
//! `destructive`: an email cannot be recalled. Field names are Postmark's own, so that its documentation applies
//! (<https://postmarkapp.com/developer>).

mod bounces;
mod config;
mod email;
mod errors;
mod messages;
mod servers;
mod slots;
mod templates;

#[cfg(test)]
mod tests;

use bounces::get_bounces;
use config::Config;
use email::{send_email, send_email_batch};
use messages::search_outbound_messages;
use servers::list_servers;
use templates::send_email_with_template;

portcullis_sdk::register!(
    config: Config,
    base: |config| &config.base_url,
    error: errors::failure,
    operations: [
        send_email,
        send_email_batch,
        send_email_with_template,
        get_bounces,
        search_outbound_messages,
        list_servers,
    ],
);
