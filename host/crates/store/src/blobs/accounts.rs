//! What each service keeps.

use std::collections::BTreeMap;

use super::BlobError;

/// What a service keeps in blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage {
    /// Bytes of all objects. What several of them have counts for each: it is what they say
    /// that they have, though it is on disk once.
    pub bytes: u64,
    /// Objects.
    pub objects: u64,
}

/// The usage of all services, with what is coming in.
#[derive(Debug, Default)]
pub(crate) struct Accounts(BTreeMap<String, Account>);

#[derive(Debug, Default)]
struct Account {
    kept: Usage,
    /// Bytes of uploads under way.
    incoming: u64,
}

impl Accounts {
    /// Counts `more` bytes as coming in.
    ///
    /// # Errors
    /// [`BlobError::Full`], and nothing is counted.
    pub(crate) fn admit(&mut self, service: &str, more: u64, quota: u64) -> Result<(), BlobError> {
        self.check(service, more, quota)?;
        self.of(service).incoming += more;
        Ok(())
    }

    /// Whether `more` bytes may be kept.
    ///
    /// # Errors
    /// [`BlobError::Full`].
    pub(crate) fn check(&self, service: &str, more: u64, quota: u64) -> Result<(), BlobError> {
        let account = self.0.get(service);
        let used = account.map_or(0, |account| account.kept.bytes + account.incoming);
        if more == 0 || used.saturating_add(more) <= quota {
            return Ok(());
        }
        Err(BlobError::Full {
            service: service.to_owned(),
            used,
            quota,
            more,
        })
    }

    /// What came in is there no more, or counts as kept from now on.
    pub(crate) fn settle(&mut self, service: &str, incoming: u64) {
        let account = self.of(service);
        account.incoming = account.incoming.saturating_sub(incoming);
        self.forget_empty(service);
    }

    /// An object is there.
    pub(crate) fn add(&mut self, service: &str, size: u64) {
        let kept = &mut self.of(service).kept;
        kept.bytes += size;
        kept.objects += 1;
    }

    /// An object is gone.
    pub(crate) fn subtract(&mut self, service: &str, size: u64) {
        let kept = &mut self.of(service).kept;
        kept.bytes = kept.bytes.saturating_sub(size);
        kept.objects = kept.objects.saturating_sub(1);
        self.forget_empty(service);
    }

    /// Of each service that keeps something.
    pub(crate) fn usage(&self) -> Vec<(String, Usage)> {
        let all = self.0.iter();
        let keep = all.filter(|(_, account)| account.kept.objects > 0);
        keep.map(|(service, account)| (service.clone(), account.kept))
            .collect()
    }

    fn of(&mut self, service: &str) -> &mut Account {
        self.0.entry(service.to_owned()).or_default()
    }

    fn forget_empty(&mut self, service: &str) {
        let is_empty = |account: &Account| account.kept.objects == 0 && account.incoming == 0;
        if self.0.get(service).is_some_and(is_empty) {
            self.0.remove(service);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_counts_until_it_is_kept_or_gone() {
        let mut accounts = Accounts::default();
        accounts.admit("a", 60, 100).unwrap();
        let refused = accounts.admit("a", 41, 100).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a has 60 bytes of blobs, of 100 that it may have, and 41 more don't fit"
        );
        accounts.admit("b", 100, 100).unwrap();
        accounts.settle("a", 60);
        accounts.add("a", 60);
        accounts.admit("a", 40, 100).unwrap();
        accounts.settle("a", 40);
        let kept = Usage {
            bytes: 60,
            objects: 1,
        };
        assert_eq!(accounts.usage(), [("a".to_owned(), kept)]);
        accounts.subtract("a", 60);
        accounts.settle("b", 100);
        assert!(accounts.0.is_empty(), "{accounts:?}");
    }

    #[test]
    fn nothing_more_fits_always() {
        let mut accounts = Accounts::default();
        accounts.add("a", 200);
        accounts.check("a", 0, 100).unwrap();
        accounts.check("a", 1, 100).unwrap_err();
        accounts.check("a", u64::MAX, 300).unwrap_err();
    }
}
