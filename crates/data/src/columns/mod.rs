//! Rows of event files as tables, and tables as rows.

mod read;
mod write;

pub use read::{index_table, rows_table, Selection};
pub use write::{write_table, OffGrid};

use mainspring_core::Decimal;

/// `count` units as a float: the correctly rounded quotient wherever both parts are exact.
#[must_use]
pub fn to_f64(count: i64, unit: Decimal) -> f64 {
    let product = i128::from(count) * i128::from(unit.mantissa());
    product as f64 / 10_f64.powi(i32::from(unit.scale()))
}

/// `value` as a count of `unit`s, and whether it is one to within float precision.
pub(crate) fn from_f64(value: f64, unit: Decimal) -> Option<(i64, bool)> {
    let count = value * 10_f64.powi(i32::from(unit.scale())) / unit.mantissa() as f64;
    let nearest = count.round();
    // Beyond 2^53 neighbouring counts are not told apart any more.
    if nearest.is_nan() || nearest.abs() >= 9.0e15 {
        return None;
    }
    let exact = (count - nearest).abs() <= 1e-6_f64.max(count.abs() * 4.0 * f64::EPSILON);
    Some((nearest as i64, exact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn off_grid_and_unusable_values_are_told_apart() {
        let tick: Decimal = "0.05".parse().unwrap();
        assert_eq!(from_f64(100.05, tick), Some((2_001, true)));
        assert_eq!(from_f64(100.03, tick), Some((2_001, false)));
        assert_eq!(from_f64(f64::NAN, tick), None);
        assert_eq!(from_f64(f64::INFINITY, tick), None);
        assert_eq!(from_f64(1e300, tick), None);
    }

    proptest! {
        #[test]
        fn counts_survive_the_way_through_floats(
            count in -1_000_000_000_000_i64..1_000_000_000_000,
            mantissa in prop::sample::select(vec![1_i64, 2, 5, 25, 125]),
            scale in 0_u8..9,
        ) {
            let unit = Decimal::new(mantissa, scale).unwrap();
            prop_assert_eq!(from_f64(to_f64(count, unit), unit), Some((count, true)));
            // The float is what the decimal text reads as.
            if count.abs() * mantissa < 1 << 53 {
                let nearest: f64 = unit.times(count).parse().unwrap();
                prop_assert_eq!(to_f64(count, unit).to_bits(), nearest.to_bits());
            }
        }
    }
}
