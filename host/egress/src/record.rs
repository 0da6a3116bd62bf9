//! What a try leaves behind for the receipt and the ledger, also when nobody waits for its end any more.

use std::{borrow::Cow, time::Instant};

use portcullis_gate::{OpenRoute, RequestUrl};
use portcullis_ledger::{Exchange, Hash};

use crate::{
    error::SendError,
    exchange::Found,
    outbound::{HttpRequest, HttpResponse, Outbound},
};

/// A try under way. Dropped before its end, it is recorded as cut off: the request may have been carried out.
pub(crate) struct UnderWay<'a> {
    outbound: &'a Outbound,
    request: &'a HttpRequest,
    url: &'a RequestUrl,
    route: &'a OpenRoute,
    attempt: u32,
    started: Instant,
    /// What was found out so far.
    pub(crate) found: Found,
    ended: bool,
}

impl<'a> UnderWay<'a> {
    pub(crate) fn start(
        outbound: &'a Outbound,
        request: &'a HttpRequest,
        url: &'a RequestUrl,
        route: &'a OpenRoute,
        attempt: u32,
    ) -> Self {
        Self { outbound, request, url, route, attempt, started: Instant::now(), found: Found::default(), ended: false }
    }

    /// Records how it ended. What was denied is recorded as a denial instead.
    /// Says whether there is another credential now than the one that was refused.
    pub(crate) fn end(mut self, end: &Result<HttpResponse, SendError>) -> bool {
        self.ended = true;
        match end {
            Ok(response) => self.record(Some(response.status), None),
            Err(SendError::Denied(_) | SendError::SecretSent(_)) => {}
            Err(error) => self.record(None, Some(error.code())),
        }
        self.found.renewed
    }

    fn record(&self, status: Option<u16>, error: Option<Cow<'static, str>>) {
        let exchange = Exchange {
            route: self.route.id.clone(),
            method: self.route.method,
            origin: self.url.origin().to_owned(),
            payload: self.request.body.as_ref().map(|body| Hash::salted(&self.outbound.parts.salt, body)),
            template: self.route.template.as_str().to_owned(),
            slots: self.route.slots.iter().map(|slot| slot.name.clone()).collect(),
            attempt: self.attempt,
            status,
            error,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            redactions: self.found.redactions,
        };
        self.outbound.tally(|tally| {
            tally.redactions += exchange.redactions;
            tally.exchanges.push(exchange);
        });
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.record(None, Some(Cow::Borrowed("cut-off")));
        }
    }
}
