//! What the fuzz targets of `tests/fuzz` reach and nobody else does: readers of text
//! that others wrote, which are private to their rooms. No interface of the host.

use axum::http::{HeaderMap, HeaderValue, header};

pub use crate::admin::eureka::model::Instance;
use crate::admin::eureka::wire;
pub use crate::admin::eureka::xml::{read as read_xml, write as write_xml};
use crate::gateway::table::path::{Pattern, Tree};
pub use crate::manifest::route::{Place, parse_key as route_place};
pub use crate::spelling::laxest as laxest_path;

/// The most specific of these templates for a path, and the path's parameters.
///
/// # Errors
/// Why a template can't be used.
pub fn find_path(templates: &[&str], path: &str) -> Result<Option<(usize, Vec<String>)>, String> {
    let mut tree = Tree::default();
    for (at, template) in templates.iter().enumerate() {
        tree.insert(&Pattern::parse(template)?, at);
    }
    let found = tree.find(path).map(|(at, parameters)| {
        let parameters = parameters.as_slice().iter();
        (*at, parameters.map(ToString::to_string).collect())
    });
    Ok(found)
}

/// What Eureka's clients speak.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
}

/// Reads the body of a registration.
///
/// # Errors
/// What is wrong with it.
pub fn read_registration(language: Language, body: &[u8]) -> Result<Instance, String> {
    let name = match language {
        Language::Json => HeaderValue::from_static("application/json"),
        Language::Xml => HeaderValue::from_static("application/xml"),
    };
    wire::read(&HeaderMap::from_iter([(header::CONTENT_TYPE, name)]), body)
}
