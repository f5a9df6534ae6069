//! The notation of events in scripts.

use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::*;
use protocol::records::{GroupMetadataValue, OffsetCommitValue, coordinator_value};
use protocol::{ErrorCode, Message, Str, Writer};

use crate::records::Key;
use crate::{CoordinatorRecord, Reply};

pub(crate) fn error_named(name: &str) -> ErrorCode {
    (-1..200).map(ErrorCode).find(|error| error.name() == name).expect("an error of Kafka")
}

/// `a1` for the first member id of client `a`.
pub(crate) fn short(id: &str) -> String {
    match id.rsplit_once("-00000000-0000-0000-0000-") {
        Some((prefix, number)) => {
            format!("{prefix}{}", u64::from_str_radix(number, 16).expect("a number"))
        }
        None => id.to_owned(),
    }
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    if bytes.iter().all(u8::is_ascii_graphic) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    // Of a consumer's metadata only the names of its topics are shown.
    let names = bytes.split(|byte| !byte.is_ascii_graphic()).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(String::from_utf8_lossy).collect();
    format!("{{{}}}", names.join(","))
}

/// Checks that a version of the protocol has fields for everything in a reply.
pub(crate) fn assert_encodes(reply: &Reply, version: i16) {
    let mut writer = Writer::new();
    let encoded = match reply {
        Reply::JoinGroup(response) => response.encode(&mut writer, version),
        Reply::SyncGroup(response) => response.encode(&mut writer, version),
        Reply::LeaveGroup(response) => response.encode(&mut writer, version),
        Reply::OffsetCommit(response) => response.encode(&mut writer, version),
        Reply::OffsetDelete(response) => response.encode(&mut writer, version),
        Reply::DeleteGroups(response) => response.encode(&mut writer, version),
    };
    assert_eq!(encoded, Ok(()), "{reply:?} in version {version}");
}

pub(crate) fn reply_text(reply: &Reply) -> String {
    match reply {
        Reply::JoinGroup(response) => joined(response),
        Reply::SyncGroup(response) => {
            let names = [response.protocol_type.clone(), response.protocol_name.clone()];
            let names = names.into_iter().flatten().map(|name| format!(" {name}")).collect::<String>();
            format!("{}{names} {}", response.error_code.name(), text_of(&response.assignment))
        }
        Reply::LeaveGroup(response) => {
            let members = response.members.iter().map(|member| {
                let instance = member.group_instance_id.as_ref().map(|id| format!("[{id}]"));
                let instance = instance.unwrap_or_default();
                format!(" {}{instance}={}", short(&member.member_id), member.error_code.name())
            });
            format!("{}{}", response.error_code.name(), members.collect::<String>())
        }
        Reply::OffsetCommit(response) => {
            let partitions = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    format!("{}-{}={}", topic.name, partition.partition_index, partition.error_code.name())
                })
            });
            partitions.collect::<Vec<_>>().join(" ")
        }
        Reply::OffsetDelete(response) => {
            let partitions = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    format!(" {}-{}={}", topic.name, partition.partition_index, partition.error_code.name())
                })
            });
            format!("{}{}", response.error_code.name(), partitions.collect::<String>())
        }
        Reply::DeleteGroups(response) => {
            let results = response.results.iter();
            let results = results.map(|result| format!("{}={}", result.group_id, result.error_code.name()));
            results.collect::<Vec<_>>().join(" ")
        }
    }
}

fn joined(response: &JoinGroupResponse) -> String {
    let mut text = response.error_code.name().to_owned();
    if response.generation_id != -1 {
        text += &format!(" gen={}", response.generation_id);
    }
    let or_null = |name: &Option<Str>| name.as_ref().map_or("null".to_owned(), Str::to_string);
    if response.protocol_type.is_some() {
        text += &format!(" {}", or_null(&response.protocol_type));
    }
    if response.protocol_name.as_ref().is_some_and(|name| !name.is_empty()) {
        text += &format!(" {}", or_null(&response.protocol_name));
    }
    if !response.leader.is_empty() {
        text += &format!(" leader={}", short(&response.leader));
    }
    if !response.member_id.is_empty() {
        text += &format!(" id={}", short(&response.member_id));
    }
    if response.skip_assignment {
        text += " skip";
    }
    for member in &response.members {
        let instance = member.group_instance_id.as_ref().map(|id| format!("[{id}]")).unwrap_or_default();
        text += &format!(" {}{instance}:{}", short(&member.member_id), text_of(&member.metadata));
    }
    text
}

pub(crate) fn record_text(record: &CoordinatorRecord) -> String {
    match Key::decode(record.key.clone()).expect("a key") {
        Key::OffsetCommit(key) => {
            let partition = format!("{} {}-{}", key.group, key.topic, key.partition);
            let Some(value) = &record.value else { return format!("{partition} deleted") };
            let value: OffsetCommitValue = coordinator_value::decode(value.clone()).expect("a value");
            let metadata = if value.metadata.is_empty() { "" } else { ":" };
            format!("{partition}={}{metadata}{}", value.offset, value.metadata)
        }
        Key::GroupMetadata(key) => {
            let Some(value) = &record.value else { return format!("{} deleted", key.group) };
            let value: GroupMetadataValue = coordinator_value::decode(value.clone()).expect("a value");
            let mut text = format!("{} gen={} {}", key.group, value.generation, value.protocol_type);
            if let Some(protocol) = &value.protocol {
                text += &format!(" {protocol}");
            }
            if let Some(leader) = &value.leader {
                text += &format!(" leader={}", short(leader));
            }
            for member in &value.members {
                let instance = member.group_instance_id.as_ref().map(|id| format!("[{id}]"));
                let instance = instance.unwrap_or_default();
                let assignment = text_of(&member.assignment);
                text += &format!(" {}{instance}={assignment}", short(&member.member_id));
            }
            text
        }
        Key::Unserved(key) => {
            let name = if key.name.is_empty() { String::new() } else { format!(" {}", key.name) };
            let deleted = if record.value.is_none() { " deleted" } else { "" };
            format!("{} {}{name}{deleted}", key.record_type, key.group_id)
        }
        Key::Other(record_type) => format!("type {record_type}"),
    }
}

pub(super) fn fetched(response: &OffsetFetchResponseGroup) -> String {
    let mut text = Vec::new();
    if response.error_code != ErrorCode::NONE {
        text.push(response.error_code.name().to_owned());
    }
    for topic in &response.topics {
        for partition in &topic.partitions {
            let metadata = partition.metadata.as_ref().expect("never null");
            let separator = if metadata.is_empty() { "" } else { ":" };
            let mut fetched = format!("{}-{}=", topic.name, partition.partition_index);
            fetched += &format!("{}{separator}{metadata}", partition.committed_offset);
            if partition.error_code != ErrorCode::NONE {
                fetched += &format!(" {}", partition.error_code.name());
            }
            text.push(fetched);
        }
    }
    text.join(" ")
}

pub(super) fn listed(groups: &[ListedGroup]) -> String {
    let groups = groups.iter().map(|group| {
        format!("{}({},{},{})", group.group_id, group.protocol_type, group.group_state, group.group_type)
    });
    groups.collect::<Vec<_>>().join(" ")
}

pub(super) fn described(group: &DescribedGroup) -> String {
    let mut text = group.group_state.to_string();
    if group.error_code != ErrorCode::NONE {
        text += &format!(" {}", group.error_code.name());
    }
    for name in [&group.protocol_type, &group.protocol_data].into_iter().filter(|name| !name.is_empty()) {
        text += &format!(" {name}");
    }
    for member in &group.members {
        let instance = member.group_instance_id.as_ref().map(|id| format!("[{id}]")).unwrap_or_default();
        text += &format!(" {}{instance}", short(&member.member_id));
        text += &format!("({}@{})", member.client_id, member.client_host);
        text += &format!(":{}={}", text_of(&member.member_metadata), text_of(&member.member_assignment));
    }
    text
}
