//! Long above, short below: two moving averages of bar closes.

use std::collections::VecDeque;

use mainspring_core::event::BarRow;
use mainspring_core::{Decimal, Error, ErrorKind, Lots, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{parameters_of, positive_decimal, with_values};
use crate::host::{Host, HostResult, Interest};
use crate::view::View;

/// Parameters of [`MovingAverageCross`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovingAverageConfig {
    /// Position taken, long or short.
    pub size: Decimal,
    /// Bars of the fast average.
    pub fast: u32,
    /// Bars of the slow average.
    pub slow: u32,
}

/// Most bars of an average.
const MAX_BARS: u32 = 100_000;

/// Targets `size` while the fast average is above the slow one and `-size` while it is below.
///
/// Sums are exact integers of ticks, so that an equal Python version compares the same numbers.
pub struct MovingAverageCross {
    config: MovingAverageConfig,
    size: Lots,
    closes: VecDeque<i64>,
    fast_sum: i64,
    slow_sum: i64,
}

impl MovingAverageCross {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(config: MovingAverageConfig) -> Result<Self> {
        positive_decimal("moving_average_cross", "size", config.size)?;
        if config.fast == 0 || config.slow <= config.fast || config.slow > MAX_BARS {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "moving_average_cross: fast {} and slow {}; give 1 <= fast < slow <= {MAX_BARS}",
                    config.fast, config.slow
                ),
            ));
        }
        Ok(Self {
            config,
            size: Lots::ZERO,
            closes: VecDeque::with_capacity(config.slow as usize + 1),
            fast_sum: 0,
            slow_sum: 0,
        })
    }

    fn push(&mut self, close: i64) {
        let (fast, slow) = (self.config.fast as usize, self.config.slow as usize);
        self.closes.push_back(close);
        self.fast_sum += close;
        self.slow_sum += close;
        if self.closes.len() > fast {
            self.fast_sum -= self.closes[self.closes.len() - 1 - fast];
        }
        if self.closes.len() > slow {
            self.slow_sum -= self.closes[0];
            self.closes.pop_front();
        }
    }
}

impl Host for MovingAverageCross {
    fn name(&self) -> &str {
        "moving_average_cross"
    }

    fn interest(&self) -> Interest {
        Interest { bars: true, ..Interest::default() }
    }

    fn parameters(&self) -> Option<Map<String, Value>> {
        Some(parameters_of(&self.config))
    }

    fn set_parameters(&mut self, view: &mut View<'_>, values: &Map<String, Value>) -> HostResult {
        let mut anew = Self::new(with_values(self.name(), &self.config, values)?)?;
        anew.on_start(view)?;
        // What was seen counts on; a longer average waits for the bars that it lacks.
        self.closes.iter().for_each(|close| anew.push(*close));
        *self = anew;
        Ok(())
    }

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.size = view.order_lots(view.instrument, self.config.size.to_f64())?;
        Ok(())
    }

    fn on_bar(&mut self, view: &mut View<'_>, bar: &BarRow) -> HostResult {
        self.push(bar.close.0);
        if self.closes.len() < self.config.slow as usize {
            return Ok(());
        }
        let fast = i128::from(self.fast_sum) * i128::from(self.config.slow);
        let slow = i128::from(self.slow_sum) * i128::from(self.config.fast);
        if fast == slow {
            return Ok(());
        }
        let target = if fast > slow { self.size } else { -self.size };
        if view.position() != target {
            view.target_position(target, None)?;
        }
        Ok(())
    }
}
