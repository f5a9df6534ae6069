import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** ADDRESS CODEC...: Kafka's clients from 0.11 to 3.9, by what all of them have. It is compiled against each as it is run. */
public final class Old {
    private static final String TOPIC = "old-" + System.currentTimeMillis();
    private static final int COUNT = 200;
    private static String address;
    private static AdminClient admin;
    private static int written = 0;

    public static void main(String[] arguments) {
        address = arguments[0];
        admin = AdminClient.create(settings());
        test("topics are created, described and grown", Old::topics);
        test("settings are replaced and described", Old::configs);
        for (String codec : Arrays.asList(arguments).subList(1, arguments.length)) {
            test("records by " + codec, () -> write("compression.type", codec, "acks", "all"));
        }
        test("an idempotent producer", () -> write("enable.idempotence", "true", "acks", "all"));
        test("acks=1", () -> write("acks", "1"));
        for (String assignor : new String[] {"Range", "RoundRobin", "Sticky"}) {
            test("a group assigned by " + assignor, () -> group(assignor));
        }
        test("a topic is deleted", () -> admin.deleteTopics(Collections.singleton(TOPIC)).all().get());
        System.out.println("done");
        System.exit(0);
    }

    private static void test(String name, Callable<?> body) {
        long started = System.nanoTime();
        String outcome = "ok " + name;
        try {
            body.call();
        } catch (Throwable failure) {
            outcome = "FAIL " + name + ": " + failure.toString().replace('\n', ' ');
        }
        System.out.printf("%s (%d ms)%n", outcome, (System.nanoTime() - started) / 1_000_000);
    }

    private static void equal(Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    private static Map<String, Object> settings(String... more) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", address);
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    private static Object topics() throws Exception {
        Map<String, String> configs = Collections.singletonMap("retention.ms", "7200000");
        NewTopic topic = new NewTopic(TOPIC, canGrow() ? 2 : 3, (short) 1).configs(configs);
        admin.createTopics(Collections.singleton(topic)).all().get();
        if (canGrow()) {
            grow();
        }
        long deadline = System.currentTimeMillis() + 10_000;
        int partitions = 0;
        while (partitions != 3 && System.currentTimeMillis() < deadline) {
            TopicDescription found = admin.describeTopics(Collections.singleton(TOPIC)).all().get().get(TOPIC);
            partitions = found.partitions().size();
        }
        equal(3, partitions);
        equal(1, admin.describeCluster().nodes().get().size());
        return null;
    }

    /** Whether the client knows CreatePartitions, which came with 1.0. */
    private static boolean canGrow() {
        return Arrays.stream(AdminClient.class.getMethods()).anyMatch(it -> it.getName().equals("createPartitions"));
    }

    /** Called by name, since 0.11 would not compile it. */
    private static void grow() throws Exception {
        Object three = Class.forName("org.apache.kafka.clients.admin.NewPartitions")
                .getMethod("increaseTo", int.class)
                .invoke(null, 3);
        Object result = AdminClient.class.getMethod("createPartitions", Map.class)
                .invoke(admin, Collections.singletonMap(TOPIC, three));
        ((KafkaFuture<?>) result.getClass().getMethod("all").invoke(result)).get();
    }

    /** AlterConfigs takes away what it does not name. */
    private static Object configs() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        Config wanted = new Config(Collections.singleton(new ConfigEntry("max.message.bytes", "2000000")));
        admin.alterConfigs(Collections.singletonMap(resource, wanted)).all().get();
        if (!canDescribeConfigs()) {
            refused(() -> admin.describeConfigs(Collections.singleton(resource)).all().get());
            return null;
        }
        Config config = null;
        long deadline = System.currentTimeMillis() + 10_000;
        do {
            config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
        } while (!config.get("max.message.bytes").value().equals("2000000") && System.currentTimeMillis() < deadline);
        equal("2000000", config.get("max.message.bytes").value());
        equal("604800000", config.get("retention.ms").value());
        return null;
    }

    /** Whether the client knows version 1 of DescribeConfigs, the oldest that is served, which brought synonyms. */
    private static boolean canDescribeConfigs() {
        return Arrays.stream(DescribeConfigsOptions.class.getMethods())
                .anyMatch(it -> it.getName().equals("includeSynonyms"));
    }

    /** The client finds that the broker serves no version that it knows. */
    private static void refused(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (ExecutionException failure) {
            equal(UnsupportedVersionException.class, failure.getCause().getClass());
            return;
        }
        throw new AssertionError("it is served");
    }

    private static Object write(String... more) throws Exception {
        Map<String, Object> settings = settings(more);
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, text, text)) {
            Future<RecordMetadata> last = null;
            for (int i = 0; i < COUNT; i++) {
                last = producer.send(new ProducerRecord<>(TOPIC, "k" + i, "v" + i));
            }
            producer.flush();
            last.get(10, TimeUnit.SECONDS);
            written += COUNT;
        }
        return null;
    }

    @SuppressWarnings("deprecation")
    private static Object group(String assignor) {
        Map<String, Object> settings = settings(
                "group.id", TOPIC + assignor,
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor + "Assignor");
        StringDeserializer text = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, text, text)) {
            consumer.subscribe(Collections.singleton(TOPIC));
            equal(written, poll(consumer));
            consumer.commitSync();
            Collection<TopicPartition> all = consumer.assignment();
            equal(3, all.size());
            long committed = 0;
            for (TopicPartition partition : all) {
                committed += consumer.committed(partition).offset();
            }
            equal((long) written, committed);
            Map<TopicPartition, Long> times = new HashMap<>();
            all.forEach(partition -> times.put(partition, 0L));
            equal(consumer.beginningOffsets(all).keySet(), consumer.offsetsForTimes(times).keySet());
            consumer.seekToBeginning(all);
            equal(written, poll(consumer));
        }
        return null;
    }

    @SuppressWarnings("deprecation")
    private static int poll(KafkaConsumer<String, String> consumer) {
        int count = 0;
        long deadline = System.currentTimeMillis() + 15_000;
        while (count < written && System.currentTimeMillis() < deadline) {
            count += consumer.poll(100).count();
        }
        return count;
    }
}
