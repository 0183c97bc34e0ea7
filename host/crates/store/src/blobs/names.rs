//! Where an object is.

use super::BlobError;
use crate::StoreError;
use crate::keyvalue::checked;

/// Longest name of an object, in bytes: what S3 and those that are like it take.
pub const MAX_OBJECT_NAME: usize = 1 << 10;

/// A container's address: the service that owns it, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerId {
    service: String,
    name: String,
}

/// An object's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId {
    container: ContainerId,
    name: String,
}

// === impl ContainerId ===

impl ContainerId {
    /// The container `name` of `service`.
    ///
    /// # Errors
    /// [`StoreError::BadName`], as [`BucketId::new`](crate::BucketId::new) has it.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Result<Self, StoreError> {
        Ok(Self {
            service: checked(service.into())?,
            name: checked(name.into())?,
        })
    }

    /// The service that owns the container.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The container's name in its service.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for ContainerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

// === impl ObjectId ===

impl ObjectId {
    /// The object `name` of a container.
    ///
    /// # Errors
    /// [`BlobError::BadObject`] when it is empty or longer than [`MAX_OBJECT_NAME`]; it may
    /// be any text otherwise.
    pub fn new(container: ContainerId, name: impl Into<String>) -> Result<Self, BlobError> {
        let name = name.into();
        check_object(&name)?;
        Ok(Self { container, name })
    }

    /// Where it is.
    pub fn container(&self) -> &ContainerId {
        &self.container
    }

    /// The object's name in its container.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Whether `name` may be an object's.
///
/// # Errors
/// [`BlobError::BadObject`].
pub(crate) fn check_object(name: &str) -> Result<(), BlobError> {
    match name.len() {
        1..=MAX_OBJECT_NAME => Ok(()),
        found => Err(BlobError::BadObject { found }),
    }
}
