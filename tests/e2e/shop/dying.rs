//! A host that dies at each write of an order in turn, and what becomes of the orders.

use std::path::PathBuf;

use stoa_tests::client::PATIENCE;
use stoa_tests::process::HostOptions;
use tokio::time::timeout;

use super::*;
use crate::STOA;

/// What tells a host at which of its writes to die.
struct Fuse {
    folder: TempDir,
}

impl Fuse {
    fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("fuse-")?;
        Ok(Self { folder })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("left")
    }

    /// A host with this fuse, which is not lit.
    async fn host(&self) -> Result<HostProcess> {
        let file = self.file().display().to_string();
        let options = HostOptions {
            environment: vec![("STOA_TEST_DIES_BY_FILE".to_owned(), file)],
            ..HostOptions::default()
        };
        HostProcess::start(STOA, options).await
    }

    /// The host dies at the moment `number` of its writes from now on. What is written
    /// has a whole number in it at any time.
    fn light(&self, number: u64) -> Result<()> {
        let made = self.folder.path().join("made");
        std::fs::write(&made, number.to_string())?;
        Ok(std::fs::rename(made, self.file())?)
    }

    /// Whether the host lives on; it does from now on.
    fn put_out(&self) -> bool {
        std::fs::remove_file(self.file()).is_ok()
    }
}

/// The shop as its manifest has it, without a clock that writes while an order is placed.
async fn shop_on(host: HostProcess) -> Result<Shop> {
    shop_in(host, |text| {
        let clock = "\"shop:product/maintenance.expire\" = \"every 30s\"";
        assert!(text.contains(clock), "{text}");
        text.replace(clock, "")
    })
    .await
}

/// Places an order. Its id, if it was acknowledged.
async fn place(shop: &Shop) -> Result<Option<String>> {
    let Ok(answer) = shop.ann().post("/orders", &order("DIES", 2)).await else {
        return Ok(None);
    };
    let placed = answer.expect(201)?.json()?;
    Ok(placed["id"].as_str().map(str::to_owned))
}

/// Waits until the queue has taken up every order, and brought it to its end, or the host
/// is gone.
async fn taken_up(shop: &Shop) -> Result<()> {
    let done = "stoa_queue_depth{queue=\"shop:order/saga\",subscriber=\"order\"} 0.0\n";
    let admin = shop.host.admin()?;
    let seen = async {
        while let Ok(metrics) = admin.metrics().await {
            if metrics.contains(done) {
                break;
            }
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    seen.context("an order stays in the queue")
}

/// Does it with a host that dies at its first write from then on, with one that dies at
/// the second, and so on, until one does not die. How often it did.
async fn at_each_write(
    mut shop: Shop,
    fuse: &Fuse,
    mut act: impl AsyncFnMut(&Shop) -> Result<()>,
) -> Result<(Shop, u64)> {
    let mut deaths = 0;
    loop {
        fuse.light(deaths + 1)?;
        act(&shop).await?;
        if fuse.put_out() {
            return Ok((shop, deaths));
        }
        deaths += 1;
        shop.host.wait().await?;
        shop = shop.restart().await?;
    }
}

/// Also where it dies again while the queue takes up what it left; and no order needs
/// somebody who looks at it.
#[tokio::test]
async fn orders_end_at_whichever_write_the_host_dies() -> Result<()> {
    let fuse = Fuse::new()?;
    let shop = shop_on(fuse.host().await?).await?;
    stocked(&shop, "DIES", 1_000_000).await?;
    let mut acknowledged = Vec::new();
    let placing = at_each_write(shop, &fuse, async |shop| {
        acknowledged.extend(place(shop).await?);
        Ok(())
    });
    let (shop, deaths) = placing.await?;
    // Of each write one moment before it is on disk, and one before it is told: an order
    // is written, holds its stock, has it and is confirmed.
    assert!(deaths >= 8, "it died {deaths} times while it placed orders");
    let (shop, deaths) = at_each_write(shop, &fuse, taken_up).await?;
    assert!(deaths > 0, "the queue had nothing to take up");

    let (on_hand, reserved) = stock(&shop, "DIES").await?;
    let all = orders(&shop).await?;
    let ended = |state: &str| {
        let ended = all.iter().filter(|order| order["state"] == state);
        let ids = ended.filter_map(|order| order["id"].as_str());
        ids.collect::<Vec<_>>()
    };
    let (confirmed, cancelled) = (ended("confirmed"), ended("cancelled"));
    assert_eq!(confirmed.len() + cancelled.len(), all.len(), "{all:?}");
    assert!(!acknowledged.is_empty(), "the last one is");
    for id in &acknowledged {
        assert!(confirmed.contains(&&**id), "{id} was acknowledged: {all:?}");
    }
    let sold = 2 * confirmed.len() as u64;
    assert_eq!((on_hand, reserved), (1_000_000, sold), "{all:?}");
    assert_eq!(stock(&shop, "DIES").await?, (on_hand, reserved));
    Ok(())
}
