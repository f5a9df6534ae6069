//! The closed segments of a log.

use std::ops::Deref;
use std::sync::Arc;

use super::ClosedSegment;

/// Segments in order. Readers share the list as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClosedList(
    /// `None` if there are none: most logs have one segment.
    Option<Arc<Vec<Arc<ClosedSegment>>>>,
);

impl ClosedList {
    /// The list, to be changed: readers keep theirs.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<Arc<ClosedSegment>> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl From<Vec<Arc<ClosedSegment>>> for ClosedList {
    fn from(mut closed: Vec<Arc<ClosedSegment>>) -> Self {
        closed.shrink_to_fit();
        Self((!closed.is_empty()).then(|| Arc::new(closed)))
    }
}

impl Deref for ClosedList {
    type Target = [Arc<ClosedSegment>];

    fn deref(&self) -> &[Arc<ClosedSegment>] {
        self.0.as_ref().map_or(&[], |closed| closed)
    }
}
