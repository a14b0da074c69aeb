// Hosts members of groups, transactional workers and producers in one JVM: Host <address>, commands on stdin (../../harness/hosts.py).

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

public class Host {
  public static void main(String[] args) throws Exception {
    String address = args[0];
    Map<String, GroupMember> members = new HashMap<>();
    Map<String, Worker> workers = new HashMap<>();
    Map<String, Transactor> transactors = new HashMap<>();
    new Events("").tell("ready", "");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null;) {
      String[] words = line.trim().split(" ");
      String what = words[0], name = words[1];
      Map<String, String> options = new HashMap<>();
      for (int i = 2; i < words.length; i++) options.put(words[i].substring(0, words[i].indexOf('=')), words[i].substring(words[i].indexOf('=') + 1));
      switch (what) {
        case "join":
          members.put(name, new GroupMember(name, address, options));
          members.get(name).start();
          break;
        case "work":
          workers.put(name, new Worker(name, address, options));
          workers.get(name).start();
          break;
        case "leave":
          if (members.containsKey(name)) members.get(name).leave();
          else workers.get(name).leave();
          break;
        case "init": transactors.put(name, new Transactor(name, address, options));  // and then as any step
        default: transactors.get(name).step(what, options);
      }
    }
    Runtime.getRuntime().halt(0);  // the test is over: nothing is left in order
  }
}
