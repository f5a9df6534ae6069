package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.that;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Fills a broker with all that its directory must carry to another one. */
final class Migration {
    private static final String SEGMENT_BYTES = "1048576";
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int COMPACTED = 3000;
    /** As long as a broker allows: the transaction that is left open outlives the suite. */
    private static final String TRANSACTION_MS = "900000";

    private final Cluster cluster;
    private final Random random = new Random(7);

    private Migration(Cluster cluster) {
        this.cluster = cluster;
    }

    /** Everything but transactions. */
    static void fill(Cluster cluster) {
        Migration it = new Migration(cluster);
        Checks checks = new Checks();
        checks.add("segments of every codec are written", it::codecs);
        checks.add("topics are altered, trimmed, extended and deleted", it::topics);
        checks.add("groups commit", it::groups);
        checks.add("a topic is compacted", () -> it.compacted("compacted", "compact", false));
        checks.add("a topic is compacted and retained", () -> it.compacted("compacted-retained", "compact,delete", false));
        checks.run();
    }

    /** Transactions of every outcome; the process ends without closing the one that is open. */
    static void transactions(Cluster cluster) {
        Migration it = new Migration(cluster);
        Checks checks = new Checks();
        checks.add("a topic of transactions is compacted", () -> it.compacted("compacted-transactional", "compact", true));
        checks.add("transactions are committed, aborted and left open", it::outcomes);
        checks.run();
        Runtime.getRuntime().halt(0);
    }

    /** A new incarnation of the producer that left its transaction open aborts it, and the reader goes on. */
    static void settle(Cluster cluster) {
        Checks checks = new Checks();
        checks.add("the transaction that was left open holds readers back until its producer comes again", () -> {
            TopicPartition partition = new TopicPartition("transactional", 0);
            that(end(cluster, partition, IsolationLevel.READ_COMMITTED)
                    < end(cluster, partition, IsolationLevel.READ_UNCOMMITTED), "nothing is held back");
            try (var producer = transactional(cluster, "left-open")) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("transactional", 0, "after", "after")).get();
                producer.commitTransaction();
            }
            eventually("readers go on", 10_000, () -> end(cluster, partition, IsolationLevel.READ_COMMITTED)
                    == end(cluster, partition, IsolationLevel.READ_UNCOMMITTED));
        });
        checks.run();
    }

    /** More of what is there: the next offset is the one after the last. */
    static void more(Cluster cluster, int turn) {
        Migration it = new Migration(cluster);
        Checks checks = new Checks();
        checks.add("what is written follows what was there", () -> {
            for (String topic : List.of("codecs", "altered", "trimmed", "compacted", "compacted-retained")) {
                TopicPartition partition = new TopicPartition(topic, 0);
                long end = end(cluster, partition, IsolationLevel.READ_UNCOMMITTED);
                for (String codec : CODECS) {
                    try (var producer = cluster.producer(Map.of("compression.type", codec))) {
                        var record = new ProducerRecord<>(topic, 0, "k" + turn, it.noise(500));
                        equal(end++, producer.send(record).get().offset(), topic + " by " + codec);
                    }
                }
            }
            it.commit("simple", "codecs", 100 + turn);
        });
        checks.run();
    }

    /** One idempotent producer that writes on each line of the input, whoever the broker is by then. */
    static void bridge(Cluster cluster) throws Exception {
        String topic = "bridged";
        if (!cluster.admin.listTopics().names().get().contains(topic)) {
            cluster.admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        }
        var lines = new BufferedReader(new InputStreamReader(System.in));
        long expected = 0;
        var settings = Map.of("acks", "all", "enable.idempotence", "true", "delivery.timeout.ms", "60000",
                "request.timeout.ms", "5000", "linger.ms", "2");
        try (var producer = cluster.producer(settings)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                List<Future<RecordMetadata>> waiting = new ArrayList<>();
                for (int i = 0; i < 200; i++) {
                    waiting.add(producer.send(new ProducerRecord<>(topic, 0, null, line + i)));
                }
                for (var future : waiting) {
                    equal(expected++, future.get().offset(), "offset");
                }
                System.out.println("written " + line);
            }
        }
    }

    private void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        cluster.admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        eventually("the topic is known", 10_000, () -> cluster.admin.listTopics().names().get().contains(topic));
    }

    /** Text that hardly compresses, so that segments fill by every codec. */
    private String noise(int length) {
        StringBuilder text = new StringBuilder(length);
        for (int i = 0; i < length; i++) {
            text.append((char) ('!' + random.nextInt(90)));
        }
        return text.toString();
    }

    private void codecs() throws Exception {
        create("codecs", 2, Map.of("segment.bytes", SEGMENT_BYTES, "index.interval.bytes", "4096"));
        for (String codec : CODECS) {
            try (var producer = cluster.producer(Map.of("compression.type", codec, "linger.ms", "20"))) {
                for (int i = 0; i < 1000; i++) {
                    var record = new ProducerRecord<>("codecs", i % 2, i % 9 == 8 ? null : "k" + i,
                            i % 7 == 6 ? null : noise(random.nextInt(1600)));
                    record.headers().add("codec", codec.getBytes()).add("empty", null);
                    producer.send(record);
                }
            }
        }
        create("timed", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        cluster.write("timed", 0, "v", 50);
    }

    private void topics() throws Exception {
        create("altered", 3, Map.of("retention.ms", "987654321", "segment.ms", "86400000"));
        cluster.admin.createPartitions(Map.of("altered", NewPartitions.increaseTo(5))).all().get();
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, "altered");
        cluster.admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("segment.ms", ""), AlterConfigOp.OpType.DELETE),
                new AlterConfigOp(new ConfigEntry("max.message.bytes", "500000"), AlterConfigOp.OpType.SET)))).all().get();
        for (int i = 0; i < 5; i++) {
            int partition = i;
            eventually("the partition is there", 10_000, () -> cluster.write("altered", partition, "v", 10).size() == 10);
        }
        create("gone", 2, Map.of());
        cluster.write("gone", 0, "v", 10);
        cluster.admin.deleteTopics(List.of("gone")).all().get();
        create("trimmed", 1, Map.of());
        cluster.write("trimmed", 0, "v", 100);
        var partition = new TopicPartition("trimmed", 0);
        cluster.admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(37))).all().get();
    }

    private void groups() throws Exception {
        commit("simple", "codecs", 99);
        commit("forgotten", "codecs", 1);
        cluster.admin.deleteConsumerGroups(List.of("forgotten")).all().get();
        try (Member member = new Member(cluster, "classic", "trimmed", Map.of())) {
            eventually("the topic is read", 30_000, () -> member.values.size() == 63);
        }
        // Enough of them that the log of a coordinator is closed and compacted.
        create("busy", 40, Map.of());
        for (int i = 0; i < 500; i++) {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (int partition = 0; partition < 40; partition++) {
                offsets.put(new TopicPartition("busy", partition), new OffsetAndMetadata(i, "note " + i));
            }
            cluster.admin.alterConsumerGroupOffsets("busy-group", offsets).all().get();
        }
    }

    private void commit(String group, String topic, long offset) throws Exception {
        cluster.admin.alterConsumerGroupOffsets(group, Map.of(
                new TopicPartition(topic, 0), new OffsetAndMetadata(offset, java.util.Optional.of(0), "of " + group),
                new TopicPartition(topic, 1), new OffsetAndMetadata(offset + 1))).all().get();
    }

    /** A topic of a hundred keys, some of them deleted, and the broker's cleaner has been through it. */
    private void compacted(String topic, String policy, boolean transactional) throws Exception {
        create(topic, 1, Map.of("cleanup.policy", policy, "segment.bytes", SEGMENT_BYTES, "segment.ms", "500",
                "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "86400000"));
        int sent = 0;
        for (int round = 0; round < 3; round++) {
            for (String codec : CODECS) {
                Map<String, String> settings = new HashMap<>(Map.of("compression.type", codec, "linger.ms", "20"));
                if (transactional) {
                    settings.put("transactional.id", "compacted-" + codec);
                }
                try (var producer = cluster.producer(settings)) {
                    if (transactional) {
                        producer.initTransactions();
                        producer.beginTransaction();
                    }
                    for (int i = 0; i < COMPACTED / 15; i++, sent++) {
                        String value = i % 31 == 30 ? null : noise(700);
                        producer.send(new ProducerRecord<>(topic, 0, "k" + random.nextInt(100), value));
                    }
                    if (transactional && (round + codec.length()) % 3 == 0) {
                        producer.abortTransaction();
                    } else if (transactional) {
                        producer.commitTransaction();
                    }
                }
            }
        }
        // The time of one more record closes the segment before it.
        Thread.sleep(600);
        cluster.write(topic, 0, "last", 1);
        int written = sent;
        eventually("the topic is compacted", 60_000, () -> count(topic) < written / 4);
    }

    private int count(String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        long end = end(cluster, partition, IsolationLevel.READ_UNCOMMITTED);
        int count = 0;
        try (var consumer = cluster.reader(topic, 0)) {
            while (consumer.position(partition) < end) {
                count += consumer.poll(java.time.Duration.ofMillis(100)).count();
            }
        }
        return count;
    }

    private void outcomes() throws Exception {
        create("transactional", 2, Map.of("segment.bytes", SEGMENT_BYTES, "index.interval.bytes", "4096"));
        List<KafkaProducer<String, String>> producers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            producers.add(transactional(cluster, "several-" + i));
        }
        for (int round = 0; round < 12; round++) {
            for (var producer : producers) {
                producer.beginTransaction();
            }
            for (int i = 0; i < 40; i++) {
                var producer = producers.get(random.nextInt(4));
                producer.send(new ProducerRecord<>("transactional", i % 2, "k" + i, noise(1200)));
            }
            for (int i = 0; i < 4; i++) {
                producers.get(i).flush();
                if ((round + i) % 3 == 0) {
                    producers.get(i).abortTransaction();
                } else {
                    offsets(producers.get(i), "by-transaction", round);
                    producers.get(i).commitTransaction();
                }
            }
            cluster.write("transactional", 0, "plain", 3);
        }
        producers.get(0).beginTransaction();
        offsets(producers.get(0), "by-transaction", 1000);
        producers.get(0).abortTransaction();
        var open = transactional(cluster, "left-open");
        open.beginTransaction();
        for (int i = 0; i < 20; i++) {
            open.send(new ProducerRecord<>("transactional", i % 2, "open", "open " + i)).get();
        }
        offsets(open, "by-transaction", 2000);
        cluster.write("transactional", 0, "above", 5);
    }

    private static void offsets(KafkaProducer<String, String> producer, String group, long offset) {
        producer.sendOffsetsToTransaction(
                Map.of(new TopicPartition("transactional", 0), new OffsetAndMetadata(offset, "round")),
                new ConsumerGroupMetadata(group));
    }

    private static KafkaProducer<String, String> transactional(Cluster cluster, String id) {
        var producer = cluster.producer(Map.of("transactional.id", id, "transaction.timeout.ms", TRANSACTION_MS));
        producer.initTransactions();
        return producer;
    }

    private static long end(Cluster cluster, TopicPartition partition, IsolationLevel isolation) throws Exception {
        return cluster.admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(isolation))
                .partitionResult(partition).get().offset();
    }
}
