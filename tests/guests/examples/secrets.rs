//! Reads the secrets that it is asked for.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/secrets", generate_all });

use stoa::service::secrets::{self, Error};

struct Reader;
export!(Reader);

impl exports::test::secrets::reader::Guest for Reader {
    fn read(name: String) -> Result<Option<String>, String> {
        secrets::get(&name).map_err(|fault| match fault {
            Error::NotGranted(reason) => format!("not granted: {reason}"),
            Error::Unavailable(reason) => format!("unavailable: {reason}"),
        })
    }
}
