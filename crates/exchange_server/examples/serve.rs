//! Serves the exchange as the JSON of its only argument says, until its input ends.

use std::io::Read;

use mainspring_exchange_server::{Server, ServerConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let config: ServerConfig = serde_json::from_str(&text)?;
    let server = Server::start(&config)?;
    println!("{}", server.address().port());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
