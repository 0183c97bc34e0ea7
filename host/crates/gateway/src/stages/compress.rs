//! Compression of responses, by what the client takes.

use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::respond::{Answer, Response};
use stoa_http::compress::{self, Coding, Judge};
use stoa_settings::config::Compression;

/// Changes the body, and so sees a response last.
pub(crate) struct Compress {
    judge: Judge,
}

impl Compress {
    /// Where the host and the route want it.
    pub(crate) fn compile(to: &Endpoint, host: Compression) -> Option<Self> {
        let on = host == Compression::On && to.route.compression.is_on();
        let judge = match to.shows_headers() {
            true => Judge::Service,
            false => Judge::Host,
        };
        on.then_some(Self { judge })
    }

    /// Of answers that no service gives.
    pub(crate) fn of_the_host(host: Compression) -> Option<Self> {
        (host == Compression::On).then_some(Self { judge: Judge::Host })
    }

    /// Who passes the request on takes its headers away.
    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        exchange.coding = Coding::accepted(&exchange.head.headers);
        Ok(None)
    }

    /// Both sides at once, of a request that goes no further.
    pub(crate) fn alone(&self, exchange: &Exchange, response: &mut Response) {
        let coding = Coding::accepted(&exchange.head.headers);
        compress::finish(response, coding, &exchange.head.method, self.judge);
    }

    pub(crate) fn response(&self, exchange: &Exchange, response: &mut Response) {
        compress::finish(response, exchange.coding, &exchange.head.method, self.judge);
    }
}
