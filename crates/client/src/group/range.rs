//! The range assignor: it cuts each topic's partitions into one run for each member.

use std::collections::BTreeMap;

/// The subscription of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// The id of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// Its topics, in any order.
    pub topics: Vec<String>,
}

/// Topic to partitions, in order.
pub type Assignment = BTreeMap<String, Vec<i32>>;

/// Divides the partitions of every subscribed topic among the members that subscribe to it, as Kafka's
/// `RangeAssignor` does without racks: members in the order of their ids, static ones first by their instance
/// ids. If the partitions do not divide evenly, the first members get one more.
///
/// `partitions` has the number of partitions of each topic; a topic that it lacks is not assigned. Every
/// member appears in the result.
pub fn assign(members: &[Subscription], partitions: &BTreeMap<String, u32>) -> BTreeMap<String, Assignment> {
    let mut ordered: Vec<&Subscription> = members.iter().collect();
    ordered.sort_by_key(|m| (m.group_instance_id.is_none(), &m.group_instance_id, &m.member_id));
    let mut assigned: BTreeMap<String, Assignment> =
        members.iter().map(|member| (member.member_id.clone(), Assignment::new())).collect();
    for (topic, &count) in partitions {
        let subscribed: Vec<_> = ordered.iter().filter(|member| member.topics.contains(topic)).collect();
        let Ok(members) = u32::try_from(subscribed.len()) else { continue };
        let mut next = 0;
        for (place, member) in (0..members).zip(&subscribed) {
            let run = count / members + u32::from(place < count % members);
            let partitions: Vec<i32> = (next..next + run).filter_map(|p| i32::try_from(p).ok()).collect();
            next += run;
            if let (Some(assignment), false) = (assigned.get_mut(&member.member_id), partitions.is_empty()) {
                assignment.insert(topic.clone(), partitions);
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Subscription, assign};

    fn member(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscription {
        Subscription {
            member_id: id.into(),
            group_instance_id: instance.map(Into::into),
            topics: topics.iter().map(|&t| t.into()).collect(),
        }
    }

    /// `expect` lists `member: topic[partitions]`, in order of members.
    #[track_caller]
    fn check(members: &[Subscription], topics: &[(&str, u32)], expect: &[&str]) {
        let partitions: BTreeMap<String, u32> = topics.iter().map(|&(t, n)| (t.to_owned(), n)).collect();
        let shown: Vec<String> = assign(members, &partitions)
            .iter()
            .map(|(member, topics)| {
                let topics: Vec<String> = topics.iter().map(|(t, p)| format!("{t}{p:?}")).collect();
                format!("{member}: {}", topics.join(" "))
            })
            .collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn the_first_members_take_what_is_left_over() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
        check(&members, &[("t", 3), ("u", 3)], &["a: t[0, 1] u[0, 1]", "b: t[2] u[2]"]);
    }

    #[test]
    fn more_members_than_partitions() {
        let members = [member("a", None, &["t"]), member("b", None, &["t"]), member("c", None, &["t"])];
        check(&members, &[("t", 2)], &["a: t[0]", "b: t[1]", "c: "]);
    }

    #[test]
    fn members_get_only_what_they_subscribe_to() {
        let members = [member("a", None, &["t"]), member("b", None, &["t", "u"])];
        check(&members, &[("t", 1), ("u", 2), ("v", 4)], &["a: t[0]", "b: u[0, 1]"]);
        check(&members, &[], &["a: ", "b: "]);
    }

    #[test]
    fn static_members_keep_their_place_whatever_their_member_ids() {
        let members =
            [member("a", None, &["t"]), member("z", Some("1"), &["t"]), member("y", Some("2"), &["t"])];
        check(&members, &[("t", 3)], &["a: t[2]", "y: t[1]", "z: t[0]"]);
    }
}
