package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;

import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.runtime.Connect;

/** Kafka Connect, distributed: lines go from a file to a topic and from there to another file. */
final class Connecting {
    private static final String STRINGS = "org.apache.kafka.connect.storage.StringConverter";

    private final Cluster cluster;
    private final Path input;
    private final Path output;
    private final String topic = Cluster.fresh("connected");
    private final String group = Cluster.fresh("connect");
    private final HttpClient http = HttpClient.newHttpClient();
    private Connect<?> worker;
    private String rest;

    Connecting(Cluster cluster, Path folder) throws Exception {
        this.cluster = cluster;
        Files.createDirectories(folder);
        this.input = folder.resolve("input.txt");
        this.output = folder.resolve("output.txt");
    }

    void run() throws Exception {
        Checks checks = new Checks();
        checks.add("a worker makes its internal topics", this::begins);
        checks.add("lines go through a topic from file to file", () -> {
            append(0, 500);
            create("source", "FileStreamSource", "\"file\":\"" + input + "\",\"topic\":\"" + topic
                    + "\",\"topic.creation.default.partitions\":\"2\",\"topic.creation.default.replication.factor\":\"1\"");
            create("sink", "FileStreamSink", "\"file\":\"" + output + "\",\"topics\":\"" + topic + "\"");
            arrive(500);
        });
        checks.add("a worker that begins again goes on where it was", () -> {
            eventually("the source's place is noted", 20_000, () -> ask("GET", "source/offsets", "").contains("position"));
            eventually("the sink's place is noted", 20_000, () -> ask("GET", "sink/offsets", "").contains(":500}"));
            worker.stop();
            worker.awaitStop();
            append(500, 700);
            start();
            arrive(700);
        });
        checks.add("offsets of a connector that is stopped are deleted", () -> {
            ask("PUT", "sink/stop", "");
            eventually("it is stopped", 20_000, () -> ask("GET", "sink/status", "").contains("STOPPED"));
            ask("DELETE", "sink/offsets", "");
            equal("{\"offsets\":[]}", ask("GET", "sink/offsets", ""), "the offsets");
            ask("PUT", "sink/resume", "");
            arrive(1400);
        });
        checks.run();
        worker.stop();
        worker.awaitStop();
    }

    private void begins() throws Exception {
        start();
        var configs = cluster.admin.describeConfigs(List.of("configs", "offsets", "status").stream()
                .map(name -> new ConfigResource(ConfigResource.Type.TOPIC, group + "-" + name))
                .toList());
        configs.all().get().forEach((name, config) ->
                equal("compact", config.get("cleanup.policy").value(), name.name()));
    }

    private void start() throws Exception {
        try (ServerSocket free = new ServerSocket(0)) {
            rest = "http://127.0.0.1:" + free.getLocalPort();
        }
        Map<String, String> settings = new HashMap<>(Map.of(
                "bootstrap.servers", cluster.address,
                "group.id", group,
                "key.converter", STRINGS,
                "value.converter", STRINGS,
                "listeners", rest,
                "offset.flush.interval.ms", "500",
                "heartbeat.interval.ms", "300",
                "scheduled.rebalance.max.delay.ms", "0",
                "plugin.discovery", "service_load"));
        for (String topic : List.of("config", "offset", "status")) {
            settings.put(topic + ".storage.topic", group + "-" + topic + (topic.equals("status") ? "" : "s"));
            settings.put(topic + ".storage.replication.factor", "1");
        }
        settings.put("offset.storage.partitions", "3");
        worker = new ConnectDistributed().startConnect(settings);
        eventually("the worker serves", 30_000, () -> {
            try {
                return ask("GET", "", "").startsWith("[");
            } catch (AssertionError notYet) {
                return false;
            }
        });
    }

    private void create(String name, String kind, String more) throws Exception {
        ask("POST", "", "{\"name\":\"" + name + "\",\"config\":{\"connector.class\":\"" + kind + "\"," + more + "}}");
    }

    /** The answer of the worker to a request about connectors, which must succeed. */
    private String ask(String method, String path, String body) throws Exception {
        URI uri = URI.create(rest + "/connectors" + (path.isEmpty() ? "" : "/" + path));
        var request = HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/json")
                .method(method, HttpRequest.BodyPublishers.ofString(body));
        var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        Checks.that(response.statusCode() < 300, method + " " + path + ": " + response.body());
        return response.body();
    }

    private void append(int from, int to) throws Exception {
        List<String> lines = IntStream.range(from, to).mapToObj(i -> "line " + i).toList();
        Files.write(input, lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void arrive(int count) throws Exception {
        eventually(count + " lines arrive", 30_000, () -> Files.exists(output) && Files.readAllLines(output).size() >= count);
        List<String> lines = Files.readAllLines(output);
        equal(count, lines.size(), "lines");
        equal(Math.min(count, 700), (int) lines.stream().distinct().count(), "different lines");
    }
}
