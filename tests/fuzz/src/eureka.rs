//! What Eureka's clients register, in JSON and XML.

use serde_json::{Value, json};
use stoa::fuzzing::{Instance, Language, read_registration, read_xml, write_xml};

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
    for language in [Language::Json, Language::Xml] {
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
    let again = read_registration(Language::Json, json.as_bytes());
    assert_eq!(again.as_ref(), Ok(instance), "{json}");
    // Keys of metadata become names, and spaces around a text are none of it.
    let once = through_xml(instance);
    assert_eq!(through_xml(&once), once);
}

fn through_xml(instance: &Instance) -> Instance {
    let written = write_xml("instance", &instance.json());
    let again = read_registration(Language::Xml, written.as_bytes());
    again.unwrap_or_else(|fault| panic!("{fault}: {written}"))
}
