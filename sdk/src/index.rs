//! Which keys belong to a value: a customer's orders, a currency's products.
//!
//! A list of a part must not cost the whole. Each value has a bucket of its own with
//! the keys of its entries, so that a page of the part is a page of keys.
//!
//! There is no transaction across buckets. Add an entry before what it stands for is
//! written: then an index names all that there is, and perhaps more. Whoever reads
//! one looks at what it finds.

use std::sync::Arc;

use crate::Error;
use crate::page::{self, Page};
use crate::store::Store;

/// The keys of a bucket's values by something that the values have.
pub struct Index {
    open: Box<Open>,
}

type Open = dyn Fn(&str) -> Result<Arc<dyn Store>, Error> + Send + Sync;

/// Bytes of a value that its bucket's name has: the host takes names of 255. Longer
/// values with the same beginning share a bucket.
const MAX_NAME: usize = 200;

impl Index {
    /// One of the service's indexes.
    #[cfg(target_family = "wasm")]
    pub fn open(name: &'static str) -> Self {
        Self::over(move |value| {
            let bucket = format!("{name}.{value}");
            Ok(Arc::new(crate::store::Wasi::open(&bucket)?))
        })
    }

    /// An empty index for unit tests.
    pub fn in_memory() -> Self {
        use crate::store::Memory;
        use std::collections::BTreeMap;
        use std::sync::{Mutex, PoisonError};

        let buckets = Mutex::new(BTreeMap::<String, Arc<Memory>>::new());
        Self::over(move |value| {
            let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(buckets.entry(value.to_owned()).or_default().clone())
        })
    }

    /// An index whose buckets `open` gives, by a name for each value.
    pub fn over(
        open: impl Fn(&str) -> Result<Arc<dyn Store>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
        }
    }

    /// Adds a key to a value's.
    pub fn add(&self, value: &str, key: &str) -> Result<(), Error> {
        self.bucket(value)?.set(key, b"")
    }

    /// Takes a key from a value's. Only for what never comes back: another caller may
    /// be adding it.
    pub fn remove(&self, value: &str, key: &str) -> Result<(), Error> {
        self.bucket(value)?.delete(key)
    }

    /// A page of what `load` makes of a value's keys, in their order; `None` of those
    /// to leave out.
    pub fn list<T>(
        &self,
        value: &str,
        cursor: Option<&str>,
        limit: usize,
        load: impl FnMut(Vec<String>) -> Result<Vec<Option<T>>, Error>,
    ) -> Result<Page<T>, Error> {
        let bucket = self.bucket(value)?;
        page::scan(cursor, limit, |from| bucket.keys(from), load)
    }

    fn bucket(&self, value: &str) -> Result<Arc<dyn Store>, Error> {
        (self.open)(&name(value))
    }
}

/// The value as a name: hosts keep `/` and control characters for themselves.
fn name(value: &str) -> String {
    let mut name = String::with_capacity(value.len());
    for char in value.chars() {
        let mut bytes = [0; 4];
        let escaped = match char.is_control() || matches!(char, '/' | '%') {
            true => char
                .encode_utf8(&mut bytes)
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect(),
            false => char.to_string(),
        };
        if name.len() + escaped.len() > MAX_NAME {
            break;
        }
        name.push_str(&escaped);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_own_keys() {
        let index = Index::in_memory();
        for n in 0..30 {
            index
                .add("ann", &format!("{n:02}"))
                .expect("memory does not fail");
        }
        index.add("bob", "00").expect("memory does not fail");
        index.remove("ann", "00").expect("memory does not fail");
        let listed = |value, limit| {
            let all = |keys: Vec<String>| Ok(keys.into_iter().map(Some).collect());
            let page = index.list(value, None, limit, all).expect("no faults");
            (page.items, page.next.is_some())
        };
        let first = ["01", "02", "03"].map(str::to_owned).to_vec();
        assert_eq!(listed("ann", 3), (first, true));
        assert_eq!(listed("ann", 100).0.len(), 29);
        assert_eq!(listed("bob", 3), (vec!["00".to_owned()], false));
        assert_eq!(listed("eve", 3), (Vec::new(), false));
    }

    #[test]
    fn names_are_what_hosts_take() {
        for (value, expected) in [
            ("auth0|ann@example.com", "auth0|ann@example.com"),
            ("https://idp/ann?x=100%", "https:%2F%2Fidp%2Fann?x=100%25"),
            ("a\nb\u{85}", "a%0Ab%C2%85"),
        ] {
            assert_eq!(name(value), expected);
        }
        let long = name(&"ä/".repeat(200));
        assert!((MAX_NAME - 3..=MAX_NAME).contains(&long.len()), "{long}");
    }
}
