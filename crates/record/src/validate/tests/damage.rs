//! Every truncation and every flipped bit of a batch.

use super::*;

#[test]
fn bodies_that_are_not_what_the_codec_writes() {
    for codec in CODECS.into_iter().filter(|&codec| codec != Compression::None) {
        let spoilt =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(codec));
        for body in [&b""[..], b"\0", b"not compressed at all, whatever the header says", &spoilt.records] {
            let bytes = spoilt.seal_body(body);
            let error = produce(&bytes, &rules(), &mut Scratch::new()).unwrap_err();
            assert_eq!(error.error_code(), INVALID_RECORD, "{codec:?} {error:?}");
        }
        // And bytes behind the end of the stream.
        let mut body = Vec::new();
        Compressor::from(codec).compress(&spoilt.records, &mut body);
        body.push(0);
        let error = InvalidBatch::Decompress(DecompressError::Malformed(codec));
        check(&spoilt.seal_body(&body), &rules(), INVALID_RECORD, &error);
    }
}

#[test]
fn every_cut_of_a_compressed_body_is_refused() {
    for codec in CODECS.into_iter().filter(|&codec| codec != Compression::None) {
        let spoilt =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(codec));
        let mut body = Vec::new();
        Compressor::from(codec).compress(&spoilt.records, &mut body);
        let mut scratch = Scratch::new();
        for cut in 0..body.len() {
            let error = produce(&spoilt.seal_body(&body[..cut]), &rules(), &mut scratch).unwrap_err();
            assert_eq!(error.error_code(), INVALID_RECORD, "{codec:?} {cut}");
        }
    }
}

#[test]
fn no_flipped_bit_is_accepted_as_something_else() {
    for codec in CODECS {
        let spoilt =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(codec));
        let good = spoilt.seal();
        let mut scratch = Scratch::new();
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match produce(&flipped, &rules(), &mut scratch) {
                Err(_) => assert!(!(96..128).contains(&bit), "the leader epoch is not the producer's"),
                // The leader epoch is not covered by the checksum, and the log sets it.
                Ok(valid) => {
                    assert!((96..128).contains(&bit), "bit {bit} of {codec:?}");
                    assert_eq!(valid.stamp(0, -1)[..], good[..BATCH_OVERHEAD]);
                }
            }
        }
    }
}

/// With a valid checksum, a changed batch may be accepted; then the stored bytes must be readable.
#[test]
fn what_is_accepted_after_any_change_reads_back() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut scratch = Scratch::new();
    let mut accepted = 0;
    for codec in CODECS {
        let good =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(codec)).seal();
        let flips = (CRC_COVERS_FROM * 8..good.len() * 8).map(|bit| vec![bit]);
        let pairs =
            (0..3000).map(|_| (0..2).map(|_| random.usize(CRC_COVERS_FROM * 8..good.len() * 8)).collect());
        for bits in flips.chain(pairs) {
            let mut changed = good.clone();
            bits.iter().for_each(|bit| changed[bit / 8] ^= 1 << (bit % 8));
            reseal(&mut changed);
            let Ok(valid) = produce(&changed, &rules(), &mut scratch) else { continue };
            accepted += 1;
            changed[..BATCH_OVERHEAD].copy_from_slice(&valid.stamp(100, 1));
            let batch = batches(&changed).next().unwrap().unwrap();
            batch.verify_crc().unwrap();
            let records = batch.records_decompressed(&mut scratch, 1 << 20).unwrap();
            let records: Vec<_> = records.map(Result::unwrap).collect();
            assert_eq!(records.len(), batch.header().records_count as usize);
            assert!(records.iter().zip(100..).all(|(record, offset)| record.offset == offset));
            let max = records.iter().map(|record| record.timestamp).max().unwrap();
            assert_eq!(batch.header().max_timestamp, max.max(NO_TIMESTAMP));
        }
    }
    assert!(accepted > 500, "{accepted} changes were accepted: too few to show anything");
}
