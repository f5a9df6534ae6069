package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics and the cluster, through the admin client. */
final class Topics {
    private final Cluster cluster;
    private final Admin admin;

    Topics(Cluster cluster) {
        this.cluster = cluster;
        this.admin = cluster.admin;
    }

    void addTo(Checks checks) {
        checks.add("cluster is described", this::describesCluster);
        checks.add("topic is created and described", this::createsTopic);
        checks.add("creation answers with the topic's id and configs", this::answersCreation);
        checks.add("creation with a given assignment", this::createsWithAssignment);
        checks.add("creation that must be refused", this::refusesCreation);
        checks.add("creation that only validates", this::validatesCreation);
        checks.add("topics are listed, internal ones on request", this::listsTopics);
        checks.add("topics are described by id", this::describesById);
        checks.add("large topics are described in pages", this::describesInPages);
        checks.add("unknown topics", this::unknownTopics);
        checks.add("topic is deleted by name and by id", this::deletesTopic);
        checks.add("a deleted topic's name starts anew", this::recreatesTopic);
        checks.add("partitions are added", this::addsPartitions);
        checks.add("a producer's metadata request creates a topic", this::createsByMetadata);
    }

    private void describesCluster() throws Exception {
        var description = admin.describeCluster();
        equal(1, description.nodes().get().size(), "brokers");
        var node = description.nodes().get().iterator().next();
        equal(cluster.address, node.host() + ":" + node.port(), "address");
        equal(node.id(), description.controller().get().id(), "controller");
        that(!description.clusterId().get().isEmpty(), "a cluster id");
    }

    private void createsTopic() throws Exception {
        String name = cluster.topic("created", 3);
        TopicDescription topic = describe(name);
        equal(3, topic.partitions().size(), "partitions");
        equal(false, topic.isInternal(), "internal");
        that(!topic.topicId().equals(Uuid.ZERO_UUID), "a topic id");
        for (int i = 0; i < 3; i++) {
            var partition = topic.partitions().get(i);
            equal(i, partition.partition(), "partition");
            equal(1, partition.replicas().size(), "replicas");
            equal(partition.replicas(), partition.isr(), "in-sync replicas");
            equal(partition.replicas().get(0), partition.leader(), "leader");
        }
    }

    private void answersCreation() throws Exception {
        String name = Cluster.fresh("answered");
        var topic = new NewTopic(name, Optional.empty(), Optional.empty()).configs(Map.of("retention.ms", "1234567"));
        var result = admin.createTopics(List.of(topic));
        equal(1, result.numPartitions(name).get(), "partitions by default");
        equal(1, result.replicationFactor(name).get(), "replication factor by default");
        equal(describe(name).topicId(), result.topicId(name).get(), "id");
        equal("1234567", result.config(name).get().get("retention.ms").value(), "retention.ms");
        equal("delete", result.config(name).get().get("cleanup.policy").value(), "cleanup.policy");
    }

    private void createsWithAssignment() throws Exception {
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        String name = Cluster.fresh("assigned");
        admin.createTopics(List.of(new NewTopic(name, Map.of(0, List.of(node), 1, List.of(node))))).all().get();
        equal(2, describe(name).partitions().size(), "partitions");
        String wrong = Cluster.fresh("assigned");
        fails(InvalidReplicaAssignmentException.class, () -> create(new NewTopic(wrong, Map.of(0, List.of(node + 7)))));
        fails(InvalidReplicaAssignmentException.class, () -> create(new NewTopic(wrong, Map.of(1, List.of(node)))));
    }

    private void refusesCreation() throws Exception {
        String name = cluster.topic("taken", 1);
        fails(TopicExistsException.class, () -> create(new NewTopic(name, 1, (short) 1)));
        for (String bad : List.of(".", "..", "a b", "a/b", "ü", "x".repeat(250))) {
            fails(InvalidTopicException.class, () -> create(new NewTopic(bad, 1, (short) 1)));
        }
        String dotted = Cluster.fresh("dotted.name");
        create(new NewTopic(dotted, 1, (short) 1));
        fails(InvalidTopicException.class, () -> create(new NewTopic(dotted.replace('.', '_'), 1, (short) 1)));
        String other = Cluster.fresh("refused");
        fails(InvalidPartitionsException.class, () -> create(new NewTopic(other, 0, (short) 1)));
        fails(InvalidReplicationFactorException.class, () -> create(new NewTopic(other, 1, (short) 3)));
        fails(InvalidReplicationFactorException.class, () -> create(new NewTopic(other, 1, (short) 0)));
        fails(InvalidConfigurationException.class,
                () -> create(new NewTopic(other, 1, (short) 1).configs(Map.of("no.such.config", "1"))));
        fails(InvalidConfigurationException.class,
                () -> create(new NewTopic(other, 1, (short) 1).configs(Map.of("retention.ms", "soon"))));
        that(!admin.listTopics().names().get().contains(other), "a refused topic exists");
    }

    private void validatesCreation() throws Exception {
        String name = Cluster.fresh("validated");
        var only = new CreateTopicsOptions().validateOnly(true);
        var result = admin.createTopics(List.of(new NewTopic(name, 4, (short) 1)), only);
        equal(4, result.numPartitions(name).get(), "partitions");
        that(!admin.listTopics().names().get().contains(name), "a topic that was only validated exists");
    }

    private void listsTopics() throws Exception {
        String name = cluster.topic("listed", 1);
        that(admin.listTopics().names().get().contains(name), "listed");
        try (var consumer = cluster.consumer(Map.of("group.id", Cluster.fresh("makes-the-internal-topic")))) {
            consumer.subscribe(List.of(name));
            eventually("an assignment", 20_000, () -> {
                consumer.poll(Duration.ofMillis(100));
                return !consumer.assignment().isEmpty();
            });
        }
        eventually("the internal topic is listed on request", 10_000, () -> {
            var listings = admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get();
            return listings.stream().anyMatch(it -> it.name().equals("__consumer_offsets") && it.isInternal());
        });
        that(admin.listTopics().listings().get().stream().noneMatch(TopicListing::isInternal), "internal unasked");
    }

    private void describesById() throws Exception {
        String name = cluster.topic("by-id", 2);
        Uuid id = describe(name).topicId();
        var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
        equal(name, byId.name(), "name");
        equal(2, byId.partitions().size(), "partitions");
        fails(UnknownTopicIdException.class,
                () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get());
    }

    private void describesInPages() throws Exception {
        String large = cluster.topic("paged", 25);
        String small = cluster.topic("paged", 2);
        var pages = new DescribeTopicsOptions().partitionSizeLimitPerResponse(7);
        var topics = admin.describeTopics(List.of(large, small), pages).allTopicNames().get();
        equal(25, topics.get(large).partitions().size(), "partitions of the large one");
        equal(2, topics.get(small).partitions().size(), "partitions of the small one");
    }

    private void unknownTopics() {
        String name = Cluster.fresh("unknown");
        fails(UnknownTopicOrPartitionException.class, () -> describe(name));
        fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(name)).all().get());
        fails(InvalidTopicException.class, () -> admin.describeTopics(List.of("a b")).allTopicNames().get());
        fails(UnknownTopicOrPartitionException.class,
                () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(2))).all().get());
    }

    private void deletesTopic() throws Exception {
        String first = cluster.topic("deleted", 2);
        String second = cluster.topic("deleted", 2);
        Uuid id = describe(second).topicId();
        admin.deleteTopics(List.of(first)).all().get();
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        eventually("both are gone", 10_000, () -> {
            Set<String> names = admin.listTopics().names().get();
            return !names.contains(first) && !names.contains(second);
        });
        fails(UnknownTopicIdException.class,
                () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
    }

    private void recreatesTopic() throws Exception {
        String name = cluster.topic("recreated", 1);
        Uuid before = describe(name).topicId();
        cluster.write(name, 0, "old", 10);
        admin.deleteTopics(List.of(name)).all().get();
        eventually("the name is free", 10_000, () -> {
            try {
                create(new NewTopic(name, 1, (short) 1));
                return true;
            } catch (java.util.concurrent.ExecutionException failure) {
                return false;
            }
        });
        eventually("the new topic is known", 10_000, () -> admin.listTopics().names().get().contains(name));
        that(!describe(name).topicId().equals(before), "the same id");
        equal(0L, cluster.write(name, 0, "new", 3).get(0).offset(), "first offset");
        equal(List.of("new0", "new1", "new2"), Cluster.values(cluster.read(name, 0, 3)), "values");
    }

    private void addsPartitions() throws Exception {
        String name = cluster.topic("grown", 1);
        var only = new CreatePartitionsOptions().validateOnly(true);
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(4)), only).all().get();
        equal(1, describe(name).partitions().size(), "partitions after a validation");
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all().get();
        eventually("three partitions", 10_000, () -> describe(name).partitions().size() == 3);
        fails(InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all().get());
        fails(InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(2))).all().get());
        cluster.write(name, 2, "v", 5);
        equal(5, cluster.read(name, 2, 5).size(), "records of the new partition");
    }

    private void createsByMetadata() throws Exception {
        String name = Cluster.fresh("automatic");
        try (var producer = cluster.producer(Map.of())) {
            equal(0L, producer.send(new ProducerRecord<>(name, "k", "v")).get().offset(), "offset");
        }
        equal(1, describe(name).partitions().size(), "partitions");
    }

    private TopicDescription describe(String name) throws Exception {
        return admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
    }

    private Void create(NewTopic topic) throws Exception {
        return admin.createTopics(List.of(topic)).all().get();
    }
}
