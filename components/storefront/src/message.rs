//! A request as the pages see it, and what they answer.

use std::collections::BTreeMap;

use maud::Markup;

/// What a browser may load and do on our pages: our stylesheet, and our own forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Header fields that the pages look at; a name of small letters has its first value.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub BTreeMap<String, String>);

/// A request, whole.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// Without the query: `/shop/eu`.
    pub path: String,
    /// What follows the `?`.
    pub query: String,
    /// Host and port that it was sent to.
    pub authority: String,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Its header fields.
    pub headers: Headers,
    /// Its body: a form, as `application/x-www-form-urlencoded`.
    pub body: Vec<u8>,
}

/// Fields of a query or a form, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

/// A response, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// Who may keep a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// It is the same for everyone who asks in the same language.
    Everyone,
    /// It is of one guest, or may be another one the next time.
    One,
}

// === impl Request ===

impl Headers {
    /// Takes a field in: of cookies all, which HTTP/2 sends one by one (RFC 9113, section
    /// 8.2.3), of others the first.
    pub fn add(&mut self, name: &str, value: String) {
        let name = name.to_ascii_lowercase();
        match self.0.get_mut(&name) {
            Some(all) if name == "cookie" => {
                all.push(';');
                all.push_str(&value);
            }
            Some(_) => {}
            None => drop(self.0.insert(name, value)),
        }
    }

    /// A field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Request {
    /// The fields of the query.
    pub(crate) fn fields(&self) -> Fields {
        Fields::read(self.query.as_bytes())
    }

    /// The fields of the form in the body.
    pub(crate) fn form(&self) -> Fields {
        Fields::read(&self.body)
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get("cookie")?.split(';');
        all.find_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then_some(value)
        })
    }
}

impl Fields {
    fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field without the blanks around it; none where it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The same as a text, which may be empty.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

// === impl Reply ===

impl Reply {
    /// A page.
    pub(crate) fn page(status: u16, audience: Audience, page: Markup) -> Self {
        let kept = match audience {
            Audience::Everyone => "public, max-age=5",
            Audience::One => "no-store",
        };
        let mut headers = vec![
            ("content-type", "text/html; charset=utf-8".to_owned()),
            ("cache-control", kept.to_owned()),
            ("content-security-policy", POLICY.to_owned()),
            ("referrer-policy", "same-origin".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        if audience == Audience::Everyone {
            headers.push(("vary", "accept-language".to_owned()));
        }
        Self {
            status,
            headers,
            body: page.into_string(),
        }
    }

    /// The stylesheet.
    pub(crate) fn style(text: &str) -> Self {
        let headers = vec![
            ("content-type", "text/css; charset=utf-8".to_owned()),
            ("cache-control", "public, max-age=3600".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        Self {
            status: 200,
            headers,
            body: text.to_owned(),
        }
    }

    /// Sends the browser on to another page, after a form (RFC 9110, section 15.4.4).
    pub(crate) fn see(path: String) -> Self {
        Self {
            status: 303,
            headers: vec![("location", path), ("cache-control", "no-store".to_owned())],
            body: String::new(),
        }
    }

    /// The same with a cookie, for so many seconds, that no script reads and no other site
    /// sends (RFC 6265).
    #[must_use]
    pub(crate) fn cookie(mut self, pair: (&str, &str), path: &str, request: &Request) -> Self {
        const DAYS_90: u32 = 90 * 24 * 60 * 60;
        let (name, value) = pair;
        let age = if value.is_empty() { 0 } else { DAYS_90 };
        let secure = if request.secure { "; Secure" } else { "" };
        let cookie =
            format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        self.headers.push(("set-cookie", cookie));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let cookies = [("cookie".to_owned(), "xguest=1; guest=2;basket=".to_owned())];
        let request = Request {
            headers: Headers(cookies.into()),
            ..Request::default()
        };
        assert_eq!(request.cookie("guest"), Some("2"));
        assert_eq!(request.cookie("basket"), Some(""));
        assert_eq!(request.cookie("uest"), None);
        assert_eq!(Request::default().cookie("guest"), None);
    }

    #[test]
    fn forms_are_decoded() {
        let request = Request {
            query: "q=caf%C3%A9+au&empty=+&q2".to_owned(),
            ..Request::default()
        };
        let fields = request.fields();
        assert_eq!(fields.get("q"), Some("café au"));
        assert_eq!(fields.get("empty"), None);
        assert_eq!(fields.text("missing"), "");
    }

    #[test]
    fn an_empty_cookie_ends() {
        let request = Request {
            secure: true,
            ..Request::default()
        };
        let reply = Reply::see("/".into()).cookie(("basket", ""), "/shop/eu", &request);
        let expected = "basket=; Path=/shop/eu; Max-Age=0; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(
            reply.headers.last(),
            Some(&("set-cookie", expected.to_owned()))
        );
    }
}
