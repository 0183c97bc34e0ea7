//! Blobs: objects of any size in containers.

mod accounts;
mod error;
mod names;

pub(crate) use self::accounts::Accounts;
pub use self::accounts::Usage;
pub use self::error::BlobError;
pub(crate) use self::names::check_object;
pub use self::names::{ContainerId, MAX_OBJECT_NAME, ObjectId};

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Page, Reply};

/// An answer of [`Blobs`].
pub type BlobReply<'a, T> = BoxFuture<'a, Result<T, BlobError>>;

/// Objects in containers, durable, written and read as streams.
///
/// A container belongs to a service. An object is replaced as a whole: who reads one gets
/// all of what one write left there, also while another replaces or removes it. What is
/// being written takes no more of the host's memory than a piece of it.
///
/// A caller is who uses one and the same `Blobs`: all guests of a host. What it reads of a
/// name is what its last acknowledged change left there, or something newer. What others
/// changed it may read later. A change is done when its reply is: then it is on disk.
/// Dropping a reply that was polled does not take it back.
///
/// # Errors
/// Every method gives [`BlobError::Store`] when the engine fails; after it a change may
/// have been made or not, and to ask for it again is safe.
pub trait Blobs: Send + Sync {
    /// Makes a container, if it is not there; what is in it stays.
    fn create<'a>(&'a self, container: &'a ContainerId, now: SystemTime) -> BlobReply<'a, ()>;

    /// When a container was made; `None` if there is none.
    fn created<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, Option<SystemTime>>;

    /// Removes a container with all that is in it. Not atomic: what is in it may go before.
    fn remove<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, ()>;

    /// Begins to write an object of a service that may keep `quota` bytes. What comes in
    /// counts as it comes.
    ///
    /// # Errors
    /// [`StoreError::BadName`](crate::StoreError::BadName) for what can't be a service's
    /// name.
    fn begin<'a>(&'a self, service: &'a str, quota: u64) -> BlobReply<'a, Box<dyn Upload>>;

    /// What there is to say of an object; `None` if there is none.
    fn head<'a>(&'a self, object: &'a ObjectId) -> BlobReply<'a, Option<ObjectInfo>>;

    /// Begins to read an object, or the part of this range that it has.
    ///
    /// # Errors
    /// [`BlobError::NoObject`].
    fn open<'a>(
        &'a self,
        object: &'a ObjectId,
        range: Range<u64>,
    ) -> BlobReply<'a, Box<dyn Content>>;

    /// At most `limit` (at least 1) names of objects after `cursor`, in the order of their
    /// bytes, as [`KeyValue::list`](crate::KeyValue::list) has it of keys.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`](crate::StoreError::BadCursor).
    fn list<'a>(
        &'a self,
        container: &'a ContainerId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BlobReply<'a, Page>;

    /// Removes objects; nothing happens for those that are not there. Not atomic.
    fn delete<'a>(&'a self, container: &'a ContainerId, names: &'a [String]) -> BlobReply<'a, ()>;

    /// Gives what an object has to another name too, or in its place; over what is there.
    /// Not atomic: who looks in between may find the object under both names.
    ///
    /// # Errors
    /// [`BlobError::NoObject`], [`BlobError::NoContainer`], and [`BlobError::Full`] where
    /// the service that gets it would keep more than it does and may.
    fn copy<'a>(
        &'a self,
        from: &'a ObjectId,
        to: &'a ObjectId,
        copying: Copying,
    ) -> BlobReply<'a, ()>;

    /// Removes every container of `service`. Not atomic; what is written meanwhile may stay.
    ///
    /// # Errors
    /// [`StoreError::BadName`](crate::StoreError::BadName) for what can't be a service's
    /// name.
    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()>;

    /// Frees what no name leads to: what was left over where a write or a host ended in
    /// between. Says how many contents there were. To be called now and then.
    fn collect(&self) -> Reply<'_, u64>;

    /// What each service keeps that keeps something, in the order of their names, as far as
    /// this host knows. For people and limits; it does not wait.
    fn usage(&self) -> Vec<(String, Usage)>;
}

/// An object that is being written. Dropped before it is finished, nothing stays of it.
pub trait Upload: Send {
    /// Adds to it, and waits until there is room for more.
    ///
    /// # Errors
    /// [`BlobError::Full`]. After an error it can't be finished.
    fn write(&mut self, bytes: Bytes) -> BlobReply<'_, ()>;

    /// Gives it its name, over what is there. Both are on disk when the reply is.
    ///
    /// # Errors
    /// [`BlobError::NoContainer`], [`BlobError::BadObject`], [`BlobError::NotOwn`].
    fn finish(self: Box<Self>, object: ObjectId, now: SystemTime)
    -> BlobReply<'static, ObjectInfo>;
}

/// What is in an object, to be read once, from its beginning to its end. It stays whole
/// while it is read, whatever becomes of the object.
pub trait Content: Send {
    /// What there is to say of the object.
    fn info(&self) -> ObjectInfo;

    /// Bytes that are still to be read.
    fn left(&self) -> u64;

    /// The next bytes: `most` or fewer, none at the end alone. A reply that is dropped has
    /// read nothing.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`](crate::StoreError::Corrupt) where it is not what was written;
    /// what was wrong in an object that is read as a whole is told before its last bytes.
    fn read(&mut self, most: usize) -> BlobReply<'_, Bytes>;
}

/// What there is to say of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Bytes.
    pub size: u64,
    /// When it was written, in milliseconds.
    pub created: SystemTime,
}

/// How an object is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copying {
    /// What becomes of the one that is copied.
    pub source: Source,
    /// Bytes that the service may keep that gets it.
    pub quota: u64,
    /// When the copy is made.
    pub now: SystemTime,
}

/// What becomes of an object that is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It stays.
    Stays,
    /// It goes: it is moved.
    Goes,
}
