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
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** The consumer without groups: positions, waiting and limits. */
final class Consuming {
    private final Cluster cluster;

    Consuming(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        checks.add("seeking to any offset", this::seeks);
        checks.add("an offset out of range resets or fails", this::outOfRange);
        checks.add("a waiting fetch is answered when a record comes", this::longPoll);
        checks.add("a fetch waits for its minimum of bytes", this::minimumBytes);
        checks.add("a record larger than the fetch's limits is read", this::largerThanLimits);
        checks.add("few records a poll", this::fewRecords);
        checks.add("fifty partitions of which some are paused", this::manyPartitions);
        checks.add("topics by pattern, also those made later", this::pattern);
        checks.add("reading only what is committed", this::readCommitted);
        checks.add("reading while the topic is written", this::tailing);
        checks.add("partitions of a topic", this::partitionsFor);
    }

    private void seeks() throws Exception {
        String topic = cluster.topic("seek", 1);
        cluster.write(topic, 0, "v", 100);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.reader(topic, 0)) {
            for (long offset : new long[] {0, 57, 99, 3}) {
                consumer.seek(partition, offset);
                equal(offset, consumer.position(partition), "position");
                equal("v" + offset, next(consumer).value(), "value");
            }
            consumer.seekToEnd(List.of(partition));
            equal(100L, consumer.position(partition), "end");
            consumer.seekToBeginning(List.of(partition));
            equal(0L, consumer.position(partition), "beginning");
        }
    }

    private void outOfRange() throws Exception {
        String topic = cluster.topic("range", 1);
        cluster.write(topic, 0, "v", 10);
        TopicPartition partition = new TopicPartition(topic, 0);
        for (String reset : List.of("earliest", "latest", "none")) {
            try (Consumer<String, String> consumer = cluster.consumer(Map.of("auto.offset.reset", reset))) {
                consumer.assign(List.of(partition));
                consumer.seek(partition, 1_000);
                switch (reset) {
                    case "earliest" -> equal("v0", next(consumer).value(), "first value");
                    case "latest" -> eventually("the end", 10_000, () -> {
                        consumer.poll(Duration.ofMillis(100));
                        return consumer.position(partition) == 10;
                    });
                    default -> {
                        var failure = fails(OffsetOutOfRangeException.class, () -> next(consumer));
                        equal(Map.of(partition, 1_000L), failure.offsetOutOfRangePartitions(), "offset");
                    }
                }
            }
        }
    }

    private void longPoll() throws Exception {
        String topic = cluster.topic("long-poll", 1);
        Map<String, String> patient = Map.of("fetch.max.wait.ms", "6000", "request.timeout.ms", "30000");
        try (Consumer<String, String> consumer = cluster.consumer(patient);
                var producer = cluster.producer(Map.of())) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.poll(Duration.ofMillis(1_000));
            for (int i = 0; i < 5; i++) {
                producer.send(new ProducerRecord<>(topic, "k", "v" + i)).get();
                long sent = System.nanoTime();
                equal("v" + i, next(consumer).value(), "value");
                long waited = (System.nanoTime() - sent) / 1_000_000;
                that(waited < 2_000, "the record came only after " + waited + " ms");
            }
        }
    }

    private void minimumBytes() throws Exception {
        String topic = cluster.topic("minimum", 1);
        cluster.write(topic, 0, "v", 1);
        Map<String, String> greedy = Map.of("fetch.min.bytes", "1000000", "fetch.max.wait.ms", "1500");
        try (Consumer<String, String> consumer = cluster.consumer(greedy)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, 0);
            consumer.partitionsFor(topic);
            long started = System.nanoTime();
            equal("v0", next(consumer).value(), "value");
            long waited = (System.nanoTime() - started) / 1_000_000;
            that(waited >= 1_300, "answered after " + waited + " ms");
            that(waited < 5_000, "answered only after " + waited + " ms");
        }
    }

    private void largerThanLimits() throws Exception {
        String topic = cluster.topic("limits", 2);
        String big = "b".repeat(500_000);
        try (var producer = cluster.producer(Map.of())) {
            for (int i = 0; i < 4; i++) {
                producer.send(new ProducerRecord<>(topic, i % 2, "k", big)).get();
            }
        }
        Map<String, String> small = Map.of("max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000");
        try (Consumer<String, String> consumer = cluster.consumer(small)) {
            consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
            for (var record : Cluster.poll(consumer, 4)) {
                equal(big.length(), record.value().length(), "length");
            }
        }
    }

    private void fewRecords() throws Exception {
        String topic = cluster.topic("few", 1);
        cluster.write(topic, 0, "v", 95);
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("max.poll.records", "10"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            equal("v94", Cluster.poll(consumer, 95).get(94).value(), "the last value");
        }
    }

    private void manyPartitions() throws Exception {
        String topic = cluster.topic("fifty", 50);
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            all.add(new TopicPartition(topic, i));
        }
        try (Consumer<String, String> consumer = cluster.consumer(Map.of()); var producer = cluster.producer(Map.of())) {
            consumer.assign(all);
            for (int round = 0; round < 5; round++) {
                for (int i = round; i < 50; i += 5) {
                    producer.send(new ProducerRecord<>(topic, i, "k", "round " + round)).get();
                }
                var records = Cluster.poll(consumer, 10);
                equal(10L, records.stream().map(ConsumerRecord::partition).distinct().count(), "partitions");
            }
            consumer.pause(all.subList(0, 25));
            for (int i = 0; i < 50; i++) {
                producer.send(new ProducerRecord<>(topic, i, "k", "paused")).get();
            }
            var records = Cluster.poll(consumer, 25);
            that(records.stream().allMatch(record -> record.partition() >= 25), "a paused partition was read");
            consumer.resume(all.subList(0, 25));
            Cluster.poll(consumer, 25);
        }
    }

    private void pattern() throws Exception {
        String prefix = Cluster.fresh("pattern");
        cluster.write(prefix + "-a", 0, "a", 1);
        Map<String, String> settings = Map.of("group.id", prefix, "metadata.max.age.ms", "500");
        try (Consumer<String, String> consumer = cluster.consumer(settings)) {
            consumer.subscribe(Pattern.compile(Pattern.quote(prefix) + "-.*"));
            equal(prefix + "-a", next(consumer).topic(), "topic");
            consumer.commitSync();
            cluster.write(prefix + "-b", 0, "b", 1);
            equal(prefix + "-b", next(consumer).topic(), "topic made later");
        }
    }

    private void readCommitted() throws Exception {
        String topic = cluster.topic("committed", 1);
        cluster.write(topic, 0, "v", 20);
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("isolation.level", "read_committed"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            Cluster.poll(consumer, 20);
            equal(Map.of(new TopicPartition(topic, 0), 20L),
                    new HashMap<>(consumer.endOffsets(List.of(new TopicPartition(topic, 0)))), "end");
        }
    }

    private void tailing() throws Exception {
        String topic = cluster.topic("tailing", 1, Map.of("segment.bytes", "1048576"));
        Thread writer = new Thread(() -> {
            try (var producer = cluster.producer(Map.of("linger.ms", "1"))) {
                for (int i = 0; i < 10_000; i++) {
                    producer.send(new ProducerRecord<>(topic, "k", "v" + i + "x".repeat(400)));
                }
            }
        });
        writer.start();
        var records = cluster.read(topic, 0, 10_000);
        writer.join();
        for (int i = 0; i < 10_000; i++) {
            equal((long) i, records.get(i).offset(), "offset");
            that(records.get(i).value().startsWith("v" + i + "x"), "value at " + i);
        }
    }

    private void partitionsFor() throws Exception {
        String topic = cluster.topic("partitions", 5);
        try (Consumer<String, String> consumer = cluster.consumer(Map.of())) {
            equal(5, consumer.partitionsFor(topic).size(), "partitions");
            that(consumer.listTopics().containsKey(topic), "listed");
            try (Consumer<String, String> other = cluster.consumer(Map.of("allow.auto.create.topics", "false"))) {
                String unknown = Cluster.fresh("unknown");
                other.partitionsFor(unknown);
                that(!other.listTopics().containsKey(unknown), "created although it must not be");
            }
        }
    }

    private static ConsumerRecord<String, String> next(Consumer<String, String> consumer) {
        long deadline = System.currentTimeMillis() + 20_000;
        while (System.currentTimeMillis() < deadline) {
            var records = consumer.poll(Duration.ofSeconds(1));
            if (!records.isEmpty()) {
                return records.iterator().next();
            }
        }
        throw new AssertionError("no record came");
    }
}
