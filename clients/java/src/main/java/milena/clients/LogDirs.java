package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ReplicaInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.LogDirNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Log directories, and replicas that move between them, through the admin client. */
final class LogDirs {
    private final Cluster cluster;
    private final Admin admin;

    LogDirs(Cluster cluster) {
        this.cluster = cluster;
        this.admin = cluster.admin;
    }

    void addTo(Checks checks) {
        checks.add("log directories are described", this::describes);
        checks.add("a replica moves between log directories", this::moves);
        checks.add("a directory is wanted for a partition that comes later", this::prefers);
        checks.add("moves that must be refused", this::refuses);
    }

    private void describes() throws Exception {
        String name = cluster.topic("in-dirs", 2);
        cluster.write(name, 0, "v", 10);
        Map<String, LogDirDescription> dirs = dirs();
        equal(2, dirs.size(), "directories");
        int found = 0;
        for (LogDirDescription dir : dirs.values()) {
            that(dir.error() == null, "no error");
            that(dir.totalBytes().getAsLong() >= dir.usableBytes().getAsLong(), "the size of the volume");
            for (int partition = 0; partition < 2; partition++) {
                ReplicaInfo replica = dir.replicaInfos().get(new TopicPartition(name, partition));
                if (replica != null) {
                    found++;
                    equal(0L, replica.offsetLag(), "lag");
                    equal(false, replica.isFuture(), "future");
                    that(replica.size() > 0 || partition == 1, "bytes");
                }
            }
        }
        equal(2, found, "replicas");
    }

    private void moves() throws Exception {
        String name = cluster.topic("moved", 1);
        cluster.write(name, 0, "v", 100);
        var replica = new TopicPartitionReplica(name, 0, node());
        String from = place(replica);
        for (int turn = 0; turn < 2; turn++) {
            String to = other(from);
            admin.alterReplicaLogDirs(Map.of(replica, to)).all().get();
            eventually("the replica is in " + to, 30_000, () -> {
                var info = admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica);
                equal(0L, info.getCurrentReplicaOffsetLag(), "lag");
                return to.equals(info.getCurrentReplicaLogDir()) && info.getFutureReplicaLogDir() == null;
            });
            cluster.write(name, 0, "v", 10);
            from = to;
        }
        equal(120, cluster.read(name, 0, 120).size(), "records");
        // To where it is already.
        admin.alterReplicaLogDirs(Map.of(replica, from)).all().get();
        equal(from, place(replica), "directory");
    }

    private void prefers() throws Exception {
        for (String dir : dirs().keySet()) {
            String name = Cluster.fresh("wanted");
            var replica = new TopicPartitionReplica(name, 0, node());
            fails(UnknownTopicOrPartitionException.class,
                () -> admin.alterReplicaLogDirs(Map.of(replica, dir)).all().get());
            admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
            eventually("the replica is in " + dir, 10_000, () -> dir.equals(place(replica)));
        }
    }

    private void refuses() throws Exception {
        String name = cluster.topic("stays", 1);
        var replica = new TopicPartitionReplica(name, 0, node());
        fails(LogDirNotFoundException.class,
            () -> admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all().get());
        String dir = place(replica);
        fails(UnknownTopicOrPartitionException.class,
            () -> admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica(name, 7, node()), dir)).all().get());
        fails(InvalidTopicException.class, () -> admin.alterReplicaLogDirs(
            Map.of(new TopicPartitionReplica("t".repeat(214), 0, node()), dir)).all().get());
    }

    private String place(TopicPartitionReplica replica) throws Exception {
        return admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir();
    }

    private String other(String dir) throws Exception {
        List<String> others = new ArrayList<>(dirs().keySet());
        others.remove(dir);
        return others.get(0);
    }

    private Map<String, LogDirDescription> dirs() throws Exception {
        return admin.describeLogDirs(List.of(node())).allDescriptions().get().get(node());
    }

    private int node() throws Exception {
        return admin.describeCluster().nodes().get().iterator().next().id();
    }
}
