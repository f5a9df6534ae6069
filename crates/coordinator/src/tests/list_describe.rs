use protocol::Str;
use protocol::messages::ListGroupsRequest;

use super::script::Play;
use super::*;
use crate::Settings;

const GROUPS: &str = "a join v=3 type=connect group=connect
     wait 3000
     > @3000 a join: NONE gen=1 connect range leader=a1 id=a1 a1:m
     a sync a1=A group=connect
     > log: connect gen=1 connect range leader=a1 a1=A
     > a sync: NONE connect range A
     b join v=3 group=joining
     c join v=3 group=syncing instance=i
     wait 3000
     > @6000 b join: NONE gen=1 consumer range leader=b1 id=b1 b1:m
     > @6000 c join: NONE gen=1 consumer range leader=i1 id=i1 i1[i]:m
     d join v=3 group=joining
     x commit t-0=1 group=simple
     > log: simple t-0=1
     > x commit: t-0=NONE\n";

#[test]
fn groups_are_listed_by_state_and_type() {
    check(&format!(
        "{GROUPS}
         x list
         > x list: connect(connect,Stable,classic) joining(consumer,PreparingRebalance,classic) simple(,Empty,classic) syncing(consumer,CompletingRebalance,classic)
         x list states=stable
         > x list: connect(connect,Stable,classic)
         x list states=EMPTY,CompletingRebalance
         > x list: simple(,Empty,classic) syncing(consumer,CompletingRebalance,classic)
         x list states=PreparingRebalance
         > x list: joining(consumer,PreparingRebalance,classic)
         x list states=Nonsense
         > x list:
         x list types=Classic states=Empty
         > x list: simple(,Empty,classic)
         x list types=consumer
         > x list:
         x list types=nonsense
         > x list:
         x list types=consumer,CLASSIC states=Stable
         > x list: connect(connect,Stable,classic)"
    ));
}

#[test]
fn a_group_is_described_by_its_members() {
    check(&format!(
        "{GROUPS}
         x describe connect
         > x describe: Stable connect range a1(a@/127.0.0.1):m=A
         x describe joining
         > x describe: PreparingRebalance consumer b1(b@/127.0.0.1):= d1(d@/127.0.0.1):=
         x describe syncing
         > x describe: CompletingRebalance consumer i1[i](c@/127.0.0.1):=
         x describe simple
         > x describe: Empty"
    ));
}

#[test]
fn a_group_that_is_not_known_is_dead() {
    check(
        "x describe none
         > x describe: Dead GROUP_ID_NOT_FOUND
         x describe none v=6
         > x describe: Dead GROUP_ID_NOT_FOUND
         x describe none v=5
         > x describe: Dead",
    );
}

/// Kafka trims states, but not types.
#[test]
fn spaces_around_a_state_do_not_matter() {
    let mut play = Play::new(Settings::default());
    play.step("x commit t-0=1");
    let listed = |states_filter: &[&str], types_filter: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| Str::from(*name)).collect();
        let request =
            ListGroupsRequest { states_filter: names(states_filter), types_filter: names(types_filter) };
        play.shell.coordinator.list_groups(&request, play.shell.now).len()
    };
    assert_eq!(listed(&[" eMpty\t"], &["CLASSIC"]), 1);
    assert_eq!(listed(&["Empty"], &[" classic "]), 0);
    assert_eq!(listed(&[""], &[]), 0);
}
