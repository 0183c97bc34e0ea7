//! A queue as simple as can be, and operations by chance that it and a
//! [`Log`](crate::Log) should answer alike.
//!
//! It keeps a list of messages and asks all of them each time. What a crash leaves of it
//! is what an engine must find on its disk.

mod operations;
mod reference;
#[cfg(test)]
mod strategy;

use self::operations::Run;
pub use self::operations::{Fate, Operation};
#[cfg(test)]
pub(crate) use self::strategy::operations;
use super::Mortal;

/// Does all of it with a log and with the model, and at the end delivers what is left.
///
/// # Panics
/// Where the two don't agree.
pub async fn agree(mut engine: impl Mortal, operations: &[Operation]) {
    let mut run = Run::new();
    for operation in operations {
        if *operation == Operation::Crash {
            engine.crash();
        }
        run.step(&*engine.log(), operation).await;
    }
    run.finish(&*engine.log()).await;
}
