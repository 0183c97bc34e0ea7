//! Values and types of the component model, as the rest of the host sees them.
//!
//! The gateway transcodes to and from these; nothing outside `engine` and
//! `capabilities` names the runtime that they come from.

pub use wasmtime::component::Val;
pub use wasmtime::component::types::{ComponentFunc as FunctionType, Type};
