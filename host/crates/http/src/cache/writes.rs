//! What a write does to stored answers of the same URI, RFC 9111 section 4.4.
//!
//! No answer is looked for. Writes are counted by URI, and a stored answer is good as
//! long as the count is what it was before its service was asked: so one that was under
//! way during a write is not good either. The counts are few and shared: two URIs that
//! meet in one cost each other an answer now and then, and never give a wrong one.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::key::{host, target};
use crate::client::Client;

/// How many counts there are: 256 KiB, of which one write in seven meets one of ten
/// thousand stored answers of other URIs.
const COUNTS: usize = 1 << 16;

/// How a path is spelled that servers take for the same as another.
type Spelling = fn(&str) -> Cow<'_, str>;

/// The writes of one host, counted.
pub struct Writes {
    spelling: Spelling,
    /// There once a route has a cache.
    counts: OnceLock<Box<[AtomicU32]>>,
    /// Unlike those of other hosts: nobody can choose URIs that meet.
    hashes: RandomState,
}

/// Where the writes to a URI are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WriteSlot(usize);

/// What an unsafe request is about to change. Boxed: most requests have none.
#[derive(Clone)]
pub struct WriteTarget {
    writes: Arc<Writes>,
    /// Of its host.
    site: u64,
    uri: Uri,
}

/// A call that may change something. Whoever drops it does not know what became of it.
pub struct Write(Option<Box<WriteTarget>>);

// === impl Writes ===

impl Writes {
    /// None so far, of paths that are the same if `spelling` makes them so: most services
    /// take several for one resource.
    pub fn new(spelling: Spelling) -> Self {
        Self {
            spelling,
            counts: OnceLock::new(),
            hashes: RandomState::new(),
        }
    }

    /// From now on they are counted: before the first route with a cache is there.
    pub fn heed(&self) {
        let counts = || (0..COUNTS).map(|_| AtomicU32::new(0)).collect();
        self.counts.get_or_init(counts);
    }

    /// What a request may change; `None` if it is safe, or nothing is cached here.
    pub fn target<P>(
        self: &Arc<Self>,
        client: &Client<P>,
        parts: &Parts,
    ) -> Option<Box<WriteTarget>> {
        let matters = !parts.method.is_safe() && self.counts.get().is_some();
        matters.then(|| {
            Box::new(WriteTarget {
                writes: self.clone(),
                site: self.site(host(client, parts)),
                uri: parts.uri.clone(),
            })
        })
    }

    /// Where the writes to a request's URI are counted.
    pub fn slot<P>(&self, client: &Client<P>, parts: &Parts) -> WriteSlot {
        self.at(self.site(host(client, parts)), target(&parts.uri))
    }

    /// How many there were.
    pub fn count(&self, slot: WriteSlot) -> u32 {
        let counts = self.counts.get();
        counts.map_or(0, |counts| counts[slot.0].load(Ordering::Acquire))
    }

    fn note(&self, slot: WriteSlot) {
        if let Some(counts) = self.counts.get() {
            counts[slot.0].fetch_add(1, Ordering::AcqRel);
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

    fn at(&self, site: u64, target: &str) -> WriteSlot {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u64(site);
        hasher.write((self.spelling)(path).as_bytes());
        hasher.write_u8(b'?');
        hasher.write(query.as_bytes());
        let slot = hasher.finish() % COUNTS as u64;
        WriteSlot(usize::try_from(slot).unwrap_or_default())
    }
}

// === impl WriteTarget ===

impl WriteTarget {
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
        let slot = if let Some(rest) = with_host {
            let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if self.writes.site(host.as_bytes()) != self.site {
                return;
            }
            self.writes.at(self.site, &rooted(target))
        } else {
            self.writes.at(self.site, &self.resolved(text))
        };
        self.writes.note(slot);
    }

    /// A reference without a host, RFC 3986 section 5.2.2; dots are left to the slot.
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
    pub fn begin(target: Option<Box<WriteTarget>>) -> Self {
        Self(target)
    }

    /// Notes what an answer says was changed, before anybody learns of it.
    pub fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(target) = self.0.take() else {
            return;
        };
        if status.is_success() || status.is_redirection() {
            target.note();
            for name in [header::LOCATION, header::CONTENT_LOCATION] {
                let references = headers.get_all(name).iter();
                references.for_each(|reference| target.note_reference(reference));
            }
        }
    }

    /// The service was not asked.
    pub fn forget(mut self) {
        self.0 = None;
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

    use http::{HeaderName, Request};

    use super::*;

    fn lax(path: &str) -> Cow<'_, str> {
        path.replace("%63", "c").replace("/shop/..", "").into()
    }

    fn client() -> Client<()> {
        Client::new(([127, 0, 0, 1], 1).into())
    }

    fn request(method: &str, uri: &str) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("host", "Shop.example:80");
        request.body(()).unwrap().into_parts().0
    }

    /// Counts in which no two of these resources meet, which few do.
    fn without_meetings(uris: &[&str]) -> Arc<Writes> {
        let resources: HashSet<_> = uris.iter().map(|uri| lax(uri)).collect();
        loop {
            let writes = Arc::new(Writes::new(lax));
            writes.heed();
            let slots = uris
                .iter()
                .map(|uri| writes.slot(&client(), &request("GET", uri)));
            if slots.collect::<HashSet<_>>().len() == resources.len() {
                return writes;
            }
        }
    }

    /// Which of these are stale after `end` of a `POST /shop/cart?x=1`.
    fn written(end: impl FnOnce(Write), uris: &[&str]) -> Vec<String> {
        let writes = without_meetings(uris);
        let counts = || -> Vec<u32> {
            let slots = uris
                .iter()
                .map(|uri| writes.slot(&client(), &request("GET", uri)));
            slots.map(|slot| writes.count(slot)).collect()
        };
        let before = counts();
        let target = writes.target(&client(), &request("POST", "/shop/cart?x=1"));
        end(Write::begin(target));
        let changed = uris.iter().zip(before.iter().zip(counts()));
        let changed = changed.filter(|(_, (before, after))| *before != after);
        changed.map(|(uri, _)| (*uri).to_owned()).collect()
    }

    #[test]
    fn an_answer_that_is_no_error_changes_its_uri() {
        let uris = ["/shop/cart?x=1", "/shop/%63art?x=1", "/shop/cart", "/other"];
        let answered = |status| written(|write| write.answered(status, &HeaderMap::new()), &uris);
        for status in [
            StatusCode::OK,
            StatusCode::NO_CONTENT,
            StatusCode::SEE_OTHER,
        ] {
            assert_eq!(answered(status), &uris[..2]);
        }
        for status in [StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            assert!(answered(status).is_empty());
        }
        assert_eq!(written(drop, &uris), &uris[..2], "nobody knows");
        assert!(written(Write::forget, &uris).is_empty());
    }

    #[test]
    fn an_answer_changes_what_it_refers_to() {
        let uris = ["/", "/shop/7", "/7", "/shop/cart?y"];
        let created = |name: HeaderName, reference| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(reference))]);
            written(|write| write.answered(StatusCode::CREATED, &headers), &uris)
        };
        for (reference, expected) in [
            ("/7", "/7"),
            ("7#top", "/shop/7"),
            ("../7", "/7"),
            ("?y", "/shop/cart?y"),
            ("//shop.example/7", "/7"),
            ("http://SHOP.example/shop/7", "/shop/7"),
            ("https://shop.example:8443", "/"),
        ] {
            for name in [header::LOCATION, header::CONTENT_LOCATION] {
                assert_eq!(created(name, reference), [expected], "{reference}");
            }
        }
        for other in [
            "http://other.example/7",
            "http://shop.example:8x/7",
            "http://shop.example@other/7",
        ] {
            assert!(created(header::LOCATION, other).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_call_that_nobody_waited_for_may_have_changed_its_uri() {
        let (writes, client) = (Arc::new(Writes::new(lax)), client());
        let put = request("PUT", "/a");
        assert!(writes.target(&client, &put).is_none(), "nothing is cached");
        writes.heed();
        assert!(writes.target(&client, &request("GET", "/a")).is_none());
        let slot = writes.slot(&client, &put);
        let write = Write::begin(writes.target(&client, &put));
        assert_eq!(writes.count(slot), 0);
        drop(write);
        assert_eq!(writes.count(slot), 1);
    }
}
