package milena.clients;

import static milena.clients.Checks.eventually;
import static milena.clients.Checks.that;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.tools.StreamsResetter;

/** Kafka Streams, at least once: words are counted through a repartition topic into a store with a changelog. */
final class Streaming {
    private static final int LINES = 300;

    private final Cluster cluster;
    private final Path folder;
    private final String application = Cluster.fresh("streams");
    private String lines;
    private String joined;
    private String names;
    private String counted;

    Streaming(Cluster cluster, Path folder) {
        this.cluster = cluster;
        this.folder = folder;
    }

    void run() throws Exception {
        lines = cluster.topic("lines", 3);
        counted = cluster.topic("counted", 1);
        joined = cluster.topic("joined", 1);
        names = cluster.topic("names", 1, Map.of("cleanup.policy", "compact"));
        try (KafkaProducer<String, String> producer = cluster.producer(Map.of())) {
            producer.send(new ProducerRecord<>(names, "k0", "zero")).get();
        }
        Checks checks = new Checks();
        checks.add("words are counted through a repartition topic", () -> counts(1, false));
        checks.add("internal topics are as they must be", this::internalTopics);
        checks.add("a restart goes on where it was", () -> counts(2, false));
        checks.add("a store that is lost is restored from its changelog", () -> {
            delete(folder);
            counts(2, true);
        });
        checks.add("an application is reset", this::reset);
        checks.run();
    }

    private Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        var text = Consumed.with(Serdes.String(), Serdes.String());
        var input = builder.stream(lines, text);
        input.flatMapValues(line -> Arrays.asList(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts"))
                .toStream()
                .to(counted, Produced.with(Serdes.String(), Serdes.Long()));
        input.join(builder.globalTable(names, text), (key, line) -> key, (line, name) -> name)
                .to(joined, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private KafkaStreams start() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", cluster.address);
        settings.put("application.id", application);
        settings.put("state.dir", folder.toString());
        settings.put("num.stream.threads", "2");
        settings.put("commit.interval.ms", "100");
        settings.put("repartition.purge.interval.ms", "100");
        settings.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(topology(), settings);
        streams.setUncaughtExceptionHandler(failure -> StreamThreadExceptionResponse.SHUTDOWN_CLIENT);
        streams.start();
        return streams;
    }

    /** Runs the application until the counts are those of so many rounds of lines, of which the last may be there. */
    private void counts(int rounds, boolean isThere) throws Exception {
        if (!isThere) {
            try (KafkaProducer<String, String> producer = cluster.producer(Map.of())) {
                for (int i = 0; i < LINES; i++) {
                    producer.send(new ProducerRecord<>(lines, "k" + i % 10, "every word" + i % 3));
                }
            }
        }
        KafkaStreams streams = start();
        try {
            long every = (long) rounds * LINES;
            eventually("every word is counted", 40_000, () -> {
                that(streams.state() != KafkaStreams.State.ERROR, "the application does not fail");
                return count(streams, "every") == every && count(streams, "word0") == every / 3;
            });
            eventually("the join is written", 20_000, () -> end(joined, 0) >= (long) rounds * LINES / 10);
            eventually("what was repartitioned and read is deleted", 20_000, () -> start(repartitioned()) > 0);
        } finally {
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
                    .withTimeout(Duration.ofSeconds(20)));
        }
    }

    private static long count(KafkaStreams streams, String word) {
        try {
            var store = StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.<String, Long>keyValueStore());
            Long count = streams.store(store).get(word);
            return count == null ? 0 : count;
        } catch (InvalidStateStoreException notYet) {
            return -1;
        }
    }

    private String repartitioned() {
        return application + "-words-repartition";
    }

    /** The greatest start of the partitions of a topic. */
    private long start(String topic) throws Exception {
        long greatest = 0;
        for (int partition = 0; partition < 3; partition++) {
            greatest = Math.max(greatest, offset(topic, partition, OffsetSpec.earliest()));
        }
        return greatest;
    }

    private long end(String topic, int partition) throws Exception {
        return offset(topic, partition, OffsetSpec.latest());
    }

    private long offset(String topic, int partition, OffsetSpec spec) throws Exception {
        TopicPartition it = new TopicPartition(topic, partition);
        return cluster.admin.listOffsets(Map.of(it, spec)).partitionResult(it).get().offset();
    }

    private void internalTopics() throws Exception {
        var changelog = new ConfigResource(ConfigResource.Type.TOPIC, application + "-counts-changelog");
        var repartition = new ConfigResource(ConfigResource.Type.TOPIC, repartitioned());
        var configs = cluster.admin.describeConfigs(List.of(changelog, repartition)).all().get();
        Checks.equal("compact", configs.get(changelog).get("cleanup.policy").value(), "the changelog's policy");
        Checks.equal("-1", configs.get(repartition).get("retention.ms").value(), "the repartition topic's retention");
    }

    private void reset() throws Exception {
        int code = new StreamsResetter().execute(new String[] {
            "--bootstrap-server", cluster.address, "--application-id", application, "--input-topics", lines
        });
        Checks.equal(0, code, "the exit code");
        var topics = cluster.admin.listTopics().names().get();
        that(topics.stream().noneMatch(name -> name.startsWith(application)), "its topics are gone: " + topics);
        var committed = cluster.admin.listConsumerGroupOffsets(application).partitionsToOffsetAndMetadata().get();
        Checks.equal(0L, committed.get(new TopicPartition(lines, 0)).offset(), "the offset of the first partition");
        delete(folder);
    }

    private static void delete(Path folder) throws Exception {
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        }
    }
}
