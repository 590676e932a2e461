//! Fees in exact money.

mod venue;

use mainspring_core::money::{divide_half_even, Money, QUANTA_PER_UNIT};
use mainspring_core::units::Lots;
use mainspring_core::Decimal;
use mainspring_sim::fee::rate_of;
use mainspring_sim::{FeeModel, FeeSchedule, FeeTier};
use proptest::prelude::*;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn model(schedule: &FeeSchedule) -> FeeModel {
    let mut instrument = venue::instrument();
    instrument.maker_fee = decimal("-0.0001");
    instrument.taker_fee = decimal("0.0004");
    FeeModel::new(&instrument, schedule).unwrap()
}

const fn units(count: i128) -> Money {
    Money(count * QUANTA_PER_UNIT)
}

#[test]
fn the_instrument_s_rates_apply_and_a_rebate_is_negative() {
    let plain = model(&FeeSchedule::default());
    let fee = |maker| plain.fee(units(50_000), Lots(1), maker, Money::ZERO).amount;
    assert_eq!(fee(false), units(20));
    assert_eq!(fee(true), units(-5));
}

#[test]
fn tiers_apply_from_their_volume_on() {
    let tier = |volume: &str, maker: &str, taker: &str| FeeTier {
        volume: decimal(volume),
        maker: decimal(maker),
        taker: decimal(taker),
    };
    let tiers = vec![tier("1000", "0.0002", "0.0005"), tier("5000", "0", "0.0003")];
    let schedule = FeeSchedule { tiers, taker: Some(decimal("0.001")), ..FeeSchedule::default() };
    let fees = model(&schedule);
    for (volume, taker, maker) in [
        (0, 1_000_000, -100_000),
        (999, 1_000_000, -100_000),
        (1_000, 500_000, 200_000),
        (4_999, 500_000, 200_000),
        (5_000, 300_000, 0),
        (1_000_000, 300_000, 0),
    ] {
        assert_eq!(fees.rate(false, units(volume)), taker, "taker at {volume}");
        assert_eq!(fees.rate(true, units(volume)), maker, "maker at {volume}");
    }
}

#[test]
fn fixed_parts_are_added() {
    let schedule = FeeSchedule {
        taker: Some(Decimal::ZERO),
        per_fill: decimal("0.25"),
        per_lot: decimal("0.01"),
        ..FeeSchedule::default()
    };
    let fee = model(&schedule).fee(units(1_000), Lots(30), false, Money::ZERO);
    assert_eq!(fee.amount, Money(QUANTA_PER_UNIT * 55 / 100));
}

#[test]
fn a_schedule_that_cannot_be_exact_is_refused() {
    let tier = |volume: &str| FeeTier {
        volume: decimal(volume),
        maker: Decimal::ZERO,
        taker: Decimal::ZERO,
    };
    let tiers = |volumes: &[&str]| FeeSchedule {
        tiers: volumes.iter().map(|volume| tier(volume)).collect(),
        ..FeeSchedule::default()
    };
    let taker = |rate: &str| FeeSchedule { taker: Some(decimal(rate)), ..FeeSchedule::default() };
    for (schedule, fault) in [
        (taker("0.0000000001"), "at most 9 decimals"),
        (taker("1"), "fraction"),
        (tiers(&["5", "1"]), "in order of volume"),
        (tiers(&["5", "5"]), "in order of volume"),
        (tiers(&["-1"]), "in order of volume"),
    ] {
        let error = FeeModel::new(&venue::instrument(), &schedule).unwrap_err();
        assert!(error.message().contains(fault), "{error}");
    }
}

proptest! {
    /// Half to even, and the remainder makes the sum exact, as the plain division says.
    #[test]
    fn a_share_is_exact_with_its_remainder(
        notional in 0_i128..1_000_000_000_000_000_000_000_000_000, rate in -999_999_999_i64..1_000_000_000,
    ) {
        let expected = divide_half_even(notional * i128::from(rate), 1_000_000_000);
        prop_assert_eq!(rate_of(notional, rate), expected);
    }

    /// No amount of money overflows.
    #[test]
    fn the_largest_notional_has_a_fee(rate in -999_999_999_i64..1_000_000_000) {
        let notional = units(100_000_000_000_000_000_000).0;
        let (share, _) = rate_of(notional, rate);
        prop_assert!(share.abs() < notional);
    }
}
