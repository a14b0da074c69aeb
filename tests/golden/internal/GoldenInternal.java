// Builds every key and value of the internal topics, and the blobs of consumers, in every version with recognisable
// values and prints their bytes, filled as ../wire/GoldenMessages.java fills messages.
//
// A line of internal.golden:  <Kafka's name> <version> record <full|null|default> <hex without the version> <JSON>
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.types.Schema;

public class GoldenInternal {
  static final List<String> NAMES = List.of(
      "org.apache.kafka.coordinator.group.generated.OffsetCommitKey", "org.apache.kafka.coordinator.group.generated.OffsetCommitValue",
      "org.apache.kafka.coordinator.group.generated.GroupMetadataKey", "org.apache.kafka.coordinator.group.generated.GroupMetadataValue",
      "org.apache.kafka.coordinator.transaction.generated.TransactionLogKey",
      "org.apache.kafka.coordinator.transaction.generated.TransactionLogValue",
      "org.apache.kafka.common.message.ConsumerProtocolSubscription", "org.apache.kafka.common.message.ConsumerProtocolAssignment");

  public static void main(String[] args) throws Exception {
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], "internal.golden")))) {
      for (String name : NAMES) {
        Class<?> type = Class.forName(name);
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        for (short v = 0; v < schemas.length; v++) {
          if (schemas[v] == null) continue;
          for (GoldenMessages.Variant variant : GoldenMessages.Variant.values())
            GoldenMessages.print(out, type.getSimpleName(), v, "record", variant,
                                 (ApiMessage) type.getDeclaredConstructor().newInstance(), schemas[v]);
        }
      }
    }
  }
}
