//! What the fuzz targets check. Each is a function of bytes that panics at a
//! fault, so that `cargo test` tries the seeds without libFuzzer.

mod eureka;
mod manifest;
mod recipe;
mod route;
mod transcode;
mod values;

pub use eureka::eureka;
pub use manifest::manifest;
pub use route::route;
pub use transcode::transcode;

#[cfg(test)]
mod tests;
