//! Building a batch: collect records, compress them once, put a header in front.

use bytes::{BufMut, Bytes, BytesMut};

use super::{BatchError, BatchHeader, Compression, HEADER_BYTES, LENGTH_END, MAGIC, write_checksum};
use crate::{compression, varint};

/// Who wrote a batch, so that a leader can drop what it already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub base_sequence: i32,
}

impl Producer {
    /// No idempotence.
    pub const NONE: Producer = Producer { id: -1, epoch: -1, base_sequence: -1 };
}

/// Collects records in wire form.
#[derive(Debug, Clone, Default)]
pub struct RecordsEncoder {
    records: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl RecordsEncoder {
    pub fn new() -> RecordsEncoder {
        RecordsEncoder::default()
    }

    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, &[u8])],
    ) {
        if self.count == 0 {
            self.base_timestamp = timestamp_ms;
            self.max_timestamp = timestamp_ms;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let timestamp_delta = timestamp_ms.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(self.count);

        let headers_len: usize =
            headers.iter().map(|(name, value)| blob_len(Some(name.as_bytes())) + blob_len(Some(value))).sum();
        let record_len = 1 // attributes, unused
            + varint::signed_len(timestamp_delta)
            + varint::signed_len(offset_delta)
            + blob_len(key)
            + blob_len(value)
            + varint::signed_len(headers.len() as i64)
            + headers_len;

        let out = &mut self.records;
        varint::write_signed(out, record_len as i64);
        out.put_u8(0);
        varint::write_signed(out, timestamp_delta);
        varint::write_signed(out, offset_delta);
        write_blob(out, key);
        write_blob(out, value);
        varint::write_signed(out, headers.len() as i64);
        for (name, value) in headers {
            write_blob(out, Some(name.as_bytes()));
            write_blob(out, Some(value));
        }
        self.count += 1;
    }

    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the records so far, before compression and without the batch header.
    pub fn len_bytes(&self) -> usize {
        self.records.len()
    }

    pub fn finish(self, compression: Compression) -> Result<RecordSet, BatchError> {
        if self.count == 0 {
            return Err(BatchError::Empty);
        }
        let bytes = compression::compress(compression, self.records.into())?;
        let limit = i32::MAX as usize - HEADER_BYTES;
        if bytes.len() > limit {
            return Err(BatchError::TooLarge { limit });
        }
        Ok(RecordSet {
            bytes,
            compression,
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
        })
    }
}

/// The records of one batch, finished but for the header: an outbox keeps these and the sender
/// adds the producer's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSet {
    /// The records section, compressed.
    pub bytes: Bytes,
    pub compression: Compression,
    pub count: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
}

/// A whole batch at base offset 0, with no leader epoch yet.
pub fn assemble(records: &RecordSet, producer: Producer) -> BytesMut {
    let size = HEADER_BYTES + records.bytes.len();
    let mut batch = BytesMut::with_capacity(size);
    batch.put_i64(0);
    batch.put_i32((size - LENGTH_END) as i32);
    batch.put_i32(-1);
    batch.put_i8(MAGIC);
    batch.put_u32(0); // The checksum, below.
    batch.put_i16(records.compression.to_attributes());
    batch.put_i32(records.count - 1);
    batch.put_i64(records.base_timestamp);
    batch.put_i64(records.max_timestamp);
    batch.put_i64(producer.id);
    batch.put_i16(producer.epoch);
    batch.put_i32(producer.base_sequence);
    batch.put_i32(records.count);
    batch.put_slice(&records.bytes);
    write_checksum(&mut batch);
    batch
}

/// The same records under another codec; `batch` is one that [`BatchHeader::validate`] accepted, and nothing
/// behind it.
pub fn recompress(
    batch: &Bytes,
    codec: Compression,
    max_decompressed_bytes: usize,
) -> Result<Bytes, BatchError> {
    const CODEC: i16 = 0b111;
    let header = BatchHeader::peek(batch)?;
    let section = batch.slice(HEADER_BYTES.min(batch.len())..);
    let plain = compression::decompress(header.compression()?, section, max_decompressed_bytes)?;
    let section = compression::compress(codec, plain)?;
    let size = HEADER_BYTES + section.len();
    let mut out = BytesMut::with_capacity(size);
    out.put_slice(&batch[..HEADER_BYTES]);
    out.put_slice(&section);
    let attributes = header.attributes & !CODEC | codec.to_attributes();
    out[8..LENGTH_END].copy_from_slice(&((size - LENGTH_END) as i32).to_be_bytes());
    out[21..23].copy_from_slice(&attributes.to_be_bytes());
    write_checksum(&mut out);
    Ok(out.freeze())
}

fn blob_len(blob: Option<&[u8]>) -> usize {
    match blob {
        Some(blob) => varint::signed_len(blob.len() as i64) + blob.len(),
        None => varint::signed_len(-1),
    }
}

fn write_blob(out: &mut Vec<u8>, blob: Option<&[u8]>) {
    match blob {
        Some(blob) => {
            varint::write_signed(out, blob.len() as i64);
            out.put_slice(blob);
        }
        None => varint::write_signed(out, -1),
    }
}
