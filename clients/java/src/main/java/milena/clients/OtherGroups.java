package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InconsistentGroupProtocolException;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;

/**
 * Groups of Kafka's newer protocols (KIP-848, KIP-932, KIP-1071) in a directory that Kafka began, that Milena then has,
 * and that Kafka opens again.
 */
final class OtherGroups {
    private static final String TOPIC = "grouped";
    private static final int RECORDS = 30;

    private final Cluster cluster;

    private OtherGroups(Cluster cluster) {
        this.cluster = cluster;
    }

    /** Kafka makes them, and deletes some. The process ends without closing the members of two of them. */
    static void make(Cluster cluster) {
        OtherGroups it = new OtherGroups(cluster);
        Checks checks = new Checks();
        checks.add("there is something to read", () -> {
            cluster.admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
            eventually("the topic is known", 10_000, () -> cluster.admin.listTopics().names().get().contains(TOPIC));
            cluster.write(TOPIC, 0, "v", RECORDS);
        });
        checks.add("consumer groups", () -> {
            for (String group : List.of("consumer-kept", "consumer-kafkas", "consumer-milenas", "consumer-joined")) {
                try (Consumer<String, String> consumer = it.consumer(group, "consumer")) {
                    it.read(consumer);
                }
            }
            cluster.admin.deleteConsumerGroups(List.of("consumer-kafkas")).all().get();
            it.read(it.consumer("consumer-alive", "consumer"));
        });
        checks.add("share groups", () -> {
            for (String group : List.of("share-kept", "share-kafkas", "share-milenas")) {
                equal(RECORDS, it.share(group), "records for " + group);
            }
            cluster.admin.deleteShareGroups(List.of("share-kafkas")).all().get();
        });
        checks.add("streams groups", () -> {
            for (String group : List.of("streams-empty", "streams-kafkas", "streams-milenas")) {
                it.streams(group).close(Duration.ofSeconds(20));
            }
            cluster.admin.deleteStreamsGroups(List.of("streams-kafkas")).all().get();
            it.streams("streams-alive");
        });
        checks.add("they are there", () -> equal("{consumer-alive=CONSUMER, consumer-joined=CONSUMER, "
                + "consumer-kept=CONSUMER, consumer-milenas=CONSUMER, share-kept=SHARE, share-milenas=SHARE, "
                + "streams-alive=STREAMS, streams-empty=STREAMS, streams-milenas=STREAMS}", it.listed(), "groups"));
        checks.run();
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    /** Milena shows them, refuses who would take their names, and deletes some. */
    static void milenas(Cluster cluster) {
        OtherGroups it = new OtherGroups(cluster);
        Checks checks = new Checks();
        checks.add("those that Kafka deleted are gone, and the others have their type", () -> equal("{consumer-alive=CONSUMER, "
                + "consumer-joined=CONSUMER, consumer-kept=CONSUMER, consumer-milenas=CONSUMER, share-kept=SHARE, "
                + "share-milenas=SHARE, streams-alive=STREAMS, streams-empty=STREAMS, streams-milenas=STREAMS}",
                it.listed(), "groups"));
        checks.add("a classic member of a group with members, and of any share group, is refused", () -> {
            for (String group : List.of("consumer-alive", "streams-alive", "share-kept")) {
                try (Consumer<String, String> consumer = it.consumer(group, "classic")) {
                    consumer.subscribe(List.of(TOPIC));
                    fails(InconsistentGroupProtocolException.class, () -> consumer.poll(Duration.ofSeconds(20)));
                }
            }
        });
        checks.add("a group with members is not deleted", () -> fails(GroupNotEmptyException.class,
                () -> cluster.admin.deleteConsumerGroups(List.of("consumer-alive")).all().get()));
        checks.add("they are no classic groups", () -> fails(GroupIdNotFoundException.class,
                () -> cluster.admin.describeClassicGroups(List.of("consumer-kept")).all().get()));
        checks.add("their offsets are there", () -> {
            for (String group : List.of("consumer-kept", "consumer-alive", "streams-empty")) {
                equal((long) RECORDS, it.committed(group), group);
            }
        });
        checks.add("an empty consumer group becomes a classic one, and goes on where it was", () -> {
            cluster.write(TOPIC, 0, "later", 1);
            try (Consumer<String, String> consumer = it.consumer("consumer-joined", "classic")) {
                consumer.subscribe(List.of(TOPIC));
                equal(List.of("later0"), Cluster.values(Cluster.poll(consumer, 1)), "records");
                consumer.commitSync();
            }
        });
        checks.add("groups of each type are deleted", () -> {
            cluster.admin.deleteConsumerGroups(List.of("consumer-milenas")).all().get();
            cluster.admin.deleteShareGroups(List.of("share-milenas")).all().get();
            cluster.admin.deleteStreamsGroups(List.of("streams-milenas")).all().get();
            equal("{consumer-alive=CONSUMER, consumer-joined=CLASSIC, consumer-kept=CONSUMER, share-kept=SHARE, "
                    + "streams-alive=STREAMS, streams-empty=STREAMS}", it.listed(), "groups");
        });
        checks.run();
    }

    /** Kafka finds what was left, and what was deleted is gone: also the state of a share group of the same name. */
    static void kafkas(Cluster cluster) {
        OtherGroups it = new OtherGroups(cluster);
        Checks checks = new Checks();
        checks.add("Kafka has the groups that were left, and no other", () -> equal("{consumer-alive=CONSUMER, "
                + "consumer-joined=CLASSIC, consumer-kept=CONSUMER, share-kept=SHARE, streams-alive=STREAMS, "
                + "streams-empty=STREAMS}", it.listed(), "groups"));
        checks.add("a consumer group goes on where it was", () -> {
            try (Consumer<String, String> consumer = it.consumer("consumer-kept", "consumer")) {
                consumer.subscribe(List.of(TOPIC));
                equal(List.of("later0"), Cluster.values(Cluster.poll(consumer, 1)), "records");
            }
        });
        checks.add("a share group goes on where it was", () -> equal(1, it.share("share-kept"), "records"));
        checks.add("a share group under the name of one that was deleted begins anew",
                () -> equal(RECORDS + 1, it.share("share-milenas"), "records"));
        checks.add("a consumer group under the name of one that was deleted begins anew", () -> {
            try (Consumer<String, String> consumer = it.consumer("consumer-milenas", "consumer")) {
                consumer.subscribe(List.of(TOPIC));
                Cluster.poll(consumer, RECORDS + 1);
            }
        });
        checks.run();
    }

    private Consumer<String, String> consumer(String group, String protocol) {
        return cluster.consumer(new HashMap<>(Map.of("group.id", group, "group.protocol", protocol)));
    }

    private void read(Consumer<String, String> consumer) {
        consumer.subscribe(List.of(TOPIC));
        Cluster.poll(consumer, RECORDS);
        consumer.commitSync();
    }

    /** Reads what a share group has not read, from the beginning on. */
    private int share(String group) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        var earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        cluster.admin.incrementalAlterConfigs(Map.of(resource, List.of(earliest))).all().get();
        Map<String, Object> settings = Map.of("bootstrap.servers", cluster.address, "group.id", group);
        List<String> values = new ArrayList<>();
        try (var consumer = new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            eventually("something is read by " + group, 30_000, () -> {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
                return !values.isEmpty();
            });
            for (int i = 0; i < 10; i++) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            }
            consumer.commitSync();
        }
        return values.size();
    }

    /** A streams application that has read everything; it runs on. */
    private KafkaStreams streams(String group) throws Exception {
        Properties settings = new Properties();
        settings.put("application.id", group);
        settings.put("bootstrap.servers", cluster.address);
        settings.put("group.protocol", "streams");
        settings.put("commit.interval.ms", "100");
        settings.put("auto.offset.reset", "earliest");
        settings.put("default.key.serde", Serdes.StringSerde.class);
        settings.put("default.value.serde", Serdes.StringSerde.class);
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(TOPIC).foreach((key, value) -> {});
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        eventually(group + " has read everything", 60_000, () -> committed(group) == RECORDS);
        return streams;
    }

    /** What a group has committed, or -1. */
    private long committed(String group) throws Exception {
        try {
            var offsets = cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            var offset = offsets.get(new TopicPartition(TOPIC, 0));
            return offset == null ? -1 : offset.offset();
        } catch (ExecutionException missing) {
            that(missing.getCause() instanceof GroupIdNotFoundException, "no answer: " + missing);
            return -1;
        }
    }

    /** The types of all groups, by their names. */
    private String listed() throws Exception {
        Map<String, GroupType> types = new TreeMap<>();
        for (GroupListing group : cluster.admin.listGroups().all().get()) {
            types.put(group.groupId(), group.type().orElse(null));
        }
        return types.toString().replace("Consumer", "CONSUMER").replace("Share", "SHARE").replace("Streams", "STREAMS")
                .replace("Classic", "CLASSIC");
    }
}
