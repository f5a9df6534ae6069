//! DeleteTopics.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::records::RemoveTopicRecord;
use protocol::{ErrorCode, Str, Uuid};

use super::{Controller, Decision, RECORDS_PER_REQUEST_MAX, Refusal, repeated};
use crate::image::Image;
use crate::record::MetadataRecord;

/// The first version with `TOPIC_DELETION_DISABLED` (KIP-322).
const DELETION_DISABLED_SINCE: i16 = 3;

/// A topic that is asked for, by name or by id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TopicRef<'a> {
    Name(&'a Str),
    Id(Uuid),
}

impl Controller {
    /// Deletes topics, by name or by id. `version` is the request's.
    pub fn delete_topics(
        &self,
        image: &Image,
        request: &DeleteTopicsRequest,
        version: i16,
    ) -> Decision<DeleteTopicsResponse> {
        let mut responses = Vec::new();
        let asked = asked(request, &mut responses);
        let mut records: Vec<MetadataRecord> = Vec::new();
        let repeated = repeated(asked.iter().copied());
        for asked in &repeated {
            let what = if matches!(asked, TopicRef::Name(_)) { "name" } else { "id" };
            let refusal = Refusal::new(ErrorCode::INVALID_REQUEST, format!("Duplicate topic {what}."));
            responses.push(answer(*asked, Err(refusal)));
        }
        let disabled = (!self.setting(image, "delete.topic.enable").boolean()).then(|| match version {
            ..DELETION_DISABLED_SINCE => {
                Refusal::new(ErrorCode::INVALID_REQUEST, "Topic deletion is disabled.")
            }
            _ => Refusal::plain(ErrorCode::TOPIC_DELETION_DISABLED),
        });
        let twice = twice(image, &asked);
        let mut deleted = BTreeSet::new();
        for asked in asked.into_iter().filter(|asked| !repeated.contains(asked)) {
            let result = match &disabled {
                Some(refusal) => Err(refusal.clone()),
                None => find(image, asked),
            };
            let result = match (asked, result) {
                // The name answers for both.
                (TopicRef::Id(_), Ok((_, id))) if twice.contains(&id) => continue,
                (TopicRef::Name(_), Ok((name, topic_id))) if twice.contains(&topic_id) => {
                    responses.push(named_twice(name, topic_id));
                    continue;
                }
                (_, Ok(_)) if deleted.len() >= RECORDS_PER_REQUEST_MAX => Err(Refusal::too_large()),
                (_, result) => result,
            };
            deleted.extend(result.as_ref().ok().map(|(_, id)| *id));
            responses.push(answer(asked, result));
        }
        records.extend(deleted.into_iter().map(|topic_id| RemoveTopicRecord { topic_id }.into()));
        (DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }, records)
    }
}

/// The topics asked for; what asks for none or for two at once is answered.
fn asked<'a>(
    request: &'a DeleteTopicsRequest,
    responses: &mut Vec<DeletableTopicResult>,
) -> Vec<TopicRef<'a>> {
    let mut asked: Vec<TopicRef<'a>> = request.topic_names.iter().map(TopicRef::Name).collect();
    for topic in &request.topics {
        let message = match (&topic.name, topic.topic_id.is_zero()) {
            (Some(name), true) => {
                asked.push(TopicRef::Name(name));
                continue;
            }
            (None, false) => {
                asked.push(TopicRef::Id(topic.topic_id));
                continue;
            }
            (None, true) => "Neither topic name nor id were specified.",
            (Some(_), false) => "You may not specify both topic name and topic id.",
        };
        responses.push(DeletableTopicResult {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some(message.into()),
        });
    }
    asked
}

/// The topics that are asked for by their name and by their id as well: they stay.
fn twice(image: &Image, asked: &[TopicRef<'_>]) -> BTreeSet<Uuid> {
    let mut seen: BTreeMap<Uuid, bool> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for asked in asked {
        let (id, by_name) = match asked {
            TopicRef::Name(name) => match image.topic(name) {
                Some(topic) => (topic.id, true),
                None => continue,
            },
            TopicRef::Id(id) => (*id, false),
        };
        if seen.insert(id, by_name).is_some_and(|before| before != by_name) {
            twice.insert(id);
        }
    }
    twice
}

fn find(image: &Image, asked: TopicRef<'_>) -> Result<(Str, Uuid), Refusal> {
    let (topic, unknown) = match asked {
        TopicRef::Name(name) => (image.topic(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        TopicRef::Id(id) => (image.topic_by_id(id), ErrorCode::UNKNOWN_TOPIC_ID),
    };
    let topic = topic.ok_or_else(|| Refusal::plain(unknown))?;
    Ok((topic.name.clone(), topic.id))
}

fn named_twice(name: Str, topic_id: Uuid) -> DeletableTopicResult {
    let message = "The provided topic name maps to an ID that was already supplied.";
    DeletableTopicResult {
        name: Some(name),
        topic_id,
        error_code: ErrorCode::INVALID_REQUEST,
        error_message: Some(message.into()),
    }
}

fn answer(asked: TopicRef<'_>, result: Result<(Str, Uuid), Refusal>) -> DeletableTopicResult {
    let (name, topic_id) = match asked {
        TopicRef::Name(name) => (Some(name.clone()), Uuid::ZERO),
        TopicRef::Id(id) => (None, id),
    };
    match result {
        Ok((name, topic_id)) => {
            DeletableTopicResult { name: Some(name), topic_id, ..DeletableTopicResult::default() }
        }
        Err(refusal) => {
            DeletableTopicResult { name, topic_id, error_code: refusal.code, error_message: refusal.message }
        }
    }
}
