//! Values for every field of every message.

use bytes::Bytes;
use fastrand::Rng;
use protocol::{ErrorCode, Message, Reader, Records, Str, Uuid, Writer};

/// A struct that can be filled from a source.
pub(crate) trait Sample: Sized {
    /// Sets the fields that the source wants.
    fn sample(source: &mut Source) -> Self;
}

#[allow(clippy::all, unused_mut, unused_variables, reason = "generated alike for every struct")]
mod generated {
    use super::{Sample, Source};
    include!(concat!(env!("OUT_DIR"), "/samples.rs"));
}

/// The choice of fields and values.
pub(crate) enum Content {
    /// Anything that the version can carry.
    Random(Rng),
    /// Every field of the version, two elements an array, values from the counter.
    Full,
    /// Null wherever the version has it, one element an array, values from the counter.
    Nulls,
    /// Only the fields with these labels, whatever the version, values from the counter.
    Only(Vec<String>),
    /// Every field of the version, one element an array, all numbers this one, all text and bytes empty.
    Same(i64),
    /// Every field of any version, one element an array; their labels come to be here.
    Names(Vec<String>),
    /// This many elements in an array of the message, one in an array of an element; null wherever the
    /// version has it, text of six letters: few bytes for many values.
    Dense(usize),
}

/// The source of the values. The counter and the values made from it are those of `capture/Capture.java`.
pub(crate) struct Source {
    content: Content,
    version: i16,
    counter: i64,
    /// Whether the values are those of an array's element.
    is_within: bool,
}

/// A label in a spelling that Kafka's classes and ours share.
pub(crate) fn bare_label(label: &str) -> String {
    label.replace('_', "").to_lowercase()
}

impl Source {
    pub(crate) fn new(content: Content, version: i16) -> Self {
        Self { content, version, counter: 0, is_within: false }
    }

    pub(crate) fn random(seed: u64, version: i16) -> Self {
        Self::new(Content::Random(Rng::with_seed(seed)), version)
    }

    /// The labels of all fields of `M` in the order of its schema.
    pub(crate) fn names<M: Sample>() -> Vec<String> {
        let mut source = Self::new(Content::Names(Vec::new()), 0);
        M::sample(&mut source);
        let Content::Names(names) = source.content else { unreachable!("it stays what it is") };
        names
    }

    fn sets(&mut self, label: &str, low: i16, high: i16) -> bool {
        match &mut self.content {
            Content::Only(labels) => labels.contains(&bare_label(label)),
            Content::Names(names) => {
                names.push(bare_label(label));
                true
            }
            _ => (low..=high).contains(&self.version),
        }
    }

    fn option<T>(&mut self, low: i16, high: i16, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let may_be_null = (low..=high).contains(&self.version);
        let null = match &mut self.content {
            Content::Random(rng) => rng.u8(0..4) == 0,
            Content::Nulls | Content::Dense(_) => true,
            Content::Full | Content::Only(_) | Content::Same(_) | Content::Names(_) => false,
        };
        (!(may_be_null && null)).then(|| value(self))
    }

    fn list<T>(&mut self, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = match &mut self.content {
            Content::Random(rng) => rng.usize(0..4),
            Content::Full => 2,
            Content::Dense(count) if !self.is_within => *count,
            _ => 1,
        };
        let was_within = std::mem::replace(&mut self.is_within, true);
        let elements = (0..count).map(|_| element(self)).collect();
        self.is_within = was_within;
        elements
    }

    /// The next value: 64 bits at random, or a multiple of the counter.
    fn next(&mut self, factor: i64) -> i64 {
        match &mut self.content {
            Content::Random(rng) => {
                // Small numbers and the ends of the range are where mistakes are.
                let bits = rng.i64(..);
                let choice = rng.u8(0..8);
                if choice == 0 { bits % 4 } else { bits }
            }
            Content::Same(number) => *number,
            _ => {
                self.counter += 1;
                self.counter.wrapping_mul(factor)
            }
        }
    }

    fn bool(&mut self) -> bool {
        let value = self.next(1);
        match self.content {
            Content::Random(_) => value & 1 == 0,
            Content::Same(number) => number != 0,
            _ => true,
        }
    }

    fn i8(&mut self) -> i8 {
        self.next(1) as i8
    }

    fn i16(&mut self) -> i16 {
        self.next(3) as i16
    }

    fn u16(&mut self) -> u16 {
        self.next(5) as u16
    }

    fn i32(&mut self) -> i32 {
        self.next(70_001) as i32
    }

    fn u32(&mut self) -> u32 {
        self.next(16_777_259) as u32
    }

    fn i64(&mut self) -> i64 {
        self.next(1_000_000_007)
    }

    fn f64(&mut self) -> f64 {
        let half = if matches!(self.content, Content::Same(_)) { 0.0 } else { 0.5 };
        self.next(1) as f64 + half
    }

    fn error_code(&mut self) -> ErrorCode {
        ErrorCode(self.i16())
    }

    fn uuid(&mut self) -> Uuid {
        let n = self.next(1);
        let (high, low) = match self.content {
            Content::Same(_) => (n, n),
            _ => (n.wrapping_mul(0x01_01_01_01_01), n.wrapping_neg()),
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        Uuid(bytes)
    }

    fn string(&mut self) -> Str {
        if let Content::Random(rng) = &mut self.content {
            let len = if rng.u8(0..50) == 0 { rng.usize(0..3000) } else { rng.usize(0..20) };
            return (0..len).map(|_| rng.char(..)).collect::<String>().into();
        }
        match self.content {
            Content::Same(_) => return Str::new(),
            Content::Dense(_) => return "letter".into(),
            _ => {}
        }
        format!("s{}", self.next(1)).into()
    }

    fn bytes(&mut self) -> Bytes {
        if let Content::Random(rng) = &mut self.content {
            // Some are long enough not to be copied into the writer's buffer.
            let len = if rng.u8(0..4) == 0 { rng.usize(900..3000) } else { rng.usize(0..20) };
            return (0..len).map(|_| rng.u8(..)).collect::<Vec<u8>>().into();
        }
        if matches!(self.content, Content::Same(_) | Content::Dense(_)) {
            return Bytes::new();
        }
        vec![self.next(1) as u8, 0xff, 0].into()
    }

    fn records(&mut self, nullable: bool) -> Records {
        match self.option(if nullable { i16::MIN } else { i16::MAX }, i16::MAX, Self::bytes) {
            Some(bytes) => Records::Bytes(bytes),
            None => Records::Null,
        }
    }
}

/// The bytes of `message` in `version`, which must be able to carry it.
pub(crate) fn encoded<M: Message + std::fmt::Debug>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message
        .encode(&mut writer, version)
        .unwrap_or_else(|e| panic!("{} {version}: {e}: {message:?}", M::NAME));
    let frame = writer.finish();
    let len = frame.len();
    let bytes = frame.into_bytes();
    assert_eq!(len, bytes.len(), "{} {version}: the length that was announced", M::NAME);
    bytes
}

/// The message that `bytes` are in `version`, to the last byte.
pub(crate) fn decoded<M: Message>(bytes: &Bytes, version: i16) -> M {
    let mut reader = Reader::new(bytes.clone());
    let message = M::decode(&mut reader, version);
    let message = message.unwrap_or_else(|e| panic!("{} {version}: {e}: {bytes:x}", M::NAME));
    reader.finish().unwrap_or_else(|e| panic!("{} {version}: {e}: {bytes:x}", M::NAME));
    message
}
