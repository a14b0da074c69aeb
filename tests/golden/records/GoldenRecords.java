// Prints record batches and old messages as Apache Kafka's own client library writes them, with what its reader finds in
// them; records.golden is its output. Run by make.sh.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.DefaultRecordBatch;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.Time;

public class GoldenRecords {
  static final long NOW = 1700000000000L;
  static final Header[] NO_HEADERS = {};

  // What a builder needs to know beside the records.
  static class Batch {
    byte magic = 2;
    CompressionType codec = CompressionType.NONE;
    TimestampType type = TimestampType.CREATE_TIME;
    long baseOffset = 0;
    long producerId = -1;
    short producerEpoch = -1;
    int baseSequence = -1;
    boolean transactional = false;
    int leaderEpoch = -1;
    long deleteHorizon = -1;

    ByteBuffer write(Consumer<MemoryRecordsBuilder> fill) {
      MemoryRecordsBuilder builder = new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 12), magic,
          Compression.of(codec).build(), type, baseOffset, type == TimestampType.LOG_APPEND_TIME ? NOW + 99 : -1,
          producerId, producerEpoch, baseSequence, transactional, false, leaderEpoch, 1 << 20, deleteHorizon);
      fill.accept(builder);
      return builder.build().buffer();
    }
  }

  static Batch batch(int magic, CompressionType codec) {
    Batch b = new Batch();
    b.magic = (byte) magic;
    b.codec = codec;
    return b;
  }

  static byte[] utf8(String s) {
    return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
  }

  static String hex(ByteBuffer b) {
    if (b == null) return "null";
    if (b.remaining() == 0) return "-";
    StringBuilder s = new StringBuilder();
    for (int i = b.position(); i < b.limit(); i++) s.append(String.format("%02x", b.get(i)));
    return s.toString();
  }

  // "bytes NAME MAGIC CODEC HEX # comment", then one line per record: offset, timestamp, key, value, headers.
  static void print(String name, ByteBuffer bytes, String comment) {
    print(name, bytes, comment, true);
  }

  // What fillMany() writes is said by "many NAME" alone: the test computes it.
  static void printMany(String name, ByteBuffer bytes) {
    print(name, bytes, "several blocks of the codec", false);
    System.out.printf("many %s%n", name);
  }

  static void print(String name, ByteBuffer bytes, String comment, boolean list) {
    MemoryRecords records = MemoryRecords.readableRecords(bytes.duplicate());
    RecordBatch first = records.batches().iterator().next();
    System.out.printf("bytes %s %d %s %s # %s%n", name, first.magic(), first.compressionType().name, hex(bytes), comment);
    if (!list) return;
    for (RecordBatch b : records.batches())
      for (Record r : b) {
        StringBuilder line = new StringBuilder();
        line.append(String.format("record %s %d %d %s %s", name, r.offset(), r.timestamp(), hex(r.key()), hex(r.value())));
        for (Header h : r.headers())
          line.append(String.format(" %s=%s", h.key(), hex(h.value() == null ? null : ByteBuffer.wrap(h.value()))));
        System.out.println(line);
      }
  }

  // "down NAME FROM TO_MAGIC FIRST_OFFSET HEX # comment": `FROM` converted as for an old fetch.
  static void printDown(String name, String from, ByteBuffer bytes, int toMagic, long firstOffset, String comment) {
    MemoryRecords converted = (MemoryRecords) MemoryRecords.readableRecords(bytes.duplicate())
        .downConvert((byte) toMagic, firstOffset, Time.SYSTEM).records();
    System.out.printf("down %s %s %d %d %s # %s%n", name, from, toMagic, firstOffset, hex(converted.buffer()), comment);
  }

  static void fillMixed(MemoryRecordsBuilder b) {
    boolean headers = b.magic() == 2;
    b.append(NOW, utf8("key"), utf8("value"));
    b.append(NOW + 5, null, utf8("no key"));
    b.append(NOW - 7, utf8("tombstone"), null);
    b.append(NOW + 1, utf8(""), utf8(""), headers
        ? new Header[] {new RecordHeader("trace", utf8("abc")), new RecordHeader("null", null), new RecordHeader("empty", new byte[0]),
            new RecordHeader("trace", utf8("again"))}
        : NO_HEADERS);
  }

  static void fillMany(MemoryRecordsBuilder b) {
    for (int i = 0; i < 800; i++)
      b.append(NOW + i, utf8("key-" + i % 7), utf8("a line of a log file that repeats itself, as lines of log files do, number " + i));
  }

  static ByteBuffer join(ByteBuffer... parts) {
    int size = 0;
    for (ByteBuffer p : parts) size += p.remaining();
    ByteBuffer all = ByteBuffer.allocate(size);
    for (ByteBuffer p : parts) all.put(p.duplicate());
    all.flip();
    return all;
  }

  public static void main(String[] args) {
    System.out.println("# Written by Apache kafka-clients 3.9.1 through GoldenRecords.java; see make.sh. Null is `null`, empty is `-`.");
    batches();
    special();
    messages();
    conversions();
  }

  static void batches() {
    for (CompressionType codec : CompressionType.values()) {
      Batch b = batch(2, codec);
      print("v2-mixed-" + codec.name, b.write(GoldenRecords::fillMixed), "null and empty keys and values, headers, falling timestamps");
      if (codec != CompressionType.NONE)
        printMany("v2-many-" + codec.name, b.write(GoldenRecords::fillMany));
    }
  }

  static void special() {
    Batch b = new Batch();
    b.baseOffset = 1234567890123L;
    b.leaderEpoch = 42;
    print("v2-offset-epoch", b.write(GoldenRecords::fillMixed), "large base offset, leader epoch");

    b = new Batch();
    b.type = TimestampType.LOG_APPEND_TIME;
    print("v2-append-time", b.write(GoldenRecords::fillMixed), "log append time");

    b = new Batch();
    b.producerId = 7000;
    b.producerEpoch = 3;
    b.baseSequence = 0x7ffffffe;
    print("v2-idempotent", b.write(GoldenRecords::fillMixed), "producer with a sequence about to wrap");
    b.baseSequence = 12;
    b.transactional = true;
    print("v2-transactional", b.write(GoldenRecords::fillMixed), "transactional producer");

    b = new Batch();
    b.baseOffset = 100;
    print("v2-gaps", b.write(m -> {
      m.appendWithOffset(103, NOW, utf8("a"), utf8("1"));
      m.appendWithOffset(170, NOW + 1, utf8("b"), utf8("2"));
      m.appendWithOffset(2000000000L, NOW + 2, utf8("c"), utf8("3"));
    }), "offsets with gaps, as after compaction");
    b.deleteHorizon = NOW + 86400000L;
    print("v2-delete-horizon", b.write(m -> {
      m.appendWithOffset(103, NOW, utf8("a"), null);
      m.appendWithOffset(104, NOW + 1, utf8("b"), null);
    }), "tombstones with a delete horizon");

    b = new Batch();
    print("v2-no-timestamp", b.write(m -> m.append(-1L, utf8("k"), utf8("v"))), "no timestamp");
    print("v2-long-header", b.write(m -> {
      Header[] headers = new Header[70];
      for (int i = 0; i < headers.length; i++) headers[i] = new RecordHeader("header-number-" + i, new byte[i]);
      m.append(NOW, (byte[]) null, (byte[]) null, headers);
    }), "header count and record length of two varint bytes");

    for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT})
      print("v2-marker-" + type.name().toLowerCase(),
          MemoryRecords.withEndTransactionMarker(55, NOW, 6, 7000, (short) 3, new EndTransactionMarker(type, 9)).buffer(),
          "transaction marker, coordinator epoch 9");

    ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
    DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 7000, (short) 3, 20, 300, 305, 6, TimestampType.CREATE_TIME, NOW, true, false);
    empty.flip();
    print("v2-empty", empty, "all records compacted away");
  }

  static CompressionType[] oldCodecs() {
    return new CompressionType[] {CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4};
  }

  static void messages() {
    for (int magic = 0; magic <= 1; magic++)
      for (CompressionType codec : oldCodecs()) {
        Batch b = batch(magic, codec);
        b.baseOffset = 500;
        String name = "v" + magic + "-mixed-" + codec.name;
        print(name, b.write(GoldenRecords::fillMixed), "null and empty keys and values");
        if (codec != CompressionType.NONE)
          printMany("v" + magic + "-many-" + codec.name, b.write(GoldenRecords::fillMany));
        if (magic == 1) {
          b.type = TimestampType.LOG_APPEND_TIME;
          print("v1-append-time-" + codec.name, b.write(GoldenRecords::fillMixed), "log append time");
        }
      }
    Batch b = batch(1, CompressionType.GZIP);
    b.baseOffset = 10;
    print("v1-gaps-gzip", b.write(m -> {
      m.appendWithOffset(10, NOW, utf8("a"), utf8("1"));
      m.appendWithOffset(17, NOW + 1, utf8("b"), utf8("2"));
    }), "relative offsets with a gap");
  }

  static void conversions() {
    for (CompressionType codec : oldCodecs()) {
      Batch b = batch(2, codec);
      b.baseOffset = 900;
      b.leaderEpoch = 4;
      b.producerId = 7000;
      b.producerEpoch = 1;
      b.baseSequence = 0;
      b.transactional = true;
      ByteBuffer data = b.write(GoldenRecords::fillMixed);
      ByteBuffer marker = MemoryRecords.withEndTransactionMarker(904, NOW, 4, 7000, (short) 1,
          new EndTransactionMarker(ControlRecordType.COMMIT, 9)).buffer();
      Batch later = batch(2, codec);
      later.baseOffset = 905;
      later.type = TimestampType.LOG_APPEND_TIME;
      ByteBuffer all = join(data, marker, later.write(GoldenRecords::fillMixed));
      String name = "log-v2-" + codec.name;
      print(name, all, "a transaction with its marker, then a batch with log append time");
      for (int magic = 0; magic <= 1; magic++) {
        printDown(name + "-to-v" + magic, name, all, magic, 0, "control batch dropped, headers lost, codec kept");
        printDown(name + "-to-v" + magic + "-from-902", name, all, magic, 902, "uncompressed records below the offset left out");
      }
      b = batch(1, codec);
      b.baseOffset = 40;
      ByteBuffer old = b.write(GoldenRecords::fillMixed);
      print("log-v1-" + codec.name, old, "to be converted");
      printDown("log-v1-" + codec.name + "-to-v0", "log-v1-" + codec.name, old, 0, 41, "timestamps lost");
    }
  }
}
