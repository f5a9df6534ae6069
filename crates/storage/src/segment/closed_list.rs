//! The closed segments of a log.

use std::ops::Deref;
use std::sync::Arc;

use super::Closed;

/// Segments in order. Readers share the list as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClosedList(
    /// `None` if there are none: most logs have one segment.
    Option<Arc<Vec<Arc<Closed>>>>,
);

impl ClosedList {
    /// The list, to be changed: readers keep theirs.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<Arc<Closed>> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl From<Vec<Arc<Closed>>> for ClosedList {
    fn from(mut closed: Vec<Arc<Closed>>) -> Self {
        closed.shrink_to_fit();
        Self((!closed.is_empty()).then(|| Arc::new(closed)))
    }
}

impl Deref for ClosedList {
    type Target = [Arc<Closed>];

    fn deref(&self) -> &[Arc<Closed>] {
        self.0.as_ref().map_or(&[], |closed| closed)
    }
}
