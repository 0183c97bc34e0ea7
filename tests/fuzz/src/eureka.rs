//! What Eureka's clients register, in JSON and XML.

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use stoa_control::admin::eureka::model::Instance;
use stoa_control::admin::eureka::wire;
use stoa_control::admin::eureka::xml::{read as read_xml, write as write_xml};

/// What Eureka's clients speak.
const JSON: &str = "application/json";
const XML: &str = "application/xml";

/// Reads a body as XML and as either language's registration. What is read must be
/// read again from what is written of it, as the same.
///
/// # Panics
/// When it is not.
pub fn eureka(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok((root, value)) = read_xml(text)
    {
        document(&root, &value);
    }
    for language in [JSON, XML] {
        if let Ok(instance) = read_registration(language, bytes) {
            registration(&instance);
        }
    }
}

/// Names become names of XML when they are written, so the second time counts.
fn document(root: &str, value: &Value) {
    let (root, value) = reread(root, value);
    assert_eq!(reread(&root, &value), (root, value));
}

fn reread(root: &str, value: &Value) -> (String, Value) {
    let written = write_xml(root, value);
    read_xml(&written).unwrap_or_else(|fault| panic!("{fault}: {written}"))
}

fn registration(instance: &Instance) {
    let json = json!({ "instance": instance.json() }).to_string();
    let again = read_registration(JSON, json.as_bytes());
    assert_eq!(again.as_ref(), Ok(instance), "{json}");
    // Keys of metadata become names, and spaces around a text are none of it.
    let once = through_xml(instance);
    assert_eq!(through_xml(&once), once);
}

fn through_xml(instance: &Instance) -> Instance {
    let written = write_xml("instance", &instance.json());
    let again = read_registration(XML, written.as_bytes());
    again.unwrap_or_else(|fault| panic!("{fault}: {written}"))
}

fn read_registration(language: &'static str, body: &[u8]) -> Result<Instance, String> {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(language));
    wire::read(&HeaderMap::from_iter([kind]), body)
}
