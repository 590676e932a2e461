//! What the account pays, as the chain's module of fee tiers says it.
//!
//! A node answers queries of its modules at the port that takes transactions: `abci_query` with the name of the
//! query and the request as a protocol buffer, as the venue's own client asks it
//! (`validator-client/modules/get.ts` of <https://github.com/dydxprotocol/v4-clients>). The messages are those of
//! `dydxprotocol/feetiers`: <https://docs.dydx.xyz/types/perpetual_fee_tier>. A tier holds in all markets; less
//! may be paid in a market of a promotion, or by who stakes.

use base64ct::{Base64, Encoding};
use mainspring_core::Decimal;

use super::protobuf::{fields, last, Field, Message};
use crate::document::{Object, Read, Unreadable};
use crate::fact::{Fact, OnFact};
use crate::failure::Failure;
use crate::numerals::push_hex_bytes;

/// Decimal places of parts per million.
const PPM_PLACES: u8 = 6;

/// The question for the fee tier of an account.
pub(super) fn push_question(address: &str, target: &mut String) {
    target.push_str("/abci_query?path=%22%2Fdydxprotocol.feetiers.Query%2FUserFeeTier%22&data=0x");
    push_hex_bytes(target, &Message::default().bytes(1, address.as_bytes()).0);
}

/// `{"jsonrpc":"2.0","id":-1,"result":{"response":{"code":0,"log":"","value":"..",..}}}`
pub(super) fn answer(body: &[u8], on: OnFact<'_>) -> Result<(), Failure> {
    let root = Object::read(body).map_err(Failure::unreadable)?;
    if let Some(error) = root.object("error").map_err(Failure::unreadable)? {
        let message = format!("{} {}", error.message("message"), error.message("data"));
        return Err(Failure::refused("", message));
    }
    let result = root.need_object("result").map_err(Failure::unreadable)?;
    let response = result.need_object("response").map_err(Failure::unreadable)?;
    match response.integer("code").map_err(Failure::unreadable)? {
        None | Some(0) => tier(&response, on).map_err(Failure::unreadable),
        Some(code) => Err(Failure::refused(code.to_string(), response.message("log"))),
    }
}

fn tier(response: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let wrong = Unreadable::Wrong("value", "is no fee tier");
    let value = Base64::decode_vec(response.need_word("value")?).map_err(|_| wrong)?;
    let answer = fields(&value).ok_or(wrong)?;
    let Field::Bytes(tier) = last(&answer, 2) else { return Err(wrong) };
    let tier = fields(tier).filter(|fields| !fields.is_empty()).ok_or(wrong)?;
    let fee = |number| Decimal::new(last(&tier, number).signed(), PPM_PLACES).map_err(|_| wrong);
    on(Fact::Fees { symbol: "", maker: fee(5)?, taker: fee(6)? });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tier of the chain's own test of the query: <https://github.com/dydxprotocol/v4-chain>,
    /// `x/feetiers/keeper/grpc_query_test.go`.
    fn first_tier() -> Vec<u8> {
        let tier = Message::default().bytes(1, b"1").varint(5, 219).varint(6, 1_000);
        Message::default().message(2, &tier.0).0
    }

    fn read(value: &str) -> Result<Vec<String>, Failure> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":-1,"result":{{"response":{{"code":0,"log":"","info":"","index":"0","key":null,"value":"{value}","proofOps":null,"height":"1234","codespace":""}}}}}}"#
        );
        let mut told = Vec::new();
        answer(body.as_bytes(), &mut |fact| told.push(format!("{fact:?}")))?;
        Ok(told)
    }

    #[test]
    fn a_tier_is_read_with_its_rebate() {
        let (maker, taker) = ("-0.00011".parse().unwrap(), "0.0005".parse().unwrap());
        let wanted = format!("{:?}", Fact::Fees { symbol: "", maker, taker });
        assert_eq!(read(&Base64::encode_string(&first_tier())).unwrap(), [wanted]);
    }

    #[test]
    fn what_is_no_tier_is_refused() {
        for value in ["", "!", "AAAA", "CAE="] {
            assert!(read(value).is_err(), "{value}");
        }
        let cut = &first_tier()[..8];
        assert!(read(&Base64::encode_string(cut)).is_err());
        let refused = br#"{"jsonrpc":"2.0","id":-1,"result":{"response":{"code":18,"log":"invalid bech32 address","value":null,"codespace":"sdk"}}}"#;
        let failure = answer(refused, &mut |_| panic!("nothing is told")).unwrap_err();
        assert!(failure.to_string().contains("invalid bech32 address"), "{failure}");
    }
}
