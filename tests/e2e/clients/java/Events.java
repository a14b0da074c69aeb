// What happens to members, workers and transactions, as lines of JSON on stdout (../../harness/hosts.py says which).

import java.util.Collection;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

class Events {
  private final String member;

  Events(String member) { this.member = member; }

  // `more` begins with a comma or is empty. One call writes one line, from any thread.
  void tell(String event, String more) {
    long now = System.currentTimeMillis();
    synchronized (Events.class) {
      System.out.println("{\"at\":" + now / 1000 + "." + String.format("%03d", now % 1000) + ",\"member\":" + quoted(member) + ",\"event\":"
          + quoted(event) + more + "}");
      System.out.flush();
    }
  }

  void refused(String what, Exception e) {
    tell("refused", ",\"what\":" + quoted(what) + ",\"error\":" + quoted(e.getClass().getSimpleName() + ": " + e.getMessage()));
  }

  void partitions(String event, Collection<TopicPartition> partitions, String more) {
    StringBuilder s = new StringBuilder();
    for (TopicPartition p : partitions) s.append(s.length() > 0 ? "," : "").append("[").append(quoted(p.topic())).append(",").append(p.partition()).append("]");
    tell(event, ",\"partitions\":[" + s + "]" + more);
  }

  void read(Iterable<ConsumerRecord<String, String>> records) {
    StringBuilder s = new StringBuilder();
    for (ConsumerRecord<String, String> r : records)
      s.append(s.length() > 0 ? "," : "").append("[").append(quoted(r.topic())).append(",").append(r.partition()).append(",").append(r.offset())
          .append(",").append(quoted(r.value())).append("]");
    tell("read", ",\"records\":[" + s + "]");
  }

  void committed(Map<TopicPartition, OffsetAndMetadata> offsets) {
    StringBuilder s = new StringBuilder();
    offsets.forEach((p, o) -> s.append(s.length() > 0 ? "," : "").append("[").append(quoted(p.topic())).append(",").append(p.partition())
        .append(",").append(o.offset()).append("]"));
    tell("committed", ",\"offsets\":[" + s + "]");
  }

  static String quoted(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", " ").replace("\t", " ").replace("\r", " ") + "\"";
  }
}
