package milena.clients;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;

/** A member of a group that polls in a thread of its own until it is closed. */
final class Member implements AutoCloseable, ConsumerRebalanceListener {
    private final Consumer<String, String> consumer;
    private final Thread thread;
    private volatile Set<TopicPartition> assigned = Set.of();
    private volatile boolean ending;
    private volatile CloseOptions ends = CloseOptions.timeout(Duration.ofSeconds(10));
    volatile Throwable failure;
    final List<String> revoked = new CopyOnWriteArrayList<>();
    final List<String> values = new CopyOnWriteArrayList<>();

    Member(Cluster cluster, String group, String topic, Map<String, String> more) {
        Map<String, String> settings = new HashMap<>(Map.of(
                "group.id", group, "session.timeout.ms", "6000", "heartbeat.interval.ms", "300"));
        settings.putAll(more);
        consumer = cluster.consumer(settings);
        consumer.subscribe(List.of(topic), this);
        thread = new Thread(this::poll);
        thread.start();
    }

    int size() {
        return assigned.size();
    }

    Set<TopicPartition> partitions() {
        return assigned;
    }

    /** Ends without leaving the group, as a process that is killed does. */
    void vanish() throws InterruptedException {
        ends = CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP);
        close();
    }

    @Override
    public void close() throws InterruptedException {
        ending = true;
        consumer.wakeup();
        thread.join();
    }

    private void poll() {
        try {
            while (!ending) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
                commit();
                assigned = Set.copyOf(consumer.assignment());
            }
        } catch (WakeupException wakeup) {
            // It was asked to end.
        } catch (Throwable thrown) {
            failure = thrown;
        } finally {
            assigned = Set.of();
            consumer.close(ends);
        }
    }

    private void commit() {
        try {
            consumer.commitSync();
        } catch (RebalanceInProgressException rebalance) {
            // The next poll takes part in it.
        } catch (CommitFailedException failure) {
            // A poll throws what a heartbeat was answered, for one that it is fenced.
            consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
            throw failure;
        }
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        if (!ending) {
            partitions.forEach(partition -> revoked.add(partition.toString()));
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        assigned = Set.copyOf(consumer.assignment());
    }

    /** Waits until the members own so many partitions each, none of them twice. */
    static void await(int[] sizes, Member... members) throws Exception {
        Checks.eventually("members own " + java.util.Arrays.toString(sizes), 25_000, () -> {
            List<TopicPartition> owned = new ArrayList<>();
            for (int i = 0; i < members.length; i++) {
                if (members[i].size() != sizes[i]) {
                    return false;
                }
                owned.addAll(members[i].partitions());
            }
            return owned.size() == Set.copyOf(owned).size();
        });
    }
}
