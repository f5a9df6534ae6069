//! This broker's view of the metadata: the state that it acts on, and how far that is in force here.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metadata::Image;
use tokio::sync::watch;

/// The metadata as this broker follows it. It may be behind what the controller has decided.
pub(crate) struct MetadataView {
    image: ArcSwap<Image>,
    /// The offset in the metadata log up to which all is in force; `None` once nobody follows it any more.
    in_force: watch::Sender<Option<i64>>,
}

/// Nobody follows the metadata any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndOfChanges;

impl MetadataView {
    /// A view of `image`, of which nothing is in force yet.
    pub(crate) fn new(image: Arc<Image>) -> Self {
        Self { image: ArcSwap::new(image), in_force: watch::Sender::new(Some(-1)) }
    }

    /// The state that is in force, or about to be.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.image.load_full()
    }

    /// Shows a state that is about to be put in force.
    pub(crate) fn show(&self, image: Arc<Image>) {
        self.image.store(image);
    }

    /// Notes that the state is in force up to an offset.
    pub(crate) fn put_in_force(&self, offset: i64) {
        self.in_force.send_if_modified(|in_force| {
            if in_force.is_some() {
                *in_force = Some(offset);
            }
            in_force.is_some()
        });
    }

    /// Notes that the metadata is followed no more.
    pub(crate) fn end(&self) {
        self.in_force.send_replace(None);
    }

    /// Waits until the record at `offset` is in force on this broker.
    ///
    /// # Errors
    /// [`EndOfChanges`] if it never will be, because the broker stops or a change could not be put in force.
    pub(crate) async fn wait_for(&self, offset: i64) -> Result<(), EndOfChanges> {
        let mut in_force = self.in_force.subscribe();
        let reached = in_force.wait_for(|in_force| in_force.is_none_or(|in_force| in_force >= offset)).await;
        match reached.as_deref() {
            Ok(Some(_)) => Ok(()),
            _ => Err(EndOfChanges),
        }
    }
}

impl fmt::Debug for MetadataView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetadataView(in force up to {:?})", *self.in_force.borrow())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(
        waits: std::pin::Pin<&mut impl Future<Output = Result<(), EndOfChanges>>>,
    ) -> Poll<Result<(), EndOfChanges>> {
        waits.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_waits_for_an_offset_gets_it_in_force() {
        let view = MetadataView::new(Arc::default());
        let mut waits = pin!(view.wait_for(5));
        assert_eq!(poll(waits.as_mut()), Poll::Pending);
        view.put_in_force(4);
        assert_eq!(poll(waits.as_mut()), Poll::Pending);
        // Changes that were taken as one pass over offsets.
        view.put_in_force(7);
        assert_eq!(poll(waits.as_mut()), Poll::Ready(Ok(())));
        assert_eq!(poll(pin!(view.wait_for(7))), Poll::Ready(Ok(())));
    }

    #[test]
    fn nobody_waits_for_what_is_never_put_in_force() {
        let view = MetadataView::new(Arc::default());
        let mut waits = pin!(view.wait_for(5));
        assert_eq!(poll(waits.as_mut()), Poll::Pending);
        view.end();
        assert_eq!(poll(waits.as_mut()), Poll::Ready(Err(EndOfChanges)));
        view.put_in_force(9);
        assert_eq!(poll(pin!(view.wait_for(5))), Poll::Ready(Err(EndOfChanges)), "it does not begin again");
    }
}
