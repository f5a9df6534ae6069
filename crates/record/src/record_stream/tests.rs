use super::*;
use crate::batch::Batch;
use crate::builder::BatchBuilder;
use crate::compression::Compression;
use crate::compression::Scratch;
use crate::header::BATCH_OVERHEAD;
use crate::records::Header;

const LIMITS: DecompressLimits = DecompressLimits { batch_bytes: 64 << 20, record_bytes: usize::MAX };
const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn batch(codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for index in 0..500_i64 {
        let value = vec![index as u8; (index * 37 % 900) as usize];
        let headers = [Header { key: b"h", value: Some(b"v") }];
        let key = (index % 3 > 0).then_some(&b"key"[..]);
        builder.push(index % 7, key, Some(&value), if index % 5 == 0 { &headers } else { &[] });
    }
    builder.push(9, None, Some(&vec![1; 300_000]), &[]);
    builder.push(9, Some(b"k"), None, &[]);
    builder.build()
}

fn stream_all(bytes: &[u8], limits: DecompressLimits) -> Result<Vec<String>, StreamError> {
    let batch = Batch::parse(bytes).expect("it is whole");
    let mut scratch = Scratch::new();
    let mut stream = batch.record_stream(&mut scratch, limits)?;
    let mut records = Vec::new();
    while let Some(record) = stream.next()? {
        records.push(format!("{record:?}"));
    }
    Ok(records)
}

fn read_all(bytes: &[u8]) -> Result<Vec<String>, StreamError> {
    let batch = Batch::parse(bytes).expect("it is whole");
    let mut scratch = Scratch::new();
    let records = batch.records_decompressed(&mut scratch, LIMITS.batch_bytes)?;
    Ok(records.map(|record| record.map(|record| format!("{record:?}"))).collect::<Result<_, _>>()?)
}

#[test]
fn it_gives_what_the_whole_gives() {
    for codec in CODECS {
        let bytes = batch(codec);
        let records = stream_all(&bytes, LIMITS).unwrap();
        assert_eq!(records.len(), 502);
        assert_eq!(records, read_all(&bytes).unwrap(), "{codec:?}");
    }
}

#[test]
fn it_refuses_what_the_whole_refuses() {
    for codec in CODECS {
        let good = batch(codec);
        for count in [-1, 0, 1, 500, 501, 503] {
            let mut bad = good.clone();
            bad[BATCH_OVERHEAD - 4..BATCH_OVERHEAD].copy_from_slice(&i32::to_be_bytes(count));
            let refused = stream_all(&bad, LIMITS).map(|all| all.len()).unwrap_err();
            assert_eq!(refused, read_all(&bad).map(|all| all.len()).unwrap_err(), "{codec:?} {count}");
        }
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let mut bad = good.clone();
            bad[random.usize(BATCH_OVERHEAD..good.len())] ^= 1 << random.u8(..8);
            // One reader finds the fault of a record before that of the codec, the other after it.
            assert_eq!(stream_all(&bad, LIMITS).is_err(), read_all(&bad).is_err(), "{codec:?}");
        }
    }
}

#[test]
fn it_keeps_to_its_limits() {
    for codec in CODECS.into_iter().filter(|codec| *codec != Compression::None) {
        let bytes = batch(codec);
        let limits = DecompressLimits { record_bytes: 300_009, ..LIMITS };
        stream_all(&bytes, limits).unwrap();
        let refused = stream_all(&bytes, DecompressLimits { record_bytes: 300_008, ..limits })
            .map(|all| all.len())
            .unwrap_err();
        let error = DecompressError::RecordTooLarge { size_bytes: 300_009, max_bytes: 300_008 };
        assert_eq!(refused, StreamError::Decompress(error), "{codec:?}");
        let refused = stream_all(&bytes, DecompressLimits { batch_bytes: 400_000, ..LIMITS })
            .map(|all| all.len())
            .unwrap_err();
        let error = DecompressError::TooLarge { max_bytes: 400_000 };
        assert_eq!(refused, StreamError::Decompress(error), "{codec:?}");
    }
}
