// Runs command-line programs of Apache Kafka one after the other in one JVM, since starting a JVM takes longer than what
// they do. One line in, base64 words separated by blanks: the main class and its arguments. One line out: exit code,
// standard output and standard error, the latter two in base64.
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Base64;

public class CommandLoop {
  // Libraries keep the streams they found at their start, so these stay and only what is behind them changes.
  static class Capture extends OutputStream {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public synchronized void write(int b) {
      bytes.write(b);
    }

    synchronized byte[] take() {
      byte[] all = bytes.toByteArray();
      bytes = new ByteArrayOutputStream();
      return all;
    }
  }

  static class Exited extends SecurityException {}

  static final Capture out = new Capture();
  static final Capture err = new Capture();
  static String answer;

  static void end(int code) {
    System.out.flush();
    System.err.flush();
    Base64.Encoder base64 = Base64.getEncoder();
    if (answer == null)  // what a program prints after its end does not count
      answer = code + " " + base64.encodeToString(out.take()) + " " + base64.encodeToString(err.take());
  }

  @SuppressWarnings("removal")
  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    System.setOut(new PrintStream(out, true));
    System.setErr(new PrintStream(err, true));
    System.setSecurityManager(new SecurityManager() {
      @Override
      public void checkExit(int code) {
        end(code);
        throw new Exited();
      }

      @Override
      public void checkPermission(java.security.Permission permission) {}
    });
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = Arrays.stream(line.split(" ")).map(w -> new String(Base64.getDecoder().decode(w))).toArray(String[]::new);
      out.take();
      err.take();
      answer = null;
      try {
        Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) Arrays.copyOfRange(words, 1, words.length));
        end(0);
      } catch (InvocationTargetException e) {
        System.err.print("Exception in thread \"main\" ");
        e.getCause().printStackTrace();
        end(1);
      }
      answers.println(answer);
      answers.flush();
    }
  }
}
