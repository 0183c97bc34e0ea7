//! Tries the ways out of the sandbox that std offers.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/sandbox", generate_all });

use std::net::{TcpStream, ToSocketAddrs};

struct Prisoner;
export!(Prisoner);

impl exports::test::sandbox::escape::Guest for Prisoner {
    fn read_file(path: String) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|fault| fault.to_string())
    }

    fn write_file(path: String) -> Result<(), String> {
        std::fs::write(path, "escaped").map_err(|fault| fault.to_string())
    }

    fn connect(address: String) -> Result<(), String> {
        TcpStream::connect(address)
            .map(drop)
            .map_err(|fault| fault.to_string())
    }

    fn resolve(name: String) -> Result<(), String> {
        (name.as_str(), 80)
            .to_socket_addrs()
            .map(drop)
            .map_err(|fault| fault.to_string())
    }

    fn environment() -> Vec<(String, String)> {
        std::env::vars().collect()
    }

    fn arguments() -> Vec<String> {
        std::env::args().collect()
    }
}
