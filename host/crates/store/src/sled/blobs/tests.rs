//! What is on disk of blobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::sled::Store;
use crate::{BlobError, Blobs, ContainerId, Copying, ObjectId, Source, StoreError, Upload};

struct Bench {
    dir: TempDir,
    store: Store,
    blobs: Arc<dyn Blobs>,
    container: ContainerId,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let bench = Self::of(dir, store);
        let created = bench.blobs.create(&bench.container, SystemTime::now());
        created.await.unwrap();
        // The look at all files after a start is over.
        bench.blobs.collect().await.unwrap();
        bench
    }

    fn of(dir: TempDir, store: Store) -> Self {
        Self {
            dir,
            blobs: store.blobs(),
            store,
            container: ContainerId::new("product", "pictures").unwrap(),
        }
    }

    /// As it is after a start, and something that happened before.
    fn reopened_after(self, change: impl FnOnce(&Path)) -> Self {
        let Self {
            dir, store, blobs, ..
        } = self;
        drop(blobs);
        store.close();
        change(&dir.path().join("blobs"));
        let store = Store::open(dir.path()).unwrap();
        Self::of(dir, store)
    }

    fn object(&self, name: &str) -> ObjectId {
        ObjectId::new(self.container.clone(), name).unwrap()
    }

    async fn upload(&self, content: &[u8]) -> Box<dyn Upload> {
        let mut upload = self.blobs.begin("product", u64::MAX).await.unwrap();
        upload.write(content.to_vec().into()).await.unwrap();
        upload
    }

    async fn put(&self, name: &str, content: &[u8]) {
        let upload = self.upload(content).await;
        let written = upload.finish(self.object(name), SystemTime::now());
        written.await.unwrap();
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        let mut content = self.blobs.open(&self.object(name), 0..u64::MAX).await?;
        let mut all = Vec::new();
        while content.left() > 0 {
            all.extend_from_slice(&content.read(1000).await?);
        }
        Ok(all)
    }

    async fn delete(&self, name: &str) {
        let names = [name.to_owned()];
        self.blobs.delete(&self.container, &names).await.unwrap();
    }

    /// All files of contents, and those that are being written.
    fn files(&self) -> (usize, usize) {
        let folder = self.dir.path().join("blobs");
        let new = files_below(&folder.join("new")).len();
        (files_below(&folder).len() - new, new)
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    found.flatten().collect()
}

static LARGE: [u8; 300_000] = [7; 300_000];

#[tokio::test]
async fn the_same_is_on_disk_once_as_long_as_a_name_leads_to_it() {
    let bench = Bench::new().await;
    for name in ["a", "b", "c"] {
        bench.put(name, &LARGE).await;
    }
    let copying = Copying {
        source: Source::Goes,
        quota: u64::MAX,
        now: SystemTime::now(),
    };
    let (from, to) = (bench.object("c"), bench.object("d"));
    bench.blobs.copy(&from, &to, copying).await.unwrap();
    assert_eq!(bench.files(), (1, 0));
    bench.put("a", b"another").await;
    bench.put("a", b"another").await;
    bench.delete("b").await;
    assert_eq!(bench.files(), (2, 0), "d is left");
    assert_eq!(bench.read("d").await.unwrap(), LARGE);
    bench.delete("d").await;
    assert_eq!(bench.files(), (1, 0));
    bench.blobs.remove(&bench.container).await.unwrap();
    assert_eq!(bench.files(), (0, 0));
}

#[tokio::test]
async fn what_is_dropped_leaves_no_file() {
    let bench = Bench::new().await;
    drop(bench.upload(&LARGE).await);
    let upload = bench.upload(&LARGE).await;
    let nowhere = ContainerId::new("product", "nowhere").unwrap();
    let nowhere = ObjectId::new(nowhere, "a").unwrap();
    let refused = upload.finish(nowhere, SystemTime::now()).await;
    assert!(matches!(refused, Err(BlobError::NoContainer(_))));
    assert_eq!(bench.files(), (0, 0));
}

#[tokio::test]
async fn what_a_crash_left_goes_with_the_first_collection() {
    let bench = Bench::new().await;
    bench.put("kept", &LARGE).await;
    let stray = hex::encode([0xab; 32]);
    let bench = bench.reopened_after(|blobs| {
        std::fs::write(blobs.join("new/half"), b"half").unwrap();
        std::fs::create_dir_all(blobs.join("ab")).unwrap();
        std::fs::write(blobs.join("ab").join(&stray), b"no name").unwrap();
        std::fs::write(blobs.join("ab/README"), b"not ours").unwrap();
    });
    assert_eq!(bench.files(), (3, 0));
    assert_eq!(bench.blobs.collect().await.unwrap(), 1);
    assert_eq!(bench.blobs.collect().await.unwrap(), 0);
    assert_eq!(bench.files(), (2, 0), "and nothing that is not its own");
    assert_eq!(bench.read("kept").await.unwrap(), LARGE);
}

#[tokio::test]
async fn who_leaves_before_the_end_leaves_it_to_the_next_collection() {
    let bench = Bench::new().await;
    bench.put("a", &LARGE).await;
    {
        let names = ["a".to_owned()];
        let mut deleting = bench.blobs.delete(&bench.container, &names);
        // The name is gone, and nobody waits until that is on disk.
        assert!(futures::poll!(&mut deleting).is_pending());
    }
    assert_eq!(bench.files(), (1, 0));
    assert_eq!(bench.blobs.collect().await.unwrap(), 1);
    assert_eq!(bench.files(), (0, 0));
}

#[tokio::test]
async fn a_damaged_blob_is_told_before_its_end() {
    let bench = Bench::new().await;
    bench.put("a", &LARGE).await;
    let bench = bench.reopened_after(|blobs| {
        let file = files_below(blobs).remove(0);
        let mut content = std::fs::read(&file).unwrap();
        content[150_000] ^= 1;
        std::fs::write(&file, content).unwrap();
    });
    let told = bench.read("a").await.unwrap_err();
    assert!(matches!(told, BlobError::Store(StoreError::Corrupt(_))));
    let bench = bench.reopened_after(|blobs| {
        let file = files_below(blobs).remove(0);
        std::fs::write(&file, b"short").unwrap();
    });
    let told = bench.read("a").await.unwrap_err();
    assert!(matches!(told, BlobError::Store(StoreError::Corrupt(_))));
    // Whoever writes the same again mends it.
    bench.put("b", &LARGE).await;
    assert_eq!(bench.read("a").await.unwrap(), LARGE);
    let bench = bench.reopened_after(|blobs| {
        std::fs::remove_file(files_below(blobs).remove(0)).unwrap();
    });
    let told = bench.read("a").await.unwrap_err();
    assert!(matches!(told, BlobError::Store(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_closed_store_takes_no_blobs() {
    let bench = Bench::new().await;
    bench.put("a", b"1").await;
    let upload = bench.upload(&LARGE).await;
    let late = bench.object("late");
    let Bench {
        dir, store, blobs, ..
    } = bench;
    store.close();
    drop(blobs);
    let refused = upload.finish(late, SystemTime::now()).await;
    assert!(matches!(refused, Err(BlobError::Store(StoreError::Closed))));
    let store = Store::open(dir.path()).unwrap();
    let bench = Bench::of(dir, store);
    bench.blobs.collect().await.unwrap();
    assert_eq!(bench.files(), (1, 0));
    assert_eq!(bench.read("a").await.unwrap(), b"1");
}
