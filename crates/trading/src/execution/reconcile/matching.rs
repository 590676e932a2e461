//! Which orders stand for which levels of one side.

use super::config::Rules;
use super::quotes::{LiveQuote, Standing};
use crate::execution::reconciler::Level;

/// No partner.
pub(super) const NONE: usize = usize::MAX;

/// Pairs the levels and orders of one side, both best first. Entry `i` of `of_level` becomes the
/// order of level `i`, entry `j` of `of_order` the level of order `j`; [`NONE`] for nobody.
///
/// As many levels as possible get an order within the price threshold; an order whose cancel is
/// on its way takes only a level that no other could. Of orders that are equally many either way,
/// the nearer stays.
pub(super) fn pair(
    levels: &[Level],
    orders: &[LiveQuote],
    rules: &Rules,
    of_level: &mut [usize],
    of_order: &mut Vec<usize>,
) {
    of_level.fill(NONE);
    of_order.clear();
    of_order.resize(orders.len(), NONE);
    for cancelling in [false, true] {
        let of_kind = |order: &LiveQuote| (order.standing == Standing::Cancelling) == cancelling;
        pair_in_order(levels, orders, rules, of_level, of_order, &of_kind);
        // Each change brings a level nearer to its order, so that this ends.
        while take_nearer(levels, orders, rules, of_level, of_order, &of_kind) {}
    }
}

fn distance(level: &Level, order: &LiveQuote) -> i64 {
    (level.price.0 - order.price.0).abs()
}

fn stands(level: &Level, order: &LiveQuote, rules: &Rules) -> bool {
    distance(level, order) <= rules.price_tolerance(level.price)
}

/// Both lists go from the best price outwards and the reach of a level grows with it, so that
/// giving each level the first free order in reach pairs as many as can be paired.
fn pair_in_order(
    levels: &[Level],
    orders: &[LiveQuote],
    rules: &Rules,
    of_level: &mut [usize],
    of_order: &mut [usize],
    of_kind: &dyn Fn(&LiveQuote) -> bool,
) {
    for (i, level) in levels.iter().enumerate() {
        if of_level[i] != NONE {
            continue;
        }
        let free = orders.iter().enumerate().find(|(j, order)| {
            of_order[*j] == NONE && of_kind(order) && stands(level, order, rules)
        });
        if let Some((j, _)) = free {
            of_level[i] = j;
            of_order[j] = i;
        }
    }
}

/// Gives levels a free order that is nearer than the one they have, or as near and of the right
/// size; the pairs stay as many. Whether any did.
fn take_nearer(
    levels: &[Level],
    orders: &[LiveQuote],
    rules: &Rules,
    of_level: &mut [usize],
    of_order: &mut [usize],
    of_kind: &dyn Fn(&LiveQuote) -> bool,
) -> bool {
    let mut changed = false;
    for (i, level) in levels.iter().enumerate() {
        let has = of_level[i];
        if has == NONE || !of_kind(&orders[has]) {
            continue;
        }
        let rank = |order: &LiveQuote| {
            (distance(level, order), !rules.right_size(order.counted(rules), level.qty.0))
        };
        let nearer = (0..orders.len())
            .filter(|j| of_order[*j] == NONE && of_kind(&orders[*j]))
            .min_by_key(|j| rank(&orders[*j]))
            .filter(|j| rank(&orders[*j]) < rank(&orders[has]));
        if let Some(j) = nearer {
            of_order[has] = NONE;
            of_level[i] = j;
            of_order[j] = i;
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::testing::{quote, rules};
    use super::super::ReconcileConfig;
    use super::*;
    use mainspring_core::{Lots, Side, Ticks};
    use proptest::prelude::*;

    /// The most pairs there can be, by trying everything.
    fn most(levels: &[Level], orders: &[LiveQuote], rules: &Rules) -> usize {
        let Some((level, rest)) = levels.split_first() else { return 0 };
        let without = most(rest, orders, rules);
        (0..orders.len())
            .filter(|j| stands(level, &orders[*j], rules))
            .map(|j| {
                let mut left = orders.to_vec();
                left.remove(j);
                1 + most(rest, &left, rules)
            })
            .max()
            .map_or(without, |with| with.max(without))
    }

    proptest! {
        #[test]
        fn as_many_levels_as_possible_keep_an_order(
            mut prices in prop::collection::btree_set(1_000_i64..1_020, 0..5),
            mut at in prop::collection::vec(1_000_i64..1_020, 0..5),
            bps in 0_u32..60, buy in any::<bool>(),
        ) {
            let side = if buy { Side::Buy } else { Side::Sell };
            let config =
                ReconcileConfig { price_threshold_bps: f64::from(bps), ..ReconcileConfig::default() };
            let rules = rules(&config);
            let mut levels: Vec<Level> = std::mem::take(&mut prices).into_iter()
                .map(|p| Level { price: Ticks(p), qty: Lots(10) }).collect();
            at.sort_unstable();
            if buy {
                levels.reverse();
                at.reverse();
            }
            let orders: Vec<LiveQuote> =
                at.iter().enumerate().map(|(id, p)| quote(id as u64, side, *p, 10)).collect();
            let mut of_level = vec![NONE; levels.len()];
            let mut of_order = Vec::new();
            pair(&levels, &orders, &rules, &mut of_level, &mut of_order);
            let paired = of_level.iter().filter(|j| **j != NONE).count();
            prop_assert_eq!(paired, most(&levels, &orders, &rules));
            for (i, j) in of_level.iter().enumerate().filter(|(_, j)| **j != NONE) {
                prop_assert_eq!(of_order[*j], i);
                prop_assert!(stands(&levels[i], &orders[*j], &rules));
                // Nobody nearer is free.
                let free = (0..orders.len()).filter(|k| of_order[*k] == NONE);
                for k in free {
                    prop_assert!(distance(&levels[i], &orders[k]) >= distance(&levels[i], &orders[*j]));
                }
            }
        }
    }
}
