import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Batches with several faults, of which Kafka finds one first. */
final class Pairs {
    static final int CASES = 1200;

    final Capture.Verdicts verdicts;
    final Random random = new Random(1);
    long nextProducer = 1L << 40;

    Pairs(Capture.Verdicts verdicts) {
        this.verdicts = verdicts;
    }

    void run() {
        List<String> topics = verdicts.topics.keySet().stream().sorted().toList();
        List<String> bases = List.of("keys-none", "keys-gzip", "keys-lz4", "mixed", "mixed-gzip", "mixed-snappy",
            "mixed-lz4", "mixed-zstd", "largest", "too-large");
        for (int i = 0; i < CASES; i++) {
            String base = any(bases);
            int size = verdicts.bases.get(base).length;
            List<String> changes = new ArrayList<>();
            for (int faults = 2 + random.nextInt(3); faults > 0; faults--)
                changes.add(fault(base, size));
            verdicts.judge(any(topics), any(List.of(3, 6, 7, 9, 13)), base, String.join(",", changes));
        }
    }

    <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    String field(int position, int width, Long... values) {
        return Capture.Verdicts.at(position, width, any(List.of(values)));
    }

    /** Only what both refuse: where Milena is stricter is not to decide. */
    String fault(String base, int size) {
        long now = Capture.NOW;
        long attributes = verdicts.bases.get(base)[22];
        return switch (random.nextInt(12)) {
            case 0 -> field(0, 8, 1L, -1L, 5L);
            case 1 -> field(8, 4, size - 13L, 49L, 13L, 0L, -1L);
            case 2 -> field(16, 1, 0L, 1L, 2L, 3L, -1L);
            case 3 -> "!," + field(17, 4, 0L, 1L);
            case 4 -> field(21, 2, 32L | attributes, 128L | attributes, 4L, 36L);
            case 5 -> field(23, 4, 0L, 1L, 2L, 3L, 8L, -1L);
            case 6 -> field(27, 8, -1L, 0L, now, now - 1001, now + 11, now + 3_600_001);
            case 7 -> field(35, 8, -1L, 0L, now, now + 3_600_001);
            case 8 -> field(43, 8, nextProducer++) + ",51=0000," + field(53, 4, 0L, -1L, 5L);
            case 9 -> field(57, 4, 0L, 1L, 2L, 3L, 8L, 9L, 10L, -1L);
            case 10 -> {
                long count = random.nextInt(11);
                yield Capture.Verdicts.at(23, 4, count - 1) + "," + Capture.Verdicts.at(57, 4, count);
            }
            default -> "+" + Capture.HEX.formatHex(verdicts.bases.get(base), 0, any(List.of(1, 12, 17, size < 200 ? size : 61)));
        };
    }
}
