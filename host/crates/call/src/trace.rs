//! A call's place in a trace, as in W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>).

use std::fmt;

use http::HeaderValue;

/// Bytes of a `traceparent` header, version 00.
const LENGTH: usize = 55;

/// The parts of a `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace_id: u128,
    /// This call within it; never 0.
    pub span_id: u64,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// The beginning of a new trace. Recorded: who samples less decides where
    /// spans are exported.
    pub fn root() -> Self {
        Self {
            trace_id: non_zero(|| fastrand::u128(..)),
            span_id: non_zero(|| fastrand::u64(..)),
            sampled: true,
        }
    }

    /// A call made by this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: non_zero(|| fastrand::u64(..)),
            ..*self
        }
    }

    /// Reads a `traceparent` header. `None` for one that the standard calls
    /// invalid: begin a new trace then. Of versions to come, only what this one
    /// knows is read.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.splitn(5, '-');
        let version = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = hex(parts.next()?, 2)?;
        let known = match version {
            0 => parts.next().is_none(),
            0xff => false,
            _ => true,
        };
        (known && trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }

    /// The value of a `traceparent` header, version 00.
    pub fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.text()).ok()
    }

    /// Each request that is passed on has one: no formatter is as fast.
    fn text(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        // The lengths fit, so nothing can fail.
        let _ = hex::encode_to_slice(self.trace_id.to_be_bytes(), &mut text[3..35]);
        let _ = hex::encode_to_slice(self.span_id.to_be_bytes(), &mut text[36..52]);
        text[LENGTH - 1] += u8::from(self.sampled);
        text
    }
}

/// The `traceparent` header, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

/// Exactly `digits` lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid =
        text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn non_zero<N: PartialEq + Default>(mut random: impl FnMut() -> N) -> N {
    loop {
        let number = random();
        if number != N::default() {
            return number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_header_is_read_and_written() {
        for (flags, sampled) in [("01", true), ("00", false)] {
            let header = format!("00-{TRACE}-{SPAN}-{flags}");
            let trace = TraceContext::parse(&header).unwrap();
            assert_eq!(trace.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
            assert_eq!(trace.span_id, 0xb7ad_6b71_6920_3331);
            assert_eq!(trace.sampled, sampled);
            assert_eq!(trace.to_string(), header);
        }
    }

    #[test]
    fn unknown_flags_and_later_versions_are_read_as_far_as_known() {
        for header in [
            format!("00-{TRACE}-{SPAN}-ff"),
            format!("cc-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be"),
        ] {
            assert!(TraceContext::parse(&header).unwrap().sampled, "{header}");
        }
    }

    #[test]
    fn invalid_headers_are_none() {
        let upper = TRACE.to_uppercase();
        for header in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{:032}-{SPAN}-01", 0),
            format!("00-{TRACE}-{:016}-01", 0),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00-{TRACE}\u{e9}-{SPAN}-01"),
        ] {
            assert_eq!(TraceContext::parse(&header), None, "{header}");
        }
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let root = TraceContext {
            sampled: false,
            ..TraceContext::root()
        };
        let child = root.child();
        assert_eq!((child.trace_id, child.sampled), (root.trace_id, false));
        assert_ne!(child.span_id, root.span_id);
        assert_ne!(TraceContext::root().trace_id, root.trace_id);
    }
}
