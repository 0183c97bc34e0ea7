//! `config_schema`: a JSON Schema in a file of its own, or written in the manifest.

use std::path::Path;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use super::ServiceManifest;
use crate::config::document::{Entry, expected, scalar};
use crate::config::faults::Faults;

/// Reads the key's value: the name of a file, or the schema.
pub fn read(service: &mut ServiceManifest, entry: &mut Entry<'_, '_>) {
    match entry.value.get_ref() {
        DeValue::String(file) => service.config_schema = Some(file.as_ref().into()),
        table @ DeValue::Table(_) => service.settings.config_schema = entry.check(json(table)),
        other => {
            entry.check::<()>(Err(expected("a file or a table", other)));
        }
    }
}

/// Reads the schemas' files into the settings of their services.
pub fn load<'m>(services: impl Iterator<Item = (&'m String, &'m mut ServiceManifest)>) -> Faults {
    let mut faults = Faults::default();
    for (name, service) in services {
        let Some(file) = &service.config_schema else {
            continue;
        };
        match parse(file) {
            Ok(schema) => service.settings.config_schema = Some(schema),
            Err(fault) => faults.add(
                file.display().to_string(),
                format!("`config_schema` of {name}: {fault}"),
            ),
        }
    }
    faults
}

fn parse(file: &Path) -> Result<Json, String> {
    let text = std::fs::read(file).map_err(|fault| format!("can't be read: {fault}"))?;
    serde_json::from_slice(&text).map_err(|fault| format!("expected a JSON Schema: {fault}"))
}

fn json(value: &DeValue<'_>) -> Result<Json, String> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?)));
            entries
                .collect::<Result<Map<_, _>, String>>()
                .map(Json::Object)
        }
        DeValue::String(text) => Ok(Json::from(text.as_ref())),
        number => {
            let text = scalar(number)?;
            serde_json::from_str(&text)
                .map_err(|_| format!("expected what JSON can hold, found {text}"))
        }
    }
}
