import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.NetworkException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** ADDRESS TOPIC VERSION: a client that is too old to be served. The topic has records that it must not get. */
public final class Refused {
    private static String address;
    private static String topic;
    private static String version;

    public static void main(String[] arguments) {
        address = arguments[0];
        topic = arguments[1];
        version = arguments[2];
        test("a producer is disconnected", Refused::produces);
        test("a consumer gets nothing", Refused::consumes);
        System.out.println("done");
        System.exit(0);
    }

    private static void test(String name, Callable<?> body) {
        String outcome = "ok " + name;
        try {
            body.call();
        } catch (Throwable failure) {
            outcome = "FAIL " + name + ": " + failure.toString().replace('\n', ' ');
        }
        System.out.println(outcome);
    }

    private static Map<String, Object> settings(String clientId) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", address);
        settings.put("client.id", clientId);
        return settings;
    }

    private static Object produces() throws Exception {
        Map<String, Object> settings = settings("old-producer-" + version);
        settings.put("retries", 0);
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, text, text)) {
            producer.send(new ProducerRecord<>(topic, "key", "value")).get(30, TimeUnit.SECONDS);
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof NetworkException) {
                return null;
            }
            throw failure;
        }
        throw new AssertionError("the record is accepted");
    }

    /** It asks again and again; where it must ask for an offset first, a poll does not even end. */
    private static Object consumes() {
        StringDeserializer text = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings("old-consumer-" + version), text, text)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(Collections.singletonList(partition));
            consumer.seek(partition, 0);
            int read = 0;
            for (int polls = 0; polls < 10; polls++) {
                read += consumer.poll(200).count();
            }
            if (read != 0) {
                throw new AssertionError("records are served: " + read);
            }
        }
        return null;
    }
}
