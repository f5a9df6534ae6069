package milena.clients;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/** Writes records given as lines {@code name:value,name:value TAB key TAB value}, and prints them as such. */
final class Crossing {
    private static final String NULL = "NULL";

    private Crossing() {}

    static void write(Cluster cluster, String topic, String codec) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (KafkaProducer<String, String> producer =
                cluster.producer(Map.of("compression.type", codec, "linger.ms", "50"))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] columns = line.split("\t", 3);
                var record = new ProducerRecord<>(topic, 0, text(columns[1]), text(columns[2]));
                for (String header : columns[0].split(",")) {
                    String[] pair = header.split(":", 2);
                    record.headers().add(pair[0], pair[1].getBytes(StandardCharsets.UTF_8));
                }
                producer.send(record, (metadata, failure) -> {
                    if (failure != null) {
                        System.err.println(failure);
                        System.exit(1);
                    }
                });
            }
        }
    }

    static void read(Cluster cluster, String topic, int count) {
        for (ConsumerRecord<String, String> record : cluster.read(topic, 0, count)) {
            StringJoiner headers = new StringJoiner(",");
            for (Header header : record.headers()) {
                headers.add(header.key() + ":" + new String(header.value(), StandardCharsets.UTF_8));
            }
            System.out.println(headers + "\t" + shown(record.key()) + "\t" + shown(record.value()));
        }
    }

    private static String text(String column) {
        return column.equals(NULL) ? null : column;
    }

    private static String shown(String text) {
        return text == null ? NULL : text;
    }
}
