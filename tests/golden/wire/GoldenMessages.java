// Builds every message of Apache Kafka's Java client in every version with recognisable values and prints its bytes.
//
// A line of messages.golden:  <api key> <version> <req|resp> <variant> <hex of the body> <the same values as JSON>
// A line of headers.golden:   header <version> <req|resp> <variant> <hex> <JSON>
//
// Variants: full   every field of the version set, arrays of two elements, nullables present, every tag present
//           null   the same, but nullable fields are null and no tag is written
//           default  a message as constructed: empty arrays, empty strings, documented defaults
//
// Field values come from one counter per message, so that two swapped fields never look alike. The fields are walked by
// the schema of the version; the names in the JSON are those of Kafka's message definitions. Bytes are base64 there,
// records too (they are one valid v2 batch of two records, or null).

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.BaseRecords;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;

public class GoldenMessages {
  enum Variant { FULL, NULL, DEFAULT }

  static final MemoryRecords RECORDS = MemoryRecords.withRecords(
      (byte) 2, 0L, Compression.NONE, org.apache.kafka.common.record.TimestampType.CREATE_TIME, -1L, (short) -1, -1, 5, false,
      new SimpleRecord(1600000000000L, "k1".getBytes(), "v1".getBytes()), new SimpleRecord(1600000000001L, null, "v2".getBytes()));
  // Spoken only between KRaft nodes; share groups (76 and up) exist only there too.
  static final List<Integer> RAFT_ONLY = List.of(52, 53, 54, 55, 59, 62, 63, 64, 70);
  static final ObjectMapper JSON = new ObjectMapper();

  final Variant variant;
  int counter = 0;

  GoldenMessages(Variant variant) { this.variant = variant; }

  public static void main(String[] args) throws Exception {
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], "messages.golden")))) {
      for (ApiMessageType api : ApiMessageType.values()) {
        if (api.apiKey() > 75 || RAFT_ONLY.contains((int) api.apiKey())) continue;
        for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++) {
          for (Variant variant : Variant.values()) {
            print(out, Short.toString(api.apiKey()), v, "req", variant, api.newRequest(), api.requestSchemas()[v]);
            print(out, Short.toString(api.apiKey()), v, "resp", variant, api.newResponse(), api.responseSchemas()[v]);
          }
        }
      }
    }
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], "headers.golden")))) {
      for (Variant variant : Variant.values()) {
        for (short v = 0; v <= 2; v++) print(out, "header", v, "req", variant, new RequestHeaderData(), RequestHeaderData.SCHEMAS[v]);
        for (short v = 0; v <= 1; v++) print(out, "header", v, "resp", variant, new ResponseHeaderData(), ResponseHeaderData.SCHEMAS[v]);
      }
    }
  }

  static void print(PrintWriter out, String key, short version, String direction, Variant variant, ApiMessage message, Schema schema)
      throws Exception {
    GoldenMessages filler = new GoldenMessages(variant);
    if (variant != Variant.DEFAULT) filler.fill(message, schema);
    byte[] bytes = encode(message, version);
    check(message, bytes, version);
    StringBuilder hex = new StringBuilder();
    for (byte b : bytes) hex.append(String.format("%02x", b));
    Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
    JsonNode json = (JsonNode) converter.getMethod("write", message.getClass(), short.class).invoke(null, message, version);
    out.println(key + " " + version + " " + direction + " " + variant.name().toLowerCase() + " "
        + (hex.length() == 0 ? "-" : hex) + " " + JSON.writeValueAsString(withRecords(json)));
  }

  static byte[] encode(ApiMessage message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException("size and bytes disagree: " + message);
    return buffer.array();
  }

  // What was written must read back as the same bytes; otherwise a field was set that the version cannot carry.
  static void check(ApiMessage message, byte[] bytes, short version) throws Exception {
    ApiMessage copy = message.getClass().getDeclaredConstructor().newInstance();
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    copy.read(new ByteBufferAccessor(buffer), version);
    if (buffer.hasRemaining() || !java.util.Arrays.equals(encode(copy, version), bytes))
      throw new IllegalStateException("does not round-trip: v" + version + " " + message);
  }

  void fill(Object object, Schema schema) throws Exception {
    for (BoundField bound : schema.fields()) {
      if (bound.def.type instanceof TaggedFields) {
        if (variant != Variant.FULL) continue;
        for (org.apache.kafka.common.protocol.types.Field tag : tags((TaggedFields) bound.def.type)) set(object, tag.name, tag.type);
      } else {
        set(object, bound.def.name, bound.def.type);
      }
    }
  }

  @SuppressWarnings("unchecked")
  static Collection<org.apache.kafka.common.protocol.types.Field> tags(TaggedFields section) throws Exception {
    Field map = TaggedFields.class.getDeclaredField("fields");
    map.setAccessible(true);
    return ((Map<Integer, org.apache.kafka.common.protocol.types.Field>) map.get(section)).values();
  }

  void set(Object object, String schemaName, Type type) throws Exception {
    Field field = find(object.getClass(), schemaName);
    field.setAccessible(true);
    if (variant == Variant.NULL && nullable(object.getClass(), schemaName, type)) {
      field.set(object, null);
      return;
    }
    field.set(object, value(schemaName, type, field));
  }

  // The schemas call all records nullable and no struct; the exceptions are from the message definitions.
  static boolean nullable(Class<?> owner, String name, Type type) {
    String field = owner.getSimpleName() + "." + name;
    if (field.equals("PartitionSnapshot.unaligned_records")) return false;
    return type.isNullable() || field.equals("DescribeTopicPartitionsRequestData.cursor")
        || field.equals("DescribeTopicPartitionsResponseData.next_cursor")
        || field.equals("ConsumerGroupHeartbeatResponseData.assignment")
        || field.equals("ShareGroupHeartbeatResponseData.assignment");
  }

  static Field find(Class<?> owner, String schemaName) {
    String plain = schemaName.replace("_", "");
    for (Field f : owner.getDeclaredFields())
      if (!java.lang.reflect.Modifier.isStatic(f.getModifiers()) && f.getName().equalsIgnoreCase(plain)) return f;
    throw new IllegalStateException(owner + " has no field for " + schemaName);
  }

  Object value(String name, Type type, Field field) throws Exception {
    Class<?> java = field.getType();
    if (type.isArray()) {
      Type element = type.arrayElementType().get();
      if (!Collection.class.isAssignableFrom(java)) throw new IllegalStateException("array field " + field);
      @SuppressWarnings("unchecked")
      Collection<Object> list = java == List.class ? new ArrayList<>() : (Collection<Object>) java.getDeclaredConstructor().newInstance();
      Class<?> elementClass = elementClass(field);
      for (int i = 0; i < 2; i++) list.add(value(name, element, elementClass, field));
      return list;
    }
    return value(name, type, java, field);
  }

  static Class<?> elementClass(Field field) {
    java.lang.reflect.Type generic =
        field.getType() == List.class ? field.getGenericType() : field.getType().getGenericSuperclass();
    java.lang.reflect.Type argument = ((ParameterizedType) generic).getActualTypeArguments()[0];
    return argument instanceof Class ? (Class<?>) argument : List.class;
  }

  Object value(String name, Type type, Class<?> java, Field field) throws Exception {
    int n = ++counter;
    if (type.isArray()) {  // an array of arrays: only of plain values
      List<Object> inner = new ArrayList<>();
      for (int i = 0; i < 2; i++) inner.add(value(name, type.arrayElementType().get(), Object.class, field));
      return inner;
    }
    if (type instanceof Schema) {
      Object inner = java.getDeclaredConstructor().newInstance();
      fill(inner, (Schema) type);
      return inner;
    }
    if (type == Type.BOOLEAN) return true;
    if (type == Type.INT8) return (byte) (n % 120 + 1);
    if (type == Type.INT16) return (short) (name.endsWith("error_code") ? n % 90 + 1 : 0x1100 + n);
    if (type == Type.UINT16) return 0xf100 + n;
    if (type == Type.INT32) return 0x22000000 + n;
    if (type == Type.UNSIGNED_INT32) return 0xf2000000L + n;
    if (type == Type.INT64) return 0x4400000000000000L + n;
    if (type == Type.FLOAT64) return n + 0.5;
    if (type == Type.UUID) return new Uuid(0x5500000000000000L + n, 0x6600000000000000L + n);
    if (BaseRecords.class.isAssignableFrom(java)) return RECORDS;
    byte[] text = (name + "-" + n).getBytes(StandardCharsets.UTF_8);
    if (java == ByteBuffer.class) return ByteBuffer.wrap(text);
    if (java == byte[].class) return text;
    if (java == String.class || java == Object.class || type.toString().contains("STRING")) return name + "-" + n + "é";
    throw new IllegalStateException("no value for " + name + " of " + type + " in " + field);
  }

  static byte[] recordBytes() {
    ByteBuffer bytes = RECORDS.buffer().duplicate();
    byte[] copy = new byte[bytes.remaining()];
    bytes.get(copy);
    return copy;
  }

  // Kafka's JSON leaves records out and tells their size; put the bytes in its place.
  static JsonNode withRecords(JsonNode node) {
    if (node instanceof ArrayNode) {
      for (JsonNode child : node) withRecords(child);
    } else if (node instanceof ObjectNode) {
      ObjectNode object = (ObjectNode) node;
      List<String> keys = new ArrayList<>();
      object.fieldNames().forEachRemaining(keys::add);
      for (String key : keys) {
        boolean size = key.endsWith("SizeInBytes");
        if (!size && !(key.toLowerCase().endsWith("records") && object.get(key).isBinary())) continue;
        boolean some = !size || object.get(key).asInt() > 0;
        object.remove(key);
        object.set(key.replace("SizeInBytes", ""), some ? BinaryNode.valueOf(recordBytes()) : NullNode.instance);
      }
      for (JsonNode child : object) withRecords(child);
    }
    return node;
  }
}
