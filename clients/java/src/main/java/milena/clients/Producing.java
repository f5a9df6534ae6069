package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.record.TimestampType;

/** The producer: what it sends is what is read, and what must be refused is. */
final class Producing {
    private final Cluster cluster;

    Producing(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            checks.add("records compressed by " + codec, () -> roundTrip(codec));
            checks.add("a topic whose compression is to be " + codec, () -> topicCompression(codec));
        }
        for (String acks : List.of("0", "1", "all")) {
            checks.add("acks=" + acks, () -> acks(acks));
        }
        checks.add("keys, values and headers that are null or empty", this::nullsAndHeaders);
        checks.add("an idempotent producer with five requests in flight", this::idempotent);
        checks.add("records of a megabyte", this::bigRecords);
        checks.add("a topic's limit on the size of messages", this::messageLimit);
        checks.add("timestamps are the producer's", this::createTime);
        checks.add("timestamps are the broker's", this::logAppendTime);
        checks.add("timestamps out of bounds are refused", this::timestampBounds);
        checks.add("a compacted topic refuses records without a key", this::compactedNeedsKeys);
        checks.add("twenty thousand records over eight partitions", this::manyPartitions);
    }

    private void roundTrip(String codec) throws Exception {
        String topic = cluster.topic("codec-" + codec, 1);
        List<String> sent = new ArrayList<>();
        List<Future<RecordMetadata>> waiting = new ArrayList<>();
        try (var producer = cluster.producer(Map.of("compression.type", codec, "linger.ms", "20"))) {
            for (int i = 0; i < 500; i++) {
                sent.add("value " + i + " " + "abc".repeat(i % 50));
                waiting.add(producer.send(new ProducerRecord<>(topic, "k" + i, sent.get(i))));
            }
        }
        for (int i = 0; i < 500; i++) {
            equal((long) i, waiting.get(i).get().offset(), "offset");
        }
        equal(sent, Cluster.values(cluster.read(topic, 0, 500)), "values");
    }

    private void topicCompression(String codec) throws Exception {
        String kept = codec.equals("none") ? "uncompressed" : codec;
        String topic;
        try {
            topic = cluster.topic("kept-" + codec, 1, Map.of("compression.type", kept));
        } catch (ExecutionException refusal) {
            // A broker that does not recompress must say so rather than keep another codec than it was told.
            equal(InvalidConfigurationException.class, refusal.getCause().getClass(), "refusal");
            that(refusal.getCause().getMessage().contains("compression.type"), "it says which setting");
            return;
        }
        List<String> sent = new ArrayList<>();
        try (var producer = cluster.producer(Map.of("compression.type", "lz4", "linger.ms", "20"))) {
            for (int i = 0; i < 100; i++) {
                sent.add("value " + i);
                producer.send(new ProducerRecord<>(topic, "k", sent.get(i)));
            }
        }
        equal(sent, Cluster.values(cluster.read(topic, 0, 100)), "values");
    }

    private void acks(String acks) throws Exception {
        String topic = cluster.topic("acks-" + acks, 1);
        Map<String, String> settings = Map.of("acks", acks, "enable.idempotence", "false");
        try (var producer = cluster.producer(settings)) {
            for (int i = 0; i < 50; i++) {
                long offset = producer.send(new ProducerRecord<>(topic, "k", "v" + i)).get().offset();
                equal(acks.equals("0") ? -1L : (long) i, offset, "offset");
            }
        }
        equal("v49", cluster.read(topic, 0, 50).get(49).value(), "the last value");
    }

    private void nullsAndHeaders() throws Exception {
        String topic = cluster.topic("nulls", 1);
        try (var producer = cluster.producer(Map.of())) {
            producer.send(new ProducerRecord<>(topic, null, null));
            producer.send(new ProducerRecord<>(topic, "", ""));
            var record = new ProducerRecord<>(topic, "k", "v");
            record.headers().add("a", "1".getBytes(StandardCharsets.UTF_8));
            record.headers().add("a", "2".getBytes(StandardCharsets.UTF_8));
            record.headers().add("", new byte[0]);
            record.headers().add("größe", null);
            producer.send(record);
        }
        var records = cluster.read(topic, 0, 3);
        equal(null, records.get(0).key(), "null key");
        equal(null, records.get(0).value(), "null value");
        equal("", records.get(1).key(), "empty key");
        equal("", records.get(1).value(), "empty value");
        var headers = records.get(2).headers().toArray();
        equal(4, headers.length, "headers");
        equal("2", new String(headers[1].value(), StandardCharsets.UTF_8), "the second of one name");
        equal(0, headers[2].value().length, "empty header");
        equal("größe", headers[3].key(), "name");
        equal(null, headers[3].value(), "null header");
    }

    private void idempotent() throws Exception {
        String topic = cluster.topic("idempotent", 1);
        Map<String, String> settings = Map.of(
                "enable.idempotence", "true", "acks", "all", "batch.size", "512", "linger.ms", "0",
                "max.in.flight.requests.per.connection", "5");
        List<Future<RecordMetadata>> waiting = new ArrayList<>();
        List<String> sent = new ArrayList<>();
        try (var producer = cluster.producer(settings)) {
            for (int i = 0; i < 5000; i++) {
                sent.add("v" + i);
                waiting.add(producer.send(new ProducerRecord<>(topic, "k", sent.get(i))));
            }
        }
        for (int i = 0; i < 5000; i++) {
            equal((long) i, waiting.get(i).get().offset(), "offset");
        }
        equal(sent, Cluster.values(cluster.read(topic, 0, 5000)), "values");
    }

    private void bigRecords() throws Exception {
        String topic = cluster.topic("big", 1);
        String big = "b".repeat(1_048_000);
        try (var producer = cluster.producer(Map.of("max.request.size", "5000000", "buffer.memory", "50000000"))) {
            for (int i = 0; i < 5; i++) {
                producer.send(new ProducerRecord<>(topic, "k", big)).get();
            }
            String larger = "c".repeat(1_100_000);
            fails(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, "k", larger)).get());
            producer.send(new ProducerRecord<>(topic, "k", "small")).get();
        }
        var records = cluster.read(topic, 0, 6);
        equal(big, records.get(4).value(), "the last big value");
        equal("small", records.get(5).value(), "the record after the refused one");
    }

    private void messageLimit() throws Exception {
        String topic = cluster.topic("limited", 1, Map.of("max.message.bytes", "1000"));
        try (var producer = cluster.producer(Map.of())) {
            producer.send(new ProducerRecord<>(topic, "k", "x".repeat(800))).get();
            fails(RecordTooLargeException.class,
                    () -> producer.send(new ProducerRecord<>(topic, "k", "x".repeat(1000))).get());
        }
        // Many small records in one batch are split by the producer once the broker refuses the batch.
        try (var producer = cluster.producer(Map.of("linger.ms", "100", "enable.idempotence", "false"))) {
            for (int i = 0; i < 100; i++) {
                producer.send(new ProducerRecord<>(topic, "k", "v" + i));
            }
        }
        equal("v99", cluster.read(topic, 0, 101).get(100).value(), "the last value");
    }

    private void createTime() throws Exception {
        String topic = cluster.topic("create-time", 1, Map.of("retention.ms", "-1"));
        try (var producer = cluster.producer(Map.of())) {
            var metadata = producer.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L, "k", "v")).get();
            equal(1_700_000_000_000L, metadata.timestamp(), "acknowledged timestamp");
        }
        var record = cluster.read(topic, 0, 1).get(0);
        equal(1_700_000_000_000L, record.timestamp(), "timestamp");
        equal(TimestampType.CREATE_TIME, record.timestampType(), "type");
        equal(0, record.leaderEpoch().orElse(-1), "leader epoch");
    }

    private void logAppendTime() throws Exception {
        for (String codec : List.of("none", "gzip", "zstd")) {
            String topic = cluster.topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
            long before = System.currentTimeMillis();
            try (var producer = cluster.producer(Map.of("compression.type", codec))) {
                var metadata = producer.send(new ProducerRecord<>(topic, 0, 1_000L, "k", "v")).get();
                that(metadata.timestamp() >= before, "the broker's time in the acknowledgement");
            }
            var record = cluster.read(topic, 0, 1).get(0);
            that(record.timestamp() >= before, "the broker's time");
            equal(TimestampType.LOG_APPEND_TIME, record.timestampType(), "type");
        }
    }

    private void timestampBounds() throws Exception {
        Map<String, String> bounds = Map.of(
                "message.timestamp.before.max.ms", "3600000", "message.timestamp.after.max.ms", "3600000");
        String topic = cluster.topic("bounded", 1, bounds);
        long now = System.currentTimeMillis();
        try (var producer = cluster.producer(Map.of("retries", "0", "enable.idempotence", "false"))) {
            producer.send(new ProducerRecord<>(topic, 0, now, "k", "v")).get();
            for (long wrong : List.of(now - 7_200_000, now + 7_200_000)) {
                fails(InvalidTimestampException.class,
                        () -> producer.send(new ProducerRecord<>(topic, 0, wrong, "k", "v")).get());
            }
        }
        equal(1, cluster.read(topic, 0, 1).size(), "records");
    }

    private void compactedNeedsKeys() throws Exception {
        String topic = cluster.topic("compacted", 1, Map.of("cleanup.policy", "compact"));
        for (String codec : List.of("none", "lz4")) {
            Map<String, String> settings = Map.of("compression.type", codec, "enable.idempotence", "false");
            try (KafkaProducer<String, String> producer = cluster.producer(settings)) {
                producer.send(new ProducerRecord<>(topic, "k", "v")).get();
                fails(InvalidRecordException.class, () -> producer.send(new ProducerRecord<>(topic, null, "v")).get());
            }
        }
    }

    private void manyPartitions() throws Exception {
        String topic = cluster.topic("many", 8);
        List<Future<RecordMetadata>> waiting = new ArrayList<>();
        try (var producer = cluster.producer(Map.of("compression.type", "lz4", "linger.ms", "5"))) {
            for (int i = 0; i < 20_000; i++) {
                waiting.add(producer.send(new ProducerRecord<>(topic, "key-" + i, "value-" + i)));
            }
        }
        for (var future : waiting) {
            future.get();
        }
        try (var consumer = cluster.consumer(Map.of("group.id", Cluster.fresh("many")))) {
            consumer.subscribe(List.of(topic));
            var records = Cluster.poll(consumer, 20_000);
            equal(20_000L, records.stream().map(record -> record.key()).distinct().count(), "distinct keys");
            equal(8L, records.stream().map(record -> record.partition()).distinct().count(), "partitions");
        }
    }
}
