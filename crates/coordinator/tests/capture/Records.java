import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.JoinGroupRequestData.*;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.*;
import org.apache.kafka.coordinator.group.classic.*;
import java.util.*;
/** Prints records of the group coordinator as Kafka writes them, and where groups live. */
public class Records {
  static String hex(byte[] b) { return b == null ? "null" : HexFormat.of().formatHex(b); }
  static void print(String name, CoordinatorRecord r) {
    GroupCoordinatorRecordSerde s = new GroupCoordinatorRecordSerde();
    System.out.println(name + " " + hex(s.serializeKey(r)) + " " + hex(s.serializeValue(r)));
  }
  static ClassicGroupMember member(String id, String instance, String client, int rebalance, int session, String meta) {
    JoinGroupRequestProtocolCollection p = new JoinGroupRequestProtocolCollection();
    p.add(new JoinGroupRequestProtocol().setName("range").setMetadata(meta.getBytes()));
    p.add(new JoinGroupRequestProtocol().setName("other").setMetadata("zz".getBytes()));
    return new ClassicGroupMember(id, Optional.ofNullable(instance), client, "/127.0.0.1", rebalance, session, "consumer", p);
  }
  public static void main(String[] a) throws Exception {
    Time time = new Fixed(1700000006000L);
    ClassicGroup g = new ClassicGroup(new LogContext(), "g", ClassicGroupState.EMPTY, time, 0, Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(1700000006000L));
    g.add(member("a-00000000-0000-0000-0000-000000000001", null, "a", 60000, 10000, "m"));
    g.add(member("i-00000000-0000-0000-0000-000000000001", "i", "b", 30000, 20000, "n"));
    g.transitionTo(ClassicGroupState.PREPARING_REBALANCE);
    g.initNextGeneration();
    Map<String, byte[]> as = new HashMap<>();
    as.put("a-00000000-0000-0000-0000-000000000001", "A".getBytes());
    as.put("i-00000000-0000-0000-0000-000000000001", new byte[0]);
    print("group", GroupCoordinatorRecordHelpers.newGroupMetadataRecord(g, as));
    for (String m : List.copyOf(g.allMemberIds())) g.remove(m);
    g.transitionTo(ClassicGroupState.PREPARING_REBALANCE);
    g.initNextGeneration();
    print("empty", GroupCoordinatorRecordHelpers.newGroupMetadataRecord(g, Map.of()));
    print("group_tombstone", GroupCoordinatorRecordHelpers.newGroupMetadataTombstoneRecord("g"));
    Uuid one = new Uuid(0L, 1L);
    print("offset", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "t", 7, new OffsetAndMetadata(1234567890123L, OptionalInt.of(5), "note é😀", 1700000000000L, OptionalLong.empty(), one)));
    print("offset_no_epoch", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "t", 0, new OffsetAndMetadata(0L, OptionalInt.empty(), "", 1700000000000L, OptionalLong.empty(), Uuid.ZERO_UUID)));
    print("offset_expires", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("", "topic.with-dots_", 2147483647, new OffsetAndMetadata(42L, OptionalInt.of(5), "m", 1700000000000L, OptionalLong.of(1700000900000L), one)));
    print("offset_tombstone", GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("g", "t", 7));
    for (String s : new String[]{"", "g", "my-group", "console-consumer-12345", "é😀", "polygenelubricants", "connect-cluster", "a.b_c-D", "\uD83D\uDE00\uD83D\uDE00", "test-group-1", "DESIGNING WORKHOUSES", "gruppe-äöü", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"})
      System.out.println("partition " + s + " " + (org.apache.kafka.common.utils.Utils.abs(s.hashCode()) % 50) + " hash " + s.hashCode());
  }
  record Fixed(long now) implements Time {
    public long milliseconds() { return now; }
    public long hiResClockMs() { return now; }
    public long nanoseconds() { return now * 1_000_000; }
    public void sleep(long ms) { throw new UnsupportedOperationException(); }
    public void waitObject(Object o, java.util.function.Supplier<Boolean> until, long deadline) { throw new UnsupportedOperationException(); }
    public org.apache.kafka.common.utils.Timer timer(long ms) { throw new UnsupportedOperationException(); }
    public org.apache.kafka.common.utils.Timer timer(java.time.Duration d) { throw new UnsupportedOperationException(); }
    public <T> T waitForFuture(java.util.concurrent.CompletableFuture<T> f, long ns) { throw new UnsupportedOperationException(); }
  }
}
