//! What traded of an order, where versions of it take each other's place.

use mainspring_core::Lots;

/// Versions whose fills may still come; of earlier ones they are only told.
const KEPT_VERSIONS: usize = 8;

/// What traded of one version, in two ways of which either may be ahead of the other.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// In all, as the venue said.
    told: Lots,
    /// As its fills add up, each once.
    filled: Lots,
}

impl Count {
    fn qty(self) -> Lots {
        self.told.max(self.filled)
    }

    fn note(&mut self, news: News) {
        self.told = self.told.max(news.told.unwrap_or_default());
        self.filled = Lots(self.filled.0 + news.filled.0);
    }
}

/// What a statement of the venue says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// What traded of the version in all, where it says so.
    pub(super) told: Option<Lots>,
    /// The fill that it is about, if it is one that was not heard of before.
    pub(super) filled: Lots,
}

impl News {
    pub(super) const fn in_all(told: Option<Lots>) -> Self {
        Self { told, filled: Lots::ZERO }
    }
}

/// What traded of an order.
#[derive(Clone, Debug, Default)]
pub(super) struct Traded {
    /// Of the version that stands.
    now: Count,
    /// Of those whose place it took, the newest last.
    earlier: Vec<(u32, Count)>,
    /// Of those before.
    settled: Lots,
}

impl Traded {
    /// What traded in all.
    pub(super) fn total(&self) -> Lots {
        Lots(self.before().0 + self.now.qty().0)
    }

    /// What traded before the version that stands was placed.
    pub(super) fn before(&self) -> Lots {
        let earlier: i64 = self.earlier.iter().map(|(_, count)| count.qty().0).sum();
        Lots(self.settled.0 + earlier)
    }

    /// Something about the version that stands.
    pub(super) fn note(&mut self, news: News) {
        self.now.note(news);
    }

    /// Something about an earlier version, late: how much more traded of it than was known when another
    /// took its place.
    pub(super) fn note_earlier(&mut self, version: u32, news: News) -> Lots {
        let kept = self.earlier.iter_mut().find(|(one, _)| *one == version);
        let Some((_, count)) = kept else { return Lots::ZERO };
        let known = count.qty();
        count.note(news);
        Lots(count.qty().0 - known.0)
    }

    /// Another version takes the place of the one that stood; `follows` where it is known that nothing was
    /// between them, so that late fills of the one can be told apart from those it was placed without.
    pub(super) fn replaced(&mut self, version: u32, follows: bool) {
        let count = std::mem::take(&mut self.now);
        if !follows {
            self.settled = Lots(self.settled.0 + count.qty().0);
            return;
        }
        self.earlier.push((version, count));
        if self.earlier.len() > KEPT_VERSIONS {
            let (_, oldest) = self.earlier.remove(0);
            self.settled = Lots(self.settled.0 + oldest.qty().0);
        }
    }
}
