//! Keys of one kind: the one in use, and all others, which still verify or open.

use crate::key_file::{self, KeyError};

/// A key that has a name in its file.
pub(crate) trait Named {
    fn name(&self) -> &str;
}

/// One key is in use; a new one is first announced, so that whoever needs it has it before it is.
#[derive(Debug, Clone)]
pub(crate) struct Ring<K> {
    current: K,
    others: Vec<K>,
}

impl<K: Named> Ring<K> {
    pub(crate) const fn new(current: K) -> Self {
        Self { current, others: Vec::new() }
    }

    /// The keys of a file: the first is in use.
    pub(crate) fn collect(
        mut keys: impl Iterator<Item = Result<K, KeyError>>,
    ) -> Result<Self, KeyError> {
        let current = keys.next().ok_or(KeyError::Empty)??;
        Ok(Self { current, others: keys.collect::<Result<_, _>>()? })
    }

    pub(crate) const fn current(&self) -> &K {
        &self.current
    }

    /// The one in use first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &K> {
        std::iter::once(&self.current).chain(&self.others)
    }

    pub(crate) fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// A key that may bear this name is added; it is not used yet.
    pub(crate) fn announce(
        &mut self,
        name: &str,
        key: impl FnOnce() -> Result<K, KeyError>,
    ) -> Result<(), KeyError> {
        key_file::check_names([name].into_iter().chain(self.all().map(Named::name)))?;
        self.others.push(key()?);
        Ok(())
    }

    /// Uses this key from here on.
    pub(crate) fn promote(&mut self, name: &str) -> Result<(), KeyError> {
        if self.current.name() == name {
            return Ok(());
        }
        let place = self.place(name)?;
        let before = std::mem::replace(&mut self.current, self.others.remove(place));
        self.others.insert(0, before);
        Ok(())
    }

    /// Takes a key away that is not in use.
    pub(crate) fn retire(&mut self, name: &str) -> Result<(), KeyError> {
        if self.current.name() == name {
            return Err(KeyError::InUse(name.to_owned()));
        }
        let place = self.place(name)?;
        self.others.remove(place);
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, KeyError> {
        let place = self.others.iter().position(|key| key.name() == name);
        place.ok_or_else(|| KeyError::Unknown(name.to_owned()))
    }
}
