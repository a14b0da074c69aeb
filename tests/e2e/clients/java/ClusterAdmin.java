// What the Java AdminClient is told of a cluster of three (ids 1 to 3), step by step while it changes it: one line for each
// question, "<what>\t<answer>". The test gives the words that are not the same each time (ids of directories and such) no place.
//
//   java ClusterAdmin <address> <topic>

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.PartitionReassignment;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.config.ConfigResource;

public class ClusterAdmin {
  static Admin admin;

  static <T> String answer(KafkaFuture<T> future, Function<T, Object> view) {
    try {
      return String.valueOf(view.apply(future.get()));
    } catch (Exception e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      return cause.getClass().getSimpleName() + ": " + cause.getMessage();
    }
  }

  static <T> void show(String what, KafkaFuture<T> future, Function<T, Object> view) {
    System.out.println(what + "\t" + answer(future, view));
  }

  interface Question {
    String ask();
  }

  // What a change leads to is told when every broker has heard of it, which takes a moment.
  static void eventually(String what, String expected, Question question) {
    long deadline = System.nanoTime() + 30_000_000_000L;
    String told = question.ask();
    while (!told.equals(expected) && System.nanoTime() < deadline) told = question.ask();
    System.out.println(what + "\t" + told);
  }

  static List<Integer> ids(Collection<Node> nodes) {
    return nodes.stream().map(Node::id).collect(Collectors.toList());
  }

  // all() of 2.7 became allTopicNames() in 3.1 and was removed in 4.0.
  @SuppressWarnings("unchecked")
  static KafkaFuture<Map<String, TopicDescription>> describe(Collection<String> topics) {
    Object result = admin.describeTopics(topics);
    for (String name : new String[] {"allTopicNames", "all"}) {
      try {
        return (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod(name).invoke(result);
      } catch (ReflectiveOperationException e) {
        // the other one
      }
    }
    throw new IllegalStateException();
  }

  static Object shape(TopicDescription d) {
    return d.partitions().stream()
        .map(p -> p.partition() + ":" + (p.leader() == null ? "none" : p.leader().id()) + "/" + ids(p.replicas()) + "/" + new TreeSet<>(ids(p.isr())))
        .collect(Collectors.joining(" "));
  }

  static String shape(String topic) {
    return answer(describe(List.of(topic)), m -> shape(m.get(topic)));
  }

  static KafkaFuture<Void> create(NewTopic... topics) {
    return admin.createTopics(Arrays.asList(topics)).all();
  }

  static Object moving(Map<TopicPartition, PartitionReassignment> all) {
    Map<String, String> shown = new TreeMap<>();
    all.forEach((p, r) -> shown.put(p.toString(), r.replicas() + "+" + r.addingReplicas() + "-" + r.removingReplicas()));
    return shown;
  }

  static KafkaFuture<Void> move(String topic, int partition, Integer... replicas) {
    Optional<NewPartitionReassignment> to = replicas.length == 0 ? Optional.empty() : Optional.of(new NewPartitionReassignment(Arrays.asList(replicas)));
    return admin.alterPartitionReassignments(Map.of(new TopicPartition(topic, partition), to)).values().get(new TopicPartition(topic, partition));
  }

  static Object elected(Map<TopicPartition, Optional<Throwable>> all) {
    Map<String, String> shown = new TreeMap<>();
    all.forEach((p, e) -> shown.put(p.toString(), e.map(x -> x.getClass().getSimpleName() + ": " + x.getMessage()).orElse("elected")));
    return shown;
  }

  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("request.timeout.ms", "20000");
    String t = args[1];
    admin = Admin.create(p);
    DescribeClusterResult cluster = admin.describeCluster();
    show("nodes", cluster.nodes(), nodes -> new TreeSet<>(ids(nodes)));
    show("controller is one of them", cluster.controller(), n -> n.id() >= 1 && n.id() <= 3);

    show("create", create(new NewTopic(t, Map.of(0, List.of(1, 2, 3), 1, List.of(2, 3, 1), 2, List.of(3, 1, 2)))), x -> "done");
    eventually("described", "0:1/[1, 2, 3]/[1, 2, 3] 1:2/[2, 3, 1]/[1, 2, 3] 2:3/[3, 1, 2]/[1, 2, 3]", () -> shape(t));
    show("create by numbers", create(new NewTopic(t + "-n", 6, (short) 2)), x -> "done");
    eventually("leaders and replicas are spread", "[2, 2, 2] [4, 4, 4]", () -> answer(describe(List.of(t + "-n")), m -> {
      Map<Integer, Integer> leaders = new TreeMap<>(), replicas = new TreeMap<>();
      m.get(t + "-n").partitions().forEach(x -> {
        leaders.merge(x.leader() == null ? -1 : x.leader().id(), 1, Integer::sum);
        x.replicas().forEach(n -> replicas.merge(n.id(), 1, Integer::sum));
      });
      return leaders.values() + " " + replicas.values();
    }));
    show("create with factor 4", create(new NewTopic(t + "-4", 1, (short) 4)), x -> "done");
    show("create with a repeat", create(new NewTopic(t + "-6", Map.of(0, List.of(1, 1)))), x -> "done");
    show("create with a gap", create(new NewTopic(t + "-7", Map.of(0, List.of(1), 2, List.of(2)))), x -> "done");
    show("create unevenly", create(new NewTopic(t + "-8", Map.of(0, List.of(1), 1, List.of(2, 3)))), x -> "done");

    show("grow", admin.createPartitions(Map.of(t, NewPartitions.increaseTo(5, List.of(List.of(1, 3, 2), List.of(2, 1, 3))))).all(), x -> "done");
    eventually("grown", "0:1/[1, 2, 3]/[1, 2, 3] 1:2/[2, 3, 1]/[1, 2, 3] 2:3/[3, 1, 2]/[1, 2, 3] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]", () -> shape(t));
    show("grow unevenly", admin.createPartitions(Map.of(t, NewPartitions.increaseTo(6, List.of(List.of(1))))).all(), x -> "done");
    show("grow with a stranger", admin.createPartitions(Map.of(t, NewPartitions.increaseTo(6, List.of(List.of(1, 2, 9))))).all(), x -> "done");
    show("grow with too few", admin.createPartitions(Map.of(t, NewPartitions.increaseTo(7, List.of(List.of(1, 2, 3))))).all(), x -> "done");
    show("shrink", admin.createPartitions(Map.of(t, NewPartitions.increaseTo(2))).all(), x -> "done");

    show("nothing moves", admin.listPartitionReassignments().reassignments(), ClusterAdmin::moving);
    show("another order", move(t, 0, 2, 1, 3), x -> "done");
    eventually("reordered", "{}", () -> answer(admin.listPartitionReassignments().reassignments(), ClusterAdmin::moving));
    show("fewer", move(t, 1, 2, 3), x -> "done");
    show("other", move(t, 2, 1, 2), x -> "done");
    eventually("moved", "0:1/[2, 1, 3]/[1, 2, 3] 1:2/[2, 3]/[2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]", () -> shape(t));
    show("back", move(t, 1, 1, 2, 3), x -> "done");
    eventually("moved back", "0:1/[2, 1, 3]/[1, 2, 3] 1:2/[1, 2, 3]/[1, 2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]", () -> shape(t));
    show("to a stranger", move(t, 0, 1, 9), x -> "done");
    show("to nobody twice", move(t, 0, 1, 1), x -> "done");
    show("below zero", move(t, 0, 1, -1), x -> "done");
    show("of no partition", move(t, 17, 1), x -> "done");
    show("of no topic", move("no-such-topic", 0, 1), x -> "done");
    show("called off", move(t, 0), x -> "done");
    show("moves of a partition", admin.listPartitionReassignments(Set.of(new TopicPartition(t, 0), new TopicPartition("no-such-topic", 0))).reassignments(), ClusterAdmin::moving);

    show("elect", admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(t, 0), new TopicPartition(t, 3))).partitions(), ClusterAdmin::elected);
    eventually("elected", "0:2/[2, 1, 3]/[1, 2, 3] 1:2/[1, 2, 3]/[1, 2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]", () -> shape(t));
    show("elect all", admin.electLeaders(ElectionType.PREFERRED, null).partitions(), ClusterAdmin::elected);
    show("elect all again", admin.electLeaders(ElectionType.PREFERRED, null).partitions(), ClusterAdmin::elected);
    show("elect uncleanly", admin.electLeaders(ElectionType.UNCLEAN, Set.of(new TopicPartition(t, 0))).partitions(), ClusterAdmin::elected);
    show("elect for strangers", admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition("no-such-topic", 0), new TopicPartition(t, 17))).partitions(), ClusterAdmin::elected);

    TopicPartitionReplica r = new TopicPartitionReplica(t, 0, 3);
    show("directory of a replica", admin.describeReplicaLogDirs(List.of(r, new TopicPartitionReplica(t, 2, 3))).all(), m -> {
      List<String> shown = new ArrayList<>();
      m.forEach((k, v) -> shown.add(k + " " + (v.getCurrentReplicaLogDir() != null) + " " + (v.getFutureReplicaLogDir() != null) + " " + v.getCurrentReplicaOffsetLag()));
      Collections.sort(shown);
      return shown;
    });

    ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, t), broker = new ConfigResource(ConfigResource.Type.BROKER, "2");
    Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
    changes.put(topic, List.of(new AlterConfigOp(new ConfigEntry("leader.replication.throttled.replicas", "0:1,1:2"), AlterConfigOp.OpType.SET),
        new AlterConfigOp(new ConfigEntry("min.insync.replicas", "2"), AlterConfigOp.OpType.SET)));
    changes.put(broker, List.of(new AlterConfigOp(new ConfigEntry("leader.replication.throttled.rate", "12345"), AlterConfigOp.OpType.SET)));
    show("alter configs", admin.incrementalAlterConfigs(changes).all(), x -> "done");
    eventually("topic config", "0:1,1:2/2", () -> answer(admin.describeConfigs(List.of(topic)).all(),
        m -> m.get(topic).get("leader.replication.throttled.replicas").value() + "/" + m.get(topic).get("min.insync.replicas").value()));
    eventually("broker config", "12345", () -> answer(admin.describeConfigs(List.of(broker)).all(),
        m -> m.get(broker).get("leader.replication.throttled.rate") == null ? "absent" : m.get(broker).get("leader.replication.throttled.rate").value()));
    show("throttle nonsense", admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("follower.replication.throttled.replicas", "nonsense"),
        AlterConfigOp.OpType.SET)))).all(), x -> "done");
    changes.clear();
    changes.put(broker, List.of(new AlterConfigOp(new ConfigEntry("leader.replication.throttled.rate", ""), AlterConfigOp.OpType.DELETE)));
    show("config removed", admin.incrementalAlterConfigs(changes).all(), x -> "done");

    show("delete", admin.deleteTopics(List.of(t, t + "-n")).all(), x -> "done");
    eventually("listed after delete", "[]", () -> answer(admin.listTopics().names(), names -> names.stream().filter(n -> n.startsWith(t)).collect(Collectors.toList())));
    // 9 is no broker. Such a topic cannot be deleted again.
    show("create with a stranger", create(new NewTopic(t + "-5", Map.of(0, List.of(1, 9)))), x -> "done");
    eventually("led by who is there", "0:1/[1, 9]/[1]", () -> shape(t + "-5"));
    admin.close();
  }
}
