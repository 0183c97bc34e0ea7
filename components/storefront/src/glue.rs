//! `wasi:http` 0.2, and the other services behind their links. No logic here.

use std::io::{Read as _, Write as _};

use stoa_sdk::{Error, config, log, unavailable};
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam, Scheme,
};

use crate::bindings::shop::catalog::catalog::{self, Item, ItemPage, RegionInfo};
use crate::bindings::shop::order::counter;
use crate::bindings::shop::order::orders::{NewOrder, Order};
use crate::bindings::shop::shipping::carriers::{self, ShippingQuote};
use crate::{Filter, Headers, Reply, Request, Storefront, World, pages};

/// What the handler is exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    wasip2::http::proxy::export!(Component);
}

/// The other services behind their links.
struct Link;

impl World for Link {
    fn region(&self, code: &str) -> Result<RegionInfo, Error> {
        catalog::region(code)
    }

    fn items(&self, region: &str, filter: &Filter) -> Result<ItemPage, Error> {
        let category = filter.category.as_deref();
        let in_stock = filter.in_stock.then_some(true);
        let cursor = filter.cursor.as_deref();
        let languages = filter.languages.as_deref();
        match &filter.words {
            Some(words) => catalog::search(
                region,
                words,
                category,
                None,
                None,
                in_stock,
                Some(true),
                None,
                cursor,
                languages,
            ),
            None => catalog::list(
                region,
                category,
                None,
                None,
                in_stock,
                filter.sort,
                Some(true),
                None,
                cursor,
                languages,
            ),
        }
    }

    fn item(&self, region: &str, id: &str, languages: Option<&str>) -> Result<Item, Error> {
        catalog::get(region, id, languages)
    }

    fn quotes(
        &self,
        country: &str,
        currency: &str,
        units: u32,
    ) -> Result<Vec<ShippingQuote>, Error> {
        carriers::quote(country, currency, units)
    }

    fn place(&self, guest: &str, order: &NewOrder, key: &str) -> Result<Order, Error> {
        counter::place(guest, order, key)
    }

    fn order(&self, guest: &str, id: &str) -> Result<Order, Error> {
        counter::get(guest, id)
    }
}

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(incoming: IncomingRequest, out: ResponseOutparam) {
        log::init();
        let reply = read(incoming).and_then(|request| {
            let regions = config::json("regions")?.unwrap_or_default();
            let mut reply = Storefront::new(Link, regions).answer(&request);
            if request.method == "HEAD" {
                reply.body.clear();
            }
            Ok(reply)
        });
        write(out, reply.unwrap_or_else(|error| pages::failed(&error)));
    }
}

fn read(incoming: IncomingRequest) -> Result<Request, Error> {
    let target = incoming.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let method = match incoming.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        other => format!("{other:?}"),
    };
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        authority: incoming.authority().unwrap_or_default(),
        secure: matches!(incoming.scheme(), Some(Scheme::Https)),
        headers: Headers::default(),
        body: Vec::new(),
    };
    for (name, value) in incoming.headers().entries() {
        if let Ok(value) = String::from_utf8(value) {
            request.headers.add(&name, value);
        }
    }
    let broken = |fault: &dyn std::fmt::Debug| unavailable!("the body broke off: {fault:?}");
    let body = incoming.consume().map_err(|fault| broken(&fault))?;
    let mut stream = body.stream().map_err(|fault| broken(&fault))?;
    // The route's limit ends it.
    stream
        .read_to_end(&mut request.body)
        .map_err(|fault| broken(&fault))?;
    Ok(request)
}

/// The host ends what can't be written: then nobody reads it.
fn write(out: ResponseOutparam, reply: Reply) {
    let headers: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let fields = Fields::from_list(&headers).expect("our headers are valid");
    let response = OutgoingResponse::new(fields);
    response
        .set_status_code(reply.status)
        .expect("our statuses are valid");
    let body = response.body().expect("a new response has its body");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("a new body has its stream");
    let written = stream
        .write_all(reply.body.as_bytes())
        .and_then(|()| std::io::Write::flush(&mut stream));
    drop(stream);
    if written.is_ok() {
        drop(OutgoingBody::finish(body, None));
    }
}
