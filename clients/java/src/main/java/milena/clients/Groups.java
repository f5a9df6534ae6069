package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.io.File;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.OffsetMetadataTooLarge;

/** Consumer groups by the classic protocol: members come and go, offsets stay. */
final class Groups {
    private static final String ASSIGNORS = "org.apache.kafka.clients.consumer.";

    private final Cluster cluster;

    Groups(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        for (String assignor : List.of("RangeAssignor", "RoundRobinAssignor", "StickyAssignor")) {
            checks.add("members join and leave with " + assignor, () -> joinsAndLeaves(assignor));
        }
        checks.add("members join and leave with CooperativeStickyAssignor", this::cooperative);
        checks.add("a member that vanishes loses its partitions", this::vanishes);
        checks.add("a process that is killed loses its partitions", this::killed);
        checks.add("a static member returns without a rebalance", this::staticMember);
        checks.add("a second static member of one name fences the first", this::staticFenced);
        checks.add("five members share twelve partitions", this::fiveMembers);
        checks.add("offsets are committed and resumed from", this::resumes);
        checks.add("commits carry metadata and may be asynchronous", this::commits);
        checks.add("auto-commit", this::autoCommits);
        checks.add("a member that polled too late cannot commit", this::tooLate);
        checks.add("commits without a member id", this::simpleCommits);
        checks.add("a group without a name is refused", this::noName);
    }

    /** A member that never ends, for a process that will be killed. */
    static void member(Cluster cluster, String group, String topic) throws Exception {
        Member member = new Member(cluster, group, topic, Map.of());
        eventually("an assignment", 30_000, () -> member.size() > 0);
        System.out.println("assigned");
        Thread.sleep(120_000);
    }

    private void joinsAndLeaves(String assignor) throws Exception {
        String topic = cluster.topic("rebalanced", 4);
        String group = Cluster.fresh("group");
        Map<String, String> settings = Map.of("partition.assignment.strategy", ASSIGNORS + assignor);
        try (Member first = new Member(cluster, group, topic, settings)) {
            Member.await(new int[] {4}, first);
            try (Member second = new Member(cluster, group, topic, settings)) {
                Member.await(new int[] {2, 2}, first, second);
                for (int i = 0; i < 4; i++) {
                    cluster.write(topic, i, "p" + i + "-", 3);
                }
                eventually("all is read", 20_000, () -> first.values.size() + second.values.size() == 12);
                that(!first.values.isEmpty() && !second.values.isEmpty(), "both read");
            }
            Member.await(new int[] {4}, first);
            equal(null, first.failure, "failure");
        }
    }

    private void cooperative() throws Exception {
        String topic = cluster.topic("cooperative", 4);
        String group = Cluster.fresh("group");
        Map<String, String> settings =
                Map.of("partition.assignment.strategy", ASSIGNORS + "CooperativeStickyAssignor");
        try (Member first = new Member(cluster, group, topic, settings)) {
            Member.await(new int[] {4}, first);
            Set<TopicPartition> before = first.partitions();
            try (Member second = new Member(cluster, group, topic, settings)) {
                Member.await(new int[] {2, 2}, first, second);
                equal(2, first.revoked.size(), "partitions revoked from the first");
                that(before.containsAll(first.partitions()), "the first kept its own");
            }
            Member.await(new int[] {4}, first);
            equal(2, first.revoked.size(), "partitions revoked from the first after the second left");
        }
    }

    private void vanishes() throws Exception {
        String topic = cluster.topic("vanished", 2);
        String group = Cluster.fresh("group");
        try (Member first = new Member(cluster, group, topic, Map.of())) {
            Member second = new Member(cluster, group, topic, Map.of());
            Member.await(new int[] {1, 1}, first, second);
            long started = System.nanoTime();
            second.vanish();
            Member.await(new int[] {2}, first);
            long waited = (System.nanoTime() - started) / 1_000_000;
            that(waited > 3_000, "it was taken for gone after " + waited + " ms");
        }
    }

    private void killed() throws Exception {
        String topic = cluster.topic("killed", 2);
        String group = Cluster.fresh("group");
        ProcessBuilder other = new ProcessBuilder(
                System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", System.getProperty("java.class.path"),
                Main.class.getName(), cluster.address, "member", group, topic);
        Process process = other.redirectErrorStream(true).start();
        try {
            equal("assigned", process.inputReader().readLine(), "its word");
            try (Member survivor = new Member(cluster, group, topic, Map.of())) {
                Member.await(new int[] {1}, survivor);
                process.destroyForcibly().waitFor();
                Member.await(new int[] {2}, survivor);
            }
        } finally {
            process.destroyForcibly();
        }
    }

    private void staticMember() throws Exception {
        String topic = cluster.topic("static", 4);
        String group = Cluster.fresh("group");
        Map<String, String> one = Map.of("group.instance.id", "one", "session.timeout.ms", "15000");
        Map<String, String> two = Map.of("group.instance.id", "two", "session.timeout.ms", "15000");
        try (Member first = new Member(cluster, group, topic, one)) {
            Member second = new Member(cluster, group, topic, two);
            Member.await(new int[] {2, 2}, first, second);
            Set<TopicPartition> before = second.partitions();
            first.revoked.clear();
            second.close();
            try (Member again = new Member(cluster, group, topic, two)) {
                Member.await(new int[] {2, 2}, first, again);
                equal(before, again.partitions(), "partitions of the one that returned");
            }
            equal(List.of(), List.copyOf(first.revoked), "partitions revoked from the other");
        }
    }

    private void staticFenced() throws Exception {
        String topic = cluster.topic("fenced", 1);
        String group = Cluster.fresh("group");
        Map<String, String> settings = Map.of("group.instance.id", "the-one");
        try (Member first = new Member(cluster, group, topic, settings)) {
            Member.await(new int[] {1}, first);
            try (Member second = new Member(cluster, group, topic, settings)) {
                Member.await(new int[] {1}, second);
                eventually("the first is fenced", 15_000, () -> first.failure != null);
                equal(FencedInstanceIdException.class, first.failure.getClass(), "failure");
                equal(null, second.failure, "failure of the second");
            }
        }
    }

    private void fiveMembers() throws Exception {
        String topic = cluster.topic("five", 12);
        String group = Cluster.fresh("group");
        Map<String, String> settings =
                Map.of("partition.assignment.strategy", ASSIGNORS + "CooperativeStickyAssignor");
        Member[] members = new Member[5];
        try {
            for (int i = 0; i < 5; i++) {
                members[i] = new Member(cluster, group, topic, settings);
            }
            eventually("twelve partitions, two or three each", 30_000, () -> {
                int sum = 0;
                for (Member member : members) {
                    if (member.size() < 2 || member.size() > 3) {
                        return false;
                    }
                    sum += member.size();
                }
                return sum == 12;
            });
        } finally {
            for (Member member : members) {
                member.close();
            }
        }
    }

    private void resumes() throws Exception {
        String topic = cluster.topic("resumed", 1);
        String group = Cluster.fresh("group");
        cluster.write(topic, 0, "v", 10);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("group.id", group, "max.poll.records", "4"))) {
            consumer.subscribe(List.of(topic));
            eventually("a first poll", 20_000, () -> consumer.poll(Duration.ofSeconds(1)).count() == 4);
            consumer.commitSync();
        }
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("group.id", group))) {
            consumer.subscribe(List.of(topic));
            equal("v4", Cluster.poll(consumer, 6).get(0).value(), "the first value after the commit");
            equal(4L, consumer.committed(Set.of(partition)).get(partition).offset(), "committed");
        }
    }

    private void commits() throws Exception {
        String topic = cluster.topic("commits", 2);
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        String group = Cluster.fresh("group");
        cluster.write(topic, 0, "v", 5);
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("group.id", group))) {
            consumer.subscribe(List.of(topic));
            Cluster.poll(consumer, 5);
            consumer.commitSync(Map.of(zero, new OffsetAndMetadata(3, java.util.Optional.of(0), "a note")));
            var committed = consumer.committed(Set.of(zero, one));
            equal(new OffsetAndMetadata(3, java.util.Optional.of(0), "a note"), committed.get(zero), "committed");
            equal(null, committed.get(one), "committed where nothing was");
            AtomicReference<Object> outcome = new AtomicReference<>();
            consumer.commitAsync(Map.of(one, new OffsetAndMetadata(0)),
                    (offsets, failure) -> outcome.set(failure == null ? offsets : failure));
            eventually("the callback", 10_000, () -> {
                consumer.poll(Duration.ofMillis(50));
                return outcome.get() != null;
            });
            equal(Map.of(one, new OffsetAndMetadata(0)), outcome.get(), "outcome");
            String long_ = "m".repeat(5_000);
            fails(OffsetMetadataTooLarge.class, () -> {
                consumer.commitSync(Map.of(zero, new OffsetAndMetadata(4, long_)));
                return null;
            });
        }
    }

    private void autoCommits() throws Exception {
        String topic = cluster.topic("auto-commit", 1);
        String group = Cluster.fresh("group");
        cluster.write(topic, 0, "v", 8);
        Map<String, String> settings =
                Map.of("group.id", group, "enable.auto.commit", "true", "auto.commit.interval.ms", "100");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.consumer(settings)) {
            consumer.subscribe(List.of(topic));
            Cluster.poll(consumer, 8);
        }
        try (Consumer<String, String> consumer = cluster.consumer(Map.of("group.id", group))) {
            equal(8L, consumer.committed(Set.of(partition)).get(partition).offset(), "committed");
        }
    }

    private void tooLate() throws Exception {
        String topic = cluster.topic("late", 1);
        cluster.write(topic, 0, "v", 1);
        Map<String, String> settings = Map.of(
                "group.id", Cluster.fresh("group"), "max.poll.interval.ms", "1500",
                "session.timeout.ms", "6000", "heartbeat.interval.ms", "300");
        try (Consumer<String, String> consumer = cluster.consumer(settings)) {
            consumer.subscribe(List.of(topic));
            Cluster.poll(consumer, 1);
            Thread.sleep(3_000);
            fails(CommitFailedException.class, () -> {
                consumer.commitSync();
                return null;
            });
            consumer.poll(Duration.ofSeconds(5));
        }
    }

    private void simpleCommits() throws Exception {
        String topic = cluster.topic("simple", 1);
        String group = Cluster.fresh("group");
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.write(topic, 0, "v", 5);
        try (Consumer<String, String> simple = cluster.consumer(Map.of("group.id", group))) {
            simple.assign(List.of(partition));
            simple.commitSync(Map.of(partition, new OffsetAndMetadata(2)));
            equal(new HashMap<>(Map.of(partition, new OffsetAndMetadata(2))),
                    new HashMap<>(simple.committed(Set.of(partition))), "committed");
            equal("v2", Cluster.poll(simple, 3).get(0).value(), "the first value");
            try (Member member = new Member(cluster, group, topic, Map.of())) {
                Member.await(new int[] {1}, member);
                fails(CommitFailedException.class, () -> {
                    simple.commitSync(Map.of(partition, new OffsetAndMetadata(1)));
                    return null;
                });
            }
        }
    }

    private void noName() {
        try (Consumer<String, String> consumer = cluster.consumer(Map.of())) {
            fails(InvalidGroupIdException.class, () -> {
                consumer.subscribe(List.of("any"));
                return null;
            });
        }
    }
}
