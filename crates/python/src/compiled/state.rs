//! What a compiled strategy keeps over a restart: its own attributes, by name.
//!
//! A session looks after each event whether they changed, so that nothing here allocates once warm and
//! nothing needs the interpreter.

use serde_json::{Map, Value};

use super::host::Fields;

/// Ends with the version of the layout: a count of attributes, then each with the length of its
/// name, the name, its kind, the word it was made with and the word it is.
const MAGIC: &[u8; 4] = b"MSF\x01";

/// Bytes of one attribute beside its name.
const FIXED: usize = 1 + 1 + 8 + 8;

impl Fields {
    /// Writes the attributes into `state` in place of what this wrote last; whether it has changed.
    pub(super) fn save(&self, state: &mut Vec<u8>) -> bool {
        if self.is_in(state) {
            return false;
        }
        state.clear();
        state.extend_from_slice(MAGIC);
        state.extend_from_slice(&(self.names.len() as u16).to_le_bytes());
        for (((name, kind), word), given) in self.names.iter().zip(&self.words).zip(&self.given) {
            let name = &name.as_bytes()[..name.len().min(255)];
            state.push(name.len() as u8);
            state.extend_from_slice(name);
            state.push(*kind as u8);
            state.extend_from_slice(&given.to_le_bytes());
            state.extend_from_slice(&word.to_le_bytes());
        }
        true
    }

    /// Whether `state` is what would be written now.
    fn is_in(&self, state: &[u8]) -> bool {
        let mut at = MAGIC.len() + 2;
        for ((name, _), word) in self.names.iter().zip(&self.words) {
            at += name.len().min(255) + FIXED;
            if state.get(at - 8..at) != Some(&word.to_le_bytes()[..]) {
                return false;
            }
        }
        state.len() == at
    }

    /// Takes attributes that were saved, by name. What the strategy was made with otherwise than the
    /// one that saved is newer and stays.
    pub(super) fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let saved = read(state).ok_or("what was saved is no state of a compiled strategy")?;
        for (index, (name, kind)) in self.names.iter().enumerate() {
            let same = |(known, was, given, _): &&(&[u8], u8, u64, u64)| {
                *known == name.as_bytes() && *was == *kind as u8 && *given == self.given[index]
            };
            self.words[index] = saved.iter().find(same).map_or(self.given[index], |kept| kept.3);
        }
        Ok(())
    }

    /// Sets attributes by name: all of them, or none.
    pub(super) fn set(&mut self, values: &Map<String, Value>) -> Result<(), String> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let place = self.names.iter().position(|(known, _)| known == name);
            let Some(place) = place else {
                return Err(format!(
                    "the compiled code has no number {name:?} that it reads: a change of it needs \
                     a restart"
                ));
            };
            let kind = self.names[place].1;
            let word = word_of(kind, value)
                .ok_or_else(|| format!("{name} cannot be {value} in compiled code"))?;
            changes.push((place, word));
        }
        for (place, word) in changes {
            self.words[place] = word;
        }
        Ok(())
    }
}

fn word_of(kind: char, value: &Value) -> Option<u64> {
    match kind {
        'f' => value.as_f64().map(f64::to_bits),
        'i' => value.as_i64().map(|number| number as u64),
        _ => value.as_bool().map(u64::from),
    }
}

type Saved<'a> = (&'a [u8], u8, u64, u64);

fn read(state: &[u8]) -> Option<Vec<Saved<'_>>> {
    let (count, mut rest) = state.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
    let mut saved = Vec::new();
    for _ in 0..u16::from_le_bytes(*count) {
        let (len, after) = rest.split_first()?;
        let (name, after) = after.split_at_checked(usize::from(*len))?;
        let (kind, after) = after.split_first()?;
        let (given, after) = after.split_first_chunk::<8>()?;
        let (word, after) = after.split_first_chunk::<8>()?;
        saved.push((name, *kind, u64::from_le_bytes(*given), u64::from_le_bytes(*word)));
        rest = after;
    }
    rest.is_empty().then_some(saved)
}
