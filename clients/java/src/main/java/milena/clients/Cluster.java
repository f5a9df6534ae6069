package milena.clients;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The broker under test: clients for it, and topics that no other test uses. */
final class Cluster implements AutoCloseable {
    private static final AtomicInteger NAMES = new AtomicInteger();
    private static final String RUN = Long.toString(System.currentTimeMillis(), 36);

    /** A consumer that closes waits for the fetch on its way, which at the end of a log is answered this late. */
    static final String FETCH_WAIT_MS = "50";

    final String address;
    final Admin admin;

    Cluster(String address) {
        this.address = address;
        this.admin = Admin.create(settings(Map.of("default.api.timeout.ms", "20000", "request.timeout.ms", "15000")));
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }

    static String fresh(String prefix) {
        return prefix + "-" + RUN + "-" + NAMES.incrementAndGet();
    }

    String topic(String prefix, int partitions) throws Exception {
        return topic(prefix, partitions, Map.of());
    }

    String topic(String prefix, int partitions, Map<String, String> configs) throws Exception {
        String name = fresh(prefix);
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
        // Kafka's broker may learn of a topic a little after its controller has answered.
        Checks.eventually("the new topic is known", 10_000, () -> {
            try {
                return admin.describeTopics(List.of(name)).allTopicNames().get().size() == 1;
            } catch (ExecutionException unknown) {
                return false;
            }
        });
        return name;
    }

    KafkaProducer<String, String> producer(Map<String, String> more) {
        return new KafkaProducer<>(settings(more), new StringSerializer(), new StringSerializer());
    }

    Consumer<String, String> consumer(Map<String, String> more) {
        Map<String, Object> settings = settings(Map.of(
                "group.protocol", "classic",
                "enable.auto.commit", "false",
                "auto.offset.reset", "earliest",
                "fetch.max.wait.ms", FETCH_WAIT_MS));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    /** A consumer of the whole of one partition that is in no group. */
    Consumer<String, String> reader(String topic, int partition) {
        Consumer<String, String> consumer = consumer(Map.of());
        TopicPartition it = new TopicPartition(topic, partition);
        consumer.assign(List.of(it));
        consumer.seekToBeginning(List.of(it));
        return consumer;
    }

    /** Appends values {@code prefix0}, {@code prefix1}, ... to one partition, each acknowledged. */
    List<RecordMetadata> write(String topic, int partition, String prefix, int count) throws Exception {
        List<RecordMetadata> written = new ArrayList<>();
        try (KafkaProducer<String, String> producer = producer(Map.of("acks", "all"))) {
            List<java.util.concurrent.Future<RecordMetadata>> waiting = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                waiting.add(producer.send(new ProducerRecord<>(topic, partition, "k" + i, prefix + i)));
            }
            for (var future : waiting) {
                written.add(future.get());
            }
        }
        return written;
    }

    /** Every record from the start of one partition, which must be as many as expected. */
    List<ConsumerRecord<String, String>> read(String topic, int partition, int count) {
        try (Consumer<String, String> consumer = reader(topic, partition)) {
            return poll(consumer, count);
        }
    }

    /** Polls until so many records came; then once more, to see that there is not one too many. */
    static List<ConsumerRecord<String, String>> poll(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 20_000;
        while (records.size() < count && System.currentTimeMillis() < deadline) {
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        consumer.poll(Duration.ofMillis(50)).forEach(records::add);
        Checks.equal(count, records.size(), "records read");
        return records;
    }

    static List<String> values(Collection<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    private Map<String, Object> settings(Map<String, String> more) {
        Map<String, Object> settings = new HashMap<>(more);
        settings.put("bootstrap.servers", address);
        return settings;
    }
}
