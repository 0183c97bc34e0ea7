//! Bindings of `wasi:blobstore@0.2.0-draft` (wasmCloud, and the proposal's head).

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use self::bindings::wasi::blobstore::{blobstore, container, types};
use super::error::Error;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::store::{Container, Names};
use crate::capabilities::{CapabilitiesView, HasCapabilities, View};
use stoa_store::Source;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../../wit/deps/io", "../../../wit/deps/blobstore"],
        world: "wasi:blobstore/imports",
        imports: { default: async | trappable },
        with: {
            "wasi:io/error": wasmtime_wasi::p2::bindings::io::error,
            "wasi:io/poll": wasmtime_wasi::p2::bindings::io::poll,
            "wasi:io/streams": wasmtime_wasi::p2::bindings::io::streams,
            "wasi:blobstore/types.outgoing-value": crate::capabilities::blobs::outgoing::Outgoing,
            "wasi:blobstore/types.incoming-value": crate::capabilities::blobs::incoming::Incoming,
            "wasi:blobstore/container.container": crate::capabilities::blobs::store::Container,
            "wasi:blobstore/container.stream-object-names": crate::capabilities::blobs::store::Names,
        },
        require_store_data_send: true,
    });
}

pub(in crate::capabilities) fn add_to_linker<T: View>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    container::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    blobstore::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

/// What a call gives: it, or what the guest is told.
type Told<T> = wasmtime::Result<Result<T, String>>;

impl blobstore::Host for CapabilitiesView<'_> {
    async fn create_container(&mut self, name: String) -> Told<Resource<Container>> {
        let made = self.create(&name).await;
        Error::told(made.and_then(|made| Ok(self.table.push(made)?)))
    }

    async fn get_container(&mut self, name: String) -> Told<Resource<Container>> {
        let found = self.find(&name).await;
        Error::told(found.and_then(|found| Ok(self.table.push(found)?)))
    }

    async fn delete_container(&mut self, name: String) -> Told<()> {
        Error::told(self.remove(&name).await)
    }

    async fn container_exists(&mut self, name: String) -> Told<bool> {
        Error::told(self.exists(&name).await)
    }

    async fn copy_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Told<()> {
        let [from, to] = [&src, &dest].map(|id| (&*id.container, &*id.object));
        Error::told(self.copy(from, to, Source::Stays).await)
    }

    async fn move_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Told<()> {
        let [from, to] = [&src, &dest].map(|id| (&*id.container, &*id.object));
        Error::told(self.copy(from, to, Source::Goes).await)
    }
}

impl container::Host for CapabilitiesView<'_> {}

impl container::HostContainer for CapabilitiesView<'_> {
    async fn name(&mut self, this: Resource<Container>) -> Told<String> {
        Ok(Ok(self.table.get(&this)?.name().to_owned()))
    }

    async fn info(&mut self, this: Resource<Container>) -> Told<container::ContainerMetadata> {
        let this = self.table.get(&this)?;
        let created = this.created().await;
        Error::told(created.map(|created_at| container::ContainerMetadata {
            name: this.name().to_owned(),
            created_at,
        }))
    }

    async fn get_data(
        &mut self,
        this: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Told<Resource<Incoming>> {
        let object = match self.table.get(&this)?.object(&name) {
            Ok(object) => object,
            Err(error) => return Error::told(Err(error)),
        };
        Error::told(self.open_incoming(&object, (start, end)).await)
    }

    async fn write_data(
        &mut self,
        this: Resource<Container>,
        name: String,
        data: Resource<Outgoing>,
    ) -> Told<()> {
        let object = self.table.get(&this)?.object_to_write(&name);
        Error::told(object.and_then(|object| self.aim(&data, object)))
    }

    async fn list_objects(&mut self, this: Resource<Container>) -> Told<Resource<Names>> {
        let names = self.table.get(&this)?.names();
        Error::told(self.table.push(names).map_err(Error::from))
    }

    async fn delete_object(&mut self, this: Resource<Container>, name: String) -> Told<()> {
        Error::told(self.table.get(&this)?.delete(&[name]).await)
    }

    async fn delete_objects(&mut self, this: Resource<Container>, names: Vec<String>) -> Told<()> {
        Error::told(self.table.get(&this)?.delete(&names).await)
    }

    async fn has_object(&mut self, this: Resource<Container>, name: String) -> Told<bool> {
        let found = self.table.get(&this)?.head(&name).await;
        Error::told(found.map(|found| found.is_some()))
    }

    async fn object_info(
        &mut self,
        this: Resource<Container>,
        name: String,
    ) -> Told<container::ObjectMetadata> {
        let this = self.table.get(&this)?;
        let found = this.info(&name).await;
        Error::told(found.map(|(created_at, size)| container::ObjectMetadata {
            name,
            container: this.name().to_owned(),
            created_at,
            size,
        }))
    }

    async fn clear(&mut self, this: Resource<Container>) -> Told<()> {
        Error::told(self.table.get(&this)?.clear().await)
    }

    async fn drop(&mut self, this: Resource<Container>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl container::HostStreamObjectNames for CapabilitiesView<'_> {
    async fn read_stream_object_names(
        &mut self,
        this: Resource<Names>,
        len: u64,
    ) -> Told<(Vec<String>, bool)> {
        Error::told(self.table.get_mut(&this)?.next(len).await)
    }

    async fn skip_stream_object_names(
        &mut self,
        this: Resource<Names>,
        num: u64,
    ) -> Told<(u64, bool)> {
        let skipped = self.table.get_mut(&this)?.next(num).await;
        Error::told(skipped.map(|(names, ended)| (names.len() as u64, ended)))
    }

    async fn drop(&mut self, this: Resource<Names>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl types::Host for CapabilitiesView<'_> {}

impl types::HostOutgoingValue for CapabilitiesView<'_> {
    async fn new_outgoing_value(&mut self) -> wasmtime::Result<Resource<Outgoing>> {
        Ok(self.table.push(Outgoing::default())?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        this: Resource<Outgoing>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        match self.begin_body(&this).await {
            Ok(body) => Ok(body.ok_or(())),
            Err(Error::Told(_)) => Ok(Err(())),
            Err(Error::Trap(fault)) => Err(fault),
        }
    }

    async fn finish(&mut self, this: Resource<Outgoing>) -> Told<()> {
        Error::told(self.finish_outgoing(this).await)
    }

    async fn drop(&mut self, this: Resource<Outgoing>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl types::HostIncomingValue for CapabilitiesView<'_> {
    async fn incoming_value_consume_sync(&mut self, this: Resource<Incoming>) -> Told<Vec<u8>> {
        Error::told(self.consume_whole(this).await)
    }

    async fn incoming_value_consume_async(
        &mut self,
        this: Resource<Incoming>,
    ) -> Told<Resource<DynInputStream>> {
        Error::told(self.consume_stream(this))
    }

    async fn size(&mut self, this: Resource<Incoming>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.size())
    }

    async fn drop(&mut self, this: Resource<Incoming>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
