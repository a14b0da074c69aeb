// The Java client as a test drives it; compiled against several versions of kafka-clients (see ../../prepare.sh).
//
//   produce <address> <topic> <codec> <acks> <idempotence true|false>      records on stdin
//   consume <address> <topic>:<count> ...                                  "<topic> <record>" lines on stdout
//   admin   <address> <topic>                                              "<what> <answer>" lines on stdout
//
// A record is one line: timestamp, key, value, headers, separated by tabs; bytes are base64, null is "-";
// headers are name:value pairs separated by commas.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

public class JavaClient {
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "produce": produce(args[1], args[2], args[3], args[4], args[5]); break;
      case "consume": consume(args); break;
      case "admin": admin(args[1], args[2]); break;
      default: throw new IllegalArgumentException(args[0]);
    }
  }

  static byte[] bytes(String text) { return text.equals("-") ? null : Base64.getDecoder().decode(text); }

  static String text(byte[] bytes) { return bytes == null ? "-" : Base64.getEncoder().encodeToString(bytes); }

  static Properties properties(String address, String... pairs) {
    Properties p = new Properties();
    p.put("bootstrap.servers", address);
    p.put("request.timeout.ms", "20000");
    for (int i = 0; i < pairs.length; i += 2) p.put(pairs[i], pairs[i + 1]);
    return p;
  }

  static void produce(String address, String topic, String codec, String acks, String idempotence) throws Exception {
    String serializer = "org.apache.kafka.common.serialization.ByteArraySerializer";
    Properties p = properties(address, "key.serializer", serializer, "value.serializer", serializer, "compression.type", codec,
        "acks", acks, "enable.idempotence", idempotence, "linger.ms", "5", "delivery.timeout.ms", "60000");
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line; (line = in.readLine()) != null;) {
        String[] f = line.split("\t", -1);
        List<Header> headers = new ArrayList<>();
        if (!f[3].isEmpty())
          for (String pair : f[3].split(","))
            headers.add(new RecordHeader(new String(bytes(pair.split(":", -1)[0]), StandardCharsets.UTF_8), bytes(pair.split(":", -1)[1])));
        Long timestamp = f[0].equals("-") ? null : Long.valueOf(f[0]);
        sent.add(producer.send(new ProducerRecord<>(topic, 0, timestamp, bytes(f[1]), bytes(f[2]), headers)));
      }
      long expected = -1;
      for (Future<RecordMetadata> one : sent) {
        RecordMetadata m = one.get();
        if (!acks.equals("0") && expected >= 0 && m.offset() != expected) throw new IllegalStateException("offset " + m.offset());
        expected = m.offset() + 1;
      }
      System.out.println("sent " + sent.size());
    }
  }

  static void consume(String[] args) throws Exception {
    String deserializer = "org.apache.kafka.common.serialization.ByteArrayDeserializer";
    Properties p = properties(args[1], "key.deserializer", deserializer, "value.deserializer", deserializer, "enable.auto.commit", "false");
    Map<String, Integer> left = new HashMap<>();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p)) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (int i = 2; i < args.length; i++) {
        int colon = args[i].lastIndexOf(':');
        left.put(args[i].substring(0, colon), Integer.valueOf(args[i].substring(colon + 1)));
        partitions.add(new TopicPartition(args[i].substring(0, colon), 0));
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      StringBuilder out = new StringBuilder();
      long deadline = System.nanoTime() + 60_000_000_000L;
      while (left.values().stream().anyMatch(n -> n > 0)) {
        if (System.nanoTime() > deadline) throw new IllegalStateException("still missing: " + left);
        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(500))) {
          StringBuilder headers = new StringBuilder();
          for (Header h : r.headers())
            headers.append(headers.length() > 0 ? "," : "").append(text(h.key().getBytes(StandardCharsets.UTF_8))).append(':').append(text(h.value()));
          out.append(r.topic()).append('\t').append(r.timestamp()).append('\t').append(text(r.key())).append('\t')
              .append(text(r.value())).append('\t').append(headers).append('\n');
          left.merge(r.topic(), -1, Integer::sum);
        }
      }
      System.out.print(out);
      System.out.flush();
    }
  }

  static <T> void show(String what, KafkaFuture<T> future, java.util.function.Function<T, Object> view) {
    String answer;
    try {
      answer = String.valueOf(view.apply(future.get()));
    } catch (Exception e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      answer = cause.getClass().getSimpleName() + ": " + cause.getMessage();
    }
    System.out.println(what + "\t" + answer);
  }

  // all() of 2.7 became allTopicNames() in 3.1 and was removed in 4.0.
  @SuppressWarnings("unchecked")
  static KafkaFuture<Map<String, TopicDescription>> describe(Admin admin, Collection<String> topics) throws Exception {
    Object result = admin.describeTopics(topics);
    try {
      return (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod("allTopicNames").invoke(result);
    } catch (NoSuchMethodException e) {
      return (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod("all").invoke(result);
    }
  }

  static Object shape(TopicDescription d) {
    StringBuilder s = new StringBuilder(d.name() + (d.isInternal() ? " internal" : ""));
    d.partitions().forEach(p -> s.append(" ").append(p.partition()).append(":").append(p.leader().id()).append("/")
        .append(p.replicas().size()).append("/").append(p.isr().size()));
    return s;
  }

  static void admin(String address, String topic) throws Exception {
    try (Admin admin = Admin.create(properties(address))) {
      DescribeClusterResult cluster = admin.describeCluster();
      show("cluster id length", cluster.clusterId(), id -> id.length());
      show("controller", cluster.controller(), n -> n.id());
      show("nodes", cluster.nodes(), nodes -> nodes.size() + " " + nodes.iterator().next().host() + ":" + nodes.iterator().next().port());

      NewTopic fresh = new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "123456", "cleanup.policy", "compact"));
      show("create", admin.createTopics(List.of(fresh)).all(), x -> "done");
      show("create again", admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all(), x -> "done");
      show("create with factor 2", admin.createTopics(List.of(new NewTopic(topic + "-2", 1, (short) 2))).all(), x -> "done");
      show("create bad config", admin.createTopics(List.of(new NewTopic(topic + "-3", 1, (short) 1).configs(Map.of("foo", "1")))).all(), x -> "done");
      show("describe", describe(admin, List.of(topic)), m -> shape(m.get(topic)));
      show("describe unknown", describe(admin, List.of("no-such-topic")), m -> "done");
      show("listed", admin.listTopics().names(), names -> names.contains(topic));
      show("grow", admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all(), x -> "done");
      show("grow again", admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all(), x -> "done");

      ConfigResource t = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      show("topic config", admin.describeConfigs(List.of(t)).all(), m -> pick(m.get(t), "retention.ms", "cleanup.policy", "segment.bytes"));
      ConfigResource b = new ConfigResource(ConfigResource.Type.BROKER, "0");
      show("broker config", admin.describeConfigs(List.of(b)).all(), m -> pick(m.get(b), "broker.id", "num.partitions"));

      TopicPartition p = new TopicPartition(topic, 0);
      show("earliest", admin.listOffsets(Map.of(p, OffsetSpec.earliest())).all(), m -> m.get(p).offset());
      show("latest", admin.listOffsets(Map.of(p, OffsetSpec.latest())).all(), m -> m.get(p).offset());
      String serializer = "org.apache.kafka.common.serialization.ByteArraySerializer";
      try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties(address, "key.serializer", serializer, "value.serializer", serializer))) {
        for (long ts : new long[] {1000, 3000, 2000}) producer.send(new ProducerRecord<>(topic, 0, ts, "k".getBytes(), "v".getBytes())).get();
      }
      show("latest after three", admin.listOffsets(Map.of(p, OffsetSpec.latest())).all(), m -> m.get(p).offset());
      show("for timestamp 1500", admin.listOffsets(Map.of(p, OffsetSpec.forTimestamp(1500))).all(), m -> m.get(p).offset() + " " + m.get(p).timestamp());
      show("for timestamp 9000", admin.listOffsets(Map.of(p, OffsetSpec.forTimestamp(9000))).all(), m -> m.get(p).offset());
      try {
        OffsetSpec largest = (OffsetSpec) OffsetSpec.class.getMethod("maxTimestamp").invoke(null);
        show("max timestamp", admin.listOffsets(Map.of(p, largest)).all(), m -> m.get(p).offset() + " " + m.get(p).timestamp());
      } catch (NoSuchMethodException e) {
        System.out.println("max timestamp\tnot in this client");
      }

      show("delete", admin.deleteTopics(List.of(topic)).all(), x -> "done");
      show("delete again", admin.deleteTopics(List.of("no-such-topic")).all(), x -> "done");
      long deadline = System.nanoTime() + 20_000_000_000L;
      while (admin.listTopics().names().get().contains(topic) && System.nanoTime() < deadline) Thread.onSpinWait();
      show("listed after delete", admin.listTopics().names(), names -> names.contains(topic));
    }
  }

  static Object pick(Config config, String... names) {
    Map<String, String> found = new TreeMap<>();
    for (String name : new TreeSet<>(List.of(names)))
      found.put(name, config.get(name) == null ? "absent" : config.get(name).value() + "/" + config.get(name).source());
    return found;
  }
}
