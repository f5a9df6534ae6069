//! OffsetFetch (9), versions 1-10: returns the offsets that groups have committed.
//!
//! 2 can request all topics; 5 adds the leader epoch (KIP-320); 7 only stable offsets (KIP-447); 8 several
//! groups (KIP-709); 9 the members of KIP-848; 10 names topics by id.

use coordinator::{offset_fetch_error, offset_fetch_groups, offset_fetch_response};
use metadata::Image;
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::{ErrorCode, Str, Uuid};

use crate::call::Call;
use crate::coordinators::{Barrier, Repeats, reply_behind};
use crate::reply::Reply;

/// The first version in which topics are named by id.
const TOPIC_IDS_SINCE: i16 = 10;

pub(crate) fn handle(call: Call<'_>, request: OffsetFetchRequest) -> Reply {
    let version = call.version();
    let require_stable = request.require_stable;
    let groups = offset_fetch_groups(request, version);
    let image = call.broker.image();
    let mut barriers = Vec::new();
    let mut repeats = Repeats::default();
    let answers = groups.iter().map(|group| {
        let answer = if repeats.admits(&group.group_id) {
            let mut asked = group.clone();
            repeats.thin_out(&mut asked);
            fetch_group(&call, &image, asked, require_stable, &mut barriers)
        } else {
            Err(ErrorCode::INVALID_REQUEST)
        };
        let answer = answer.unwrap_or_else(|error| offset_fetch_error(group, error, version));
        repeats.tell_offsets(&answer);
        answer
    });
    let response = offset_fetch_response(answers.collect(), version);
    reply_behind(call.responder, barriers, response, move |error| {
        let failed = groups.iter().map(|group| offset_fetch_error(group, error, version));
        offset_fetch_response(failed.collect(), version)
    })
}

fn fetch_group(
    call: &Call<'_>,
    image: &Image,
    mut group: OffsetFetchRequestGroup,
    require_stable: bool,
    barriers: &mut Vec<Barrier>,
) -> Result<OffsetFetchResponseGroup, ErrorCode> {
    let by_id = call.version() >= TOPIC_IDS_SINCE;
    // A request for all topics names none.
    let unknown = if by_id && group.topics.is_some() { name_topics(image, &mut group) } else { Vec::new() };
    let id_of = |name: &str| image.topic(name).map_or(Uuid::ZERO, |topic| topic.id);
    if !by_id {
        group.topics.iter_mut().flatten().for_each(|topic| topic.topic_id = id_of(&topic.name));
    }
    let looked = call.broker.groups.look(&group.group_id, |coordinator, now| {
        coordinator.offset_fetch(&group, require_stable, now, id_of)
    });
    let (answer, barrier) = looked?;
    barriers.push(barrier);
    let mut answer = answer?;
    if by_id {
        // A topic that was deleted has no id to return.
        answer.topics.retain(|topic| topic.topic_id != Uuid::ZERO);
        answer.topics.iter_mut().for_each(|topic| topic.name = Str::default());
        answer.topics.extend(unknown);
    } else {
        answer.topics.iter_mut().for_each(|topic| topic.topic_id = Uuid::ZERO);
    }
    Ok(answer)
}

/// Sets the names of topics that are requested by id. Returns the answers for ids that no topic has.
fn name_topics(image: &Image, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    let topics = group.topics.get_or_insert_default();
    topics.retain_mut(|topic| {
        let found = image.topic_by_id(topic.topic_id);
        match found {
            Some(found) => topic.name = found.name.clone(),
            None => unknown.push(unknown_topic(topic)),
        }
        found.is_some()
    });
    unknown
}

fn unknown_topic(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|&partition_index| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Str::default()),
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
    });
    OffsetFetchResponseTopics {
        name: Str::default(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}
