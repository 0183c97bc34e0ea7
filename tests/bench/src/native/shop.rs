//! The shop without a host: its services' own code, native and in one process, over the store
//! that the host has. What is left out is what a host is for: components, links, limits, and
//! the gateway's work.
//!
//! Orders are placed on threads that wait for the disk.

mod store;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use order::contract::NewOrder;
use order::{
    Address, Carrier, Kept, Later, Offer, Orders, Payment, ReserveLine, Shipment, ShippingQuote,
    Till, Warehouse,
};
use payment::{Changes, Payments, Provider, Sandbox};
use product::inventory_contract::StockChange;
use product::products_contract::{NewProduct, ProductVariant};
use product::{Adjustment, Inventory, Products, Tell, Wish};
use stoa_sdk::context::Caller;
use stoa_sdk::{Bucket, Error, Index, Money, Timestamp, unavailable};
use stoa_store::{BucketId, Store};

use self::store::{Place, tell};

/// SKUs that it has, `CUP-0` and so on.
pub const SKUS: usize = 100;

/// More than anybody orders here.
const UNITS: i64 = 1_000_000_000;

/// How long stock is held, as the host's shop is set.
const HELD: Duration = Duration::from_secs(900);

/// What the operator of the host's shop has set.
const SETTINGS: [(&str, &str); 2] = [
    (
        "region.eu",
        r#"{"currency": "EUR", "countries": ["DE"], "tax_inclusive": true, "tax_bp": 1900, "locations": ["berlin"]}"#,
    ),
    ("payment_token", "tok_ok"),
];

/// The services in one process.
pub struct Shop {
    place: Place,
    settings: Vec<(String, String)>,
    /// So far.
    writes: AtomicU64,
    _store: Store,
}

/// The other services, as an order sees them: a function call away.
struct Near<'a>(&'a Place);

impl Shop {
    /// One with its data in a folder, and something to sell.
    ///
    /// # Errors
    /// The store can't be opened, or a product is refused.
    pub fn open(folder: &Path) -> Result<Arc<Self>> {
        let store = Store::open(folder).context("opening the store")?;
        let place = Place {
            keyvalue: store.keyvalue(),
            commits: store.commits(),
        };
        let settings = SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let shop = Self {
            place,
            settings: settings.to_vec(),
            writes: AtomicU64::new(0),
            _store: store,
        };
        shop.fill()
            .map_err(|error| anyhow!("filling the shop: {error:?}"))?;
        Ok(Arc::new(shop))
    }

    fn fill(&self) -> Result<(), Error> {
        let near = Near(&self.place);
        (0..SKUS).try_for_each(|number| {
            let sku = format!("CUP-{number}");
            stock(&near.products()?, &near.inventory()?, &sku, UNITS)
        })
    }

    /// Answers `POST /orders`, and `POST /writes`: one write of the body.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_order = request.uri().path() == "/orders";
        let body = match request.into_body().collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(fault) => Err(fault.to_string()),
        };
        let placed = match body {
            Ok(body) if is_order => {
                let placed = tokio::task::spawn_blocking(move || self.order(&body)).await;
                placed.unwrap_or_else(|fault| Err(fault.to_string()))
            }
            Ok(body) => self.write(&body).await,
            Err(fault) => Err(fault),
        };
        let (status, body) = match placed {
            Ok(body) => (StatusCode::CREATED, body),
            Err(fault) => (StatusCode::CONFLICT, fault.into_bytes()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        Ok(response)
    }

    async fn write(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let key = self.writes.fetch_add(1, Ordering::Relaxed).to_string();
        let bucket = BucketId::new("bench", "writes").map_err(|fault| fault.to_string())?;
        let written = self.place.keyvalue.set(&bucket, &key, body).await;
        written
            .map(|()| Vec::new())
            .map_err(|fault| fault.to_string())
    }

    fn order(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let input: NewOrder = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
        let customer = Caller {
            subject: Some("customer".to_owned()),
            scopes: Vec::new(),
        };
        let orders = self.orders().map_err(|error| format!("{error:?}"))?;
        let placed = orders.place(&input, &customer, None, Timestamp::now());
        let placed = placed.map_err(|error| format!("{error:?}"))?;
        serde_json::to_vec(&placed).map_err(|fault| fault.to_string())
    }

    fn orders(&self) -> Result<Orders<Near<'_>>, Error> {
        let bucket = |name: &str| self.place.bucket("order", name);
        let index = |name: &'static str| {
            let place = self.place.clone();
            Index::over(move |value| place.bucket("order", &format!("{name}.{value}")))
        };
        let kept = Kept {
            orders: Bucket::over(bucket("orders")?),
            keys: Bucket::over(bucket("keys")?),
            owed: Bucket::over(bucket("owed")?),
            uses: Bucket::over(bucket("discounts")?),
            by_customer: index("by-customer"),
            newest: index("newest"),
        };
        Ok(Orders::new(kept, Near(&self.place), self.settings.clone()))
    }
}

/// Sells a SKU, of which there are so many units.
///
/// # Errors
/// The product or its stock is refused.
pub fn stock(
    products: &Products,
    inventory: &Inventory,
    sku: &str,
    units: i64,
) -> Result<(), Error> {
    let now = Timestamp::now();
    let variant = ProductVariant {
        sku: sku.to_owned(),
        title: None,
        prices: vec![Money {
            minor: 1250,
            currency: "EUR".to_owned(),
        }],
    };
    let product = NewProduct {
        name: sku.to_owned(),
        description: None,
        translations: None,
        category: Some("kitchen".to_owned()),
        variants: vec![variant],
    };
    products.create(product, now)?;
    let change = StockChange {
        location: "berlin".to_owned(),
        delta: units,
        reason: None,
    };
    let adjustment = Adjustment {
        sku,
        change: &change,
        conditions: None,
    };
    inventory.adjust(products, adjustment, now).map(drop)
}

impl Near<'_> {
    fn products(&self) -> Result<Products, Error> {
        let place = self.0.clone();
        let products = Products::new(
            Bucket::over(self.0.bucket("product", "products")?),
            Bucket::over(self.0.bucket("product", "skus")?),
            Index::over(move |value| place.bucket("product", &format!("sold-in.{value}"))),
        );
        Ok(products.telling(Arc::new(Queues)))
    }

    fn inventory(&self) -> Result<Inventory, Error> {
        let inventory = Inventory::new(
            Bucket::over(self.0.bucket("product", "stock")?),
            Bucket::over(self.0.bucket("product", "reservations")?),
        );
        Ok(inventory.telling(Arc::new(Queues)))
    }

    fn payments(&self) -> Result<Payments<impl Provider, Nobody>, Error> {
        let sandbox = Sandbox::new(
            Bucket::over(self.0.bucket("payment", "sandbox")?),
            || Ok(()),
        );
        let records = Bucket::over(self.0.bucket("payment", "payments")?);
        Ok(Payments::new(records, sandbox, Nobody))
    }
}

impl Warehouse for Near<'_> {
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        let offers = self.products()?.find(skus)?.into_iter();
        Ok(offers
            .map(|offer| Offer {
                sku: offer.sku,
                product_id: offer.product_id,
                name: offer.name,
                title: offer.title,
                prices: offer.prices,
            })
            .collect())
    }

    fn reserve(
        &self,
        order: &str,
        lines: &[ReserveLine],
        locations: Option<&[String]>,
    ) -> Result<(), Error> {
        let lines: Vec<_> = lines.iter().map(own_line).collect();
        let wish = Wish {
            lines: &lines,
            locations,
        };
        let held = self
            .inventory()?
            .reserve(order, wish, Timestamp::now(), HELD);
        held.map(drop)
    }

    fn commit(&self, order: &str) -> Result<(), Error> {
        self.inventory()?.commit(order).map(drop)
    }

    fn cancel(&self, order: &str) -> Result<(), Error> {
        self.inventory()?.cancel(order, Timestamp::now()).map(drop)
    }

    fn ship(&self, order: &str) -> Result<(), Error> {
        self.inventory()?.ship(order, Timestamp::now()).map(drop)
    }

    fn take_back(&self, order: &str, id: &str, lines: &[ReserveLine]) -> Result<(), Error> {
        let lines: Vec<_> = lines.iter().map(own_line).collect();
        let back = self
            .inventory()?
            .take_back(order, id, &lines, Timestamp::now());
        back.map(drop)
    }
}

fn own_line(line: &ReserveLine) -> product::inventory_contract::ReserveLine {
    product::inventory_contract::ReserveLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
    }
}

impl Till for Near<'_> {
    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Payment, Error> {
        let made = self
            .payments()?
            .authorize(order, amount, token, Timestamp::now())?;
        // The same records, generated twice.
        let json = serde_json::to_value(made).and_then(serde_json::from_value);
        json.map_err(|fault| unavailable!("a payment can't be read: {fault}"))
    }

    fn capture(&self, order: &str) -> Result<(), Error> {
        self.payments()?.capture(order, Timestamp::now()).map(drop)
    }

    fn void(&self, order: &str, reason: &str) -> Result<(), Error> {
        self.payments()?
            .void(order, reason, Timestamp::now())
            .map(drop)
    }

    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error> {
        let refund = self.payments()?.refund(order, id, amount, Timestamp::now());
        refund.map(drop)
    }
}

/// The orders of the benchmark are collected.
impl Carrier for Near<'_> {
    fn quote(&self, _: &str, _: &str, _: u32) -> Result<Vec<ShippingQuote>, Error> {
        Err(unavailable!("nothing is sent here"))
    }

    fn send(&self, _: &str, _: &Address, _: &str, _: u32) -> Result<Shipment, Error> {
        Err(unavailable!("nothing is sent here"))
    }

    fn track(&self, _: &str) -> Result<Shipment, Error> {
        Err(unavailable!("nothing is sent here"))
    }
}

impl Later for Near<'_> {
    fn advance_later(&self, order: &str) -> Result<(), Error> {
        tell("shop:order/saga", order, None);
        Ok(())
    }
}

/// The queues of the product service.
struct Queues;

impl Tell for Queues {
    fn product(&self, id: &str, _: u64) -> Result<(), Error> {
        tell("shop:product/product-changes", id, None);
        Ok(())
    }

    fn stock(&self, sku: &str) -> Result<(), Error> {
        tell(
            "shop:product/stock-changes",
            sku,
            Some(Duration::from_secs(1)),
        );
        Ok(())
    }
}

/// Who wants to know of payments.
struct Nobody;

impl Changes for Nobody {
    fn changed(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
