package milena.clients;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * All that clients can learn of a cluster's topics, settings, records, offsets and groups, as lines: two brokers that
 * hold the same print the same.
 */
final class Contents {
    private final Cluster cluster;

    Contents(Cluster cluster) {
        this.cluster = cluster;
    }

    /** Prints everything, of internal topics only the transactions. */
    void print() throws Exception {
        var names = cluster.admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        for (String name : new TreeSet<>(names)) {
            if (!name.startsWith("__") || name.equals("__transaction_state")) {
                print(cluster.admin.describeTopics(List.of(name)).allTopicNames().get().get(name));
            }
        }
        groups();
    }

    private void print(TopicDescription topic) throws Exception {
        System.out.println("topic " + topic.name() + " " + topic.topicId() + " " + topic.partitions().size());
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic.name());
        var configs = new TreeMap<String, String>();
        for (ConfigEntry entry : cluster.admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                configs.put(entry.name(), entry.value());
            }
        }
        configs.forEach((name, value) -> System.out.println("config " + topic.name() + " " + name + "=" + value));
        for (var partition : topic.partitions()) {
            print(new TopicPartition(topic.name(), partition.partition()));
        }
    }

    private void print(TopicPartition partition) throws Exception {
        var asked = offset(partition, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
        var askedStable = offset(partition, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
        long start = offset(partition, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED).get().offset();
        long end = asked.get().offset();
        long stable = askedStable.get().offset();
        System.out.println("partition " + partition + " " + start + " " + stable + " " + end);
        if (start == end) {
            return;
        }
        List<ConsumerRecord<byte[], byte[]>> records = read(partition, "read_uncommitted", end);
        for (var record : records) {
            System.out.println("record " + partition + " " + text(record));
        }
        for (var record : read(partition, "read_committed", stable)) {
            System.out.println("committed " + partition + " " + record.offset());
        }
        times(partition, records);
        // Where records were deleted, Kafka may name one of them.
        if (start == 0) {
            System.out.println("greatest " + partition + " "
                    + text(offset(partition, OffsetSpec.maxTimestamp(), IsolationLevel.READ_UNCOMMITTED).get()));
        }
    }

    private List<ConsumerRecord<byte[], byte[]>> read(TopicPartition partition, String isolation, long end) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", cluster.address);
        settings.put("isolation.level", isolation);
        settings.put("enable.auto.commit", "false");
        settings.put("fetch.max.wait.ms", Cluster.FETCH_WAIT_MS);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (Consumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long deadline = System.currentTimeMillis() + 20_000;
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                if (System.currentTimeMillis() > deadline) {
                    throw new AssertionError(partition + " is not read beyond " + consumer.position(partition));
                }
            }
        }
        return records;
    }

    private static String text(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        record.headers().forEach(header -> headers.append(' ').append(header.key()).append('=')
                .append(text(header.value())));
        return record.offset() + " " + record.timestampType() + " " + record.timestamp() + " "
                + record.leaderEpoch().orElse(-1) + " " + text(record.key()) + " " + text(record.value()) + headers;
    }

    /** Short: the beginning, and what tells it from others. */
    private static String text(byte[] bytes) {
        if (bytes == null) {
            return "null";
        }
        String text = new String(bytes, 0, Math.min(bytes.length, 24), StandardCharsets.ISO_8859_1);
        return text.replaceAll("[^!-~]", "_") + "/" + bytes.length + "/" + java.util.Arrays.hashCode(bytes);
    }

    /** What is found by time: at each of some records, just above it, before all and after all. */
    private void times(TopicPartition partition, List<ConsumerRecord<byte[], byte[]>> records) throws Exception {
        var times = new TreeSet<>(List.of(0L, Long.MAX_VALUE));
        for (int i = 0; i < records.size(); i += 1 + records.size() / 20) {
            times.add(Math.max(0, records.get(i).timestamp()));
            times.add(Math.max(0, records.get(i).timestamp() + 1));
        }
        // All of them are asked before the first is awaited.
        var asked = new LinkedHashMap<String, KafkaFuture<ListOffsetsResultInfo>>();
        for (long time : times) {
            for (IsolationLevel isolation : IsolationLevel.values()) {
                asked.put(isolation + " " + time, offset(partition, OffsetSpec.forTimestamp(time), isolation));
            }
        }
        for (var question : asked.entrySet()) {
            System.out.println("time " + partition + " " + question.getKey() + ": " + text(question.getValue().get()));
        }
    }

    private static String text(ListOffsetsResultInfo found) {
        return found.offset() + " " + found.timestamp() + " " + found.leaderEpoch().orElse(-1);
    }

    private KafkaFuture<ListOffsetsResultInfo> offset(TopicPartition partition, OffsetSpec spec, IsolationLevel isolation) {
        var options = new ListOffsetsOptions(isolation);
        return cluster.admin.listOffsets(Map.of(partition, spec), options).partitionResult(partition);
    }

    private void groups() throws Exception {
        var ids = new TreeSet<String>();
        cluster.admin.listGroups(new ListGroupsOptions()).all().get().forEach(group -> ids.add(group.groupId()));
        for (String id : ids) {
            System.out.println("group " + id);
            var offsets = new TreeMap<String, OffsetAndMetadata>();
            cluster.admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata().get()
                    .forEach((partition, offset) -> offsets.put(partition.toString(), offset));
            offsets.forEach((partition, offset) -> System.out.println("offset " + id + " " + partition + " "
                    + (offset == null ? "none" : offset.offset() + " " + offset.leaderEpoch().orElse(-1) + " "
                            + offset.metadata())));
        }
    }
}
