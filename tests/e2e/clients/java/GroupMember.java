// A member of a consumer group: commits what it has read, partition by partition, before it reads on.

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;

class GroupMember extends Thread implements ConsumerRebalanceListener {
  private final Events events;
  private final Map<String, String> options;
  private final String address;
  private final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();
  private KafkaConsumer<String, String> consumer;
  private volatile boolean leaving = false;

  GroupMember(String name, String address, Map<String, String> options) {
    this.events = new Events(name);
    this.address = address;
    this.options = options;
  }

  void leave() { leaving = true; }

  static String assignor(String strategy) {
    return "org.apache.kafka.clients.consumer." + Map.of("range", "RangeAssignor", "roundrobin", "RoundRobinAssignor", "sticky", "StickyAssignor",
        "cooperative-sticky", "CooperativeStickyAssignor").get(strategy);
  }

  @Override public void run() {
    Map<String, Object> p = new HashMap<>(Map.of("bootstrap.servers", address, "group.id", options.get("group"), "enable.auto.commit", "false",
        "auto.offset.reset", "earliest", "partition.assignment.strategy", assignor(options.get("strategy")), "session.timeout.ms",
        options.get("session"), "heartbeat.interval.ms", "500", "max.poll.records", "500", "metadata.max.age.ms", "5000"));
    if (options.containsKey("instance")) p.put("group.instance.id", options.get("instance"));
    consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    try {
      consumer.subscribe(List.of(options.get("topics").split(",")), this);
      while (!leaving) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
        if (!records.isEmpty()) events.read(records);
        for (ConsumerRecord<String, String> r : records)
          uncommitted.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        commit();
      }
      consumer.close(Duration.ofSeconds(20));
      events.tell("left", "");
    } catch (Exception e) {
      events.tell("died", ",\"error\":" + Events.quoted(e.toString()));
    }
  }

  private void commit() {
    if (uncommitted.isEmpty()) return;
    try {
      consumer.commitSync(uncommitted);
      events.committed(uncommitted);
      uncommitted.clear();
    } catch (RebalanceInProgressException e) {  // stays a member; commits when asked for its partitions, or after them
      events.refused("commit", e);
    } catch (CommitFailedException e) {  // no longer a member of this generation: others will read this again
      events.refused("commit", e);
      uncommitted.clear();
    } catch (RetriableException e) {
      events.refused("commit", e);
    }
  }

  @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    events.partitions("assigned", partitions,
        ",\"id\":" + Events.quoted(consumer.groupMetadata().memberId()) + ",\"generation\":" + consumer.groupMetadata().generationId());
  }

  @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    if (!partitions.isEmpty()) commit();
    events.partitions("revoked", partitions, "");
  }

  @Override public void onPartitionsLost(Collection<TopicPartition> partitions) {
    uncommitted.keySet().removeAll(partitions);
    events.partitions("lost", partitions, "");
  }
}
