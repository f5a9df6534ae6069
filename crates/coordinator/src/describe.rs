//! ListGroups and DescribeGroups, for tools.

use std::collections::BTreeMap;

use protocol::messages::ListGroupsRequest;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::{Bytes, ErrorCode, Str};

use crate::classic::State;
use crate::group::GroupType;
use crate::{GroupCoordinator, Now};

/// The first version with an error for a group that does not exist (KIP-1043). Before, such a group is in the
/// state `Dead`.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

const DEAD: &str = "Dead";

impl GroupCoordinator {
    /// ListGroups, versions 0 to 5: the groups of this partition with one of the requested states and one of
    /// the requested types, or all of them. Upper and lower case do not matter, nor do spaces around a state.
    pub fn list_groups(&self, request: &ListGroupsRequest, now: Now) -> Vec<ListedGroup> {
        let has = |filter: &[Str], name: &str, of: fn(&str) -> &str| {
            filter.is_empty() || filter.iter().any(|wanted| of(wanted).eq_ignore_ascii_case(name))
        };
        // There are few names and many groups, and a filter may be as long as a request.
        let mut verdicts: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        let listed = self.groups.iter().filter_map(|(group_id, group)| {
            let type_name = group.of_type.name();
            let (state, protocol_type) = match &group.of_type {
                GroupType::Classic(group) => {
                    (group.state().name(), group.protocol_type.clone().unwrap_or_default())
                }
                GroupType::Unserved(group) => (group.state_name(now.steady), Str::from_static(type_name)),
            };
            let wanted = *verdicts.entry((state, type_name)).or_insert_with(|| {
                has(&request.states_filter, state, str::trim)
                    && has(&request.types_filter, type_name, |wanted| wanted)
            });
            wanted.then(|| ListedGroup {
                group_id: group_id.clone(),
                protocol_type,
                group_state: Str::from_static(state),
                group_type: Str::from_static(type_name),
            })
        });
        listed.collect()
    }

    /// DescribeGroups for one group, versions 0 to 6, which is only about classic groups. The host adds the
    /// authorized operations.
    pub fn describe_group(&self, group_id: &Str, api_version: i16) -> DescribedGroup {
        let Some(group) = self.classic_group(group_id) else {
            let is_other = self.groups.contains_key(group_id);
            let why = if is_other { "is not a classic group" } else { "not found" };
            return not_found(group_id, why, api_version);
        };
        let stable = group.state() == State::Stable;
        let members = group.members().map(|member| {
            // Before the group is stable, the metadata may be of a protocol that is not chosen.
            member.describe(if stable { group.selected_metadata(member) } else { Bytes::new() })
        });
        DescribedGroup {
            group_id: group_id.clone(),
            group_state: Str::from_static(group.state().name()),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol_data: group.protocol_name.clone().filter(|_| stable).unwrap_or_default(),
            members: members.collect(),
            ..Default::default()
        }
    }
}

fn not_found(group_id: &Str, why: &str, api_version: i16) -> DescribedGroup {
    let mut described = DescribedGroup {
        group_id: group_id.clone(),
        group_state: Str::from_static(DEAD),
        ..Default::default()
    };
    if api_version >= GROUP_ID_NOT_FOUND_VERSION {
        described.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
        described.error_message = Some(Str::fitting(format!("Group {group_id} {why}.")));
    }
    described
}
