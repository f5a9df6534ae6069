package milena.clients;

import static milena.clients.Checks.equal;
import static milena.clients.Checks.eventually;
import static milena.clients.Checks.fails;
import static milena.clients.Checks.that;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Groups as an operator sees them. */
final class GroupAdmin {
    private final Cluster cluster;
    private final Admin admin;

    GroupAdmin(Cluster cluster) {
        this.cluster = cluster;
        this.admin = cluster.admin;
    }

    void addTo(Checks checks) {
        checks.add("groups are listed by state and type", this::lists);
        checks.add("a group is described", this::describes);
        checks.add("offsets of groups are listed", this::listsOffsets);
        checks.add("offsets of an empty group are altered, of a live one not", this::altersOffsets);
        checks.add("groups are deleted", this::deletes);
        checks.add("members are removed", this::removesMembers);
        checks.add("unknown groups", this::unknown);
    }

    private void lists() throws Exception {
        String topic = cluster.topic("listed-group", 1);
        String live = Cluster.fresh("listed-live");
        String empty = Cluster.fresh("listed-empty");
        emptyGroup(empty, topic);
        try (Member member = new Member(cluster, live, topic, Map.of())) {
            Member.await(new int[] {1}, member);
            Map<String, GroupListing> all = admin.listGroups().all().get().stream()
                    .collect(Collectors.toMap(GroupListing::groupId, it -> it));
            equal(Optional.of(GroupState.STABLE), all.get(live).groupState(), "state");
            equal(Optional.of(GroupType.CLASSIC), all.get(live).type(), "type");
            equal("consumer", all.get(live).protocol(), "protocol");
            equal(Optional.of(GroupState.EMPTY), all.get(empty).groupState(), "state of the empty one");
            equal("consumer", all.get(empty).protocol(), "protocol of the empty one");
            Set<String> stable = names(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE)));
            that(stable.contains(live) && !stable.contains(empty), "only stable ones");
            Set<String> classic = names(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC)));
            that(classic.contains(live) && classic.contains(empty), "classic ones");
            that(!names(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).contains(live), "other ones");
        }
    }

    private void describes() throws Exception {
        String topic = cluster.topic("described-group", 3);
        String group = Cluster.fresh("described");
        Map<String, String> settings = Map.of("group.instance.id", "instance", "client.id", "the-client");
        try (Member member = new Member(cluster, group, topic, settings)) {
            Member.await(new int[] {3}, member);
            ConsumerGroupDescription it = describe(group);
            equal(GroupState.STABLE, it.groupState(), "state");
            equal(GroupType.CLASSIC, it.type(), "type");
            equal("range", it.partitionAssignor(), "assignor");
            equal(cluster.address, it.coordinator().host() + ":" + it.coordinator().port(), "coordinator");
            equal(1, it.members().size(), "members");
            var only = it.members().iterator().next();
            equal("the-client", only.clientId(), "client");
            equal("/127.0.0.1", only.host(), "host");
            equal(Optional.of("instance"), only.groupInstanceId(), "instance");
            that(!only.consumerId().isEmpty(), "a member id");
            equal(member.partitions(), only.assignment().topicPartitions(), "assignment");
        }
    }

    private void listsOffsets() throws Exception {
        String topic = cluster.topic("group-offsets", 2);
        String one = Cluster.fresh("offsets");
        String two = Cluster.fresh("offsets");
        TopicPartition partition = new TopicPartition(topic, 1);
        for (String group : List.of(one, two)) {
            var offsets = Map.of(partition, new OffsetAndMetadata(group.equals(one) ? 11 : 22));
            admin.alterConsumerGroupOffsets(group, offsets).all().get();
        }
        var spec = new org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec();
        var both = admin.listConsumerGroupOffsets(Map.of(one, spec, two, spec)).all().get();
        equal(11L, both.get(one).get(partition).offset(), "of the one");
        equal(22L, both.get(two).get(partition).offset(), "of the other");
        equal(1, both.get(one).size(), "partitions with an offset");
        equal(Map.of(), admin.listConsumerGroupOffsets(Cluster.fresh("no-such")).partitionsToOffsetAndMetadata().get(),
                "of an unknown group");
    }

    private void altersOffsets() throws Exception {
        String topic = cluster.topic("altered-offsets", 1);
        String group = Cluster.fresh("altered");
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.write(topic, 0, "v", 10);
        try (Member member = new Member(cluster, group, topic, Map.of())) {
            eventually("all is read", 20_000, () -> member.values.size() == 10);
            fails(UnknownMemberIdException.class,
                    () -> admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(2))).all().get());
        }
        eventually("the group is empty", 10_000, () -> describe(group).groupState() == GroupState.EMPTY);
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(7))).all().get();
        try (Member member = new Member(cluster, group, topic, Map.of())) {
            eventually("the rest is read", 20_000, () -> member.values.size() == 3);
            equal(List.of("v7", "v8", "v9"), List.copyOf(member.values), "values");
        }
    }

    private void deletes() throws Exception {
        String topic = cluster.topic("deleted-group", 1);
        String group = Cluster.fresh("deleted");
        try (Member member = new Member(cluster, group, topic, Map.of())) {
            Member.await(new int[] {1}, member);
            fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        eventually("the group is empty", 10_000, () -> describe(group).groupState() == GroupState.EMPTY);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        that(!names(new ListGroupsOptions()).contains(group), "still listed");
        fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }

    private void removesMembers() throws Exception {
        String topic = cluster.topic("removed-members", 2);
        String group = Cluster.fresh("removed");
        Map<String, String> settings = Map.of("group.instance.id", "removable", "session.timeout.ms", "45000");
        Member gone = new Member(cluster, group, topic, settings);
        try (Member stays = new Member(cluster, group, topic, Map.of())) {
            Member.await(new int[] {1, 1}, gone, stays);
            gone.vanish();
            var removal = new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("removable")));
            admin.removeMembersFromConsumerGroup(group, removal).all().get();
            Member.await(new int[] {2}, stays);
        }
    }

    private void unknown() throws Exception {
        String group = Cluster.fresh("no-such");
        fails(GroupIdNotFoundException.class, () -> describe(group));
        fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }

    private void emptyGroup(String group, String topic) throws Exception {
        try (Member member = new Member(cluster, group, topic, Map.of())) {
            Member.await(new int[] {1}, member);
        }
        eventually("the group is empty", 10_000, () -> describe(group).groupState() == GroupState.EMPTY);
    }

    private Set<String> names(ListGroupsOptions options) throws Exception {
        return admin.listGroups(options).all().get().stream().map(GroupListing::groupId).collect(Collectors.toSet());
    }

    private ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }
}
