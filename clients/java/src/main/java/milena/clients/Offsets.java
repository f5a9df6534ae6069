package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.fails;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;

/** Offsets of partitions: their ends, by time, and the deletion of records. */
final class Offsets {
    private final Cluster cluster;

    Offsets(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        checks.add("beginning and end offsets", this::ends);
        checks.add("offsets for times", () -> times(Map.of("retention.ms", "-1")));
        checks.add("offsets for times over several segments", () -> times(Map.of("retention.ms", "-1", "segment.bytes", "1048576")));
        checks.add("the offset of the latest timestamp", this::maxTimestamp);
        checks.add("records are deleted", this::deletesRecords);
        checks.add("deletions that must be refused", this::refusesDeletion);
    }

    private void ends() throws Exception {
        String topic = cluster.topic("ends", 3);
        cluster.write(topic, 0, "v", 7);
        cluster.write(topic, 2, "v", 1);
        var partitions = List.of(at(topic, 0), at(topic, 1), at(topic, 2));
        try (Consumer<String, String> consumer = cluster.consumer(Map.of())) {
            equal(Map.of(at(topic, 0), 0L, at(topic, 1), 0L, at(topic, 2), 0L),
                    new HashMap<>(consumer.beginningOffsets(partitions)), "beginnings");
            equal(Map.of(at(topic, 0), 7L, at(topic, 1), 0L, at(topic, 2), 1L),
                    new HashMap<>(consumer.endOffsets(partitions)), "ends");
        }
        equal(7L, offset(at(topic, 0), OffsetSpec.latest()), "latest");
        equal(0L, offset(at(topic, 0), OffsetSpec.earliest()), "earliest");
    }

    private void times(Map<String, String> configs) throws Exception {
        String topic = cluster.topic("times", 1, configs);
        long start = 1_700_000_000_000L;
        for (String codec : List.of("none", "zstd")) {
            try (var producer = cluster.producer(Map.of("compression.type", codec, "linger.ms", "5"))) {
                for (int i = 0; i < 2_000; i++) {
                    int n = codec.equals("none") ? i : 2_000 + i;
                    String value = "v".repeat(1_000) + n;
                    producer.send(new ProducerRecord<>(topic, 0, start + 10L * n, "k", value));
                }
            }
        }
        try (Consumer<String, String> consumer = cluster.consumer(Map.of())) {
            for (int n : new int[] {0, 1, 999, 1_999, 2_000, 3_456, 3_999}) {
                long exact = start + 10L * n;
                var found = consumer.offsetsForTimes(Map.of(at(topic, 0), exact)).get(at(topic, 0));
                equal((long) n, found.offset(), "offset of " + n);
                equal(exact, found.timestamp(), "timestamp of " + n);
                var before = consumer.offsetsForTimes(Map.of(at(topic, 0), exact - 5)).get(at(topic, 0));
                equal((long) n, before.offset(), "offset shortly before " + n);
                equal(exact, before.timestamp(), "timestamp shortly before " + n);
            }
            var after = consumer.offsetsForTimes(Map.of(at(topic, 0), start + 40_000));
            equal(null, after.get(at(topic, 0)), "an offset after the last record");
            var none = consumer.offsetsForTimes(Map.of(at(cluster.topic("empty", 1), 0), 0L));
            equal(null, none.values().iterator().next(), "an offset in an empty partition");
        }
    }

    private void maxTimestamp() throws Exception {
        String topic = cluster.topic("latest-time", 1);
        equal(-1L, offset(at(topic, 0), OffsetSpec.maxTimestamp()), "of an empty partition");
        long now = System.currentTimeMillis();
        try (var producer = cluster.producer(Map.of())) {
            for (long delta : new long[] {100, 900, 500}) {
                producer.send(new ProducerRecord<>(topic, 0, now - 1_000 + delta, "k", "v")).get();
            }
        }
        equal(1L, offset(at(topic, 0), OffsetSpec.maxTimestamp()), "of one batch a record");
        try (var producer = cluster.producer(Map.of("linger.ms", "100", "compression.type", "gzip"))) {
            for (long delta : new long[] {901, 950, 999, 920}) {
                producer.send(new ProducerRecord<>(topic, 0, now - 1_000 + delta, "k", "v"));
            }
        }
        equal(5L, offset(at(topic, 0), OffsetSpec.maxTimestamp()), "inside a compressed batch");
    }

    private void deletesRecords() throws Exception {
        String topic = cluster.topic("delete-records", 2);
        cluster.write(topic, 0, "v", 20);
        cluster.write(topic, 1, "v", 5);
        equal(12L, delete(at(topic, 0), 12), "low watermark");
        equal(5L, delete(at(topic, 1), -1), "low watermark of all");
        equal(12L, delete(at(topic, 0), 3), "low watermark never goes back");
        equal(12L, offset(at(topic, 0), OffsetSpec.earliest()), "beginning");
        equal(5L, offset(at(topic, 1), OffsetSpec.earliest()), "beginning of the emptied one");
        equal("v12", cluster.read(topic, 0, 8).get(0).value(), "first value");
        try (Consumer<String, String> consumer = cluster.consumer(Map.of())) {
            consumer.assign(List.of(at(topic, 0)));
            consumer.seek(at(topic, 0), 2);
            equal(12L, Cluster.poll(consumer, 8).get(0).offset(), "first offset after a reset");
        }
        equal(5L, cluster.write(topic, 1, "w", 1).get(0).offset(), "the next offset");
    }

    private void refusesDeletion() throws Exception {
        String topic = cluster.topic("undeletable", 1);
        cluster.write(topic, 0, "v", 3);
        fails(OffsetOutOfRangeException.class, () -> delete(at(topic, 0), 4));
        String compacted = cluster.topic("undeletable", 1, Map.of("cleanup.policy", "compact"));
        cluster.write(compacted, 0, "v", 3);
        fails(org.apache.kafka.common.errors.PolicyViolationException.class, () -> delete(at(compacted, 0), 1));
    }

    private long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return cluster.admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private long delete(TopicPartition partition, long before) throws Exception {
        var deletion = Map.of(partition, RecordsToDelete.beforeOffset(before));
        return cluster.admin.deleteRecords(deletion).lowWatermarks().get(partition).get().lowWatermark();
    }

    private static TopicPartition at(String topic, int partition) {
        return new TopicPartition(topic, partition);
    }
}
