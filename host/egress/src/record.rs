//! What a try leaves behind for the receipt and the ledger, also when nobody waits for its end any more.

use std::{borrow::Cow, time::Instant};

use portcullis_gate::{OpenRoute, RequestUrl};
use portcullis_ledger::{Exchange, Hash};

use crate::{
    error::SendError,
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
    /// Secrets found in the response so far.
    pub(crate) redactions: u32,
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
        Self { outbound, request, url, route, attempt, started: Instant::now(), redactions: 0, ended: false }
    }

    /// Records how it ended. What was denied is recorded as a denial instead.
    pub(crate) fn end(mut self, end: &Result<HttpResponse, SendError>) {
        self.ended = true;
        match end {
            Ok(response) => self.record(Some(response.status), None),
            Err(SendError::Denied(_)) => {}
            Err(error) => self.record(None, Some(error.code())),
        }
    }

    fn record(&self, status: Option<u16>, error: Option<Cow<'static, str>>) {
        let exchange = Exchange {
            route: self.route.id.clone(),
            method: self.route.method,
            origin: self.url.origin().to_owned(),
            payload: self.request.body.as_ref().map(|body| Hash::salted(&self.outbound.parts.salt, body)),
            template: self.route.template.as_str().to_owned(),
            slot: self.route.slot.as_ref().map(|(slot, _)| slot.clone()),
            attempt: self.attempt,
            status,
            error,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            redactions: self.redactions,
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
