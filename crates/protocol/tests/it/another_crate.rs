//! Every request, response and control record against another implementation, both ways: what one writes the
//! other reads and writes alike.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use protocol::Message;

use crate::sample::{Sample, Source, decoded, encoded};

const SEEDS: u64 = 10;

fn check<M: Message + Sample + PartialEq + Debug>(again: impl Fn(Bytes, i16) -> Result<Bytes, String>) {
    for version in M::VERSIONS {
        for seed in 0..SEEDS {
            let message = M::sample(&mut Source::random(1000 + seed, version));
            let bytes = encoded(&message, version);
            let theirs = again(bytes.clone(), version)
                .unwrap_or_else(|e| panic!("{} {version}, seed {seed}: {e}: {message:?}", M::NAME));
            assert_eq!(bytes, theirs, "{} {version}, seed {seed}: {message:?}", M::NAME);
            assert_eq!(message, decoded(&theirs, version), "{} {version}, seed {seed}", M::NAME);
        }
    }
}

#[test]
fn another_crate_reads_and_writes_the_same_bytes() {
    macro_rules! check_all {
        (@one messages $name:ident $class:ident) => {
            check::<protocol::messages::$name>(|mut bytes, version| {
                let message = kacrab_protocol::generated::$class::read(&mut bytes, version).map_err(|e| e.to_string())?;
                assert!(bytes.is_empty(), "{} {version}: it leaves {} bytes", stringify!($name), bytes.len());
                let mut out = BytesMut::new();
                message.write(&mut out, version).map_err(|e| e.to_string())?;
                assert_eq!(Ok(out.len()), message.encoded_len(version).map_err(|_| ()));
                Ok(out.freeze())
            });
        };
        // Persisted records are not part of that crate; `captured` covers them.
        (@one records $name:ident $class:ident) => {};
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check_all!(@one $group $name $class);)* };
    }
    protocol::every_message!(check_all);
}
