//! Requests that wait for a place: cancels leave first, then orders, then questions, each in the order
//! asked. Of the places a few are kept for what is urgent, so that slow questions hold up no order, and
//! slow orders no cancel.

use std::collections::VecDeque;

use mainspring_venues::outgoing::Urgency;

/// How many requests are on their way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// All of them.
    pub all: usize,
    /// Of them for orders and cancels alone.
    pub for_orders: usize,
    /// Of them besides for cancels alone.
    pub for_cancels: usize,
}

impl Places {
    /// How many may be taken by requests of this urgency and lesser ones; always one at least.
    const fn open_to(self, urgency: Urgency) -> usize {
        let kept = match urgency {
            Urgency::Cancel => 0,
            Urgency::Order => self.for_cancels,
            Urgency::Question => self.for_cancels + self.for_orders,
        };
        let left = self.all.saturating_sub(kept);
        if left == 0 {
            1
        } else {
            left
        }
    }
}

/// Requests on their way, by urgency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken([usize; 3]);

impl Taken {
    pub(crate) fn of(urgencies: impl Iterator<Item = Urgency>) -> Self {
        let mut taken = Self::default();
        urgencies.for_each(|urgency| taken.0[urgency as usize] += 1);
        taken
    }

    /// Places that are left for a request of this urgency.
    fn left(self, urgency: Urgency, places: Places) -> usize {
        let all: usize = self.0.iter().sum();
        let lesser: usize = self.0[urgency as usize..].iter().sum();
        places.open_to(urgency).saturating_sub(lesser).min(places.all.max(1).saturating_sub(all))
    }
}

/// Requests that wait, in a line for each urgency.
#[derive(Debug)]
pub(crate) struct Lines<T>([VecDeque<T>; 3]);

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<T> Lines<T> {
    pub(crate) fn len(&self, urgency: Urgency) -> usize {
        self.0[urgency as usize].len()
    }

    pub(crate) fn push(&mut self, urgency: Urgency, one: T) {
        self.0[urgency as usize].push_back(one);
    }

    /// What was begun and did not leave is the next of its line again.
    pub(crate) fn push_front(&mut self, urgency: Urgency, one: T) {
        self.0[urgency as usize].push_front(one);
    }

    /// The most urgent one that has a place.
    pub(crate) fn next(&mut self, taken: Taken, places: Places) -> Option<T> {
        let urgency = Urgency::ALL
            .into_iter()
            .find(|urgency| self.len(*urgency) > 0 && taken.left(*urgency, places) > 0)?;
        self.0[urgency as usize].pop_front()
    }

    /// How many could leave if every place were there.
    pub(crate) fn ready(&self, taken: Taken, places: Places) -> usize {
        let ready = |urgency| self.len(urgency).min(taken.left(urgency, places));
        Urgency::ALL.into_iter().map(ready).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Takes those out of which this is so.
    pub(crate) fn take_if(&mut self, mut is: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for line in &mut self.0 {
            // Once around: what stays is in its order again.
            for _ in 0..line.len() {
                let Some(one) = line.pop_front() else { break };
                match is(&one) {
                    true => taken.push(one),
                    false => line.push_back(one),
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Urgency::{Cancel, Order, Question};

    const PLACES: Places = Places { all: 4, for_orders: 1, for_cancels: 1 };

    /// Begins what can be begun; what was begun is on its way with the rest.
    fn begin(lines: &mut Lines<Urgency>, on_their_way: &mut Vec<Urgency>) -> Vec<Urgency> {
        let before = on_their_way.len();
        let next = |lines: &mut Lines<Urgency>, so_far: &[Urgency]| {
            lines.next(Taken::of(so_far.iter().copied()), PLACES)
        };
        while let Some(one) = next(lines, on_their_way) {
            on_their_way.push(one);
        }
        on_their_way[before..].to_vec()
    }

    #[test]
    fn places_are_kept_for_what_is_urgent() {
        let (mut lines, mut taken) = (Lines::default(), Vec::new());
        (0..9).for_each(|_| lines.push(Question, Question));
        assert_eq!(lines.ready(Taken::default(), PLACES), 2);
        assert_eq!(begin(&mut lines, &mut taken), [Question, Question]);
        (0..9).for_each(|_| lines.push(Order, Order));
        assert_eq!(begin(&mut lines, &mut taken), [Order], "one place is for cancels");
        (0..9).for_each(|_| lines.push(Cancel, Cancel));
        assert_eq!(begin(&mut lines, &mut taken), [Cancel]);
        assert_eq!(lines.ready(Taken::of(taken.iter().copied()), PLACES), 0, "all are taken");
        // A place that a question leaves goes to what is most urgent.
        taken.remove(0);
        assert_eq!(begin(&mut lines, &mut taken), [Cancel]);
    }

    #[test]
    fn a_single_place_is_for_all_and_the_most_urgent_goes_first() {
        let one = Places { all: 1, for_orders: 2, for_cancels: 2 };
        let mut lines = Lines::default();
        for urgency in [Question, Order, Cancel] {
            lines.push(urgency, urgency);
        }
        let mut next = |taken| lines.next(taken, one);
        assert_eq!(next(Taken::of([Question].into_iter())), None);
        let order: Vec<_> = std::iter::from_fn(|| next(Taken::default())).collect();
        assert_eq!(order, [Cancel, Order, Question]);
    }
}
