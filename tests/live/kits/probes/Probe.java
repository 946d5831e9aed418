import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import waitproof.Kit;

/** The probe of the Java kit; see test_kit_conformance.py. */
final class Probe implements Kit.Adapter<Map<String, Object>> {
  static final class TaskFailed extends Exception {
    final transient Object description;

    TaskFailed(Object description) {
      super("the task failed");
      this.description = description;
    }
  }

  static final class Unprintable extends RuntimeException {
    @Override
    public String getMessage() {
      throw this;
    }
  }

  /** As the JSON libraries' arrays are, and neither a collection nor a map. */
  static final class Foreign implements Iterable<Foreign> {
    @Override
    public Iterator<Foreign> iterator() {
      return List.of(this).iterator();
    }
  }

  static final class Throws extends AbstractList<Object> {
    @Override
    public Object get(int index) {
      throw new UncheckedBodyException();
    }

    @Override
    public int size() {
      return 1;
    }
  }

  static final class UncheckedBodyException extends RuntimeException {}

  private int built = 0;
  private final Map<String, CountDownLatch> gates = new ConcurrentHashMap<>();

  public static void main(String[] arguments) throws Exception {
    Kit.run(new Probe());
  }

  @Override
  public Map<String, Object> hello() {
    return Kit.map(
        "sdk", Kit.map("name", "fake", "version", "1.2.3"),
        "helper", "Fake.wait",
        "result_path", "data.result",
        "capabilities",
            Kit.map("max_concurrency", 0, "cancel", true, "operations", List.of("open", "echo", "strings")));
  }

  @Override
  public Map<String, Object> connect(String baseUrl, String apiKey, String apiSecret) {
    if (apiKey.equals("refused")) {
      throw new SecurityException("this key builds no client");
    }
    if (apiKey.equals("unprintable")) {
      throw new Unprintable();
    }
    return Kit.map("number", ++built, "url", baseUrl, "key", apiKey, "secret", apiSecret);
  }

  @Override
  public Object waitForTask(Map<String, Object> client, Object taskId, Kit.Options options) throws Exception {
    String id = taskId.toString();
    if (id.startsWith("gate:") && !gate(id).await(20, TimeUnit.SECONDS)) {
      throw new AssertionError(id + " was not opened within 20 s");
    }
    if (id.startsWith("prints:")) {
      print(id.substring("prints:".length()));
    }
    if (id.startsWith("until-cancelled")) {
      try {
        Thread.sleep(10_000);
      } catch (InterruptedException error) {
        throw id.endsWith("-own") ? new TaskFailed("") : error;
      }
    }
    switch (id) {
      case "leaves-a-thread": new Thread(Probe::sleepASecond).start(); break;
      case "fails": throw new TaskFailed("");
      case "fails-oddly": throw new TaskFailed(Double.NaN);
      case "fails-brokenly": throw new TaskFailed(new Throws());
      case "caused": throw (TaskFailed) new TaskFailed("").initCause(new ArithmeticException());
      case "language-error": throw new ArithmeticException("no \udfff divisor");
      case "without-message": throw new IllegalStateException();
      case "error": throw new StackOverflowError("deep");
      case "interrupt": throw new InterruptedException("stop");
      case "unprintable": throw new Unprintable();
      case "undescribable", "undescribable-unprintable": throw new UnsupportedOperationException(id);
      case "unsupported": throw new Kit.Unsupported("no overload with the interval alone");
      case "stdin": return System.in.read() < 0 ? "" : "not empty";
      case "says": System.out.println("said"); break;
      case "sleeps": Thread.sleep(30); break;
      default: break;
    }
    Map<String, Object> given = new LinkedHashMap<>();
    if (options.hasPollInterval()) {
      given.put("poll_interval", seconds(options.pollInterval()));
    }
    if (options.hasTimeout()) {
      given.put("timeout", seconds(options.timeout()));
    }
    if (options.hasMaxPolls()) {
      given.put("max_polls", options.maxPolls());
    }
    if (given.isEmpty() != options.isEmpty()) {
      throw new AssertionError("isEmpty() is wrong");
    }
    return payload(id, Kit.map("task_id", taskId, "options", given, "client", client));
  }

  private static Object seconds(Duration duration) {
    return BigDecimal.valueOf(duration.toNanos(), 9).stripTrailingZeros();
  }

  private static void sleepASecond() {
    try {
      Thread.sleep(1000);
    } catch (InterruptedException error) {
      throw new AssertionError(error);
    }
  }

  private static void print(String line) throws Exception {
    System.out.println(line);
    var descriptor = new java.io.FileOutputStream(java.io.FileDescriptor.out);
    descriptor.write((line + "\n").getBytes());
    new ProcessBuilder("sh", "-c", "cat; echo \"$0\"", line).inheritIO().start().waitFor();
  }

  private static Object payload(String name, Object otherwise) {
    Object[] loop = new Object[1];
    loop[0] = loop;
    if (name.startsWith("deep:")) {
      List<Object> deep = List.of();
      for (int level = Integer.parseInt(name.substring(5)); level > 1; level--) {
        deep = List.of(deep);
      }
      return deep;
    }
    return switch (name) {
      case "null" -> null;
      case "nan" -> Map.of("a", Map.of("b", List.of(1, Double.NaN)));
      case "infinity" -> Float.NEGATIVE_INFINITY;
      case "foreign" -> Map.of("a", List.of(new Foreign()));
      case "throws" -> Map.of("a", List.of(new Throws()));
      case "object" -> Map.of("a", List.of(new StringBuilder("text"), Locale.ROOT));
      case "bytes" -> Map.of("a", new byte[] {1});
      case "key" -> Map.of("a", Map.of(1, "x"));
      case "null-key" -> Collections.singletonMap(null, "x");
      case "loop" -> loop;
      case "long-int" -> Map.of("a", BigInteger.TEN.pow(5000));
      case "big-number" -> Map.of("a", new BigDecimal("1E+400"));
      case "surrogate" -> Map.of("text", "\ud800 and é");
      case "text" -> Map.of("text", "é\u2028\u007f\n\"\\");
      case "numbers" -> List.of(0.1, -0.5, 1.5e300, 9007199254740993L);
      case "all-numbers" ->
          new Object[] {
            (byte) 1, (short) 2, 3, 4L, new BigInteger("9223372036854775808"), 0.1f, 1e300, -0.0,
            new BigDecimal("1E+300")
          };
      case "arrays" -> new Object[] {new int[] {1, 2}, new String[] {"a"}, Set.of(true), 'c'};
      default -> otherwise;
    };
  }

  @Override
  public Map<String, Object> getTask(Map<String, Object> client, Object taskId) {
    Object result = payload(taskId.toString(), null);
    return Kit.map("task_id", taskId, "status", "failed", "result", result, "error", Kit.map("type", "timeout"));
  }

  @Override
  public Object begin(Map<String, Object> client, String operation, Kit.Arguments arguments) {
    switch (operation) {
      case "echo":
        return arguments.all().get("value");
      case "strings":
        return arguments.strings("ids") + " " + arguments.flag("hard");
      default:
        String gate = (String) arguments.all().get("gate");
        gate(gate).countDown();
        return gate;
    }
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof UnsupportedOperationException) {
      throw exception.getMessage().endsWith("unprintable")
          ? new Unprintable()
          : new IllegalArgumentException("describe is broken");
    }
    if (exception instanceof TaskFailed failed) {
      return new Kit.Documented(
          Kit.Kind.TASK, Kit.map("task_id", "1", "description", failed.description, "stack_trace", null));
    }
    return null;
  }

  private CountDownLatch gate(String name) {
    return gates.computeIfAbsent(name, absent -> new CountDownLatch(1));
  }
}
