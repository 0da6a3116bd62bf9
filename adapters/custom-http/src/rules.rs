//! Which answers are successes, and what the others mean.

use portcullis_sdk::{Errors, Judge, prelude::*};

use crate::{
    config::Config,
    endpoint::{Condition, Endpoint, ResponseType, Success},
};

/// The rules of one endpoint: its own, else the config's.
#[derive(Debug)]
pub(crate) struct Rules<'c> {
    provider: &'c str,
    success: Option<&'c Success>,
    codes: Vec<&'c str>,
    message: Option<&'c str>,
    retryable: Vec<&'c str>,
    /// What an answer must be that is no JSON.
    media_type: Option<&'c str>,
}

impl<'c> Rules<'c> {
    pub(crate) fn new(config: &'c Config, endpoint: &'c Endpoint) -> Self {
        let errors = endpoint.errors.as_ref().or(config.errors.as_ref());
        let list = |of: fn(&crate::endpoint::Errors) -> &[String]| {
            errors.map(|errors| of(errors).iter().map(String::as_str).collect()).unwrap_or_default()
        };
        let is_opaque = matches!(endpoint.answers(), ResponseType::Text | ResponseType::Bytes);
        Self {
            provider: &config.provider,
            success: success(config, endpoint),
            codes: list(|errors| &errors.codes),
            message: errors.and_then(|errors| errors.message.as_deref()),
            retryable: list(|errors| &errors.retryable),
            media_type: endpoint.accept.as_deref().filter(|_| is_opaque),
        }
    }

    fn is_success(&self, response: &Response) -> bool {
        let Some(success) = self.success else { return response.is_success() };
        let status = response.status.to_string();
        let has_status = match &success.statuses {
            None => response.is_success(),
            Some(statuses) => statuses.iter().any(|wanted| {
                *wanted == status || wanted.strip_suffix("xx").is_some_and(|class| status.starts_with(class))
            }),
        };
        if !has_status || success.body.is_empty() {
            return has_status;
        }
        let body = response.json::<Value>().unwrap_or_default();
        success.body.iter().all(|condition| condition.holds(&body))
    }
}

/// An endpoint's success rule. The config's is for JSON: of other answers only its statuses count.
pub(crate) fn success<'c>(config: &'c Config, endpoint: &'c Endpoint) -> Option<&'c Success> {
    let of_all =
        config.success.as_ref().filter(|rule| endpoint.answers() == ResponseType::Json || rule.body.is_empty());
    endpoint.success.as_ref().or(of_all)
}

impl Condition {
    fn holds(&self, body: &Value) -> bool {
        let found = body.pointer(&self.pointer);
        self.equals.as_ref().is_none_or(|wanted| found == Some(wanted))
            && self.not_equals.as_ref().is_none_or(|unwanted| found != Some(unwanted))
            && self.exists.is_none_or(|exists| found.is_some_and(|found| !found.is_null()) == exists)
    }
}

impl Judge for Rules<'_> {
    fn judge(&self, response: &Response) -> Result<(), Failure> {
        if !self.is_success(response) {
            let errors = Errors {
                provider: self.provider,
                codes: &self.codes,
                message: self.message,
                retryable: &self.retryable,
            };
            return Err(errors.failure(response));
        }
        let Some(wanted) = self.media_type else { return Ok(()) };
        let found = response.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let fits = wanted.split(',').any(|wanted| {
            let wanted = wanted.split(';').next().unwrap_or_default().trim();
            let any = wanted.strip_suffix('*').filter(|main| main.ends_with('/'));
            wanted == "*/*" || found.eq_ignore_ascii_case(wanted) || any.is_some_and(|main| found.starts_with(main))
        });
        if fits {
            return Ok(());
        }
        let found: String = found.chars().take(100).collect();
        let message = format!("the answer's media type is `{found}` and not `{wanted}`");
        Err(Failure::new("http.unexpected-body", message))
    }
}
