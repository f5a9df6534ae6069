import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import net.jpountz.lz4.LZ4FrameOutputStream;
import net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE;
import net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits;
import net.jpountz.xxhash.XXHashFactory;
import org.xerial.snappy.Snappy;

/** The same records compressed in all the ways that a codec's format has, by codec and by what is particular. */
final class Frames {
    /** Not the end of a record. */
    static final int CUT = 5;
    static final byte[] SKIPPABLE = HexFormat.of().parseHex("5a2a4d1803000000616263");
    static final byte[] NOTHING = {};

    static Map<String, Map<String, byte[]>> of(byte[] records) throws IOException {
        Map<String, Map<String, byte[]>> frames = new LinkedHashMap<>();
        frames.put("gzip", gzip(records));
        frames.put("snappy", snappy(records));
        frames.put("lz4", lz4(records));
        frames.put("zstd", zstd(records));
        return frames;
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) out.writeBytes(part);
        return out.toByteArray();
    }

    static byte[] head(byte[] bytes, int length) {
        return Arrays.copyOf(bytes, length);
    }

    static byte[] tail(byte[] bytes, int from) {
        return Arrays.copyOfRange(bytes, from, bytes.length);
    }

    static byte[] flipped(byte[] bytes, int at) {
        byte[] flipped = bytes.clone();
        flipped[at < 0 ? bytes.length + at : at] ^= 1;
        return flipped;
    }

    static byte[] little(int word) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(word).array();
    }

    static byte[] big(int word) {
        return ByteBuffer.allocate(4).putInt(word).array();
    }

    // ---- gzip

    static Map<String, byte[]> gzip(byte[] records) throws IOException {
        Map<String, byte[]> all = new LinkedHashMap<>();
        byte[] first = member(head(records, CUT)), second = member(tail(records, CUT));
        byte[] whole = member(records), empty = member(NOTHING);
        all.put("members", join(first, second));
        all.put("empty-first", join(empty, whole));
        all.put("empty-last", join(whole, empty));
        all.put("empty", empty);
        all.put("member-missing", first);
        all.put("second-cut", head(join(first, second), first.length + second.length - 1));
        all.put("second-header-cut", join(whole, head(empty, 9)));
        all.put("garbage-behind", join(whole, "garbage behind it".getBytes()));
        all.put("crc-wrong", flipped(whole, -8));
        all.put("size-wrong", flipped(whole, -1));
        byte[] extra = {3, 0, 'a', 'b', 'c'};
        all.put("text", member(records, 1, NOTHING));
        all.put("extra", member(records, 4, extra));
        all.put("name", member(records, 8, "name\0".getBytes()));
        all.put("comment", member(records, 16, "comment\0".getBytes()));
        all.put("all-fields", member(records, 28, join(extra, "name\0comment\0".getBytes())));
        byte[] header = head(member(records, 2, NOTHING), 10);
        CRC32 crc = new CRC32();
        crc.update(header);
        byte[] sum = head(little((int) crc.getValue()), 2);
        all.put("header-crc", member(records, 2, sum));
        all.put("header-crc-wrong", member(records, 2, flipped(sum, 0)));
        all.put("stored", member(records, 0, NOTHING, Deflater.NO_COMPRESSION));
        return all;
    }

    static byte[] member(byte[] input) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(input);
        }
        return out.toByteArray();
    }

    static byte[] member(byte[] input, int flags, byte[] fields) throws IOException {
        return member(input, flags, fields, Deflater.DEFAULT_COMPRESSION);
    }

    static byte[] member(byte[] input, int flags, byte[] fields, int level) {
        Deflater deflater = new Deflater(level, true);
        deflater.setInput(input);
        deflater.finish();
        byte[] deflated = new byte[input.length + 100];
        deflated = head(deflated, deflater.deflate(deflated));
        CRC32 crc = new CRC32();
        crc.update(input);
        byte[] header = {0x1f, (byte) 0x8b, 8, (byte) flags, 0, 0, 0, 0, 0, 0};
        return join(header, fields, deflated, little((int) crc.getValue()), little(input.length));
    }

    // ---- snappy

    static final byte[] SNAPPY_HEADER = join(new byte[] {(byte) 0x82}, "SNAPPY\0".getBytes(), big(1), big(1));

    static Map<String, byte[]> snappy(byte[] records) throws IOException {
        Map<String, byte[]> all = new LinkedHashMap<>();
        for (int size : new int[] {1, 2, 7, 64, 1000}) all.put("blocks-of-" + size, framed(records, size));
        byte[] whole = framed(records, 1000), empty = block(Snappy.compress(NOTHING));
        byte[] first = framed(head(records, CUT), 1000), second = framed(tail(records, CUT), 1000);
        all.put("empty-block-first", join(SNAPPY_HEADER, empty, tail(whole, 16)));
        all.put("empty-block-between", join(first, empty, tail(second, 16)));
        all.put("empty-block-last", join(whole, empty));
        all.put("block-of-no-bytes", join(first, big(0), tail(second, 16)));
        all.put("block-of-no-bytes-last", join(whole, big(0)));
        all.put("no-blocks", SNAPPY_HEADER);
        all.put("only-empty", join(SNAPPY_HEADER, empty));
        all.put("header-cut", head(SNAPPY_HEADER, 12));
        all.put("magic-only", head(SNAPPY_HEADER, 8));
        all.put("block-missing", first);
        all.put("two-streams", join(first, second));
        all.put("version-0", join(head(SNAPPY_HEADER, 8), big(0), big(0), tail(whole, 16)));
        all.put("version-2", join(head(SNAPPY_HEADER, 8), big(2), big(2), tail(whole, 16)));
        all.put("version-negative", join(head(SNAPPY_HEADER, 8), big(-1), big(-1), tail(whole, 16)));
        all.put("length-cut", join(whole, new byte[2]));
        byte[] bare = Snappy.compress(records);
        all.put("bare", bare);
        all.put("bare-with-bytes-behind", join(bare, new byte[] {0}));
        all.put("bare-cut", head(bare, bare.length - 1));
        all.put("bare-length-less", flipped(bare, 0));
        all.put("bare-empty", Snappy.compress(NOTHING));
        all.put("two-bare", join(bare, Snappy.compress(records)));
        return all;
    }

    static byte[] block(byte[] compressed) {
        return join(big(compressed.length), compressed);
    }

    static byte[] framed(byte[] input, int blockBytes) throws IOException {
        byte[] out = SNAPPY_HEADER;
        for (int at = 0; at < input.length; at += blockBytes) {
            byte[] part = Arrays.copyOfRange(input, at, Math.min(input.length, at + blockBytes));
            out = join(out, block(Snappy.compress(part)));
        }
        return out;
    }

    // ---- lz4

    static Map<String, byte[]> lz4(byte[] records) throws IOException {
        Map<String, byte[]> all = new LinkedHashMap<>();
        for (BLOCKSIZE size : BLOCKSIZE.values()) all.put("block-size-" + size, frame(records, size));
        BLOCKSIZE size = BLOCKSIZE.SIZE_64KB;
        byte[] whole = frame(records, size), empty = frame(NOTHING, size);
        byte[] content = frame(records, size, Bits.CONTENT_CHECKSUM);
        byte[] blocks = frame(records, size, Bits.BLOCK_CHECKSUM);
        byte[] sized = frame(records, size, Bits.CONTENT_SIZE);
        all.put("content-checksum", content);
        all.put("content-checksum-wrong", flipped(content, -1));
        all.put("content-checksum-missing", head(content, content.length - 4));
        all.put("block-checksum", blocks);
        all.put("block-checksum-wrong", flipped(blocks, -5));
        all.put("content-size", sized);
        byte[] sizedOtherwise = flipped(sized, 6);
        sizedOtherwise[14] = descriptorSum(sizedOtherwise, 10);
        all.put("content-size-wrong", sizedOtherwise);
        all.put("all-fields", frame(records, size, Bits.CONTENT_CHECKSUM, Bits.BLOCK_CHECKSUM, Bits.CONTENT_SIZE));
        for (int flags : new int[] {0x40, 0x62, 0x61, 0x20, 0xa0}) all.put("flags-" + flags, descriptor(whole, flags, 0x40));
        for (int sizes : new int[] {0x00, 0x30, 0x41, 0xc0}) all.put("sizes-" + sizes, descriptor(whole, 0x60, sizes));
        all.put("descriptor-sum-wrong", flipped(whole, 6));
        all.put("no-end", head(whole, whole.length - 4));
        all.put("end-cut", head(whole, whole.length - 1));
        all.put("empty", empty);
        all.put("empty-first", join(empty, whole));
        all.put("empty-last", join(whole, empty));
        all.put("frames", join(frame(head(records, CUT), size), frame(tail(records, CUT), size)));
        all.put("skippable-first", join(SKIPPABLE, whole));
        all.put("skippable-last", join(whole, SKIPPABLE));
        byte[] first = stored(head(records, CUT)), second = stored(tail(records, CUT));
        all.put("stored", join(head(whole, 7), first, second, little(0)));
        all.put("stored-of-nothing", join(head(whole, 7), first, little(1 << 31), second, little(0)));
        byte[] nothing = {0};
        all.put("block-of-nothing", join(head(whole, 7), first, little(1), nothing, second, little(0)));
        return all;
    }

    static byte[] frame(byte[] input, BLOCKSIZE size, Bits... bits) throws IOException {
        Bits[] all = Arrays.copyOf(bits, bits.length + 1);
        all[bits.length] = Bits.BLOCK_INDEPENDENCE;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream frame = new LZ4FrameOutputStream(out, size, input.length, all)) {
            frame.write(input);
        }
        return out.toByteArray();
    }

    static byte[] stored(byte[] block) {
        return join(little(block.length | 1 << 31), block);
    }

    /** The plain frame with another descriptor and a right sum of it. */
    static byte[] descriptor(byte[] frame, int flags, int sizes) {
        byte[] changed = frame.clone();
        changed[4] = (byte) flags;
        changed[5] = (byte) sizes;
        changed[6] = descriptorSum(changed, 2);
        return changed;
    }

    static byte descriptorSum(byte[] frame, int length) {
        return (byte) (XXHashFactory.safeInstance().hash32().hash(frame, 4, length, 0) >> 8);
    }

    // ---- zstd

    static Map<String, byte[]> zstd(byte[] records) throws IOException {
        Map<String, byte[]> all = new LinkedHashMap<>();
        byte[] first = zstdFrame(head(records, CUT), false), second = zstdFrame(tail(records, CUT), false);
        byte[] whole = zstdFrame(records, false), summed = zstdFrame(records, true), empty = zstdFrame(NOTHING, false);
        all.put("frames", join(first, second));
        all.put("frame-missing", first);
        all.put("second-cut", join(first, head(second, second.length - 1)));
        all.put("empty", empty);
        all.put("empty-first", join(empty, whole));
        all.put("empty-last", join(whole, empty));
        all.put("skippable-first", join(SKIPPABLE, whole));
        all.put("skippable-between", join(first, SKIPPABLE, second));
        all.put("skippable-last", join(whole, SKIPPABLE));
        all.put("skippable-only", SKIPPABLE);
        all.put("skippable-cut", join(whole, head(SKIPPABLE, 9)));
        all.put("checksum", summed);
        all.put("checksum-wrong", flipped(summed, -1));
        all.put("sized", com.github.luben.zstd.Zstd.compress(records));
        all.put("no-last-block", head(whole, whole.length - 3));
        all.put("garbage-behind", join(whole, "garbage".getBytes()));
        for (int log : new int[] {27, 28}) all.put("window-of-" + log, window(records, log));
        return all;
    }

    static byte[] zstdFrame(byte[] input, boolean checksum) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZstdOutputStream frame = new ZstdOutputStream(out, 3)) {
            frame.setChecksum(checksum);
            frame.write(input);
        }
        return out.toByteArray();
    }

    /** A frame of one block as it is, that asks for a window of so many bytes. */
    static byte[] window(byte[] input, int log) {
        byte[] header = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, (byte) (log - 10 << 3)};
        return join(header, head(little(1 | input.length << 3), 3), input);
    }
}
