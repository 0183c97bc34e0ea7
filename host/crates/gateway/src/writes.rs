//! What a write does to stored answers of the same URI, RFC 9111 section 4.4.
//!
//! No answer is looked for. Writes are counted by URI, and a stored answer is good as
//! long as the count is what it was before its service was asked: so one that was under
//! way during a write is not good either. The counts are few and shared: two URIs that
//! meet in one cost each other an answer now and then, and never give a wrong one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{HeaderValue, Uri, header};

use super::client::Client;
use super::respond::{Refusal, Response};
use stoa_http::cache::key::{host, target};
use stoa_settings::spelling::laxest;

/// How many counts there are: 256 KiB, of which one write in seven meets one of ten
/// thousand stored answers of other URIs.
const COUNTS: usize = 1 << 16;

/// The writes of one host, counted.
#[derive(Default)]
pub(super) struct Writes {
    /// There once a route has a cache.
    counts: OnceLock<Box<[AtomicU32]>>,
    /// Unlike those of other hosts: nobody can choose URIs that meet.
    hashes: RandomState,
}

/// Where the writes to a URI are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Place(usize);

/// What an unsafe request is about to change. Boxed: most requests have none.
#[derive(Clone)]
pub(super) struct Target {
    writes: Arc<Writes>,
    /// Of its host.
    site: u64,
    uri: Uri,
}

/// A call that may change something. Whoever drops it does not know what became of it.
pub(super) struct Write(Option<Box<Target>>);

// === impl Writes ===

impl Writes {
    /// From now on they are counted: before the first route with a cache is there.
    pub(super) fn heed(&self) {
        let counts = || (0..COUNTS).map(|_| AtomicU32::new(0)).collect();
        self.counts.get_or_init(counts);
    }

    /// What a request may change; `None` if it is safe, or nothing is cached here.
    pub(super) fn target(self: &Arc<Self>, client: &Client, parts: &Parts) -> Option<Box<Target>> {
        let matters = !parts.method.is_safe() && self.counts.get().is_some();
        matters.then(|| {
            Box::new(Target {
                writes: self.clone(),
                site: self.site(host(client, parts)),
                uri: parts.uri.clone(),
            })
        })
    }

    /// Where the writes to a request's URI are counted.
    pub(super) fn place(&self, client: &Client, parts: &Parts) -> Place {
        self.at(self.site(host(client, parts)), target(&parts.uri))
    }

    pub(super) fn count(&self, place: Place) -> u32 {
        let counts = self.counts.get();
        counts.map_or(0, |counts| counts[place.0].load(Ordering::Acquire))
    }

    fn note(&self, place: Place) {
        if let Some(counts) = self.counts.get() {
            counts[place.0].fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A host, by whichever port it is reached: what comes by http and by https is mostly
    /// one resource, and a proxy in front may not tell.
    fn site(&self, host: &[u8]) -> u64 {
        let port = host.iter().rposition(|byte| *byte == b':');
        let port = port.filter(|at| host[at + 1..].iter().all(u8::is_ascii_digit));
        let host = &host[..port.unwrap_or(host.len())];
        let mut hasher = self.hashes.build_hasher();
        for byte in host {
            hasher.write_u8(byte.to_ascii_lowercase());
        }
        hasher.finish()
    }

    /// The other spellings of a path are the same resource to most services.
    fn at(&self, site: u64, target: &str) -> Place {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u64(site);
        hasher.write(laxest(path).as_bytes());
        hasher.write_u8(b'?');
        hasher.write(query.as_bytes());
        let place = hasher.finish() % COUNTS as u64;
        Place(usize::try_from(place).unwrap_or_default())
    }
}

// === impl Target ===

impl Target {
    fn note(&self) {
        let target = target(&self.uri);
        self.writes.note(self.writes.at(self.site, target));
    }

    /// Notes a write to what an answer refers to, if it is of the same host: others
    /// are no business of the service.
    fn note_reference(&self, reference: &HeaderValue) {
        let Ok(text) = reference.to_str() else {
            return;
        };
        let text = text.split('#').next().unwrap_or_default();
        let with_host = ["//", "http://", "https://"]
            .iter()
            .find_map(|before| text.strip_prefix(before));
        let place = if let Some(rest) = with_host {
            let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if self.writes.site(host.as_bytes()) != self.site {
                return;
            }
            self.writes.at(self.site, &rooted(target))
        } else {
            self.writes.at(self.site, &self.resolved(text))
        };
        self.writes.note(place);
    }

    /// A reference without a host, RFC 3986 section 5.2.2; dots are left to the place.
    fn resolved(&self, reference: &str) -> String {
        let path = self.uri.path();
        match reference.as_bytes().first() {
            None => target(&self.uri).to_owned(),
            Some(b'/') => reference.to_owned(),
            Some(b'?') => format!("{path}{reference}"),
            Some(_) => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                format!("{folder}{reference}")
            }
        }
    }
}

fn rooted(target: &str) -> String {
    let root = if target.starts_with('/') { "" } else { "/" };
    format!("{root}{target}")
}

// === impl Write ===

impl Write {
    /// To be called before the service is asked.
    pub(super) fn begin(target: Option<Box<Target>>) -> Self {
        Self(target)
    }

    /// Notes what was changed, before anybody learns of it.
    pub(super) fn settle(mut self, answered: &Result<Response, Refusal>) {
        let Some(target) = self.0.take() else {
            return;
        };
        match answered {
            Ok(response)
                if response.status().is_success() || response.status().is_redirection() =>
            {
                target.note();
                let headers = response.headers();
                for name in [header::LOCATION, header::CONTENT_LOCATION] {
                    headers
                        .get_all(name)
                        .iter()
                        .for_each(|value| target.note_reference(value));
                }
            }
            Err(refusal) if refusal.may_have_run() => target.note(),
            Ok(_) | Err(_) => {}
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(target) = self.0.take() {
            target.note();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::{Request, StatusCode};

    use super::*;
    use crate::respond::GatewayBody;
    use stoa_mesh::CallError;

    fn request(method: &str, uri: &str) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("host", "Shop.example:80");
        request.body(()).unwrap().into_parts().0
    }

    fn answer(status: StatusCode, headers: &[(&str, &str)]) -> Result<Response, Refusal> {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        Ok(answer.body(GatewayBody::empty()).unwrap())
    }

    /// Counts in which no two of these resources meet, which few do.
    fn without_meetings(client: &Client, uris: &[&str]) -> Arc<Writes> {
        let resource = |uri: &&str| laxest(uri).into_owned();
        let resources: HashSet<_> = uris.iter().map(resource).collect();
        loop {
            let writes = Arc::new(Writes::default());
            writes.heed();
            let places = uris
                .iter()
                .map(|uri| writes.place(client, &request("GET", uri)));
            if places.collect::<HashSet<_>>().len() == resources.len() {
                return writes;
            }
        }
    }

    /// Which of these an answer to `POST /shop/cart?x=1` makes stale.
    fn written(answered: &Result<Response, Refusal>, uris: &[&str]) -> Vec<String> {
        let client = Client::new(([127, 0, 0, 1], 1).into());
        let writes = without_meetings(&client, uris);
        let counts = || -> Vec<u32> {
            let places = uris
                .iter()
                .map(|uri| writes.place(&client, &request("GET", uri)));
            places.map(|place| writes.count(place)).collect()
        };
        let before = counts();
        let target = writes.target(&client, &request("POST", "/shop/cart?x=1"));
        Write::begin(target).settle(answered);
        let changed = uris.iter().zip(before.iter().zip(counts()));
        let changed = changed.filter(|(_, (before, after))| *before != after);
        changed.map(|(uri, _)| (*uri).to_owned()).collect()
    }

    #[test]
    fn an_answer_that_is_no_error_changes_its_uri() {
        let uris = ["/shop/cart?x=1", "/shop/%63art?x=1", "/shop/cart", "/other"];
        for status in [
            StatusCode::OK,
            StatusCode::NO_CONTENT,
            StatusCode::SEE_OTHER,
        ] {
            assert_eq!(written(&answer(status, &[]), &uris), &uris[..2]);
        }
        for status in [StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            assert!(written(&answer(status, &[]), &uris).is_empty());
        }
        let cut_off = Err(Refusal::Call(CallError::Deadline));
        assert_eq!(written(&cut_off, &uris), &uris[..2]);
        assert!(written(&Err(Refusal::NoRoute { nearest: None }), &uris).is_empty());
    }

    #[test]
    fn an_answer_changes_what_it_refers_to() {
        let uris = ["/", "/shop/7", "/7", "/shop/cart?y"];
        for (reference, expected) in [
            ("/7", "/7"),
            ("7#top", "/shop/7"),
            ("../7", "/7"),
            ("?y", "/shop/cart?y"),
            ("//shop.example/7", "/7"),
            ("http://SHOP.example/shop/7", "/shop/7"),
            ("https://shop.example:8443", "/"),
        ] {
            for name in ["location", "content-location"] {
                let created = answer(StatusCode::CREATED, &[(name, reference)]);
                assert_eq!(written(&created, &uris), [expected], "{reference}");
            }
        }
        for other in [
            "http://other.example/7",
            "http://shop.example:8x/7",
            "http://shop.example@other/7",
        ] {
            let created = answer(StatusCode::CREATED, &[("location", other)]);
            assert!(written(&created, &uris).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_call_that_nobody_waited_for_may_have_changed_its_uri() {
        let writes = Arc::new(Writes::default());
        let client = Client::new(([127, 0, 0, 1], 1).into());
        let put = request("PUT", "/a");
        assert!(writes.target(&client, &put).is_none(), "nothing is cached");
        writes.heed();
        assert!(writes.target(&client, &request("GET", "/a")).is_none());
        let place = writes.place(&client, &put);
        let write = Write::begin(writes.target(&client, &put));
        assert_eq!(writes.count(place), 0);
        drop(write);
        assert_eq!(writes.count(place), 1);
    }
}
