//! Which page answers which request.

use stoa_sdk::{Error, not_found};

use crate::basket::{self, Basket, Line};
use crate::bindings::shop::catalog::catalog::{RegionInfo, Sort};
use crate::bindings::shop::shipping::carriers::ShippingQuote;
use crate::checkout::Form;
use crate::message::{Audience, Fields};
use crate::pages::{self, Frame, Row};
use crate::{Filter, Reply, Request, World, guest, origin};

/// The pages over the other services.
pub struct Storefront<W> {
    world: W,
    /// Codes of the regions that it sells to, the first one first.
    regions: Vec<String>,
}

impl<W: World> Storefront<W> {
    /// Pages for these regions of the catalog.
    pub fn new(world: W, regions: Vec<String>) -> Self {
        Self { world, regions }
    }

    /// Answers a request: what can't be answered is a page, too.
    pub fn answer(&self, request: &Request) -> Reply {
        let posted = match request.method.as_str() {
            "GET" | "HEAD" => false,
            "POST" => true,
            _ => return pages::refused(405, "This page can only be read, and its forms sent."),
        };
        if posted && !origin::is_own(request) {
            let text = "This form was not sent from our pages. Open the shop and try again there.";
            return pages::refused(403, text);
        }
        let answered = self.route(request, posted);
        answered.unwrap_or_else(|error| pages::failed(&error))
    }

    fn route(&self, request: &Request, posted: bool) -> Result<Reply, Error> {
        let path = request.path.trim_matches('/');
        let parts: Vec<&str> = match path {
            "" => Vec::new(),
            path => path.split('/').collect(),
        };
        if let (["shop", "style.css"], false) = (parts.as_slice(), posted) {
            return Ok(Reply::style(pages::STYLE));
        }
        let first = self.regions.first().map(String::as_str);
        let code = parts.get(1).copied().or(first);
        let code = code.filter(|code| self.regions.iter().any(|known| known == code));
        let code = code.ok_or_else(|| not_found!("We do not sell to this region."))?;
        let region = self.world.region(code)?;
        let at = At {
            request,
            frame: Frame {
                region: &region,
                regions: &self.regions,
            },
        };
        match (posted, parts.get(2..).unwrap_or_default()) {
            (false, []) => self.list(&at),
            (false, ["products", id]) => self.product(&at, id),
            (false, ["basket"]) => self.basket(&at),
            (true, ["basket"]) => put(&at),
            (false, ["checkout"]) => self.checkout(&at),
            (true, ["checkout"]) => self.order(&at),
            (false, ["orders", id]) => self.follow(&at, id),
            _ => Err(not_found!("There is no such page in this shop.")),
        }
    }

    fn list(&self, at: &At<'_>) -> Result<Reply, Error> {
        let filter = filter(&at.request.fields(), at.languages());
        let page = self.world.items(&at.frame.region.code, &filter)?;
        let page = pages::list(at.frame, &filter, &page);
        Ok(Reply::page(200, Audience::Everyone, page))
    }

    fn product(&self, at: &At<'_>, id: &str) -> Result<Reply, Error> {
        let item = self.world.item(&at.frame.region.code, id, at.languages())?;
        let page = pages::item(at.frame, &item);
        Ok(Reply::page(200, Audience::Everyone, page))
    }

    fn basket(&self, at: &At<'_>) -> Result<Reply, Error> {
        let basket = at.basket();
        let page = pages::basket(at.frame, &self.rows(at, &basket)?)?;
        Ok(Reply::page(200, Audience::One, page))
    }

    fn checkout(&self, at: &At<'_>) -> Result<Reply, Error> {
        let form = Form::new(at.basket(), guest::random());
        self.form(at, 200, (&form, &[]))
    }

    /// The form with what is wrong with it. Who sees it is a guest from now on, so that
    /// sending it twice is one guest's doing.
    fn form(
        &self,
        at: &At<'_>,
        status: u16,
        (form, faults): (&Form, &[String]),
    ) -> Result<Reply, Error> {
        let rows = self.rows(at, &form.basket)?;
        let quotes = self.quotes(at.frame.region, &form.basket)?;
        let page = pages::checkout(at.frame, (&rows, &quotes), (form, faults))?;
        let fresh = guest::random();
        let id = guest::id(at.request).unwrap_or(&fresh);
        let reply = Reply::page(status, Audience::One, page);
        Ok(reply.cookie((guest::COOKIE, id), "/shop", at.request))
    }

    fn order(&self, at: &At<'_>) -> Result<Reply, Error> {
        let mut form = Form::read(&at.request.form());
        let mut faults = form.faults();
        let Some(id) = guest::id(at.request) else {
            faults.push(
                "Your browser sent no cookie, by which we know you: allow cookies, then order again."
                    .to_owned(),
            );
            return self.form(at, 422, (&form, &faults));
        };
        if !faults.is_empty() {
            return self.form(at, 422, (&form, &faults));
        }
        let region = at.frame.region;
        let order = form.order(&region.code, &region.currency);
        match self.world.place(&guest::customer(id), &order, &form.key) {
            Ok(order) => {
                let reply = Reply::see(format!("{}/orders/{}", at.home(), order.id));
                if at.basket() != form.basket {
                    return Ok(reply);
                }
                Ok(reply.cookie((basket::COOKIE, ""), &at.home(), at.request))
            }
            Err(Error::Conflict(reason)) => {
                // That order is refused for good: the next try is another one.
                form.key = guest::random();
                self.form(at, 409, (&form, &[reason]))
            }
            Err(Error::Invalid(all)) => {
                let faults: Vec<_> = all.into_iter().map(|fault| fault.detail).collect();
                self.form(at, 422, (&form, &faults))
            }
            Err(other) => Err(other),
        }
    }

    fn follow(&self, at: &At<'_>, id: &str) -> Result<Reply, Error> {
        let missing = || not_found!("There is no such order, or it is not yours.");
        let guest = guest::id(at.request).ok_or_else(missing)?;
        let order = self.world.order(&guest::customer(guest), id);
        let order = order.map_err(|error| match error {
            Error::NotFound(_) => missing(),
            other => other,
        })?;
        let page = pages::order(at.frame, &order);
        Ok(Reply::page(200, Audience::One, page))
    }

    /// What the catalog says now of what is in a basket.
    fn rows<'a>(&self, at: &At<'_>, basket: &'a Basket) -> Result<Vec<Row<'a>>, Error> {
        let row = |line: &'a Line| {
            let item = self
                .world
                .item(&at.frame.region.code, &line.product, at.languages());
            let item = match item {
                Ok(item) => Some(item),
                Err(Error::NotFound(_)) => None,
                Err(other) => return Err(other),
            };
            Ok(Row::new(line, item))
        };
        basket.lines().iter().map(row).collect()
    }

    /// The ways to each country of the region that the carrier goes to.
    fn quotes(
        &self,
        region: &RegionInfo,
        basket: &Basket,
    ) -> Result<Vec<(String, ShippingQuote)>, Error> {
        let mut all = Vec::new();
        for country in &region.countries {
            match self
                .world
                .quotes(country, &region.currency, basket.units().max(1))
            {
                Ok(quotes) => all.extend(quotes.into_iter().map(|quote| (country.clone(), quote))),
                Err(Error::Invalid(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(all)
    }
}

/// A request, and the region that it is about.
struct At<'a> {
    request: &'a Request,
    frame: Frame<'a>,
}

impl At<'_> {
    /// The region's path.
    fn home(&self) -> String {
        self.frame.path("")
    }

    fn basket(&self) -> Basket {
        Basket::read(self.request.cookie(basket::COOKIE).unwrap_or_default())
    }

    fn languages(&self) -> Option<&str> {
        self.request.headers.get("accept-language")
    }
}

/// Changes the basket as its form says.
fn put(at: &At<'_>) -> Result<Reply, Error> {
    let fields = at.request.form();
    let line = Line {
        product: fields.text("product"),
        sku: fields.text("sku"),
        quantity: fields.text("quantity").parse().map_err(|_| {
            stoa_sdk::invalid!(
                "/quantity",
                "Please say how many you want, as a whole number."
            )
        })?,
    };
    let mut basket = at.basket();
    basket.put(line, fields.get("exactly").is_some())?;
    let reply = Reply::see(at.frame.path("/basket"));
    Ok(reply.cookie((basket::COOKIE, &basket.text()), &at.home(), at.request))
}

/// What the query asks for. What is no order of a list is the catalog's own.
fn filter(fields: &Fields, languages: Option<&str>) -> Filter {
    let text = |name: &str| fields.get(name).map(str::to_owned);
    Filter {
        words: text("q"),
        category: text("category"),
        sort: fields.get("sort").and_then(sort),
        in_stock: fields.get("in_stock").is_some(),
        cursor: text("cursor"),
        languages: languages.map(str::to_owned),
    }
}

fn sort(name: &str) -> Option<Sort> {
    let found = pages::SORTS.iter().find(|(known, ..)| *known == name);
    found.map(|(_, sort, _)| *sort)
}

#[cfg(test)]
mod tests;
