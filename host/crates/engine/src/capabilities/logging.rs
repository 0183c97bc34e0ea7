//! `wasi:logging`, and a component's standard output and error, into one log.

mod output;

pub use self::output::{Output, Stream};

use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime::{AsContextMut, StoreContextMut};

use super::View;
use stoa_call::CallContext;

/// Where the messages of one revision's instances go. It knows the service and
/// the revision; it must not block, as it runs on the guest's task.
pub trait GuestLog: Send + Sync {
    /// Takes a message. `context` is the guest's word for what it is about, or
    /// the name of the [`Stream`] that it was written to.
    fn log(&self, level: Level, context: &str, message: &str, call: &CallContext);
}

/// `wasi:logging/logging.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    /// The values of variables and the flow of control.
    #[component(name = "trace")]
    Trace,
    /// For someone who debugs the program.
    #[component(name = "debug")]
    Debug,
    /// For someone who watches the program.
    #[component(name = "info")]
    Info,
    /// A hazard.
    #[component(name = "warn")]
    Warn,
    /// A serious error.
    #[component(name = "error")]
    Error,
    /// A fatal error.
    #[component(name = "critical")]
    Critical,
}

/// Longest message, in bytes: what log shippers take for one line.
const MAX_MESSAGE: usize = 16 << 10;

/// Longest context, in bytes. It is a name, not a text.
const MAX_CONTEXT: usize = 256;

/// What stands at the end of a text that was cut.
const CUT: &str = "… (truncated)";

const NAMES: [&str; 2] = ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"];

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap(
            "log",
            |mut store: StoreContextMut<'_, T>,
             (level, context, message): (Level, String, String)| {
                let call = T::current_call(store.as_context_mut());
                let ctx = store.data_mut().capabilities().ctx;
                let (context, message) = (cut(context, MAX_CONTEXT), cut(message, MAX_MESSAGE));
                ctx.granted.log.log(level, &context, &message, &call);
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// At most `max` bytes of `text` and a mark.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(cut("12345".into(), 5), "12345");
        assert_eq!(cut("12345\u{e9}".into(), 6), format!("12345{CUT}"));
    }
}
