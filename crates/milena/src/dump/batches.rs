//! Segments and snapshots of the metadata.

use std::path::Path;

use record::{Batch, Scratch, TimestampType};
use serde_json::{Map, Value, json};
use storage::inspect::{Batches, Region};

use super::records::Decoder;
use super::{Dump, failed};
use crate::failure::Failure;

/// The most bytes to which the records of one batch may decompress, as for a producer's.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

pub(super) fn show(dump: &mut Dump<'_>, path: &Path) -> Result<(), Failure> {
    let decoder = Decoder::of(path, dump.args);
    let with_records = dump.args.records || decoder.is_internal();
    let mut batches = Batches::open(&dump.fs, path).map_err(|error| failed(&error))?;
    let mut scratch = Scratch::new();
    while let Some((position, region)) = batches.next_region().map_err(|error| failed(&error))? {
        match region {
            Region::Batch(batch, checked) => {
                dump.line(path, "batch", header(&batch, position, checked.is_ok()))?;
                match checked {
                    Err(error) => dump.damage(path, position, error)?,
                    Ok(()) if with_records => {
                        records(dump, path, position, &batch, &decoder, &mut scratch)?;
                    }
                    Ok(()) => {}
                }
            }
            Region::Damage { error, bytes } => {
                dump.damage(path, position, format_args!("{error} ({bytes} bytes are no batch)"))?;
            }
            // Space that was allocated ahead of the records.
            Region::Zeros { bytes } => {
                dump.line(path, "zeros", json!({ "position": position, "zeros": bytes }))?;
            }
        }
    }
    Ok(())
}

fn header(batch: &Batch<'_>, position: u64, is_valid: bool) -> Value {
    let header = batch.header();
    let attributes = header.attributes;
    let codec = attributes.compression().map_or("unknown", |codec| codec.name());
    let is_create = attributes.timestamp_type() == TimestampType::CreateTime;
    // The header of an old compressed message has only the last offset.
    let counted = header.records_count >= 0 || header.magic == 2;
    json!({
        "position": position,
        "baseOffset": counted.then_some(header.base_offset),
        "lastOffset": header.last_offset(),
        "count": counted.then_some(header.records_count),
        "baseSequence": header.base_sequence,
        "lastSequence": header.last_sequence(),
        "producerId": header.producer_id,
        "producerEpoch": header.producer_epoch,
        "partitionLeaderEpoch": header.partition_leader_epoch,
        "isTransactional": attributes.is_transactional(),
        "isControl": attributes.is_control(),
        "deleteHorizonMs": header.delete_horizon_ms(),
        "timestampType": if is_create { "CreateTime" } else { "LogAppendTime" },
        "maxTimestamp": header.max_timestamp,
        "size": batch.bytes().len(),
        "magic": header.magic,
        "compression": codec,
        "crc": header.crc,
        "isValid": is_valid,
    })
}

fn records(
    dump: &mut Dump<'_>,
    path: &Path,
    position: u64,
    batch: &Batch<'_>,
    decoder: &Decoder,
    scratch: &mut Scratch,
) -> Result<(), Failure> {
    let records = match batch.records_decompressed(scratch, DECOMPRESSED_BYTES_MAX) {
        Ok(records) => records,
        Err(error) => return dump.damage(path, position, error),
    };
    let is_control = batch.header().attributes.is_control();
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => return dump.damage(path, position, error),
        };
        let mut fields = Map::new();
        fields.insert("offset".to_owned(), json!(record.offset));
        fields.insert("timestamp".to_owned(), json!(record.timestamp));
        match decoder.insert(&record, is_control, &mut fields) {
            Ok(()) => dump.line(path, "record", Value::Object(fields))?,
            Err(error) => {
                let what = format!("the record at offset {} cannot be decoded: {error}", record.offset);
                dump.line(path, "record", Value::Object(fields))?;
                dump.damage(path, position, what)?;
            }
        }
    }
    Ok(())
}
