// Reads as Logstash's kafka input does with its defaults: group "logstash", offsets committed every 5 s by the client itself,
// sessions of 10 s, one consumer a thread, and a close that commits what was handed on.
//
//   LogstashInput <address> <topic> [<threads>]
//
// On stdout, a line each: "ready <partition> <offset>" once a partition's place is known, "read <partition> <offset> <value>".
// SIGTERM ends it in order.

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

public class LogstashInput implements Runnable {
  static final String[] DEFAULTS = {"group.id", "logstash", "enable.auto.commit", "true", "auto.commit.interval.ms", "5000",
      "session.timeout.ms", "10000", "heartbeat.interval.ms", "3000", "max.poll.interval.ms", "300000", "max.poll.records", "500",
      "fetch.max.wait.ms", "500", "fetch.max.bytes", "52428800", "max.partition.fetch.bytes", "1048576", "request.timeout.ms", "40000",
      "retry.backoff.ms", "100", "reconnect.backoff.ms", "50", "receive.buffer.bytes", "32768", "send.buffer.bytes", "131072",
      "metadata.max.age.ms", "300000", "check.crcs", "true", "isolation.level", "read_uncommitted",
      "key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer",
      "value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer"};
  static final Duration POLL = Duration.ofMillis(100);
  static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  final KafkaConsumer<String, String> consumer;
  final String topic;

  LogstashInput(String address, String topic, int number) {
    Properties p = new Properties();
    p.put("bootstrap.servers", address);
    p.put("client.id", "logstash-" + number);
    for (int i = 0; i < DEFAULTS.length; i += 2) p.put(DEFAULTS[i], DEFAULTS[i + 1]);
    this.consumer = new KafkaConsumer<>(p);
    this.topic = topic;
  }

  public static void main(String[] args) throws Exception {
    List<LogstashInput> inputs = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < (args.length > 2 ? Integer.parseInt(args[2]) : 1); ++i) {
      inputs.add(new LogstashInput(args[0], args[1], i));
      threads.add(new Thread(inputs.get(i), "input-" + i));
      threads.get(i).start();
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      for (LogstashInput input : inputs) input.consumer.wakeup();
      for (Thread thread : threads) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          return;
        }
      }
    }));
    for (Thread thread : threads) thread.join();
  }

  @Override
  public void run() {
    try {
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
          for (TopicPartition p : partitions) show("ready " + p.partition() + " " + consumer.position(p) + "\n");
        }
      });
      while (true) {
        ConsumerRecords<String, String> records = consumer.poll(POLL);
        StringBuilder out = new StringBuilder();
        for (ConsumerRecord<String, String> r : records)
          out.append("read ").append(r.partition()).append(' ').append(r.offset()).append(' ').append(r.value()).append('\n');
        show(out);
      }
    } catch (WakeupException e) {
      // The end was asked for.
    } finally {
      consumer.close();
    }
  }

  static void show(CharSequence text) {
    synchronized (OUT) {
      OUT.append(text);
      OUT.flush();
    }
  }
}
