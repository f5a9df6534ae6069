package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Configurations of topics and of the broker. */
final class Configs {
    private final Cluster cluster;
    private final Admin admin;

    Configs(Cluster cluster) {
        this.cluster = cluster;
        this.admin = cluster.admin;
    }

    void addTo(Checks checks) {
        checks.add("topic configs have values and sources", this::describesTopic);
        checks.add("topic configs are set and deleted", this::altersTopic);
        checks.add("lists are appended to and subtracted from", this::altersList);
        checks.add("configs that must be refused", this::refuses);
        checks.add("alteration that only validates", this::validates);
        checks.add("broker configs are described", this::describesBroker);
        checks.add("configs come with synonyms and documentation on request", this::describesMore);
    }

    private void describesTopic() throws Exception {
        String name = cluster.topic("configured", 1, Map.of("cleanup.policy", "compact", "retention.ms", "86400000"));
        Config config = describe(topic(name));
        entry(config, "cleanup.policy", "compact", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        entry(config, "retention.ms", "86400000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        entry(config, "segment.bytes", "1073741824", ConfigSource.DEFAULT_CONFIG);
        entry(config, "compression.type", "producer", ConfigSource.DEFAULT_CONFIG);
        entry(config, "max.message.bytes", "1048588", ConfigSource.DEFAULT_CONFIG);
        entry(config, "message.timestamp.type", "CreateTime", ConfigSource.DEFAULT_CONFIG);
        equal(ConfigEntry.ConfigType.LONG, config.get("retention.ms").type(), "type of retention.ms");
        equal(ConfigEntry.ConfigType.LIST, config.get("cleanup.policy").type(), "type of cleanup.policy");
        that(!config.get("retention.ms").isReadOnly(), "read-only");
        that(!config.get("retention.ms").isSensitive(), "sensitive");
    }

    private void altersTopic() throws Exception {
        String name = cluster.topic("altered", 1);
        alter(topic(name), op("retention.ms", "1000000", OpType.SET), op("segment.bytes", "2097152", OpType.SET));
        eventually("the new values", 5_000, () -> describe(topic(name)).get("retention.ms").value().equals("1000000"));
        entry(describe(topic(name)), "segment.bytes", "2097152", ConfigSource.DYNAMIC_TOPIC_CONFIG);
        alter(topic(name), op("retention.ms", null, OpType.DELETE));
        eventually("the default", 5_000, () -> describe(topic(name)).get("retention.ms").value().equals("604800000"));
        entry(describe(topic(name)), "segment.bytes", "2097152", ConfigSource.DYNAMIC_TOPIC_CONFIG);
    }

    private void altersList() throws Exception {
        String name = cluster.topic("listing", 1);
        alter(topic(name), op("cleanup.policy", "compact", OpType.APPEND));
        eventually("both", 5_000, () -> describe(topic(name)).get("cleanup.policy").value().equals("delete,compact"));
        alter(topic(name), op("cleanup.policy", "delete", OpType.SUBTRACT));
        eventually("one", 5_000, () -> describe(topic(name)).get("cleanup.policy").value().equals("compact"));
    }

    private void refuses() throws Exception {
        String name = cluster.topic("refusing", 1);
        fails(InvalidConfigurationException.class, () -> alter(topic(name), op("retention.ms", "soon", OpType.SET)));
        fails(InvalidConfigurationException.class, () -> alter(topic(name), op("segment.bytes", "1", OpType.SET)));
        fails(InvalidConfigurationException.class, () -> alter(topic(name), op("no.such", "1", OpType.SET)));
        fails(InvalidConfigurationException.class, () -> alter(topic(name), op("cleanup.policy", "burn", OpType.SET)));
        fails(InvalidConfigurationException.class, () -> alter(topic(name), op("retention.ms", "1", OpType.APPEND)));
        var unknown = topic(Cluster.fresh("unknown"));
        fails(UnknownTopicOrPartitionException.class, () -> alter(unknown, op("retention.ms", "1", OpType.SET)));
        fails(UnknownTopicOrPartitionException.class, () -> describe(unknown));
        entry(describe(topic(name)), "retention.ms", "604800000", ConfigSource.DEFAULT_CONFIG);
    }

    private void validates() throws Exception {
        String name = cluster.topic("validating", 1);
        var only = new AlterConfigsOptions().validateOnly(true);
        Collection<AlterConfigOp> good = List.of(op("retention.ms", "5", OpType.SET));
        admin.incrementalAlterConfigs(Map.of(topic(name), good), only).all().get();
        entry(describe(topic(name)), "retention.ms", "604800000", ConfigSource.DEFAULT_CONFIG);
        Collection<AlterConfigOp> bad = List.of(op("retention.ms", "x", OpType.SET));
        fails(InvalidConfigurationException.class,
                () -> admin.incrementalAlterConfigs(Map.of(topic(name), bad), only).all().get());
    }

    private void describesBroker() throws Exception {
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        Config config = describe(new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(node)));
        equal(Integer.toString(node), config.get("node.id").value(), "node.id");
        equal("1", config.get("num.partitions").value(), "num.partitions");
        that(config.get("listeners").value().contains("PLAINTEXT://"), "listeners");
        that(config.get("node.id").isReadOnly(), "node.id can be changed");
    }

    private void describesMore() throws Exception {
        String name = cluster.topic("explained", 1, Map.of("segment.bytes", "7777777"));
        var more = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Config config = admin.describeConfigs(List.of(topic(name)), more).all().get().get(topic(name));
        ConfigEntry segment = config.get("segment.bytes");
        that(segment.documentation() != null && !segment.documentation().isEmpty(), "documentation");
        equal("segment.bytes", segment.synonyms().get(0).name(), "the nearest synonym");
        equal("7777777", segment.synonyms().get(0).value(), "the nearest synonym's value");
        that(segment.synonyms().stream().anyMatch(it -> it.source() == ConfigSource.DEFAULT_CONFIG),
                "a default among the synonyms");
    }

    private static void entry(Config config, String name, String value, ConfigSource source) {
        that(config.get(name) != null, "no config " + name);
        equal(value, config.get(name).value(), name);
        equal(source, config.get(name).source(), "source of " + name);
    }

    private Config describe(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    private Void alter(ConfigResource resource, AlterConfigOp... ops) throws Exception {
        return admin.incrementalAlterConfigs(Map.of(resource, List.of(ops))).all().get();
    }

    private static AlterConfigOp op(String name, String value, OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static ConfigResource topic(String name) {
        return new ConfigResource(ConfigResource.Type.TOPIC, name);
    }
}
