//! Serves the exchange until the process ends: `serve [JSON configuration]`.

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_exchange_server::{Server, ServerConfig};

fn main() -> Result<()> {
    let config = match std::env::args().nth(1) {
        Some(json) => {
            serde_json::from_str(&json).map_err(|e| Error::new(ErrorKind::Config, e.to_string()))?
        }
        None => ServerConfig::default(),
    };
    let server = Server::start(&config)?;
    println!("{}", server.address());
    loop {
        std::thread::park();
    }
}
