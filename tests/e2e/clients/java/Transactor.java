// A transactional producer moved step by step.

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

class Transactor {
  private final Events events;
  private final KafkaProducer<String, String> producer;

  Transactor(String name, String address, Map<String, String> options) {
    events = new Events(name);
    producer = producer(address, options);
  }

  static KafkaProducer<String, String> producer(String address, Map<String, String> options) {
    return new KafkaProducer<>(new HashMap<>(Map.of("bootstrap.servers", address, "transactional.id", options.get("txn"), "transaction.timeout.ms",
        options.getOrDefault("timeout", "60000"), "acks", "all", "linger.ms", "2")), new StringSerializer(), new StringSerializer());
  }

  void step(String what, Map<String, String> options) {
    try {
      switch (what) {
        case "init": producer.initTransactions(); break;
        case "begin": producer.beginTransaction(); break;
        case "send":
          try {
            producer.send(new ProducerRecord<>(options.get("topic"), Integer.valueOf(options.get("partition")), null, options.get("value"))).get();
          } catch (ExecutionException e) {
            throw (Exception) e.getCause();
          }
          break;
        case "commit": producer.commitTransaction(); break;
        case "abort": producer.abortTransaction(); break;
        default: throw new IllegalArgumentException(what);
      }
      events.tell("done", ",\"what\":" + Events.quoted(what));
    } catch (Exception e) {
      events.refused(what, e);
    }
  }
}
