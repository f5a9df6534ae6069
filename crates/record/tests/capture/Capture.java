import java.io.File;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Crc32C;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;
import org.apache.kafka.server.storage.log.FetchIsolation;

/** See README.md. */
public class Capture {
    static final long NOW = 1_700_000_000_000L;
    static final HexFormat HEX = HexFormat.of();
    static final Map<String, Compression> CODECS = new java.util.LinkedHashMap<>();

    static {
        CODECS.put("none", Compression.NONE);
        CODECS.put("gzip", Compression.gzip().build());
        CODECS.put("snappy", Compression.snappy().build());
        CODECS.put("lz4", Compression.lz4().build());
        CODECS.put("zstd", Compression.zstd().build());
    }

    public static void main(String[] args) throws Exception {
        try (PrintStream out = new PrintStream(Path.of(args[0], "written.txt").toFile())) {
            written(out);
        }
        try (PrintStream out = new PrintStream(Path.of(args[0], "verdicts.txt").toFile())) {
            new Verdicts(out).run();
        }
        try (PrintStream out = new PrintStream(Path.of(args[0], "legacy.txt").toFile())) {
            legacy(out);
        }
        System.exit(0);
    }

    // ---- legacy.txt

    static final List<String> OLD_CODECS = List.of("none", "gzip", "snappy", "lz4");
    static long nextOffset = 0;

    /** One log of message sets of magic 0 and 1, a batch of magic 2 at its end, and what Kafka reads in each. */
    static void legacy(PrintStream out) {
        for (byte magic = 0; magic < 2; magic++) {
            for (String codec : OLD_CODECS) {
                set(out, magic, codec, TimestampType.CREATE_TIME, 5, 0);
                if (magic > 0)
                    set(out, magic, codec, TimestampType.LOG_APPEND_TIME, 5, 0);
                // As compaction left it.
                set(out, magic, codec, TimestampType.CREATE_TIME, 4, 3);
            }
        }
        set(out, (byte) 2, "gzip", TimestampType.CREATE_TIME, 5, 0);
    }

    static void set(PrintStream out, byte magic, String codec, TimestampType type, int count, int gap) {
        long first = nextOffset + gap;
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, magic, CODECS.get(codec), type, first,
            NOW + 1000 * first + 77);
        long offset = first;
        for (int i = 0; i < count; i++) {
            byte[] key = ("key-" + i).getBytes();
            byte[] value = ("value " + offset + " of magic " + magic + " with " + codec).getBytes();
            long timestamp = magic == 0 ? RecordBatch.NO_TIMESTAMP : NOW + 1000 * offset - (i == 3 ? 10_000 : 0);
            SimpleRecord record = switch (i) {
                case 1 -> new SimpleRecord(timestamp, null, value);
                case 2 -> new SimpleRecord(timestamp, key, null);
                default -> new SimpleRecord(timestamp, key, value);
            };
            builder.appendWithOffset(offset, record);
            offset += 1 + (gap > 0 && i % 2 == 0 ? 2 : 0);
        }
        MemoryRecords records = builder.build();
        nextOffset = offset;
        out.println("set " + magic + " " + codec + " " + HEX.formatHex(Utils.toArray(records.buffer())));
        for (MutableRecordBatch batch : records.batches()) {
            batch.ensureValid();
            out.println("batch " + batch.baseOffset() + " " + batch.lastOffset() + " " + batch.maxTimestamp());
            for (org.apache.kafka.common.record.internal.Record record : batch)
                out.println("record " + record.offset() + " " + record.timestamp() + " " + text(record.key()) + " "
                    + text(record.value()).replace(' ', '_'));
        }
    }

    static String text(ByteBuffer bytes) {
        return bytes == null ? "-" : new String(Utils.toArray(bytes));
    }

    // ---- written.txt

    static void written(PrintStream out) {
        for (Map.Entry<String, Compression> codec : CODECS.entrySet()) {
            for (String content : List.of("one", "nulls", "headers", "many", "stored", "periodic")) {
                if (content.equals("periodic") && codec.getKey().equals("none"))
                    continue;
                out.println(content + " " + codec.getKey() + " " + HEX.formatHex(write(content, codec.getValue())));
            }
        }
        Compression none = Compression.NONE;
        emit(out, "idempotent", MemoryRecords.withIdempotentRecords(9L, none, 77L, (short) 3, 2147483646, 5,
            new SimpleRecord(NOW, "a".getBytes()), new SimpleRecord(NOW, "b".getBytes())));
        emit(out, "transactional", MemoryRecords.withTransactionalRecords(9L, none, 77L, (short) 3, 4, 5,
            new SimpleRecord(NOW, "a".getBytes())));
        // Without a time of its own the builder would take that of the clock.
        MemoryRecordsBuilder appended = MemoryRecords.builder(ByteBuffer.allocate(1000), (byte) 2, none,
            TimestampType.LOG_APPEND_TIME, 100L, NOW + 77);
        recordsOf("nulls").forEach(appended::append);
        emit(out, "append-time", appended.build());
        ByteBuffer gaps = ByteBuffer.allocate(1000);
        MemoryRecordsBuilder builder = MemoryRecords.builder(gaps, none, TimestampType.CREATE_TIME, 1000L);
        for (long offset : new long[] {1003, 1004, 1099, 9000})
            builder.appendWithOffset(offset, new SimpleRecord(NOW - offset, ("k" + offset).getBytes(), null));
        emit(out, "gaps", builder.build());
        for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT})
            emit(out, type.name().toLowerCase(), MemoryRecords.withEndTransactionMarker(55L, NOW, 6, 77L, (short) 3,
                new EndTransactionMarker(type, 1_000_000)));
        emit(out, "leader-change", MemoryRecords.withLeaderChangeMessage(12L, NOW, 4, ByteBuffer.allocate(500),
            new LeaderChangeMessage().setVersion((short) 0).setLeaderId(3)));
        emit(out, "snapshot-header", MemoryRecords.withSnapshotHeaderRecord(0L, NOW, 4, ByteBuffer.allocate(500),
            new SnapshotHeaderRecord().setVersion((short) 0).setLastContainedLogTimestamp(NOW)));
    }

    static void emit(PrintStream out, String name, MemoryRecords records) {
        out.println(name + " none " + HEX.formatHex(Utils.toArray(records.buffer())));
    }

    static byte[] write(String content, Compression codec) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
        MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, codec, TimestampType.CREATE_TIME, 0L);
        for (SimpleRecord record : recordsOf(content))
            builder.append(record);
        return Utils.toArray(builder.build().buffer());
    }

    static List<SimpleRecord> recordsOf(String content) {
        List<SimpleRecord> records = new ArrayList<>();
        switch (content) {
            case "one" -> records.add(new SimpleRecord(NOW, "key".getBytes(), "value".getBytes()));
            case "nulls" -> {
                records.add(new SimpleRecord(RecordBatch.NO_TIMESTAMP, (byte[]) null, null));
                records.add(new SimpleRecord(0L, new byte[0], new byte[0]));
                records.add(new SimpleRecord(NOW, null, "value".getBytes()));
                records.add(new SimpleRecord(5L, "key".getBytes(), null));
            }
            case "headers" -> records.add(new SimpleRecord(NOW, "key".getBytes(), "value".getBytes(), new Header[] {
                new RecordHeader("first", "1".getBytes()), new RecordHeader("", null),
                new RecordHeader("ünïcode", new byte[200]), new RecordHeader("first", new byte[0])}));
            case "many" -> {
                for (int i = 0; i < 150; i++)
                    records.add(new SimpleRecord(NOW + (i * 7919L) % 1000, ("k" + i % 7).getBytes(),
                        "v".repeat(i % 40).getBytes()));
            }
            case "stored" -> {
                long state = 1;
                byte[] noise = new byte[3000];
                for (int i = 0; i < noise.length; i++) {
                    state = state * 6364136223846793005L + 1442695040888963407L;
                    noise[i] = (byte) (state >>> 33);
                }
                records.add(new SimpleRecord(NOW, null, noise));
            }
            // Several blocks of every codec.
            case "periodic" -> records.add(new SimpleRecord(NOW, null, "0123456789".repeat(15_000).getBytes()));
            default -> throw new IllegalArgumentException(content);
        }
        return records;
    }

    // ---- verdicts.txt

    static final class Verdicts {
        final PrintStream out;
        final Map<String, UnifiedLog> topics = new java.util.HashMap<>();
        final Map<String, byte[]> bases = new java.util.HashMap<>();
        final File dir = Files.createTempDirectory("capture").toFile();
        final KafkaScheduler scheduler = new KafkaScheduler(1);
        long nextProducer = 0;

        Verdicts(PrintStream out) throws Exception {
            this.out = out;
            scheduler.startup();
        }

        void run() throws Exception {
            topic("plain", "CreateTime", Long.MAX_VALUE, 3_600_000L, false);
            topic("bounded", "CreateTime", 1000L, 10L, false);
            topic("append", "LogAppendTime", Long.MAX_VALUE, 3_600_000L, false);
            topic("compacted", "CreateTime", Long.MAX_VALUE, 3_600_000L, true);
            for (String codec : CODECS.keySet()) {
                base("keys-" + codec, keys(CODECS.get(codec), 0));
                headerCases("keys-" + codec);
            }
            base("mixed", mixed());
            for (String topic : topics.keySet().stream().sorted().toList())
                judge(topic, 9, "mixed", "-");
            lengthCases();
            recordCases();
            streamCases();
            limitCases();
            frameCases();
            new Pairs(this).run();
        }

        void topic(String name, String type, long before, long after, boolean compacted) throws Exception {
            Properties properties = new Properties();
            properties.put("message.timestamp.type", type);
            properties.put("message.timestamp.before.max.ms", Long.toString(before));
            properties.put("message.timestamp.after.max.ms", Long.toString(after));
            properties.put("max.message.bytes", "5000");
            if (compacted)
                properties.put("cleanup.policy", "compact");
            topics.put(name, UnifiedLog.create(new File(dir, name + "-0"), new LogConfig(properties), 0L, 0L, scheduler,
                new BrokerTopicStats(), new FixedTime(), 60_000, new ProducerStateManagerConfig(60_000, false), 60_000,
                new LogDirFailureChannel(1), true, Optional.empty()));
            out.println("topic " + name + " " + type + " " + before + " " + after + " " + compacted);
        }

        void base(String name, byte[] bytes) {
            bases.put(name, bytes);
            out.println("base " + name + " " + HEX.formatHex(bytes));
        }

        static byte[] keys(Compression codec, int extra) {
            ByteBuffer buffer = ByteBuffer.allocate(100_000);
            MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, codec, TimestampType.CREATE_TIME, 0L);
            builder.append(NOW - 5, "k0".getBytes(), "zero".getBytes(),
                new Header[] {new RecordHeader("h", "1".getBytes()), new RecordHeader("", null)});
            builder.append(NOW - 3, "k1".getBytes(), "one".getBytes());
            builder.append(NOW - 4, "k2".getBytes(), extra == 0 ? null : new byte[extra]);
            return Utils.toArray(builder.build().buffer());
        }

        /** Records that one topic or another does not accept. */
        static byte[] mixed() {
            ByteBuffer buffer = ByteBuffer.allocate(1000);
            MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, Compression.NONE, TimestampType.CREATE_TIME, 0L);
            for (long timestamp : new long[] {NOW, NOW - 1000, NOW - 1001, NOW + 10, NOW + 11, 0, -1, NOW + 3_600_001})
                builder.append(timestamp, null, "v".getBytes());
            builder.append(NOW, "k".getBytes(), "v".getBytes());
            return Utils.toArray(builder.build().buffer());
        }

        /** Every field of the header with values that it should not have, and some that it may. */
        void headerCases(String base) {
            for (String topic : List.of("append", "bounded", "compacted", "plain"))
                judge(topic, 9, base, "-");
            judge("plain", 3, base, "-");
            judge("plain", 6, base, "-");
            judge("plain", 7, base, "-");
            for (String topic : List.of("plain", "append")) {
                for (int bit = 3; bit < 16; bit++)
                    judge(topic, 9, base, at(21, 2, 1 << bit | bases.get(base)[22]));
            }
            for (long offset : new long[] {1, -1, Long.MAX_VALUE})
                judge("plain", 9, base, at(0, 8, offset));
            for (long epoch : new long[] {0, 7, Integer.MAX_VALUE, Integer.MIN_VALUE})
                judge("plain", 9, base, at(12, 4, epoch));
            for (long magic = -2; magic < 5; magic++)
                judge("plain", 9, base, at(16, 1, magic));
            for (long crc : new long[] {0, 1})
                judge("plain", 9, base, "!," + at(17, 4, crc));
            for (long codec = 0; codec < 8; codec++)
                judge("plain", 9, base, at(21, 2, codec));
            judge("plain", 6, base, at(21, 2, 4));
            for (long count : new long[] {0, -1, 1, 2, 4, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                judge("plain", 9, base, at(57, 4, count));
                judge("plain", 9, base, at(23, 4, count - 1));
                judge("plain", 9, base, at(23, 4, count - 1) + "," + at(57, 4, count));
            }
            for (long timestamp : new long[] {-1, -2, 0, NOW, Long.MAX_VALUE, Long.MIN_VALUE}) {
                for (String topic : List.of("append", "bounded", "plain")) {
                    judge(topic, 9, base, at(27, 8, timestamp));
                    judge(topic, 9, base, at(35, 8, timestamp));
                }
            }
            // A producer is new each time, for what the log remembers of one is not the batch's affair.
            long n = nextProducer;
            nextProducer += 10;
            long[][] producers = {{n, 0, 0}, {n + 1, 0, -1}, {n + 2, 0, -2}, {n + 3, -1, 0}, {n + 4, 0, 5}, {-2, 0, 0},
                {-1, 0, 0}, {-1, -1, 7}, {Long.MAX_VALUE - n, Short.MAX_VALUE, Integer.MAX_VALUE}};
            for (long[] producer : producers) {
                String fields = at(43, 8, producer[0]) + "," + at(51, 2, producer[1]) + "," + at(53, 4, producer[2]);
                judge("plain", 9, base, fields);
                // Transactional without an id of a transaction is refused before the log sees it, so not tried here.
            }
        }

        /** Lengths that lie, more than one batch, bytes behind it, and a batch that is too large. */
        void lengthCases() {
            int size = bases.get("keys-none").length;
            for (int length : new int[] {-1, 0, 13, 14, 20, 48, 49, size - 13, size - 12, size - 11, Integer.MAX_VALUE})
                judge("plain", 9, "keys-none", at(8, 4, length));
            for (int cut : new int[] {0, 1, 11, 12, 16, 17, 60, 61, 62, size - 1})
                judge("plain", 9, "keys-none", "!,<" + cut);
            String batch = HEX.formatHex(bases.get("keys-none"));
            for (int bytes : new int[] {1, 11, 12, 16, 17, 26, 60, 61, size - 1, size})
                judge("plain", 9, "keys-none", "!,+" + batch.substring(0, 2 * bytes));
            judge("plain", 9, "keys-none", "!,+" + "00".repeat(11));
            judge("plain", 9, "keys-none", "!,+" + "00".repeat(12));
            judge("plain", 9, "keys-none", "!,+" + "00".repeat(40));
            judge("plain", 9, "keys-none", "!,+" + batch.substring(0, 32) + "03" + batch.substring(34));
            judge("plain", 9, "keys-none", "!,+" + batch.substring(0, 32) + "01" + batch.substring(34));
            base("old-v1", Utils.toArray(MemoryRecords.withRecords((byte) 1, Compression.NONE,
                new SimpleRecord(NOW, "v".getBytes())).buffer()));
            judge("plain", 9, "old-v1", "!");
            judge("plain", 3, "old-v1", "!");
            base("old-v0", Utils.toArray(MemoryRecords.withRecords((byte) 0, Compression.NONE,
                new SimpleRecord("v".getBytes())).buffer()));
            judge("plain", 9, "old-v0", "!");
            int room = 5000 - keys(Compression.NONE, 4000).length + 4000;
            base("largest", keys(Compression.NONE, room));
            judge("plain", 9, "largest", "-");
            base("too-large", keys(Compression.NONE, room + 1));
            judge("plain", 9, "too-large", "-");
            judge("plain", 9, "too-large", "!," + at(17, 4, 0));
            judge("plain", 9, "too-large", at(0, 8, 1));
        }

        /** Each byte of the records replaced, with and without compression. */
        void recordCases() {
            byte[] none = bases.get("keys-none");
            for (int position = 61; position < none.length; position++) {
                for (int with : new int[] {none[position] ^ 1, none[position] ^ 2, none[position] + 2, 0, 1, 0x7f, 0x80,
                    0xff}) {
                    if ((byte) with != none[position])
                        judge("plain", 9, "keys-none", at(position, 1, with));
                }
            }
            int n = 0;
            List<String> codecs = List.of("gzip", "snappy", "lz4", "zstd");
            for (int position = 61; position < none.length; position++) {
                for (int with : new int[] {none[position] ^ 1, none[position] + 2, 0xff}) {
                    byte[] spoilt = none.clone();
                    spoilt[position] = (byte) with;
                    String codec = codecs.get(n++ % codecs.size());
                    base("spoilt", compressed(spoilt, codec));
                    judge("plain", 9, "spoilt", "-");
                }
            }
            for (String codec : codecs) {
                byte[] longer = java.util.Arrays.copyOf(none, none.length + 1);
                base("longer", compressed(longer, codec));
                judge("plain", 9, "longer", "-");
                base("shorter", compressed(java.util.Arrays.copyOf(none, none.length - 1), codec));
                judge("plain", 9, "shorter", "-");
            }
        }

        /** Each byte of the compressed streams replaced, and the streams cut and lengthened. */
        void streamCases() {
            for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
                String base = "keys-" + codec;
                byte[] bytes = bases.get(base);
                for (int position = 61; position < bytes.length; position++) {
                    for (int with : new int[] {bytes[position] ^ 1, bytes[position] ^ 0x80})
                        judge("plain", 9, base, at(position, 1, with));
                }
                for (int cut = 61; cut < bytes.length; cut += 3)
                    judge("plain", 9, base, "<" + cut + "," + at(8, 4, cut - 12));
                judge("plain", 9, base, "+00," + at(8, 4, bytes.length + 1 - 12));
                String body = HEX.formatHex(bytes, 61, bytes.length);
                judge("plain", 9, base, "+" + body + "," + at(8, 4, bytes.length + body.length() / 2 - 12));
            }
            byte[] none = bases.get("keys-none");
            byte[] raw = null;
            try {
                raw = org.xerial.snappy.Snappy.compress(java.util.Arrays.copyOfRange(none, 61, none.length));
            } catch (java.io.IOException e) {
                throw new RuntimeException(e);
            }
            base("bare-snappy", joined(none, raw, 2));
            judge("plain", 9, "bare-snappy", "-");
        }

        /** Timestamps at the very limits, and records at fault in compressed batches. */
        void limitCases() throws Exception {
            topic("exact", "CreateTime", 0L, 0L, false);
            topic("open", "CreateTime", Long.MAX_VALUE, Long.MAX_VALUE, true);
            byte[] mixed = bases.get("mixed");
            for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
                base("mixed-" + codec, compressed(mixed, codec));
            for (String base : List.of("mixed", "mixed-gzip", "mixed-snappy", "mixed-lz4", "mixed-zstd")) {
                for (String topic : topics.keySet().stream().sorted().toList())
                    judge(topic, 9, base, "-");
            }
            for (long timestamp : new long[] {NOW - 1, NOW, NOW + 1, 0, -1, Long.MAX_VALUE - 1, Long.MAX_VALUE}) {
                base("single", single(timestamp));
                for (String topic : topics.keySet().stream().sorted().toList())
                    judge(topic, 9, "single", "-");
            }
        }

        static byte[] single(long timestamp) {
            return Utils.toArray(MemoryRecords.withRecords(Compression.NONE,
                new SimpleRecord(timestamp, "k".getBytes(), "v".getBytes())).buffer());
        }

        /** What a codec's format allows beside that which Kafka's own clients write. */
        void frameCases() throws Exception {
            byte[] none = bases.get("keys-none");
            byte[] records = java.util.Arrays.copyOfRange(none, 61, none.length);
            for (var codec : Frames.of(records).entrySet()) {
                int id = List.copyOf(CODECS.keySet()).indexOf(codec.getKey());
                for (var body : codec.getValue().entrySet()) {
                    base(codec.getKey() + "-" + body.getKey(), joined(none, body.getValue(), id));
                    judge("plain", 9, codec.getKey() + "-" + body.getKey(), "-");
                }
            }
        }

        /** The batch with its records compressed by that codec, whatever they are. */
        static byte[] compressed(byte[] batch, String codec) {
            org.apache.kafka.common.utils.ByteBufferOutputStream out =
                new org.apache.kafka.common.utils.ByteBufferOutputStream(10_000);
            try (java.io.OutputStream stream = CODECS.get(codec).wrapForOutput(out, (byte) 2)) {
                stream.write(batch, 61, batch.length - 61);
            } catch (java.io.IOException e) {
                throw new RuntimeException(e);
            }
            ByteBuffer body = out.buffer();
            body.flip();
            return joined(batch, Utils.toArray(body), CODECS.get(codec).type().id);
        }

        static byte[] joined(byte[] batch, byte[] body, int codec) {
            byte[] joined = java.util.Arrays.copyOf(batch, 61 + body.length);
            System.arraycopy(body, 0, joined, 61, body.length);
            ByteBuffer.wrap(joined).putInt(8, joined.length - 12).putShort(21, (short) codec);
            reseal(joined);
            return joined;
        }

        static void reseal(byte[] batch) {
            if (batch.length >= 21)
                ByteBuffer.wrap(batch).putInt(17, (int) Crc32C.compute(batch, 21, batch.length - 21));
        }

        static String at(int position, int width, long value) {
            byte[] bytes = ByteBuffer.allocate(8).putLong(value).array();
            return position + "=" + HEX.formatHex(bytes, 8 - width, 8);
        }

        static byte[] change(byte[] bytes, String changes) {
            byte[] changed = bytes.clone();
            boolean reseal = true;
            for (String change : changes.split(",")) {
                if (change.equals("!"))
                    reseal = false;
                else if (change.startsWith("+")) {
                    byte[] more = HEX.parseHex(change.substring(1));
                    changed = java.util.Arrays.copyOf(changed, changed.length + more.length);
                    System.arraycopy(more, 0, changed, changed.length - more.length, more.length);
                } else if (change.startsWith("<"))
                    changed = java.util.Arrays.copyOf(changed, Integer.parseInt(change.substring(1)));
                else if (!change.equals("-")) {
                    String[] parts = change.split("=");
                    byte[] with = HEX.parseHex(parts[1]);
                    System.arraycopy(with, 0, changed, Integer.parseInt(parts[0]), with.length);
                }
            }
            if (reseal)
                reseal(changed);
            return changed;
        }

        void judge(String topic, int version, String base, String changes) {
            byte[] bytes = change(bases.get(base), changes);
            String verdict;
            try {
                verdict = append(topics.get(topic), version, bytes);
            } catch (RecordValidationException e) {
                StringBuilder errors = new StringBuilder("error " + Errors.forException(e.invalidException()).code());
                e.recordErrors().forEach(error -> errors.append(" ").append(error.batchIndex));
                verdict = errors.toString();
            } catch (Throwable e) {
                verdict = "error " + Errors.forException(e).code();
            }
            out.println("case " + topic + " " + version + " " + base + " " + changes + " " + verdict);
        }

        static String append(UnifiedLog log, int version, byte[] bytes) throws Exception {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes.clone()));
            ProduceRequest.validateRecords((short) version, records);
            LogAppendInfo info = log.appendAsLeader(records, 0);
            ByteBuffer stored = ByteBuffer.allocate(61);
            FileRecords file = (FileRecords) log.read(info.firstOffset(), 1 << 20, FetchIsolation.LOG_END, true).records;
            file.readInto(stored, 0);
            byte[] header = stored.array();
            byte[] came = bytes.clone();
            System.arraycopy(came, 12, header, 12, 4);
            String magicOn = HEX.formatHex(header, 16, 61);
            return magicOn.equals(HEX.formatHex(came, 16, 61)) ? "same" : "stored " + magicOn;
        }
    }

    static final class FixedTime implements Time {
        @Override
        public long milliseconds() {
            return NOW;
        }

        @Override
        public long nanoseconds() {
            return NOW * 1_000_000;
        }

        @Override
        public void sleep(long ms) { }

        @Override
        public void waitObject(Object object, java.util.function.Supplier<Boolean> condition, long deadlineMs) { }
    }
}
