//! Registration and producer ids.

use protocol::messages::broker_registration_request::Listener;
use protocol::messages::{AllocateProducerIdsRequest, BrokerRegistrationRequest};

use super::*;

fn registration(incarnation: u8) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker_id: 1,
        incarnation_id: Uuid([incarnation; 16]),
        listeners: vec![Listener {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: Some("r1".into()),
        log_dirs: vec![DIRECTORY],
        ..BrokerRegistrationRequest::default()
    }
}

#[test]
fn a_broker_is_fenced_until_it_is_let_in() {
    let controller = controller(&[]);
    let mut image = Image::default();
    image.advance_to(41);
    let (response, records) = controller.register_broker(&image, &registration(1), |_, _| None);
    assert_eq!((response.error_code, response.broker_epoch), (ErrorCode::NONE, 42));
    let image = with(image, records);
    assert_eq!(image.live_brokers().count(), 0);
    let image = with(image, vec![controller.unfence_broker(1, 42)]);
    assert_eq!(image.live_brokers().collect::<Vec<_>>(), [1]);
    let broker = &image.brokers()[&1];
    assert_eq!((broker.end_points[0].port, broker.rack.as_deref()), (9092, Some("r1")));
    assert_eq!((broker.broker_epoch, &*broker.log_dirs), (42, &[DIRECTORY][..]));
}

#[test]
fn a_broker_that_comes_back_leads_in_later_epochs() {
    let controller = controller(&[]);
    let mut image = with_topics(&["a", "b"]);
    let epochs = |image: &Image| -> Vec<i32> {
        let partitions = image.topics().iter().flat_map(|topic| topic.partitions.clone());
        partitions.map(|partition| partition.leader_epoch).collect()
    };
    // Every restart is another incarnation; the same one asks twice where an answer was lost.
    for (incarnation, expected) in [(5, 1), (5, 1), (6, 2)] {
        let (_, records) = controller.register_broker(&image, &registration(incarnation), |_, _| None);
        image = with(image, records);
        assert_eq!(epochs(&image), [expected, expected]);
        assert!(image.partition("a", 0).is_some_and(|partition| partition.leader == 1));
    }
}

#[test]
fn producer_ids_are_given_out_once() {
    let controller = controller(&[]);
    let mut image = cluster();
    for start in [0, 1000, 2000] {
        let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch: 10 };
        let (response, records) = controller.allocate_producer_ids(&image, &request);
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert_eq!((response.producer_id_start, response.producer_id_len), (start, 1000));
        image = with(image, records);
    }
    for (broker_id, broker_epoch) in [(1, 11), (2, 10)] {
        let request = AllocateProducerIdsRequest { broker_id, broker_epoch };
        let (response, records) = controller.allocate_producer_ids(&image, &request);
        assert_eq!((response.error_code, records.len()), (ErrorCode::STALE_BROKER_EPOCH, 0));
    }
    let last = protocol::records::ProducerIdsRecord { next_producer_id: i64::MAX - 10, ..Default::default() };
    let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch: 10 };
    let (response, records) = controller.allocate_producer_ids(&with(image, vec![last.into()]), &request);
    assert_eq!((response.error_code, records.len()), (ErrorCode::UNKNOWN_SERVER_ERROR, 0));
}
