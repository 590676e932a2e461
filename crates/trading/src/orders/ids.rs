//! Which orders of ours a venue's ids name.
//!
//! Off the path of an order: an order itself carries only our id, and what knows it by the venue's
//! comes here. Which parent an order works for is kept with the parents. Bounded: the oldest
//! names are forgotten first.

use std::collections::VecDeque;

use hashbrown::HashTable;
use mainspring_core::ClientOrderId;
use serde::{Deserialize, Serialize};

/// An order as its venue names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VenueOrderId {
    /// Index of the venue.
    pub venue: u16,
    /// The venue's id.
    pub id: u64,
}

/// Our id and a venue's of one order.
type Named = (ClientOrderId, VenueOrderId);

/// Names that venues gave to our orders, bounded.
#[derive(Clone, Debug)]
pub struct OrderIds {
    capacity: usize,
    by_client: HashTable<Named>,
    by_venue: HashTable<Named>,
    /// In order of their first name.
    ages: VecDeque<ClientOrderId>,
}

impl OrderIds {
    /// Room for the names of `capacity` orders; beyond it the oldest is forgotten.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            by_client: HashTable::new(),
            by_venue: HashTable::new(),
            ages: VecDeque::new(),
        }
    }

    /// Notes the venue's id of an order. A venue that names an order anew (some do on an amend) is
    /// believed: the old id no longer leads to it. True when it is news.
    pub fn name(&mut self, client: ClientOrderId, venue: VenueOrderId) -> bool {
        match self.venue_of(client) {
            Some(known) if known == venue && self.client_of(venue) == Some(client) => return false,
            Some(old) => self.forget((client, old)),
            None => {
                if self.ages.len() == self.capacity {
                    self.forget_oldest();
                }
                self.ages.push_back(client);
            }
        }
        // An id that named another order names this one from now on.
        remove(&mut self.by_venue, venue_hash(venue), |named| named.1 == venue);
        let named = (client, venue);
        self.by_venue.insert_unique(venue_hash(venue), named, |n| venue_hash(n.1));
        self.by_client.insert_unique(mix(client.0), named, |n| mix(n.0 .0));
        true
    }

    /// The venue's id of an order of ours.
    #[must_use]
    pub fn venue_of(&self, client: ClientOrderId) -> Option<VenueOrderId> {
        self.by_client.find(mix(client.0), |named| named.0 == client).map(|named| named.1)
    }

    /// Our id of an order that a venue names.
    #[must_use]
    pub fn client_of(&self, venue: VenueOrderId) -> Option<ClientOrderId> {
        self.by_venue.find(venue_hash(venue), |named| named.1 == venue).map(|named| named.0)
    }

    /// How many orders are named.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ages.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ages.is_empty()
    }

    /// All names, oldest first: what a snapshot keeps.
    #[must_use]
    pub fn image(&self) -> Vec<(ClientOrderId, VenueOrderId)> {
        self.ages.iter().filter_map(|c| self.venue_of(*c).map(|venue| (*c, venue))).collect()
    }

    /// The names that [`Self::image`] gave, with room for `capacity`.
    #[must_use]
    pub fn of(image: &[(ClientOrderId, VenueOrderId)], capacity: usize) -> Self {
        let mut ids = Self::new(capacity);
        for (client, venue) in image {
            ids.name(*client, *venue);
        }
        ids
    }

    fn forget_oldest(&mut self) {
        let Some(client) = self.ages.pop_front() else { return };
        if let Some(venue) = self.venue_of(client) {
            self.forget((client, venue));
        }
    }

    /// Takes a name away; the venue's id stays when it names another order by now.
    fn forget(&mut self, named: Named) {
        remove(&mut self.by_client, mix(named.0 .0), |one| one.0 == named.0);
        remove(&mut self.by_venue, venue_hash(named.1), |one| *one == named);
    }
}

fn remove(table: &mut HashTable<Named>, hash: u64, is: impl FnMut(&Named) -> bool) {
    if let Ok(entry) = table.find_entry(hash, is) {
        entry.remove();
    }
}

const fn venue_hash(id: VenueOrderId) -> u64 {
    mix(id.id ^ (id.venue as u64) << 48)
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014): the same on every run.
const fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(venue: u16, id: u64) -> VenueOrderId {
        VenueOrderId { venue, id }
    }

    #[test]
    fn ids_lead_to_each_other_and_a_new_name_replaces_the_old() {
        let mut ids = OrderIds::new(10);
        let order = ClientOrderId(1);
        assert!(ids.is_empty() && ids.name(order, at(0, 77)));
        assert_eq!(ids.client_of(at(0, 77)), Some(order));
        assert_eq!(ids.client_of(at(1, 77)), None, "ids are a venue's own");
        assert!(!ids.name(order, at(0, 77)), "no news");
        assert!(ids.name(order, at(0, 78)));
        assert_eq!((ids.client_of(at(0, 77)), ids.client_of(at(0, 78))), (None, Some(order)));
        assert_eq!((ids.venue_of(order), ids.len()), (Some(at(0, 78)), 1));
    }

    proptest! {
        /// Against a plain list of the newest names that is looked through one by one.
        #[test]
        fn names_are_those_of_a_plain_list(
            steps in prop::collection::vec((0_u64..30, 0_u64..12), 0..120),
        ) {
            const CAPACITY: usize = 12;
            let mut ids = OrderIds::new(CAPACITY);
            let mut plain: Vec<Named> = Vec::new();
            let mut leads: Vec<Option<ClientOrderId>> = vec![None; 12];
            for (client, id) in steps {
                let client = ClientOrderId(client);
                match plain.iter_mut().find(|(c, _)| *c == client) {
                    Some(named) => {
                        let old = std::mem::replace(&mut named.1, at(0, id)).id as usize;
                        if leads[old] == Some(client) {
                            leads[old] = None;
                        }
                    }
                    None => {
                        if plain.len() == CAPACITY {
                            let (gone, _) = plain.remove(0);
                            leads.iter_mut().filter(|l| **l == Some(gone)).for_each(|l| *l = None);
                        }
                        plain.push((client, at(0, id)));
                    }
                }
                leads[id as usize] = Some(client);
                ids.name(client, at(0, id));
                prop_assert_eq!(&ids.image(), &plain);
                for (id, lead) in leads.iter().enumerate() {
                    prop_assert_eq!(ids.client_of(at(0, id as u64)), *lead);
                }
            }
            prop_assert_eq!(OrderIds::of(&ids.image(), CAPACITY).image(), plain);
        }
    }
}
