package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.that;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.connect.mirror.MirrorClient;
import org.apache.kafka.connect.mirror.MirrorMaker;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/** MirrorMaker 2, at least once: topics, their settings, records and groups' offsets go from one broker to another. */
final class Mirroring {
    private static final int ROUND = 100;
    /** Records that are deleted before they could be mirrored, so that offsets differ between the two. */
    private static final int DELETED = 10;
    private static final long FIRST_TIME_MS = 1_700_000_000_000L;

    private final Cluster source;
    private final Cluster target;
    private final String topic;
    private final String mirror;
    /** A group that has read everything, and one that has not. */
    private final String whole = Cluster.fresh("mirrored-whole");
    private final String half = Cluster.fresh("mirrored-half");
    private MirrorMaker maker;
    private int written = 0;

    Mirroring(Cluster source, Cluster target) throws Exception {
        this.source = source;
        this.target = target;
        this.topic = source.topic("mirrored", 2, Map.of("retention.ms", "-1", "max.message.bytes", "2000000"));
        this.mirror = "source." + topic;
    }

    void run() throws Exception {
        Checks checks = new Checks();
        checks.add("records that were there before it are mirrored", () -> {
            write();
            long from = DELETED;
            source.admin.deleteRecords(Map.of(
                    new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(from),
                    new TopicPartition(topic, 1), RecordsToDelete.beforeOffset(from))).all().get();
            start();
            mirrored();
        });
        checks.add("the mirror has the topic's partitions and settings", this::settings);
        checks.add("a group's offsets are translated", this::translates);
        checks.add("a group goes on at the mirror where it was", this::goesOn);
        checks.add("heartbeats tell the way", this::heartbeats);
        checks.add("a topic that grows, whose settings change", this::changes);
        checks.add("MirrorMaker that begins again goes on where it was", () -> {
            stop();
            write();
            start();
            write();
            mirrored();
        });
        checks.run();
        stop();
    }

    private void start() {
        maker = new MirrorMaker(clusters());
        maker.start();
    }

    private void stop() {
        maker.stop();
        maker.awaitStop();
    }

    private Map<String, String> clusters() {
        Map<String, String> settings = new HashMap<>(Map.of(
                "clusters", "source, target",
                "source.bootstrap.servers", source.address,
                "target.bootstrap.servers", target.address,
                "source->target.enabled", "true",
                "source->target.topics", "mirrored-.*",
                "source->target.groups", "mirrored-.*",
                "sync.group.offsets.enabled", "true",
                "offset.lag.max", "0",
                "offset.flush.interval.ms", "500",
                "scheduled.rebalance.max.delay.ms", "0"));
        for (String what : List.of("emit.checkpoints", "emit.heartbeats", "sync.group.offsets", "sync.topic.configs",
                "refresh.topics", "refresh.groups")) {
            settings.put(what + ".interval.seconds", "1");
        }
        for (String what : List.of("", "checkpoints.topic.", "heartbeats.topic.", "offset-syncs.topic.", "config.storage.",
                "offset.storage.", "status.storage.")) {
            settings.put(what + "replication.factor", "1");
        }
        return settings;
    }

    private Map<String, Object> targetSettings() {
        return Map.of("bootstrap.servers", target.address);
    }

    /** Appends a round of records to each partition, some without a key, some without a value. */
    private void write() throws Exception {
        try (KafkaProducer<String, String> producer = source.producer(Map.of("compression.type", "lz4"))) {
            for (int i = written; i < written + ROUND; i++) {
                for (int partition = 0; partition < 2; partition++) {
                    String key = i % 5 == 4 ? null : "key-" + partition + "-" + i;
                    String value = i % 7 == 6 ? null : "value-" + partition + "-" + i;
                    var record = new ProducerRecord<>(topic, partition, FIRST_TIME_MS + i, key, value);
                    record.headers().add("at", (partition + "-" + i).getBytes(StandardCharsets.UTF_8));
                    producer.send(record);
                }
            }
        }
        written += ROUND;
    }

    /** Every record of the source is in the mirror's partition of the same number, at least once and in order. */
    private void mirrored() throws Exception {
        for (int partition = 0; partition < 2; partition++) {
            int count = written - DELETED;
            TopicPartition it = new TopicPartition(mirror, partition);
            eventually("the mirror has " + count + " records", 120_000, () -> end(target, it) >= count);
            List<String> expected = shown(source.read(topic, partition, count));
            List<String> found = shown(target.read(mirror, partition, (int) end(target, it)));
            equal(expected, List.copyOf(new LinkedHashSet<>(found)), "the records of " + it);
        }
    }

    private static List<String> shown(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(Mirroring::shown).toList();
    }

    private static String shown(ConsumerRecord<String, String> record) {
        String at = new String(record.headers().lastHeader("at").value(), StandardCharsets.UTF_8);
        return record.timestamp() + " " + record.key() + " " + record.value() + " " + at;
    }

    private static long end(Cluster cluster, TopicPartition partition) {
        try {
            return cluster.admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get().offset();
        } catch (Exception notYet) {
            return 0;
        }
    }

    private void settings() throws Exception {
        equal(2, partitions(), "partitions");
        equal("2000000", setting("max.message.bytes"), "max.message.bytes");
        equal("-1", setting("retention.ms"), "retention.ms");
    }

    private int partitions() throws Exception {
        return target.admin.describeTopics(List.of(mirror)).allTopicNames().get().get(mirror).partitions().size();
    }

    private String setting(String name) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, mirror);
        Config config = target.admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return config.get(name).value();
    }

    /**
     * A group at the end of the log is translated exactly, and one in its midst to where no record that it has not read is
     * left out.
     */
    private void translates() throws Exception {
        read(whole, written - DELETED);
        eventually("the group at the end is translated", 40_000, () -> translated(whole).equals(offsets(written - DELETED)));
        // Offsets from before MirrorMaker has begun are not translated.
        write();
        read(half, written - DELETED - ROUND / 2);
        long expected = written - DELETED - ROUND / 2;
        eventually("the group in the midst is translated", 40_000, () -> translated(half).size() == 2);
        translated(half).forEach((partition, offset) -> {
            that(offset <= expected, partition + " leaves records out: " + offset + " of " + expected);
            that(offset > 0, partition + " begins anew");
        });
        eventually("the target's groups have them", 40_000, () ->
                committed(half).equals(translated(half)) && committed(whole).equals(translated(whole)));
    }

    private Map<TopicPartition, Long> offsets(long offset) {
        return Map.of(new TopicPartition(mirror, 0), offset, new TopicPartition(mirror, 1), offset);
    }

    private Map<TopicPartition, Long> translated(String group) throws Exception {
        return plain(RemoteClusterUtils.translateOffsets(targetSettings(), "source", group, Duration.ofSeconds(10)));
    }

    private Map<TopicPartition, Long> committed(String group) throws Exception {
        return plain(target.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get());
    }

    private static Map<TopicPartition, Long> plain(Map<TopicPartition, OffsetAndMetadata> offsets) {
        Map<TopicPartition, Long> plain = new HashMap<>();
        offsets.forEach((partition, offset) -> plain.put(partition, offset.offset()));
        return plain;
    }

    /** Has a member of a group read so many records of each partition, and commit. */
    private void read(String group, int count) {
        Map<String, String> settings = Map.of("group.id", group, "max.poll.records", "1");
        try (Consumer<String, String> consumer = source.consumer(settings)) {
            consumer.subscribe(List.of(topic));
            Map<TopicPartition, Integer> read = new HashMap<>();
            long deadline = System.currentTimeMillis() + 30_000;
            while (read.values().stream().mapToInt(it -> it).sum() < 2 * count) {
                that(System.currentTimeMillis() < deadline, "the source is read: " + read);
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    TopicPartition it = new TopicPartition(record.topic(), record.partition());
                    if (read.merge(it, 1, Integer::sum) == count) {
                        consumer.pause(List.of(it));
                    }
                }
            }
            consumer.commitSync();
        }
    }

    /** No record that the group has not read at the source is left out at the target. */
    private void goesOn() throws Exception {
        mirrored();
        Map<TopicPartition, Long> from = committed(half);
        Map<String, String> settings = Map.of("group.id", half, "auto.offset.reset", "none");
        try (Consumer<String, String> consumer = target.consumer(settings)) {
            consumer.subscribe(List.of(mirror));
            int count = 0;
            for (long offset : from.values()) {
                count += (int) (written - DELETED - offset);
            }
            List<ConsumerRecord<String, String>> records = Cluster.poll(consumer, count);
            for (int partition = 0; partition < 2; partition++) {
                int it = partition;
                List<String> found = shown(records.stream().filter(record -> record.partition() == it).toList());
                List<String> all = shown(source.read(topic, partition, written - DELETED));
                int first = from.get(new TopicPartition(mirror, partition)).intValue();
                equal(all.subList(first, all.size()), found, "what the group reads of partition " + partition);
            }
            consumer.commitSync();
        }
    }

    private void heartbeats() throws Exception {
        try (MirrorClient client = new MirrorClient(targetSettings())) {
            eventually("heartbeats arrive", 40_000, () -> client.upstreamClusters().equals(Set.of("source")));
            equal(1, client.replicationHops("source"), "hops");
            equal(Set.of("source.checkpoints.internal"), client.checkpointTopics(), "topics of checkpoints");
            that(client.remoteTopics().contains(mirror), "the mirror is known: " + client.remoteTopics());
        }
        TopicPartition beats = new TopicPartition("source.heartbeats", 0);
        long sofar = end(target, beats);
        eventually("hearts beat on", 20_000, () -> end(target, beats) > sofar);
    }

    private void changes() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry("retention.ms", "88000000"), AlterConfigOp.OpType.SET);
        source.admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        source.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        eventually("the mirror grows", 40_000, () -> partitions() == 3);
        eventually("the setting follows", 40_000, () -> setting("retention.ms").equals("88000000"));
        source.write(topic, 2, "late", 5);
        eventually("the new partition is mirrored", 40_000, () -> end(target, new TopicPartition(mirror, 2)) == 5);
        List<String> values = new ArrayList<>(Cluster.values(target.read(mirror, 2, 5)));
        equal(List.of("late0", "late1", "late2", "late3", "late4"), values, "values");
    }
}
