//! What the items are to a region: one currency, some locations.

/// Prices and stock of all documents, as a region has them.
pub(super) struct View {
    pub(super) currency: u32,
    /// Sorted.
    pub(super) locations: Vec<u32>,
    /// By document.
    pub(super) places: Vec<Place>,
    /// Documents that have a price, cheapest first, then by id.
    pub(super) by_price: Vec<u32>,
}

/// A document in a region. Copied here from where it is, so that a look at all of them is a
/// walk through memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Minor units of the cheapest variant; `None` where it is not sold.
    pub(super) price: Option<i64>,
    pub(super) in_stock: bool,
    pub(super) category: u32,
}

impl View {
    /// With nothing in it.
    pub(super) fn new(currency: u32, locations: Vec<u32>) -> Self {
        Self {
            currency,
            locations,
            places: Vec::new(),
            by_price: Vec::new(),
        }
    }
}
