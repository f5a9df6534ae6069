import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.AbstractCollection;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Writes down what Kafka's own classes make of every message.
 *
 * vectors.txt: "name version variant hex" with three variants: d, the defaults; f, every field of the version
 * set; n, null wherever the version has it. Messages with tagged fields, which are left out when they have their
 * default, have two more: z, all is zero, false or empty; m, all numbers are -1.
 * fields.txt: "path refused ignored": for each field that some version lacks, the versions in which
 * a value of it is refused and those in which it is dropped.
 *
 * apis.txt: "key name stability" and "version:header of the request:header of the response" for each version.
 * errors.txt: "code name retriable".
 * names.txt: "name" and then the fields in the order of the schema, those of a struct behind the field it is of.
 *
 * The values come from a counter that goes up by one with each value, so that whoever knows the schema can
 * make the same ones. See ../it/sample.rs.
 */
public class Capture {
    static final List<String> PLACES = List.of("/common/message/", "/common/metadata/", "/generated/");
    static int counter;

    enum Variant { FULL, NULLS, ZEROS, MINUS }

    public static void main(String[] args) throws Exception {
        TreeMap<String, Class<?>> messages = new TreeMap<>();
        for (String entry : System.getProperty("java.class.path").split(":")) {
            if (entry.endsWith(".jar")) collect(entry, messages);
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/vectors.txt")) {
            for (var message : messages.entrySet()) vectors(message.getKey(), message.getValue(), out);
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/apis.txt")) {
            for (ApiKeys api : ApiKeys.values()) api(api, out);
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/errors.txt")) {
            for (Errors error : Errors.values()) {
                boolean retriable = error.exception() instanceof RetriableException;
                out.println(error.code() + " " + error.name() + " " + (retriable ? "retriable" : "final"));
            }
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/names.txt")) {
            for (var message : messages.entrySet()) {
                out.print(message.getKey());
                names(message.getValue(), out);
                out.println();
            }
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/fields.txt")) {
            for (var message : messages.entrySet()) {
                fields(message.getKey(), message.getValue(), message.getValue(), new ArrayList<>(), out);
            }
        }
    }

    static void names(Class<?> type, PrintWriter out) throws Exception {
        for (Field field : declared(type)) {
            out.print(' ' + name(type) + '.' + field.getName());
            Class<?> inner = Collection.class.isAssignableFrom(field.getType()) ? element(field) : field.getType();
            if (Message.class.isAssignableFrom(inner)) names(inner, out);
        }
    }

    static boolean hasTags(Class<?> type) throws Exception {
        for (Field constant : type.getDeclaredFields()) {
            if (!constant.getName().startsWith("SCHEMA_")) continue;
            for (BoundField bound : ((Schema) constant.get(null)).fields()) {
                if (bound.def.type instanceof TaggedFields tagged && !tagged.fields().isEmpty()) return true;
            }
        }
        for (Field field : declared(type)) {
            Class<?> inner = Collection.class.isAssignableFrom(field.getType()) ? element(field) : field.getType();
            if (Message.class.isAssignableFrom(inner) && hasTags(inner)) return true;
        }
        return false;
    }

    static void api(ApiKeys api, PrintWriter out) {
        out.print(api.id + " " + api.name + " " + (api.messageType.latestVersionUnstable() ? "unstable" : "stable"));
        if (api.hasValidVersion()) {
            for (short v = api.oldestVersion(); v <= api.latestVersion(); v++) {
                out.print(" " + v + ":" + api.requestHeaderVersion(v) + ":" + api.responseHeaderVersion(v));
            }
        }
        out.println();
    }

    static void collect(String jar, TreeMap<String, Class<?>> messages) throws Exception {
        try (JarFile file = new JarFile(jar)) {
            for (var entries = file.entries(); entries.hasMoreElements();) {
                String name = entries.nextElement().getName();
                if (!name.endsWith(".class") || name.contains("$") || PLACES.stream().noneMatch(name::contains)) continue;
                Class<?> type = Class.forName(name.replace(".class", "").replace('/', '.'));
                // The file quorum-state is JSON, which no one sends.
                boolean isMessage = Message.class.isAssignableFrom(type) && !type.isInterface();
                if (isMessage && !name(type).equals("QuorumStateData")) messages.put(name(type), type);
            }
        }
    }

    static String name(Class<?> type) {
        return type.getSimpleName().replaceFirst("(Request|Response|Header)Data$", "$1");
    }

    static Message create(Class<?> type) throws Exception {
        return (Message) type.getConstructor().newInstance();
    }

    static void vectors(String name, Class<?> type, PrintWriter out) throws Exception {
        Message defaults = create(type);
        for (short v = defaults.lowestSupportedVersion(); v <= defaults.highestSupportedVersion(); v++) {
            counter = 0;
            Message full = (Message) fill(type, v, Variant.FULL);
            counter = 0;
            Message nulls = (Message) fill(type, v, Variant.NULLS);
            line(out, name, v, "d", defaults);
            line(out, name, v, "f", full);
            line(out, name, v, "n", nulls);
            if (!hasTags(type)) continue;
            line(out, name, v, "z", (Message) fill(type, v, Variant.ZEROS));
            line(out, name, v, "m", (Message) fill(type, v, Variant.MINUS));
        }
    }

    static void line(PrintWriter out, String name, short version, String variant, Message message) {
        out.println(name + " " + version + " " + variant + " " + hex(message, version));
    }

    static String hex(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** The fields of a message's class in the order of its schema. */
    static List<Field> declared(Class<?> type) {
        List<Field> fields = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            String name = field.getName();
            boolean link = name.equals("prev") || name.equals("next");
            if (Modifier.isStatic(field.getModifiers()) || name.startsWith("_") || link) continue;
            field.setAccessible(true);
            fields.add(field);
        }
        return fields;
    }

    /** What the schema of a version says of a field: null when the version lacks it. */
    static org.apache.kafka.common.protocol.types.Type typeIn(Class<?> type, short version, Field field)
            throws Exception {
        Schema schema = (Schema) type.getField("SCHEMA_" + version).get(null);
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (var tag : tagged.fields().values()) {
                    if (same(tag.name, field)) return tag.type;
                }
            } else if (same(bound.def.name, field)) {
                return bound.def.type;
            }
        }
        return null;
    }

    static boolean same(String snake, Field field) {
        return snake.replace("_", "").equalsIgnoreCase(field.getName());
    }

    static Object fill(Class<?> type, short version, Variant variant) throws Exception {
        Object it = type.getConstructor().newInstance();
        for (Field field : declared(type)) {
            var inVersion = typeIn(type, version, field);
            if (inVersion == null) continue;
            boolean isNull = variant == Variant.NULLS && inVersion.isNullable();
            field.set(it, isNull ? null : value(field, version, variant));
        }
        return it;
    }

    static Object value(Field field, short version, Variant variant) throws Exception {
        Class<?> type = field.getType();
        if (!Collection.class.isAssignableFrom(type)) return scalar(field, type, version, variant);
        Class<?> element = element(field);
        Collection<Object> list = list(type);
        for (int i = 0; i < (variant == Variant.FULL ? 2 : 1); i++) {
            list.add(scalar(field, element, version, variant));
        }
        return list;
    }

    @SuppressWarnings("unchecked")
    static Collection<Object> list(Class<?> type) throws Exception {
        if (type == List.class) return new ArrayList<>();
        return (AbstractCollection<Object>) type.getConstructor(int.class).newInstance(4);
    }

    static Class<?> element(Field field) {
        var generic = field.getGenericType();
        if (!(generic instanceof ParameterizedType)) generic = field.getType().getGenericSuperclass();
        return (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
    }

    static Object scalar(Field field, Class<?> type, short version, Variant variant) throws Exception {
        if (Message.class.isAssignableFrom(type)) return fill(type, version, variant);
        if (variant == Variant.ZEROS) return same(field, type, 0);
        if (variant == Variant.MINUS) return same(field, type, -1);
        int n = ++counter;
        if (type == boolean.class || type == Boolean.class) return true;
        if (type == byte.class || type == Byte.class) return (byte) n;
        if (type == short.class || type == Short.class) return (short) (n * 3);
        if (type == int.class && isUnsigned16(field)) return (n * 5) & 0xffff;
        if (type == int.class || type == Integer.class) return n * 70001;
        if (type == long.class && isUnsigned32(field)) return n * 16777259L & 0xffffffffL;
        if (type == long.class || type == Long.class) return n * 1000000007L;
        if (type == double.class) return n + 0.5;
        if (type == Uuid.class) return new Uuid(n * 0x0101010101L, -n);
        if (type == String.class) return "s" + n;
        byte[] bytes = {(byte) n, (byte) 0xff, 0};
        if (type == byte[].class) return bytes;
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes);
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }

    static Object same(Field field, Class<?> type, int n) throws Exception {
        if (type == boolean.class || type == Boolean.class) return n != 0;
        if (type == byte.class || type == Byte.class) return (byte) n;
        if (type == short.class || type == Short.class) return (short) n;
        if (type == int.class && isUnsigned16(field)) return n & 0xffff;
        if (type == int.class || type == Integer.class) return n;
        if (type == long.class && isUnsigned32(field)) return n & 0xffffffffL;
        if (type == long.class || type == Long.class) return (long) n;
        if (type == double.class) return (double) n;
        if (type == Uuid.class) return new Uuid(n, n);
        if (type == String.class) return "";
        if (type == byte[].class) return new byte[0];
        if (type == ByteBuffer.class) return ByteBuffer.allocate(0);
        return MemoryRecords.EMPTY;
    }

    /** The classes widen unsigned integers; only the schema tells them apart. */
    static boolean isUnsigned16(Field field) throws Exception {
        return typeName(field).equals("UINT16");
    }

    static boolean isUnsigned32(Field field) throws Exception {
        return typeName(field).equals("UINT32");
    }

    static String typeName(Field field) throws Exception {
        for (short v = 0; v < 100; v++) {
            try {
                var type = typeIn(field.getDeclaringClass(), v, field);
                if (type != null) return type.toString();
            } catch (NoSuchFieldException absent) {
                continue;
            }
        }
        return "";
    }

    /** Tries each field by itself in each version, the fields on the way to it set as well. */
    static void fields(String name, Class<?> top, Class<?> type, List<Field> path, PrintWriter out) throws Exception {
        for (Field field : declared(type)) {
            path.add(field);
            Class<?> inner = Collection.class.isAssignableFrom(field.getType()) ? element(field) : field.getType();
            String line = lacking(top, path);
            if (line != null) out.println(name + labels(path) + line);
            if (Message.class.isAssignableFrom(inner)) fields(name, top, inner, path, out);
            path.remove(path.size() - 1);
        }
    }

    static String labels(List<Field> path) {
        StringBuilder labels = new StringBuilder();
        for (Field field : path) {
            labels.append(' ').append(name(field.getDeclaringClass())).append('.').append(field.getName());
        }
        return labels.toString();
    }

    static String lacking(Class<?> top, List<Field> path) throws Exception {
        List<Short> refused = new ArrayList<>();
        List<Short> ignored = new ArrayList<>();
        Message with = single(top, path);
        Message without = single(top, path.subList(0, path.size() - 1));
        for (short v = with.lowestSupportedVersion(); v <= with.highestSupportedVersion(); v++) {
            try {
                if (hex(with, v).equals(hex(without, v))) ignored.add(v);
            } catch (UnsupportedVersionException e) {
                refused.add(v);
            } catch (NullPointerException e) {
                // The default of FetchSnapshotResponse's records is null, which no version can carry.
                return null;
            }
        }
        if (refused.isEmpty() && ignored.isEmpty()) return null;
        return " : " + versions(refused) + " : " + versions(ignored);
    }

    static String versions(List<Short> versions) {
        return String.join(",", versions.stream().map(String::valueOf).toList());
    }

    static Message single(Class<?> top, List<Field> path) throws Exception {
        counter = 0;
        Message it = create(top);
        Object at = it;
        for (int i = 0; i < path.size(); i++) {
            Field field = path.get(i);
            boolean isList = Collection.class.isAssignableFrom(field.getType());
            Class<?> inner = isList ? element(field) : field.getType();
            boolean isStruct = Message.class.isAssignableFrom(inner);
            Object value = isStruct ? create(inner) : scalar(field, inner, (short) 0, Variant.FULL);
            if (isList) {
                Collection<Object> list = list(field.getType());
                list.add(value);
                field.set(at, list);
            } else {
                field.set(at, value);
            }
            at = value;
        }
        return it;
    }
}
