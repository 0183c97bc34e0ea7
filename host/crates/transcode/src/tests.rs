//! Tests of transcoding: values by table, routes, properties of random types.

mod arguments;
mod bindings;
mod fixture;
mod operations;
mod properties;
mod replies;
mod values;
