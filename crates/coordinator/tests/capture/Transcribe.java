package org.apache.kafka.coordinator.group;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.message.JoinGroupRequestData.*;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.security.auth.*;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.*;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.metrics.*;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.timeline.SnapshotRegistry;

/**
 * Plays scripts to Kafka's own group coordinator and writes down what happens. The language of the scripts
 * is that of the Rust tests (src/tests/script.rs), which read the result.
 *
 * It stands in for Kafka's CoordinatorRuntime: an append succeeds at once, or fails if the script says so.
 */
public class Transcribe {
    static final long START_MS = 1_700_000_000_000L;

    record Clock(long[] now) implements Time {
        public long milliseconds() { return now[0]; }
        public long hiResClockMs() { return now[0]; }
        public long nanoseconds() { return now[0] * 1_000_000; }
        public void sleep(long ms) { throw new UnsupportedOperationException(); }
        public void waitObject(Object o, Supplier<Boolean> until, long deadline) { throw new UnsupportedOperationException(); }
        public org.apache.kafka.common.utils.Timer timer(long ms) { throw new UnsupportedOperationException(); }
        public org.apache.kafka.common.utils.Timer timer(java.time.Duration d) { throw new UnsupportedOperationException(); }
        public <T> T waitForFuture(CompletableFuture<T> f, long ns) { throw new UnsupportedOperationException(); }
    }

    record Due(long deadlineMs, long number, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation) { }

    class Timers implements CoordinatorTimer<CoordinatorRecord> {
        final Map<String, Due> due = new HashMap<>();
        long number = 0;
        public void schedule(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            due.put(key, new Due(clock.milliseconds() + unit.toMillis(delay), number++, operation));
        }
        public void schedule(String key, long delay, TimeUnit unit, boolean retry, long backoff, TimeoutOperation<CoordinatorRecord> operation) {
            schedule(key, delay, unit, retry, operation);
        }
        public void scheduleIfAbsent(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            if (!due.containsKey(key)) schedule(key, delay, unit, retry, operation);
        }
        public void cancel(String key) { due.remove(key); }
        public boolean isScheduled(String key) { return due.containsKey(key); }
    }

    static class NoTasks implements CoordinatorExecutor<CoordinatorRecord> {
        public <R> boolean schedule(String key, TaskRunnable<R> task, TaskOperation<CoordinatorRecord, R> operation) {
            throw new UnsupportedOperationException();
        }
        public boolean isScheduled(String key) { return false; }
        public void cancel(String key) { }
    }

    record Context(String clientId, int requestVersion, InetAddress clientAddress) implements AuthorizableRequestContext {
        public String listenerName() { return "PLAINTEXT"; }
        public SecurityProtocol securityProtocol() { return SecurityProtocol.PLAINTEXT; }
        public KafkaPrincipal principal() { return KafkaPrincipal.ANONYMOUS; }
        public int requestType() { return 0; }
        public int correlationId() { return 0; }
    }

    static class Client {
        String memberId = "";
        int generation = -1;
        String type = null;
        String protocol = null;
    }

    final Clock clock = new Clock(new long[] {START_MS});
    final List<CoordinatorRecord> log = new ArrayList<>();
    final Map<String, Client> clients = new HashMap<>();
    final List<String> events = new ArrayList<>();
    Timers timers;
    SnapshotRegistry snapshots;
    GroupCoordinatorShard shard;
    Errors fail = null;
    /** Counts restarts: what was asked before one is not answered. */
    int life = 0;

    Transcribe() { start(); }

    void start() {
        life++;
        ConfigDef definition = new ConfigDef(GroupCoordinatorConfig.CONFIG_DEF);
        ShareGroupConfig.CONFIG_DEF.configKeys().values().forEach(definition::define);
        AbstractConfig settings = new AbstractConfig(definition, Map.of("group.max.size", 5), false);
        GroupCoordinatorConfig config = new GroupCoordinatorConfig(settings);
        LogContext logContext = new LogContext();
        timers = new Timers();
        snapshots = new SnapshotRegistry(logContext);
        Metrics metrics = new Metrics();
        GroupCoordinatorMetrics coordinatorMetrics = new GroupCoordinatorMetrics(new com.yammer.metrics.core.MetricsRegistry(), metrics);
        GroupCoordinatorMetricsShard shardMetrics =
            coordinatorMetrics.newMetricsShard(snapshots, new TopicPartition("__consumer_offsets", 0));
        GroupMetadataManager groups = new GroupMetadataManager.Builder()
            .withLogContext(logContext)
            .withSnapshotRegistry(snapshots)
            .withTime(clock)
            .withTimer(timers)
            .withExecutor(new NoTasks())
            .withConfig(config)
            .withGroupConfigManager(new GroupConfigManager(Map.of(), config, new ShareGroupConfig(settings)))
            .withGroupCoordinatorMetricsShard(shardMetrics)
            .build();
        OffsetMetadataManager offsets = new OffsetMetadataManager.Builder()
            .withLogContext(logContext)
            .withSnapshotRegistry(snapshots)
            .withTime(clock)
            .withGroupMetadataManager(groups)
            .withGroupCoordinatorConfig(config)
            .withGroupCoordinatorMetricsShard(shardMetrics)
            .build();
        shard = new GroupCoordinatorShard(logContext, groups, offsets, clock, timers, config, coordinatorMetrics, shardMetrics);
        for (int offset = 0; offset < log.size(); offset++) shard.replay(offset, -1, (short) -1, log.get(offset));
        shard.onLoaded(org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage.EMPTY);
    }

    /** Appends what an operation wants appended. Gives the error that it is to be answered with. */
    Errors append(CoordinatorResult<?, CoordinatorRecord> result) {
        List<CoordinatorRecord> records = result.records();
        if (!records.isEmpty()) {
            List<String> texts = new ArrayList<>();
            for (CoordinatorRecord record : records) if (!foundsGroup(record)) texts.add(recordText(record));
            Errors error = texts.isEmpty() ? null : fail;
            if (error != null) fail = null;
            if (!texts.isEmpty()) events.add((error == null ? "log: " : "lost: ") + String.join("; ", texts));
            if (error != null) {
                if (result.appendFuture() != null) result.appendFuture().completeExceptionally(error.exception());
                if (result.replayRecords()) snapshots.revertToSnapshot(log.size());
                return GroupMetadataManager.appendGroupMetadataErrorToResponseError(error);
            }
            for (CoordinatorRecord record : records) {
                if (result.replayRecords()) shard.replay(log.size(), -1, (short) -1, record);
                log.add(record);
            }
        }
        if (result.appendFuture() != null) result.appendFuture().complete(null);
        return Errors.NONE;
    }

    /** Kafka writes that a group is empty when it is first heard of; the Rust coordinator does not. */
    static boolean foundsGroup(CoordinatorRecord record) {
        return record.value() != null && record.value().message() instanceof GroupMetadataValue value && value.generation() == 0;
    }

    void tick(long untilMs, boolean waits) {
        while (true) {
            Optional<Map.Entry<String, Due>> first = timers.due.entrySet().stream()
                .filter(it -> it.getValue().deadlineMs <= untilMs)
                .min(Comparator.comparing((Map.Entry<String, Due> it) -> it.getValue().deadlineMs).thenComparing(it -> it.getValue().number));
            if (first.isEmpty()) break;
            timers.due.remove(first.get().getKey());
            clock.now[0] = Math.max(clock.now[0], first.get().getValue().deadlineMs);
            int from = events.size();
            snapshots.idempotentCreateSnapshot(log.size());
            append(first.get().getValue().operation.generateRecords());
            String at = waits ? "@" + (clock.now[0] - START_MS) + " " : "";
            for (int i = from; i < events.size(); i++) events.set(i, at + events.get(i));
        }
    }

    <T> void whenAnswered(CompletableFuture<T> future, Consumer<T> then) {
        int asked = life;
        future.thenAccept(answer -> { if (life == asked) then.accept(answer); });
    }

    class Words {
        final Map<String, String> options = new HashMap<>();
        final List<String> others = new ArrayList<>();
        Words(String[] words, int from) {
            Set<String> names = Set.of("v", "id", "instance", "session", "rebalance", "type", "protocols", "gen", "group");
            for (int i = from; i < words.length; i++) {
                String[] parts = words[i].split("=", 2);
                if (parts.length == 2 && names.contains(parts[0])) options.put(parts[0], parts[1]);
                else others.add(words[i]);
            }
        }
        String get(String name, String otherwise) { return options.getOrDefault(name, otherwise); }
        int number(String name, int otherwise) { return Integer.parseInt(get(name, "" + otherwise)); }
    }

    List<String> step(String step) throws Exception {
        events.clear();
        String[] words = step.split("\\s+");
        snapshots.idempotentCreateSnapshot(log.size());
        switch (words[0]) {
            case "wait" -> {
                long untilMs = clock.milliseconds() + Long.parseLong(words[1]);
                tick(untilMs, true);
                clock.now[0] = untilMs;
            }
            case "fail" -> fail = words[1].equals("none") ? null : Errors.valueOf(words[1]);
            case "restart" -> start();
            default -> {
                clients.computeIfAbsent(words[0], name -> new Client());
                act(words[0], words[1], new Words(words, 2));
                tick(clock.milliseconds(), false);
            }
        }
        List<String> happened = new ArrayList<>();
        for (String event : events) happened.add(event.stripTrailing());
        Collections.sort(happened);
        return happened;
    }

    void act(String name, String verb, Words words) throws Exception {
        Client client = clients.get(name);
        String group = words.get("group", "g");
        String memberId = words.options.containsKey("id") ? longId(words.get("id", "")) : client.memberId;
        int generation = words.number("gen", client.generation);
        String instance = words.get("instance", null);
        int latest = switch (verb) { case "join" -> 9; case "commit" -> 10; case "describe" -> 6; default -> 5; };
        int version = words.number("v", latest);
        Context context = new Context(name, version, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
        String answer = name + " " + verb + ": ";
        switch (verb) {
            case "join" -> {
                JoinGroupRequestProtocolCollection protocols = new JoinGroupRequestProtocolCollection();
                for (String protocol : words.get("protocols", "range:m").split(",")) {
                    String[] parts = protocol.split(":");
                    protocols.add(new JoinGroupRequestProtocol().setName(parts[0]).setMetadata(parts[1].getBytes()));
                }
                JoinGroupRequestData request = new JoinGroupRequestData()
                    .setGroupId(group).setMemberId(memberId).setGroupInstanceId(instance)
                    .setSessionTimeoutMs(words.number("session", 10_000)).setRebalanceTimeoutMs(words.number("rebalance", 60_000))
                    .setProtocolType(words.get("type", "consumer")).setProtocols(protocols);
                request = new JoinGroupRequest(request, (short) version).data();
                CompletableFuture<JoinGroupResponseData> future = new CompletableFuture<>();
                whenAnswered(future, response -> {
                    response = new JoinGroupResponse(response, (short) version).data();
                    Errors error = Errors.forCode(response.errorCode());
                    if (error == Errors.NONE || error == Errors.MEMBER_ID_REQUIRED) {
                        client.memberId = response.memberId();
                        client.generation = response.generationId();
                        client.type = response.protocolType();
                        client.protocol = response.protocolName();
                    }
                    events.add(answer + joinText(response));
                });
                try {
                    append(shard.classicGroupJoin(context, request, future));
                } catch (RuntimeException exception) {
                    future.complete(new JoinGroupResponseData().setErrorCode(Errors.forException(exception).code()));
                }
            }
            case "sync" -> {
                SyncGroupRequestData request = new SyncGroupRequestData()
                    .setGroupId(group).setMemberId(memberId).setGroupInstanceId(instance).setGenerationId(generation)
                    .setProtocolType(words.get("type", client.type)).setProtocolName(client.protocol);
                for (String assignment : words.others) {
                    String[] parts = assignment.split("=", 2);
                    request.assignments().add(new SyncGroupRequestData.SyncGroupRequestAssignment()
                        .setMemberId(longId(parts[0])).setAssignment(parts[1].getBytes()));
                }
                CompletableFuture<SyncGroupResponseData> future = new CompletableFuture<>();
                whenAnswered(future, response -> {
                    String names = orNothing(response.protocolType()) + orNothing(response.protocolName());
                    events.add(answer + Errors.forCode(response.errorCode()) + names + " " + text(response.assignment()));
                });
                append(shard.classicGroupSync(context, request, future));
            }
            case "heartbeat" -> {
                HeartbeatRequestData request = new HeartbeatRequestData()
                    .setGroupId(group).setMemberId(memberId).setGroupInstanceId(instance).setGenerationId(generation);
                Errors error;
                try {
                    error = Errors.forCode(shard.classicGroupHeartbeat(context, request).response().errorCode());
                } catch (RuntimeException exception) {
                    error = Errors.forException(exception);
                }
                events.add(answer + error);
            }
            case "leave" -> leave(context, answer, group, memberId, instance, words);
            case "commit" -> commit(context, answer, group, memberId, instance, generation, words);
            case "fetch" -> {
                OffsetFetchRequestData.OffsetFetchRequestGroup request = new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group);
                for (String partition : words.others) {
                    request.topics().add(new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(partition.split("-")[0])
                        .setPartitionIndexes(List.of(Integer.parseInt(partition.split("-")[1]))));
                }
                List<String> texts = new ArrayList<>();
                shard.fetchOffsets(request, Long.MAX_VALUE).topics().forEach(topic -> topic.partitions().forEach(partition ->
                    texts.add(topic.name() + "-" + partition.partitionIndex() + "=" + partition.committedOffset())));
                events.add(answer + String.join(" ", texts));
            }
            case "describe" -> events.add(answer + describeText(shard.describeGroups(context, List.of(group), Long.MAX_VALUE).get(0)));
            default -> throw new IllegalArgumentException(verb);
        }
    }

    void leave(Context context, String answer, String group, String memberId, String instance, Words words) {
        LeaveGroupRequestData request = new LeaveGroupRequestData().setGroupId(group);
        for (String member : words.others) {
            String[] parts = member.replace("]", "").split("\\[", 2);
            request.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId(longId(parts[0]))
                .setGroupInstanceId(parts.length == 2 ? parts[1] : null));
        }
        if (request.members().isEmpty()) {
            request.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId(memberId).setGroupInstanceId(instance));
        }
        LeaveGroupResponseData response;
        try {
            CoordinatorResult<LeaveGroupResponseData, CoordinatorRecord> result = shard.classicGroupLeave(context, request);
            Errors error = append(result);
            response = error == Errors.NONE ? result.response() : new LeaveGroupResponseData().setErrorCode(error.code());
        } catch (UnknownMemberIdException exception) {
            response = new LeaveGroupResponseData();
            for (LeaveGroupRequestData.MemberIdentity member : request.members()) {
                response.members().add(new LeaveGroupResponseData.MemberResponse().setMemberId(member.memberId())
                    .setGroupInstanceId(member.groupInstanceId()).setErrorCode(Errors.UNKNOWN_MEMBER_ID.code()));
            }
        }
        response = new LeaveGroupResponse(response, (short) context.requestVersion).data();
        String text = answer + Errors.forCode(response.errorCode());
        for (LeaveGroupResponseData.MemberResponse member : response.members()) {
            text += " " + shortId(member.memberId()) + instanceText(member.groupInstanceId()) + "=" + Errors.forCode(member.errorCode());
        }
        events.add(text);
    }

    void commit(Context context, String answer, String group, String memberId, String instance, int generation, Words words) {
        OffsetCommitRequestData request = new OffsetCommitRequestData()
            .setGroupId(group).setMemberId(memberId).setGroupInstanceId(instance).setGenerationIdOrMemberEpoch(generation);
        for (String commit : words.others) {
            String[] parts = commit.split("=");
            request.topics().add(new OffsetCommitRequestData.OffsetCommitRequestTopic()
                .setName(parts[0].split("-")[0]).setTopicId(new Uuid(0, 1))
                .setPartitions(List.of(new OffsetCommitRequestData.OffsetCommitRequestPartition()
                    .setPartitionIndex(Integer.parseInt(parts[0].split("-")[1]))
                    .setCommittedOffset(Long.parseLong(parts[1])))));
        }
        OffsetCommitResponseData response;
        try {
            CoordinatorResult<OffsetCommitResponseData, CoordinatorRecord> result = shard.commitOffset(context, request);
            Errors error = append(result);
            response = error == Errors.NONE ? result.response() : OffsetCommitRequest.getErrorResponse(request, error);
        } catch (RuntimeException exception) {
            response = OffsetCommitRequest.getErrorResponse(request, Errors.forException(exception));
        }
        List<String> texts = new ArrayList<>();
        response.topics().forEach(topic -> topic.partitions().forEach(partition ->
            texts.add(topic.name() + "-" + partition.partitionIndex() + "=" + Errors.forCode(partition.errorCode()))));
        events.add(answer + String.join(" ", texts));
    }

    static String orNothing(String name) { return name == null ? "" : " " + name; }

    static String text(byte[] bytes) { return new String(bytes, StandardCharsets.UTF_8); }

    static String instanceText(String instance) { return instance == null ? "" : "[" + instance + "]"; }

    static String longId(String id) {
        String digits = id.replaceFirst("^[^0-9]*", "");
        if (digits.isEmpty()) return id;
        String prefix = id.substring(0, id.length() - digits.length());
        return prefix + "-" + new UUID(0, Long.parseLong(digits));
    }

    static String shortId(String id) {
        int at = id.indexOf("-00000000-0000-0000-0000-");
        return at < 0 ? id : id.substring(0, at) + Long.parseLong(id.substring(at + 25), 16);
    }

    static String joinText(JoinGroupResponseData response) {
        String text = Errors.forCode(response.errorCode()).toString();
        if (response.generationId() != -1) text += " gen=" + response.generationId();
        if (response.protocolType() != null) text += " " + response.protocolType();
        if (response.protocolName() != null && !response.protocolName().isEmpty()) text += " " + response.protocolName();
        if (response.leader() != null && !response.leader().isEmpty()) text += " leader=" + shortId(response.leader());
        if (!response.memberId().isEmpty()) text += " id=" + shortId(response.memberId());
        if (response.skipAssignment()) text += " skip";
        for (JoinGroupResponseData.JoinGroupResponseMember member : response.members()) {
            text += " " + shortId(member.memberId()) + instanceText(member.groupInstanceId()) + ":" + text(member.metadata());
        }
        return text;
    }

    static String recordText(CoordinatorRecord record) {
        if (record.key() instanceof OffsetCommitKey key) {
            String partition = key.group() + " " + key.topic() + "-" + key.partition();
            return record.value() == null ? partition + " deleted"
                : partition + "=" + ((OffsetCommitValue) record.value().message()).offset();
        }
        GroupMetadataKey key = (GroupMetadataKey) record.key();
        if (record.value() == null) return key.group() + " deleted";
        GroupMetadataValue value = (GroupMetadataValue) record.value().message();
        String text = key.group() + " gen=" + value.generation() + " " + value.protocolType();
        if (value.protocol() != null) text += " " + value.protocol();
        if (value.leader() != null) text += " leader=" + shortId(value.leader());
        for (GroupMetadataValue.MemberMetadata member : value.members()) {
            text += " " + shortId(member.memberId()) + instanceText(member.groupInstanceId()) + "=" + text(member.assignment());
        }
        return text;
    }

    static String describeText(DescribeGroupsResponseData.DescribedGroup group) {
        String text = group.groupState();
        if (group.errorCode() != 0) text += " " + Errors.forCode(group.errorCode());
        if (!group.protocolType().isEmpty()) text += " " + group.protocolType();
        if (!group.protocolData().isEmpty()) text += " " + group.protocolData();
        for (DescribeGroupsResponseData.DescribedGroupMember member : group.members()) {
            text += " " + shortId(member.memberId()) + instanceText(member.groupInstanceId());
            text += "(" + member.clientId() + "@" + member.clientHost() + ")";
            text += ":" + text(member.memberMetadata()) + "=" + text(member.memberAssignment());
        }
        return text;
    }

    /** Reads scripts, which empty lines separate, and writes them with what happened below each step. */
    public static void main(String[] args) throws Exception {
        StringBuilder out = new StringBuilder();
        for (String script : Files.readString(Path.of(args[0])).split("\n\n")) {
            ClassicGroup.resetIds();
            Transcribe play = new Transcribe();
            for (String step : script.strip().split("\n")) {
                if (step.startsWith(">")) continue;
                out.append(step).append("\n");
                for (String event : play.step(step.strip())) out.append("> ").append(event).append("\n");
            }
            out.append("\n");
        }
        Files.writeString(Path.of(args[1]), out.toString());
    }
}
