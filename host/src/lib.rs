//! Stoa: a WebAssembly application server.

pub mod admin {
    //! The admin API.
    pub mod api;
}
pub mod capabilities;
pub mod engine {
    //! The runtime.
    pub mod service_error;
    pub mod value;
}
pub mod gateway {
    //! The way in over HTTP.
    pub mod transcode;
}
pub mod service {
    //! Services.
    pub mod settings;
}
pub mod store;
