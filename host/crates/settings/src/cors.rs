//! Which pages of other origins may use a route (Fetch standard, "CORS protocol").

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which pages of other origins may use a route, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// `https://shop.example`, as browsers write origins; `*` is any.
    pub origins: Vec<String>,
    /// Methods that pages may use; none named are those that have a route.
    pub methods: Vec<String>,
    /// Request headers that pages may set beyond the harmless ones.
    pub headers: Vec<String>,
    /// Response headers that pages may read beyond the harmless ones.
    pub expose: Vec<String>,
    /// Whether pages may send cookies and the like.
    pub credentials: bool,
    /// How long browsers may keep what they were told.
    #[serde(with = "super::duration")]
    pub max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            origins: Vec::new(),
            methods: Vec::new(),
            // What the gateway itself reads.
            headers: names(&[
                "authorization",
                "content-encoding",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "traceparent",
                "x-api-key",
                "x-request-id",
            ]),
            // What the gateway itself says.
            expose: names(&[
                "etag",
                "location",
                "ratelimit",
                "ratelimit-policy",
                "retry-after",
                "x-request-id",
            ]),
            // Cookies from other origins are a risk that somebody must want.
            credentials: false,
            // Long against a visit's requests, short against a change of policy.
            max_age: Duration::from_secs(600),
        }
    }
}

impl Cors {
    /// Whether pages of any origin may use the route.
    pub fn any_origin(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// Whether browsers will understand it.
    ///
    /// # Errors
    /// What was expected and what was found, for each fault.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        if self.origins.is_empty() {
            faults.push("`origins`: expected at least one, found none".to_owned());
        }
        if self.any_origin() && self.origins.len() > 1 {
            faults.push("`origins`: \"*\" is any origin: leave the others out".to_owned());
        }
        if self.any_origin() && self.credentials {
            faults.push(
                "`credentials` with any origin (\"*\") would open a user's session to every page: name \
                 the origins"
                    .to_owned(),
            );
        }
        for text in self
            .origins
            .iter()
            .filter(|text| *text != "*" && !origin(text))
        {
            faults.push(format!(
                "`origins`: expected an origin as browsers write it, such as \"https://shop.example\", found {text:?}"
            ));
        }
        for text in self.methods.iter().filter(|text| !method(text)) {
            faults.push(format!(
                "`methods`: expected an upper-case method, found {text:?}"
            ));
        }
        let lists = [("headers", &self.headers), ("expose", &self.expose)];
        for (list, names) in lists {
            for text in names.iter().filter(|text| !header(text)) {
                faults.push(format!(
                    "`{list}`: expected a header's name, found {text:?}"
                ));
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// Scheme, host and perhaps a port, in lower case, without a default port: browsers
/// compare letter by letter.
fn origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let default_port = [("http", ":80"), ("https", ":443")]
        .iter()
        .any(|(of, port)| *of == scheme && authority.ends_with(port));
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+.:[]_".contains(c);
    let plain = |part: &str| !part.is_empty() && part.chars().all(letters);
    plain(scheme) && plain(authority) && !default_port
}

fn method(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '-')
}

fn header(text: &str) -> bool {
    text.parse::<http::HeaderName>().is_ok()
}
