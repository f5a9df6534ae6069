package milena.clients;

import java.nio.file.Path;
import java.util.Map;

/** {@code Main ADDRESS suite [PART OF A TEST'S NAME] | streams FOLDER | connect FOLDER | mirror TARGET | before | after | load TOPIC COUNT | member GROUP TOPIC | write TOPIC CODEC | read TOPIC COUNT}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        try (Cluster cluster = new Cluster(arguments[0])) {
            switch (arguments[1]) {
                case "suite" -> suite(cluster, arguments.length > 2 ? arguments[2] : "");
                case "streams" -> new Streaming(cluster, Path.of(arguments[2])).run();
                case "connect" -> new Connecting(cluster, Path.of(arguments[2])).run();
                case "mirror" -> mirror(cluster, arguments[2]);
                case "before" -> Restart.before(cluster);
                case "after" -> Restart.after(cluster, Integer.parseInt(arguments[2]));
                case "fill" -> Migration.fill(cluster);
                case "transactions" -> Migration.transactions(cluster);
                case "settle" -> Migration.settle(cluster);
                case "more" -> Migration.more(cluster, Integer.parseInt(arguments[2]));
                case "groups-make" -> OtherGroups.make(cluster);
                case "groups-milena" -> OtherGroups.milenas(cluster);
                case "groups-kafka" -> OtherGroups.kafkas(cluster);
                case "bridge" -> Migration.bridge(cluster);
                case "classes" -> classes(cluster);
                case "show" -> new Contents(cluster).print();
                case "load" -> Restart.load(cluster, arguments[2], Integer.parseInt(arguments[3]));
                case "member" -> Groups.member(cluster, arguments[2], arguments[3]);
                case "write" -> Crossing.write(cluster, arguments[2], arguments[3]);
                case "read" -> Crossing.read(cluster, arguments[2], Integer.parseInt(arguments[3]));
                default -> throw new IllegalArgumentException(arguments[1]);
            }
        }
    }

    private static void mirror(Cluster source, String address) throws Exception {
        try (Cluster target = new Cluster(address)) {
            new Mirroring(source, target).run();
        }
    }

    /** Loads what every program of Kafka's loads, so that it can be kept in a form that is loaded quickly; asks no broker. */
    private static void classes(Cluster cluster) {
        cluster.producer(Map.of()).close();
        cluster.consumer(Map.of("group.id", "none")).close();
    }

    private static void suite(Cluster cluster, String only) {
        Checks checks = new Checks();
        new Topics(cluster).addTo(checks);
        new Configs(cluster).addTo(checks);
        new Producing(cluster).addTo(checks);
        new Consuming(cluster).addTo(checks);
        new Offsets(cluster).addTo(checks);
        new Groups(cluster).addTo(checks);
        new GroupAdmin(cluster).addTo(checks);
        new LogDirs(cluster).addTo(checks);
        checks.run(only);
    }
}
