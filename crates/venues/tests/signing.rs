//! Signatures that venues and their own clients publish, against ours.

mod shared;

use mainspring_venues::client_id::ClientIdForm;
use mainspring_venues::hyperliquid::action::Node;
use mainspring_venues::hyperliquid::sign::{action_hash, sign_action, user_signed_digest, Field};
use mainspring_venues::secp256k1::{hex, hex_text, Recoverable, Secp256k1Key};
use mainspring_venues::secret::Secret;
use mainspring_venues::sign::HmacKey;
use serde_json::Value;

#[test]
fn binance_signs_what_its_documents_print() {
    let mut count = 0;
    for file in ["hmac_official.json", "hmac_ws_api_official.json"] {
        let Some(all) = shared::json(&format!("venues/binance/signing-vectors/{file}")) else {
            return;
        };
        let key = HmacKey::new(&Secret::new(all["secretKey"].as_str().unwrap())).unwrap();
        for vector in all["vectors"].as_array().unwrap() {
            let code = key.code(vector["payload"].as_str().unwrap().as_bytes());
            assert_eq!(&hex_text(&code)[2..], vector["signature"].as_str().unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 4);
}

/// An action of a vector with its keys in the order of the signed bytes.
fn node(value: &Value, order: &[u8]) -> Node {
    match value {
        Value::String(text) => Node::Text(text.clone()),
        Value::Number(number) => Node::Number(number.as_u64().unwrap()),
        Value::Bool(truth) => Node::Truth(*truth),
        Value::Array(list) => Node::List(list.iter().map(|one| node(one, order)).collect()),
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| place(key, order));
            let entry = |key: &&String| {
                let name: &'static str = Box::leak(key.to_string().into_boxed_str());
                (name, node(&map[*key], order))
            };
            Node::Map(keys.iter().map(entry).collect())
        }
        Value::Null => panic!("no null in actions"),
    }
}

/// Where a key stands in msgpack: its bytes behind the mark of a short text.
fn place(key: &str, bytes: &[u8]) -> usize {
    let mut wanted = vec![0xa0 | key.len() as u8];
    wanted.extend(key.as_bytes());
    bytes.windows(wanted.len()).position(|part| part == wanted).unwrap()
}

fn same(ours: Recoverable, theirs: &Value) {
    let padded = |value: &Value| format!("0x{:0>64}", &value.as_str().unwrap()[2..]);
    assert_eq!(hex_text(&ours.r), padded(&theirs["r"]));
    assert_eq!(hex_text(&ours.s), padded(&theirs["s"]));
    assert_eq!(27 + u64::from(ours.parity), theirs["v"].as_u64().unwrap());
}

#[test]
fn hyperliquid_signs_what_its_client_signs() {
    let Some(all) = shared::json("venues/hyperliquid/signing-vectors/signing.json") else { return };
    let mut count = 0;
    for vector in all["vectors"].as_array().unwrap() {
        let key = Secp256k1Key::new(&Secret::new(vector["private_key"].as_str().unwrap())).unwrap();
        match vector.get("action") {
            Some(action) => trading_action(vector, action, &key),
            None => readable_action(vector, &key),
        }
        count += 1;
    }
    assert_eq!(count, 15);
}

fn trading_action(vector: &Value, action: &Value, key: &Secp256k1Key) {
    let bytes = hex(vector["msgpack_hex"].as_str().unwrap()).unwrap();
    let action = node(action, &bytes);
    let mut packed = Vec::new();
    action.push_msgpack(&mut packed);
    assert_eq!(packed, bytes, "{}", vector["name"]);
    let vault = vector["vaultAddress"].as_str().map(|text| hex(text).unwrap());
    let vault = vault.map(|bytes| <[u8; 20]>::try_from(bytes).unwrap());
    let nonce = vector["nonce"].as_u64().unwrap();
    let hash = action_hash(&action, nonce, vault.as_ref(), vector["expiresAfter"].as_u64());
    assert_eq!(hex_text(&hash), vector["action_hash"].as_str().unwrap());
    let signature = sign_action(key, &hash, vector["is_mainnet"].as_bool().unwrap());
    same(signature, &vector["signature"]);
}

fn readable_action(vector: &Value, key: &Secp256k1Key) {
    let action = &vector["signed_action"];
    let text = |key: &str| action[key].as_str().unwrap();
    let fields = [
        Field::Text("hyperliquidChain", text("hyperliquidChain")),
        Field::Text("destination", text("destination")),
        Field::Text("amount", text("amount")),
        Field::Number("time", action["time"].as_u64().unwrap()),
    ];
    let name = match vector["name"].as_str().unwrap() {
        "usdSend" => "UsdSend",
        "withdraw3" => "Withdraw",
        other => panic!("{other}"),
    };
    same(key.sign(&user_signed_digest(name, &fields, 0x66eee)), &vector["signature"]);
}

#[test]
fn hyperliquid_numbers_are_written_as_its_client_writes_them() {
    let Some(all) = shared::json("venues/hyperliquid/signing-vectors/signing.json") else { return };
    for one in all["float_to_wire"].as_array().unwrap() {
        let wire = one["wire"].as_str().unwrap();
        let value: mainspring_core::Decimal = wire.parse().unwrap();
        assert_eq!(value.to_string(), wire);
        assert!((value.to_f64() - one["x"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn a_hyperliquid_client_id_is_of_128_bits() {
    let ids = mainspring_venues::client_id::ClientIds::new(ClientIdForm::Hex128, 1);
    let mut text = String::new();
    assert!(ids.write(mainspring_core::ClientOrderId(255), &mut text));
    assert_eq!(text, "0x00006d730000000100000000000000ff");
}
