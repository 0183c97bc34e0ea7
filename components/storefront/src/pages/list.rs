//! Products of a region: all, of a category, or found by words.

use maud::{Markup, html};

use super::Frame;
use super::picture::picture;
use crate::Filter;
use crate::bindings::shop::catalog::catalog::{Facets, Item, ItemPage, Sort};

/// The orders of a list: their names in a query, and what people read.
pub(crate) const SORTS: [(&str, Sort, &str); 4] = [
    ("created", Sort::Created, "Oldest first"),
    ("name", Sort::Name, "By name"),
    ("price-asc", Sort::PriceAsc, "Cheapest first"),
    ("price-desc", Sort::PriceDesc, "Dearest first"),
];

/// A page of products.
pub(crate) fn list(frame: Frame<'_>, filter: &Filter, page: &ItemPage) -> Markup {
    let title = match (&filter.words, &filter.category) {
        (Some(words), _) => format!("Found for “{words}”"),
        (None, Some(category)) => category.clone(),
        (None, None) => "All products".to_owned(),
    };
    let at = |cursor: Option<&str>| {
        let part = Filter {
            cursor: cursor.map(str::to_owned),
            ..filter.clone()
        };
        link(frame, &part)
    };
    let content = html! {
        h1 { (title) }
        @if let Some(facets) = &page.facets {
            p { (facets.total) @if facets.total == 1 { " product" } @else { " products" } }
            (categories(frame, facets, filter))
        }
        (choices(frame, filter))
        @if page.items.is_empty() {
            p { "Nothing here. Try other words, or another category." }
        }
        ul.items {
            @for item in &page.items { li { (entry(frame, item)) } }
        }
        nav aria-label="Pages" {
            @if filter.cursor.is_some() {
                a href=(at(None)) { "First page" }
            }
            @if let Some(next) = &page.next {
                a rel="next" href=(at(Some(next))) { "Next page" }
            }
        }
    };
    frame.page(&title, &content)
}

fn categories(frame: Frame<'_>, facets: &Facets, filter: &Filter) -> Markup {
    let choose = |category: Option<&str>| {
        let chosen = Filter {
            category: category.map(str::to_owned),
            cursor: None,
            ..filter.clone()
        };
        link(frame, &chosen)
    };
    let current =
        |category: Option<&str>| (filter.category.as_deref() == category).then_some("true");
    html! {
        nav.categories aria-label="Categories" {
            a href=(choose(None)) aria-current=[current(None)] { "All" }
            @for found in &facets.categories {
                a href=(choose(Some(&found.category)))
                    aria-current=[current(Some(&found.category))] {
                    (found.category) " (" (found.count) ")"
                }
            }
        }
    }
}

fn choices(frame: Frame<'_>, filter: &Filter) -> Markup {
    html! {
        form.choices action=(frame.path("")) method="get" {
            @if let Some(words) = &filter.words { input type="hidden" name="q" value=(words); }
            @if let Some(category) = &filter.category {
                input type="hidden" name="category" value=(category);
            }
            // What is found by words comes in an order of its own: the best first.
            @if filter.words.is_none() {
                label for="sort" { "Order" }
                select #sort name="sort" {
                    @for (name, sort, text) in SORTS {
                        option value=(name) selected[filter.sort == Some(sort)] { (text) }
                    }
                }
            }
            input #in_stock type="checkbox" name="in_stock" value="true" checked[filter.in_stock];
            label for="in_stock" { "Only what is in stock" }
            button { "Show" }
        }
    }
}

fn entry(frame: Frame<'_>, item: &Item) -> Markup {
    html! {
        a href={ (frame.path("/products/")) (item.id) } {
            (picture(&item.id))
            span lang=[item.language.as_deref()] { (item.name) }
        }
        p {
            @if item.variants.len() > 1 { "from " }
            strong { (item.price) }
            @if !item.in_stock { " – sold out" }
        }
    }
}

/// The path of a list.
fn link(frame: Frame<'_>, filter: &Filter) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let sort = SORTS.iter().find(|(_, sort, _)| filter.sort == Some(*sort));
    for (name, value) in [
        ("q", filter.words.as_deref()),
        ("category", filter.category.as_deref()),
        ("sort", sort.map(|(name, ..)| *name)),
        ("in_stock", filter.in_stock.then_some("true")),
        ("cursor", filter.cursor.as_deref()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => frame.path(""),
        query => format!("{}?{query}", frame.path("")),
    }
}
