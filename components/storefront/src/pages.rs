//! The pages, as HTML: `maud` escapes all that is not written here.

mod basket;
mod checkout;
mod item;
mod list;
mod order;
mod picture;

use maud::{DOCTYPE, Markup, html};
use stoa_sdk::Error;

use crate::Reply;
use crate::bindings::shop::catalog::catalog::RegionInfo;
use crate::message::Audience;

pub(crate) use basket::{Row, basket};
pub(crate) use checkout::checkout;
pub(crate) use item::item;
pub(crate) use list::{SORTS, list};
pub(crate) use order::order;

/// The stylesheet of all pages.
pub(crate) const STYLE: &str = include_str!("pages/style.css");

/// What stands around each page of a region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) region: &'a RegionInfo,
    /// Codes of all regions.
    pub(crate) regions: &'a [String],
}

impl Frame<'_> {
    /// A path in the region.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/shop/{}{rest}", self.region.code)
    }

    /// A whole page with this title and content.
    fn page(&self, title: &str, content: &Markup) -> Markup {
        let navigation = html! {
            nav aria-label="Shop" {
                a href=(self.path("")) { "All products" }
                a href=(self.path("/basket")) { "Basket" }
            }
            form.search role="search" action=(self.path("")) method="get" {
                label for="q" { "Search" }
                input #q name="q" type="search" maxlength="200";
                button { "Search" }
            }
            nav aria-label="Region" {
                @for code in self.regions {
                    @let current = (*code == self.region.code).then_some("true");
                    a href={ "/shop/" (code) } aria-current=[current] { (code.to_uppercase()) }
                }
            }
        };
        document(title, &navigation, content)
    }
}

/// What went wrong, as a page for people.
pub(crate) fn failed(error: &Error) -> Reply {
    match error {
        Error::NotFound(text) => refused(404, text),
        Error::Invalid(all) => {
            let details: Vec<_> = all.iter().map(|fault| fault.detail.as_str()).collect();
            refused(422, &details.join(" "))
        }
        Error::Conflict(text) | Error::PreconditionFailed(text) => refused(409, text),
        Error::Unauthorized(text) | Error::Forbidden(text) => refused(403, text),
        Error::TooManyRequests(_) => refused(429, "Too many requests: try again in a minute."),
        Error::Unavailable(_) => refused(
            503,
            "A part of the shop does not answer now. Nothing is lost: try again in a moment.",
        ),
    }
}

/// A page that says why there is none.
pub(crate) fn refused(status: u16, text: &str) -> Reply {
    let title = match status {
        404 => "Not found",
        503 => "Please try again",
        _ => "That did not work",
    };
    let content = html! {
        h1 { (title) }
        p { (text) }
        p { a href="/" { "Back to the shop" } }
    };
    Reply::page(status, Audience::One, document(title, &html! {}, &content))
}

fn document(title: &str, navigation: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Stoa shop" }
                link rel="stylesheet" href="/shop/style.css";
                // Browsers ask for a picture of the site where none is named.
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.brand href="/" { "Stoa shop" }
                    (navigation)
                }
                main #main tabindex="-1" { (content) }
                footer { p { "A demonstration: nothing is really sold here." } }
            }
        }
    }
}
