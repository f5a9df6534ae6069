//! The entry points of bytes from outside. The fuzz targets call these functions too.
//!
//! Whatever the bytes are, nothing panics; and a decoded message can be encoded and decoded again without
//! change.
#![allow(unreachable_pub, reason = "the fuzz targets are another crate")]

use bytes::Bytes;
use protocol::frame::{self, LENGTH_BYTES};
use protocol::records::named_record::{self, Coordinator};
use protocol::records::{
    CoordinatorKey, CoordinatorValue, FramedRecord, coordinator_key, coordinator_value, framed,
};
use protocol::{ApiKey, Message, Reader, Request, Response, Writer};

const COORDINATORS: [Coordinator; 3] = [Coordinator::Group, Coordinator::Transaction, Coordinator::Share];

fn write<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    let written = message.encode(&mut writer, version);
    written.unwrap_or_else(|e| panic!("{} {version} was read, so it can be written: {e}", M::NAME));
    writer.finish().into_bytes()
}

/// Encodes a message, decodes it again and compares the bytes, because a NaN does not equal itself.
fn settle<M: Message>(message: &M, version: i16) {
    let once = write(message, version);
    // Without a limit: unknown tags are gone, so these may be fewer bytes than came in.
    let mut reader = Reader::with_memory_limit(once.clone(), usize::MAX);
    let again = M::decode(&mut reader, version).expect("what was written can be read");
    reader.finish().expect("nothing follows");
    assert_eq!(once, write(&again, version), "{} {version}", M::NAME);
}

/// A request without its length.
pub fn request(bytes: &[u8]) {
    fn body<M: Request>(request: frame::ReceivedRequest) {
        let version = request.version;
        if let Ok(message) = request.decode::<M>() {
            settle(&message, version);
        }
    }
    let Ok(request) = frame::decode_request(Bytes::copy_from_slice(bytes)) else { return };
    macro_rules! dispatch {
        (@one request $group:ident $name:ident) => {
            if request.api_key == <protocol::$group::$name as Request>::API_KEY {
                return body::<protocol::$group::$name>(request);
            }
        };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
    let removed = request.api_key.versions().is_empty();
    assert!(removed, "{} has a request", request.api_key);
}

/// A response without its length. The first four bytes choose its API and version.
pub fn response(bytes: &[u8]) {
    fn body<M: Response>(frame: Bytes, version: i16) {
        if let Ok((correlation_id, message)) = frame::decode_response::<M>(frame, version) {
            settle(&message, version);
            let frame = frame::encode_response(correlation_id, &message, version, Writer::new());
            let bytes = frame.expect("what was read fits").into_bytes().slice(LENGTH_BYTES..);
            assert_eq!(Ok(correlation_id), frame::peek_correlation_id(&bytes));
        }
    }
    let Some((&[a, b, c, d], rest)) = bytes.split_first_chunk() else { return };
    let (key, version) = (i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d]));
    let (Some(api_key), frame) = (ApiKey::from_i16(key), Bytes::copy_from_slice(rest)) else { return };
    macro_rules! dispatch {
        (@one response $group:ident $name:ident) => {
            if api_key == <protocol::$group::$name as Response>::API_KEY {
                return body::<protocol::$group::$name>(frame, version);
            }
        };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
}

/// The key of a coordinator's record.
pub fn record_key(bytes: &[u8]) {
    for coordinator in COORDINATORS {
        let _ = coordinator.key(Bytes::copy_from_slice(bytes));
    }
    let Ok((record_type, reader)) = coordinator_key::split(Bytes::copy_from_slice(bytes)) else { return };
    macro_rules! dispatch {
        (@one key $group:ident $name:ident) => {
            if record_type == <protocol::$group::$name as CoordinatorKey>::RECORD_TYPE {
                if let Ok(key) = coordinator_key::decode_rest::<protocol::$group::$name>(reader.clone()) {
                    let again = coordinator_key::encode(&key).expect("what was read can be written");
                    // Keys have no tags and no padding, so there is one way only to write them.
                    assert_eq!(bytes, again, "{}", stringify!($name));
                }
            }
        };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
}

/// The value of a coordinator's record, tried as each of them.
pub fn record_value(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for number in 0..24 {
        for coordinator in COORDINATORS {
            let _ = coordinator.value(number, bytes.clone());
        }
        let _ = named_record::control(number, bytes.clone());
    }
    fn body<V: CoordinatorValue>(bytes: &Bytes) {
        if let Ok(value) = coordinator_value::decode::<V>(bytes.clone()) {
            let version = i16::from_be_bytes([bytes[0], bytes[1]]);
            settle(&value, version);
        }
    }
    macro_rules! dispatch {
        (@one value $group:ident $name:ident) => { body::<protocol::$group::$name>(&bytes); };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
}

/// A record of the metadata log or of tiered storage.
pub fn framed_record(bytes: &[u8]) {
    let _ = named_record::metadata(Bytes::copy_from_slice(bytes));
    fn body<R: FramedRecord>(reader: Reader, version: i16) {
        if let Ok(record) = framed::decode_rest::<R>(reader, version) {
            settle(&record, version);
        }
    }
    let Ok((key, version, reader)) = framed::split(Bytes::copy_from_slice(bytes)) else { return };
    macro_rules! dispatch {
        (@one record $group:ident $name:ident) => {
            if key == <protocol::$group::$name as FramedRecord>::API_KEY {
                body::<protocol::$group::$name>(reader.clone(), version);
            }
        };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
}

/// Everything else that has a schema: headers, control records, messages of group members to each other. The
/// first two bytes are the version.
pub fn plain(bytes: &[u8]) {
    fn body<M: Message>(bytes: &Bytes, version: i16) {
        if let Ok(message) = M::decode(&mut Reader::new(bytes.clone()), version) {
            settle(&message, version);
        }
    }
    let Some((&version, rest)) = bytes.split_first_chunk() else { return };
    let (version, bytes) = (i16::from_be_bytes(version), Bytes::copy_from_slice(rest));
    macro_rules! dispatch {
        (@one data $group:ident $name:ident) => { body::<protocol::$group::$name>(&bytes, version); };
        (@one $kind:ident $group:ident $name:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dispatch!(@one $kind $group $name);)* };
    }
    protocol::every_message!(dispatch);
}
