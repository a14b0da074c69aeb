// Reads a topic, writes what it read with "!" added to the same partition of another, and commits both together.

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;

class Worker extends Thread {
  private final Events events;
  private final String address;
  private final Map<String, String> options;
  private volatile boolean leaving = false;
  private KafkaConsumer<String, String> consumer;
  private KafkaProducer<String, String> producer;
  private int transactions = 0;

  Worker(String name, String address, Map<String, String> options) {
    this.events = new Events(name);
    this.address = address;
    this.options = options;
  }

  void leave() { leaving = true; }

  @Override public void run() {
    consumer = new KafkaConsumer<>(new HashMap<>(Map.of("bootstrap.servers", address, "group.id", options.get("group"), "enable.auto.commit", "false",
        "auto.offset.reset", "earliest", "isolation.level", "read_committed", "session.timeout.ms", options.get("session"), "heartbeat.interval.ms",
        "500", "max.poll.records", "50")), new StringDeserializer(), new StringDeserializer());
    try {
      open();
      consumer.subscribe(List.of(options.get("input")));
      while (!leaving) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
        if (!records.isEmpty()) transform(records);
      }
      consumer.close(Duration.ofSeconds(20));
      producer.close(Duration.ofSeconds(20));
      events.tell("left", "");
    } catch (ProducerFencedException e) {  // another has this transactional id now
      consumer.close(Duration.ZERO);
      producer.close(Duration.ZERO);
      events.tell("fenced", ",\"error\":" + Events.quoted(e.toString()));
    } catch (Exception e) {
      events.tell("died", ",\"error\":" + Events.quoted(e.toString()));
    }
  }

  private void open() {
    producer = Transactor.producer(address, options);
    while (true) {
      try {
        producer.initTransactions();
        return;
      } catch (TimeoutException e) {
        events.refused("init", e);
      }
    }
  }

  private void transform(ConsumerRecords<String, String> records) {
    try {
      producer.beginTransaction();
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      for (ConsumerRecord<String, String> r : records) {
        producer.send(new ProducerRecord<>(options.get("output"), r.partition(), r.key(), r.value() + "!"));
        offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
      }
      producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      if (++transactions % 10 == 0) {  // now and then it thinks better of it
        producer.flush();
        producer.abortTransaction();
        rewind();
        return;
      }
      commit();
      events.tell("transaction", ",\"count\":" + records.count());
    } catch (ProducerFencedException e) {
      throw e;
    } catch (KafkaException e) {
      events.refused("transaction", e);
      recover();
    }
  }

  // A commit that timed out is undecided: it may only be asked for again.
  private void commit() {
    while (true) {
      try {
        producer.commitTransaction();
        return;
      } catch (TimeoutException e) {
        events.refused("commit", e);
      }
    }
  }

  private void recover() {
    try {
      producer.abortTransaction();
    } catch (ProducerFencedException e) {
      throw e;
    } catch (KafkaException | IllegalStateException e) {
      producer.close(Duration.ZERO);
      open();  // which ends what the old one left open
    }
    rewind();
  }

  private void rewind() {
    while (true) {
      try {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition p : consumer.assignment()) {
          if (committed.get(p) != null) consumer.seek(p, committed.get(p));
          else consumer.seekToBeginning(List.of(p));
        }
        return;
      } catch (TimeoutException e) {
        events.refused("rewind", e);
      }
    }
  }
}
