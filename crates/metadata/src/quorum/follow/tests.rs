use futures_util::FutureExt;
use protocol::Uuid;

use super::*;

/// A state at an offset, and the delta of a change that touched one topic.
fn at(offset: i64) -> (Image, Delta) {
    let mut image = Image::default();
    image.advance_to(offset);
    let topic = Uuid([u8::try_from(offset).expect("a small offset"); 16]);
    (image, Delta { topics: [topic].into(), ..Delta::default() })
}

fn publish(published: &PublishedState, offset: i64) {
    let (image, delta) = at(offset);
    published.publish(&image, &delta);
}

fn taken(changes: &mut Changes) -> Option<(i64, i64, usize)> {
    let change = changes.next().now_or_never()??;
    Some((change.old.offset(), change.new.offset(), change.delta.topics.len()))
}

#[test]
fn changes_that_are_not_taken_in_time_are_taken_as_one() {
    let published = PublishedState::default();
    publish(&published, 3);
    let (image, mut changes) = published.follow();
    assert_eq!((image.offset(), taken(&mut changes)), (3, None), "what was before is in the state");
    publish(&published, 5);
    assert_eq!(taken(&mut changes), Some((3, 5, 1)));
    for offset in 6..=9 {
        publish(&published, offset);
    }
    assert_eq!(taken(&mut changes), Some((5, 9, 4)));
    assert_eq!(taken(&mut changes), None);
}

#[test]
fn an_offset_moves_on_without_a_change_as_well() {
    let published = PublishedState::default();
    let (_, mut changes) = published.follow();
    let (image, _) = at(7);
    published.publish(&image, &Delta::default());
    published.publish(&image, &Delta::default());
    assert_eq!(taken(&mut changes), Some((-1, 7, 0)));
    assert_eq!(taken(&mut changes), None);
}

#[test]
fn each_follower_gets_every_change_from_where_it_began() {
    let published = PublishedState::default();
    let (_, mut first) = published.follow();
    publish(&published, 1);
    let (_, mut second) = published.follow();
    publish(&published, 2);
    assert_eq!((taken(&mut first), taken(&mut second)), (Some((-1, 2, 2)), Some((1, 2, 1))));
    drop(second);
    publish(&published, 3);
    assert_eq!(taken(&mut first), Some((2, 3, 1)));
    assert_eq!(published.followers.lock().len(), 1, "one that is gone is forgotten");
}

#[test]
fn a_stream_ends_with_the_quorum() {
    let published = PublishedState::default();
    let (_, mut changes) = published.follow();
    publish(&published, 1);
    published.end();
    assert!(changes.next().now_or_never().is_some_and(|change| change.is_none()));
    let published = PublishedState::default();
    let (_, mut changes) = published.follow();
    drop(published);
    assert!(changes.next().now_or_never().is_some_and(|change| change.is_none()));
}
