// Writes numbered records to all partitions of a topic, idempotently and with acks=all, until its stdin ends; tells each
// acknowledgement as one line on stdout.
//
//   java Feeder <address> <topic> <partitions> <name> <records per second> <milliseconds until a request times out>
//
//   ack <partition> <offset> <number>        the value of the record is <name>:<number>
//   fail <number> <error>                    it was given up
//   done                                     nothing is under way any more

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Feeder {
  public static void main(String[] args) throws Exception {
    String topic = args[1], name = args[3];
    int partitions = Integer.parseInt(args[2]);
    long pauseNanos = 1_000_000_000L / Integer.parseInt(args[4]);
    PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true);
    CountDownLatch ending = new CountDownLatch(1);
    Thread watcher = new Thread(() -> {
      try {
        while (System.in.read() >= 0) continue;
      } catch (java.io.IOException e) {
        // ends as well
      }
      ending.countDown();
    });
    watcher.setDaemon(true);
    watcher.start();

    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", args[0], "acks", "all", "enable.idempotence", "true",
        "delivery.timeout.ms", "180000", "max.block.ms", "180000", "request.timeout.ms", args[5], "linger.ms", "5",
        "metadata.max.age.ms", "5000"));
    settings.put("reconnect.backoff.max.ms", "500");
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (long n = 0; !ending.await(pauseNanos, TimeUnit.NANOSECONDS); n++) {
        final long number = n;
        producer.send(new ProducerRecord<>(topic, (int) (n % partitions), null, name + ":" + n), (metadata, error) -> {
          if (error == null) out.println("ack " + metadata.partition() + " " + metadata.offset() + " " + number);
          else out.println("fail " + number + " " + error);
        });
      }
      producer.flush();
    }
    out.println("done");
  }
}
