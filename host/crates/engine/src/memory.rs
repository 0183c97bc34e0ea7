//! The memory limit of one instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// Most elements that an instance's tables may grow to, together.
const TABLE_ELEMENTS: usize = 200_000;

/// Counts the linear memory of an instance and refuses growth past its limit.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    limit: usize,
    used: usize,
    denied: bool,
    /// Bytes of all instances of the revision.
    total: Arc<AtomicUsize>,
}

impl MemoryLimit {
    /// `limit` in bytes, for all memories of the instance together.
    pub(super) fn new(limit: u64, total: Arc<AtomicUsize>) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            denied: false,
            total,
        }
    }

    /// Whether the guest asked for more than it may have.
    pub(super) fn denied(&self) -> bool {
        self.denied
    }

    /// The limit, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used - current + desired;
        if used > self.limit {
            self.denied = true;
            return Ok(false);
        }
        self.used = used;
        self.total.fetch_add(desired - current, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        self.total.fetch_sub(self.used, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_up_to_the_limit_and_given_back() {
        let total = Arc::new(AtomicUsize::new(0));
        let mut one = MemoryLimit::new(100, total.clone());
        let mut other = MemoryLimit::new(100, total.clone());
        assert!(one.memory_growing(0, 60, None).unwrap());
        assert!(other.memory_growing(0, 50, None).unwrap());
        assert!(!one.memory_growing(60, 101, None).unwrap());
        assert!(one.denied() && !other.denied());
        assert_eq!(total.load(Ordering::Relaxed), 110);
        drop(one);
        assert_eq!(total.load(Ordering::Relaxed), 50);
    }
}
