package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.that;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What a broker must still know after it was stopped or killed. */
final class Restart {
    private static final String TOPIC = "kept";
    private static final String GROUP = "kept-group";
    private static final int RECORDS = 300;

    private Restart() {}

    /** What is there before the broker ends. */
    static void before(Cluster cluster) {
        Checks checks = new Checks();
        checks.add("topics, records, configs and offsets are written", () -> {
            var topic = new NewTopic(TOPIC, 3, (short) 1).configs(Map.of("retention.ms", "7654321"));
            cluster.admin.createTopics(List.of(topic, new NewTopic("gone", 1, (short) 1))).all().get();
            for (int i = 0; i < 3; i++) {
                cluster.write(TOPIC, i, "v", RECORDS);
            }
            cluster.admin.deleteTopics(List.of("gone")).all().get();
            commit(cluster, 100);
        });
        checks.run();
    }

    /** What must be there after the broker ended and started {@code times} times. */
    static void after(Cluster cluster, int times) {
        Checks checks = new Checks();
        checks.add("the group resumes where it was", () -> resumes(cluster, times));
        checks.add("records and their offsets are kept", () -> {
            for (int i = 0; i < 3; i++) {
                int count = RECORDS + times - 1;
                equal("v" + (RECORDS - 1), cluster.read(TOPIC, i, count).get(RECORDS - 1).value(), "value");
                equal((long) count, cluster.write(TOPIC, i, "after", 1).get(0).offset(), "the next offset");
            }
        });
        checks.add("topics and configs are kept", () -> {
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
            var config = cluster.admin.describeConfigs(List.of(resource)).all().get().get(resource);
            equal("7654321", config.get("retention.ms").value(), "retention.ms");
            Checks.fails(UnknownTopicOrPartitionException.class,
                    () -> cluster.admin.describeTopics(List.of("gone")).allTopicNames().get());
        });
        checks.run();
    }

    private static void resumes(Cluster cluster, int times) throws Exception {
        long from = 100L + times - 1;
        Map<TopicPartition, OffsetAndMetadata> committed =
                cluster.admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
        for (int i = 0; i < 3; i++) {
            equal(from, committed.get(new TopicPartition(TOPIC, i)).offset(), "committed");
        }
        try (Member member = new Member(cluster, GROUP, TOPIC, Map.of("enable.auto.commit", "false"))) {
            int expected = 3 * (int) (RECORDS + times - 1 - from);
            eventually("the rest is read", 30_000, () -> member.values.size() == expected);
        }
        commit(cluster, from + 1);
    }

    private static void commit(Cluster cluster, long offset) throws Exception {
        var offsets = new java.util.HashMap<TopicPartition, OffsetAndMetadata>();
        for (int i = 0; i < 3; i++) {
            offsets.put(new TopicPartition(TOPIC, i), new OffsetAndMetadata(offset));
        }
        cluster.admin.alterConsumerGroupOffsets(GROUP, offsets).all().get();
    }

    /** Writes a sequence through whatever happens to the broker, and reads it back: no loss, no duplicate. */
    static void load(Cluster cluster, String topic, int count) {
        Checks checks = new Checks();
        checks.add("every acknowledged record is there once and in order", () -> {
            Set<Long> acknowledged = new HashSet<>();
            Map<String, String> settings = Map.of(
                    "acks", "all", "enable.idempotence", "true", "linger.ms", "2",
                    "delivery.timeout.ms", "60000", "request.timeout.ms", "5000");
            try (var producer = cluster.producer(settings)) {
                for (int i = 0; i < count; i++) {
                    producer.send(new ProducerRecord<>(topic, 0, null, "v" + i), (metadata, failure) -> {
                        if (failure == null) {
                            acknowledged.add(metadata.offset());
                        }
                    });
                    if (i == count / 10) {
                        System.out.println("writing");
                    }
                    Thread.sleep(i % 10 == 0 ? 1 : 0);
                }
            }
            equal(count, acknowledged.size(), "acknowledged");
            var records = cluster.read(topic, 0, count);
            for (int i = 0; i < count; i++) {
                equal("v" + i, records.get(i).value(), "value");
                that(acknowledged.contains(records.get(i).offset()), "an offset that was not acknowledged");
            }
        });
        checks.run();
    }
}
