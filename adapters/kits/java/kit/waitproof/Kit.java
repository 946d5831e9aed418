package waitproof;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The Java side of waitproof's adapter protocol, version 1: one file, the JDK alone, Java 17 or later.
 *
 * <p>It owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every
 * answer. The SDK's name, how to build its client and which exceptions it has belong in an {@link Adapter},
 * which is passed to {@link #run}:
 *
 * <pre>{@code
 * final class MyAdapter implements Kit.Adapter<MyClient> {
 *   public Map<String, Object> hello() {
 *     return Kit.map(
 *         "sdk", Kit.map("name", "my-sdk", "version", "1.0"),
 *         "helper", "MyClient.waitForTask",
 *         "result_path", "result",
 *         "capabilities", Kit.map("max_concurrency", 0));
 *   }
 *
 *   public MyClient connect(String baseUrl, String apiKey, String apiSecret) {
 *     return new MyClient(apiKey, apiSecret, baseUrl);
 *   }
 *
 *   public Object waitForTask(MyClient client, Object taskId, Kit.Options options) throws Exception {
 *     if (options.isEmpty()) {
 *       return client.waitForTask((String) taskId).getResult();
 *     }
 *     ...
 *   }
 *
 *   public static void main(String[] arguments) throws Exception {
 *     Kit.run(new MyAdapter());
 *   }
 * }
 * }</pre>
 *
 * <p>The one fact to know: an exception that leaves {@code waitForTask}, {@code getTask} or {@code begin} is
 * reported as what the SDK's caller saw, so put only the call itself there. An exception anywhere else is an
 * adapter error.
 */
public final class Kit {
  private static final int PROTOCOL = 1;

  private Kit() {}

  /**
   * What the kit must know about one SDK. Each call runs in its own thread. Return maps with string keys,
   * collections, arrays, strings, numbers, booleans and null.
   *
   * @param <C> the SDK's client
   */
  public interface Adapter<C> {
    /**
     * Returns {@code sdk} (name and version), {@code helper}, {@code result_path} and {@code capabilities}, as
     * on the wire.
     *
     * <p>The kit adds the language and the runtime. It can have any number of calls in flight; set {@code
     * max_concurrency} to what the SDK can have (0 = any number; absent = 1), and {@code cancel} to true if
     * its helper promises to end when its thread is interrupted.
     */
    Map<String, Object> hello();

    /** Builds a client. The kit calls it once for each client that the harness names. */
    C connect(String baseUrl, String apiKey, String apiSecret) throws Exception;

    /**
     * Calls the SDK's helper with exactly the options that are given, and returns the task's result payload.
     *
     * @param taskId a String or a Long, as the suite's contract has it
     */
    default Object waitForTask(C client, Object taskId, Options options) throws Exception {
      throw missing(this, "waitForTask");
    }

    /** Fetches one task; returns its task_id, status, result and error, those that it has. */
    default Map<String, Object> getTask(C client, Object taskId) throws Exception {
      throw missing(this, "getTask");
    }

    /** Begins one of {@code capabilities.operations}, and returns the id of its task. */
    default Object begin(C client, String operation, Arguments arguments) throws Exception {
      throw missing(this, "begin");
    }

    /** Returns kind and fields of an exception that the SDK documents, null for any other. */
    default Documented describe(Throwable exception) {
      return null;
    }
  }

  /** The options of one wait: an absent one is null, and must not be passed to the helper. */
  public record Options(Duration pollInterval, Duration timeout, Integer maxPolls) {
    public boolean hasPollInterval() {
      return pollInterval != null;
    }

    public boolean hasTimeout() {
      return timeout != null;
    }

    public boolean hasMaxPolls() {
      return maxPolls != null;
    }

    public boolean isEmpty() {
      return pollInterval == null && timeout == null && maxPolls == null;
    }
  }

  /** The arguments of a batch operation; one that the harness left out is an adapter error. */
  public record Arguments(Map<String, Object> all) {
    public List<String> strings(String name) {
      return ((List<?>) get(name)).stream().map(String.class::cast).toList();
    }

    public boolean flag(String name) {
      return (Boolean) get(name);
    }

    private Object get(String name) {
      if (!all.containsKey(name)) {
        throw new AdapterFault("begin came without the argument '" + name + "'");
      }
      return all.get(name);
    }
  }

  /** Which family a documented exception belongs to; an exception that is not described is OTHER. */
  public enum Kind {
    TASK,
    TRANSPORT,
    API,
    OTHER
  }

  /**
   * An exception as the SDK documents it.
   *
   * @param fields the documented fields that it has, under their documented names; null is a value. One that
   *     JSON cannot carry is reported as its {@code toString()}.
   * @param type null for the name of its class; for a stand-in that poses as another exception
   */
  public record Documented(Kind kind, Map<String, Object> fields, String type) {
    public Documented(Kind kind, Map<String, Object> fields) {
      this(kind, fields, null);
    }
  }

  /** Throw it for a call that the SDK's signature cannot express. */
  public static final class Unsupported extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Unsupported(String reason) {
      super(reason);
    }
  }

  /** Returns a map of names and values in turn. Unlike {@code Map.of} it keeps their order and takes null. */
  public static Map<String, Object> map(Object... namesAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int index = 0; index < namesAndValues.length; index += 2) {
      map.put((String) namesAndValues[index], namesAndValues[index + 1]);
    }
    return map;
  }

  /**
   * Serves the protocol until the end of stdin and until every call is answered.
   *
   * <p>The process ends then, unless the SDK left a thread behind: that is for the suite to find, so don't call exit.
   *
   * <p>Call it before anything of the SDK's: from here on the SDK has an empty stdin and a stdout that is
   * stderr, so that what it prints never comes between the lines of the protocol. Java cannot move its
   * descriptors, so a child process or native code could still use them; where the command in adapter.yaml has
   * moved them already, and says so in {@code WAITPROOF_KIT_STREAMS=3,4}, nothing can.
   */
  public static void run(Adapter<?> adapter) throws IOException, InterruptedException {
    boolean isMoved = "3,4".equals(System.getenv("WAITPROOF_KIT_STREAMS"));
    InputStream lines = isMoved ? new FileInputStream("/dev/fd/3") : System.in;
    OutputStream answers = isMoved ? new FileOutputStream("/dev/fd/4") : new FileOutputStream(FileDescriptor.out);
    System.setIn(InputStream.nullInputStream());
    System.setOut(System.err);
    new Session<>(adapter, lines, answers).serve();
  }

  private static AdapterFault missing(Adapter<?> adapter, String method) {
    return new AdapterFault(
        adapter.getClass().getSimpleName() + " has no " + method + ", and hello did not say so");
  }

  private static String nameOf(Class<?> type) {
    return type.getSimpleName().isEmpty() ? type.getName() : type.getSimpleName(); // an anonymous class
  }

  private static void log(String text) {
    System.err.println("waitproof kit: " + text);
  }

  /** The call cannot be made, and the SDK is not the reason. */
  private static final class AdapterFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    AdapterFault(String message) {
      super(message);
    }
  }

  private interface Call {
    Object make() throws Exception;
  }

  private record Connection(String baseUrl, String apiKey, String apiSecret) {}

  /** One conversation: reads calls, makes each in its own thread, and writes the answers. */
  private static final class Session<C> {
    private final Adapter<C> adapter;
    private final InputStream in;
    private final OutputStream out;
    private final Object writing = new Object();
    private final Set<Thread> inFlight = ConcurrentHashMap.newKeySet();
    private final Map<String, C> clients = new HashMap<>(); // guarded by itself
    private volatile Connection connection; // null until hello
    private final Map<Object, Thread> waits = new ConcurrentHashMap<>(); // in flight, and not cancelled; by id
    private volatile Collection<?> operations = List.of();
    private volatile boolean canCancel;

    Session(Adapter<C> adapter, InputStream in, OutputStream out) {
      this.adapter = adapter;
      this.in = new BufferedInputStream(in);
      this.out = out;
    }

    void serve() throws IOException, InterruptedException {
      for (byte[] line = readLine(); line != null; line = readLine()) {
        Map<String, Object> message = parse(line);
        if (message != null) {
          take(message);
        }
      }
      for (Thread call : inFlight) {
        call.join();
      }
    }

    private byte[] readLine() throws IOException {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      int next = in.read();
      for (; next >= 0 && next != '\n'; next = in.read()) {
        line.write(next);
      }
      return next < 0 && line.size() == 0 ? null : line.toByteArray();
    }

    /** Returns the object on a line; null when it is not one, which is reported on stderr. */
    @SuppressWarnings("unchecked")
    private static Map<String, Object> parse(byte[] line) {
      try {
        String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
        if (text.isBlank()) {
          return null;
        }
        if (Json.read(text) instanceof Map<?, ?> message) {
          return (Map<String, Object>) message;
        }
        log("a line that is not an object: " + text);
      } catch (CharacterCodingException error) {
        log("a line that is not UTF-8: " + new String(line, StandardCharsets.UTF_8));
      } catch (Json.Malformed error) {
        log("a line that is not JSON (" + error.getMessage() + "): " + new String(line, StandardCharsets.UTF_8));
      }
      return null;
    }

    private void take(Map<String, Object> message) {
      if ("hello".equals(message.get("op"))) {
        greet(message);
      } else if (!message.containsKey("id")) {
        log("a call without an id: " + message);
      } else if ("ping".equals(message.get("op"))) {
        send(map("id", message.get("id"), "outcome", "returned"));
      } else if ("cancel".equals(message.get("op"))) {
        cancel(message);
      } else {
        start(message);
      }
    }

    private void greet(Map<String, Object> message) {
      for (String name : List.of("base_url", "api_key", "api_secret")) {
        if (!(message.get(name) instanceof String)) {
          log("a hello without a text as its '" + name + "'");
          return;
        }
      }
      connection =
          new Connection(
              (String) message.get("base_url"), (String) message.get("api_key"), (String) message.get("api_secret"));
      Map<String, Object> hello = map("op", "hello", "protocol", PROTOCOL);
      hello.putAll(adapter.hello());
      Map<String, Object> sdk =
          map(
              "language", "java",
              "runtime", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
      sdk.putAll(object(hello.get("sdk")));
      hello.put("sdk", sdk);
      hello.putIfAbsent("result_path", "");
      Map<String, Object> capabilities = map("end", true);
      capabilities.putAll(object(hello.getOrDefault("capabilities", Map.of())));
      hello.put("capabilities", capabilities);
      operations = (Collection<?>) capabilities.getOrDefault("operations", List.of());
      canCancel = Boolean.TRUE.equals(capabilities.get("cancel"));
      send(hello);
    }

    /** Interrupts the thread of a wait, if it has not ended. */
    private void cancel(Map<String, Object> message) {
      if (!canCancel) {
        String reason = "an interrupt is not a promise of the helper";
        send(map("id", message.get("id"), "outcome", "unsupported", "reason", reason));
        return;
      }
      waits.computeIfPresent(
          String.valueOf(message.get("call")),
          (id, wait) -> {
            wait.interrupt();
            return null;
          });
      send(map("id", message.get("id"), "outcome", "returned"));
    }

    private void start(Map<String, Object> message) {
      Runnable call =
          () -> {
            answer(message);
            inFlight.remove(Thread.currentThread());
          };
      Thread thread = new Thread(call, "call " + message.get("id"));
      inFlight.add(thread);
      if ("wait".equals(message.get("op"))) {
        waits.put(String.valueOf(message.get("id")), thread);
      }
      try {
        thread.start();
      } catch (OutOfMemoryError error) { // "unable to create native thread"
        inFlight.remove(thread);
        fail(message, error.toString());
      }
    }

    private void answer(Map<String, Object> message) {
      try {
        Map<String, Object> answer = map("id", message.get("id"));
        answer.putAll(outcome(message));
        send(answer);
      } catch (AdapterFault fault) {
        fail(message, fault.getMessage());
      } catch (Throwable error) { // of any kind: the harness waits for an answer
        String text = nameOf(error.getClass()) + ": " + messageOf(error);
        fail(message, text);
        try {
          error.printStackTrace();
        } catch (Throwable unprintable) { // where its message could not be read either
          log(text);
        }
      }
    }

    private Map<String, Object> outcome(Map<String, Object> message) throws Exception {
      Call call = bind(message); // from here on its client is built
      Object returned = null;
      Throwable raised = null;
      boolean isWait = "wait".equals(message.get("op"));
      long started = System.nanoTime();
      try {
        returned = call.make();
      } catch (Throwable exception) { // of any kind: the caller saw it
        raised = exception;
      }
      double elapsed = Math.round((System.nanoTime() - started) / 1e3) / 1e6;
      boolean wasCancelled = isWait && waits.remove(String.valueOf(message.get("id"))) == null;

      if (raised instanceof AdapterFault fault) {
        throw fault;
      }
      if (raised instanceof Unsupported) {
        return map("outcome", "unsupported", "reason", messageOf(raised));
      }
      Map<String, Object> outcome;
      if (raised == null) {
        outcome = returned((String) message.get("op"), returned);
      } else if (wasCancelled && raised instanceof InterruptedException && adapter.describe(raised) == null) {
        outcome = map("outcome", "cancelled");
      } else {
        outcome = map("outcome", "raised", "exception", described(raised));
      }
      if (isWait) {
        outcome.put("elapsed", elapsed);
      }
      return outcome;
    }

    private Call bind(Map<String, Object> message) throws Exception {
      String op = String.valueOf(message.get("op"));
      switch (op) {
        case "wait":
          {
            Object taskId = required(message, "task_id");
            Options options = options(message.get("options"));
            C client = client(message);
            return () -> adapter.waitForTask(client, taskId, options);
          }
        case "get_task":
          {
            Object taskId = required(message, "task_id");
            C client = client(message);
            return () -> adapter.getTask(client, taskId);
          }
        case "begin":
          {
            String operation = (String) required(message, "operation");
            Arguments arguments = new Arguments(object(required(message, "arguments")));
            if (!operations.contains(operation)) {
              throw new AdapterFault("unknown operation '" + operation + "'");
            }
            C client = client(message);
            return () -> adapter.begin(client, operation, arguments);
          }
        default:
          throw new AdapterFault("unknown op '" + op + "'");
      }
    }

    private static Object required(Map<String, Object> message, String name) {
      if (!message.containsKey(name)) {
        throw new AdapterFault("the call has no '" + name + "'");
      }
      return message.get(name);
    }

    private static Options options(Object given) {
      Map<String, Object> options = given == null ? Map.of() : object(given);
      for (String name : options.keySet()) {
        if (!List.of("poll_interval", "timeout", "max_polls").contains(name)) {
          throw new AdapterFault("unknown option '" + name + "'"); // dropped, it would be taken for absent
        }
      }
      Number maxPolls = (Number) options.get("max_polls");
      return new Options(
          duration(options.get("poll_interval")),
          duration(options.get("timeout")),
          maxPolls == null ? null : Integer.valueOf(maxPolls.intValue()));
    }

    private static Duration duration(Object seconds) {
      if (seconds == null) {
        return null;
      }
      BigDecimal nanos = new BigDecimal(seconds.toString()).movePointRight(9);
      return Duration.ofNanos(nanos.setScale(0, RoundingMode.HALF_EVEN).longValueExact());
    }

    private C client(Map<String, Object> message) throws Exception {
      String name = (String) message.getOrDefault("client", "default");
      synchronized (clients) {
        if (!clients.containsKey(name)) {
          if (connection == null) {
            throw new AdapterFault("a call before hello");
          }
          clients.put(
              name, adapter.connect(connection.baseUrl(), connection.apiKey(), connection.apiSecret()));
        }
        return clients.get(name);
      }
    }

    private static Map<String, Object> returned(String op, Object value) {
      String name = Map.of("wait", "result", "get_task", "task", "begin", "task_id").get(op);
      try {
        return map("outcome", "returned", name, new Json.Written(Json.write(value, 1)));
      } catch (Json.Unencodable reason) {
        return map("outcome", "returned", "unencodable", reason.getMessage());
      }
    }

    private Map<String, Object> described(Throwable exception) {
      Documented known = adapter.describe(exception);
      Map<String, Object> fields = new LinkedHashMap<>();
      if (known != null) {
        known.fields().forEach((name, value) -> fields.put(name, field(value)));
      }
      Map<String, Object> described =
          map(
              "kind", (known == null ? Kind.OTHER : known.kind()).name().toLowerCase(java.util.Locale.ROOT),
              "type", known == null || known.type() == null ? nameOf(exception.getClass()) : known.type(),
              "message", messageOf(exception),
              "fields", fields,
              "cause", causeOf(exception));
      StackTraceElement[] frames = framesOf(exception);
      if (frames != null) {
        described.put("native_stack_frames", frames.length);
      }
      return described;
    }

    private static Object field(Object value) {
      try {
        return new Json.Written(Json.write(value, 3));
      } catch (Json.Unencodable reason) {
        try {
          return String.valueOf(value);
        } catch (Throwable error) { // one broken field must not lose the others; a loop overflows the stack
          return "<" + reason.getMessage() + ">";
        }
      }
    }

    private static String messageOf(Throwable exception) {
      try {
        return exception.getMessage();
      } catch (Throwable error) { // a message that cannot be read must not hide its exception
        return "<getMessage() failed>";
      }
    }

    /** Returns the type of an exception's cause, "" where it has none. */
    private static String causeOf(Throwable exception) {
      try {
        Throwable cause = exception.getCause();
        return cause == null ? "" : nameOf(cause.getClass());
      } catch (Throwable error) { // an SDK may have overridden it
        return "";
      }
    }

    /** Returns the JVM's own stack trace; null where an SDK has overridden it and has none. */
    private static StackTraceElement[] framesOf(Throwable exception) {
      try {
        return exception.getStackTrace();
      } catch (Throwable error) {
        return null;
      }
    }

    private void fail(Map<String, Object> message, String text) {
      send(map("id", message.get("id"), "outcome", "adapter_error", "message", text));
    }

    private void send(Map<String, Object> answer) {
      try {
        byte[] line = (Json.write(answer, 0) + "\n").getBytes(StandardCharsets.US_ASCII);
        synchronized (writing) {
          out.write(line);
          out.flush();
        }
      } catch (Json.Unencodable error) {
        throw new AdapterFault("the answer cannot be written: " + error.getMessage());
      } catch (IOException error) {
        log("the harness is gone: " + error.getMessage());
      }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) {
      if (!(value instanceof Map)) {
        throw new AdapterFault("expected an object, found " + value);
      }
      return (Map<String, Object>) value;
    }
  }

  /**
   * JSON as RFC 8259 has it, since the JDK has none: no comments, no NaN, nothing after the value.
   *
   * <p>Objects become maps in their order (of two members with one name the last counts), arrays lists,
   * integers Long or BigInteger, other numbers Double, or BigDecimal where they are too large for one.
   */
  public static final class Json {
    private static final int MAX_DEPTH = 200; // levels of one line, its own object included: the protocol's limit
    private static final int MAX_DIGITS = 4300; // of an integer that the harness reads

    private Json() {}

    /** What was read is not JSON; the message says what, and where. */
    public static final class Malformed extends Exception {
      private static final long serialVersionUID = 1L;

      Malformed(String message) {
        super(message);
      }
    }

    /** What JSON cannot carry, and its place, such as "NaN at a.b[0]". */
    public static final class Unencodable extends Exception {
      private static final long serialVersionUID = 1L;

      Unencodable(String message) {
        super(message);
      }
    }

    private record Written(String text) {}

    /** Reads one value. */
    public static Object read(String text) throws Malformed {
      return new Reader(text).document();
    }

    /** Writes one value, in ASCII: a lone surrogate has no UTF-8, but it has an escape. */
    public static String write(Object value) throws Unencodable {
      return write(value, 0);
    }

    /** Writes one value that stands within that many levels of an answer. */
    static String write(Object value, int around) throws Unencodable {
      StringBuilder out = new StringBuilder();
      write(value, out, "", around);
      return out.toString();
    }

    private static void write(Object value, StringBuilder out, String path, int depth) throws Unencodable {
      try {
        if (value == null || value instanceof Boolean) {
          out.append(value);
        } else if (value instanceof Written written) {
          out.append(written.text());
        } else if (value instanceof CharSequence || value instanceof Character) {
          writeString(value.toString(), out);
        } else if (value instanceof Number number) {
          writeNumber(number, out, path);
        } else if (value instanceof Map<?, ?> map) {
          writeObject(map, out, path, depth);
        } else if (value instanceof Collection<?> items) {
          writeArray(items, out, path, depth);
        } else if (value.getClass().isArray() && !(value instanceof byte[])) {
          List<Object> items = new ArrayList<>();
          for (int index = 0; index < Array.getLength(value); index++) {
            items.add(Array.get(value, index));
          }
          writeArray(items, out, path, depth);
        } else {
          throw unencodable(nameOf(value.getClass()), path);
        }
      } catch (RuntimeException | Error error) { // a lazy collection of the SDK's, say
        throw unencodable("a value that throws " + nameOf(error.getClass()), path);
      }
    }

    private static void writeNumber(Number number, StringBuilder out, String path) throws Unencodable {
      if (number instanceof Double || number instanceof Float) {
        if (!Double.isFinite(number.doubleValue())) {
          throw unencodable(number.toString(), path);
        }
      } else if (!(number instanceof Long
          || number instanceof Integer
          || number instanceof Short
          || number instanceof Byte
          || number instanceof BigInteger
          || number instanceof BigDecimal)) {
        throw unencodable(nameOf(number.getClass()), path);
      }
      String text = number.toString();
      if (number instanceof BigDecimal && Double.isInfinite(number.doubleValue())) {
        throw unencodable("a number that no double can hold", path);
      }
      if (text.length() > MAX_DIGITS) {
        throw unencodable("an int too long to write", path);
      }
      out.append(text);
    }

    private static void writeObject(Map<?, ?> map, StringBuilder out, String path, int depth) throws Unencodable {
      String comma = "";
      enter(depth);
      out.append('{');
      for (Map.Entry<?, ?> member : map.entrySet()) {
        if (!(member.getKey() instanceof String name)) {
          Object key = member.getKey();
          throw unencodable((key == null ? "null" : nameOf(key.getClass())) + " as a key", path);
        }
        out.append(comma);
        writeString(name, out);
        out.append(':');
        write(member.getValue(), out, path.isEmpty() ? name : path + "." + name, depth + 1);
        comma = ",";
      }
      out.append('}');
    }

    private static void writeArray(Collection<?> items, StringBuilder out, String path, int depth)
        throws Unencodable {
      int index = 0;
      enter(depth);
      out.append('[');
      for (Object item : items) {
        out.append(index == 0 ? "" : ",");
        write(item, out, path + "[" + index + "]", depth + 1);
        index++;
      }
      out.append(']');
    }

    private static void enter(int depth) throws Unencodable {
      if (depth >= MAX_DEPTH) {
        throw new Unencodable("nested too deeply, or within itself");
      }
    }

    private static void writeString(String text, StringBuilder out) {
      out.append('"');
      for (int index = 0; index < text.length(); index++) {
        char next = text.charAt(index);
        if (next == '"' || next == '\\') {
          out.append('\\').append(next);
        } else if (next >= ' ' && next < 0x7f) {
          out.append(next);
        } else {
          out.append("\\u"); // then four digits, the highest first
          for (int shift = 12; shift >= 0; shift -= 4) {
            out.append(Character.forDigit(next >> shift & 0xf, 16));
          }
        }
      }
      out.append('"');
    }

    private static Unencodable unencodable(String what, String path) {
      return new Unencodable(path.isEmpty() ? what + " at the top" : what + " at " + path);
    }

    private static final class Reader {
      private final String text;
      private int at;

      Reader(String text) {
        this.text = text;
      }

      Object document() throws Malformed {
        Object value = value(0);
        if (peek() >= 0) {
          throw malformed("more text after the value");
        }
        return value;
      }

      private Object value(int depth) throws Malformed {
        int next = peek();
        if (depth >= MAX_DEPTH && (next == '{' || next == '[')) {
          throw malformed("nested too deeply");
        }
        switch (next) {
          case '{':
            return object(depth);
          case '[':
            return array(depth);
          case '"':
            return string();
          case 't':
            return literal("true", true);
          case 'f':
            return literal("false", false);
          case 'n':
            return literal("null", null);
          default:
            return number();
        }
      }

      private Map<String, Object> object(int depth) throws Malformed {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        if (peek() == '}') {
          at++;
          return members;
        }
        do {
          if (peek() != '"') {
            throw malformed("expected a name");
          }
          String name = string();
          expect(':');
          members.put(name, value(depth + 1));
        } while (goesOn('}'));
        return members;
      }

      private List<Object> array(int depth) throws Malformed {
        List<Object> items = new ArrayList<>();
        at++;
        if (peek() == ']') {
          at++;
          return items;
        }
        do {
          items.add(value(depth + 1));
        } while (goesOn(']'));
        return items;
      }

      private boolean goesOn(char end) throws Malformed {
        if (peek() == end) {
          at++;
          return false;
        }
        expect(',');
        return true;
      }

      private String string() throws Malformed {
        StringBuilder value = new StringBuilder();
        at++;
        while (true) {
          char next = take();
          if (next == '"') {
            return value.toString();
          }
          if (next < ' ') {
            at--;
            throw malformed("a control character in a string");
          }
          value.append(next == '\\' ? escaped() : next);
        }
      }

      private char escaped() throws Malformed {
        char next = take();
        int known = "\"\\/bfnrt".indexOf(next);
        if (known >= 0) {
          return "\"\\/\b\f\n\r\t".charAt(known);
        }
        if (next != 'u') {
          at--;
          throw malformed("an unknown escape");
        }
        int code = 0;
        for (int digits = 0; digits < 4; digits++) {
          char digit = take();
          int value = digit < 0x80 ? Character.digit(digit, 16) : -1;
          if (value < 0) {
            at--;
            throw malformed("expected a hexadecimal digit");
          }
          code = code * 16 + value;
        }
        return (char) code;
      }

      private Object literal(String word, Object value) throws Malformed {
        if (!text.startsWith(word, at)) {
          throw malformed("expected a value");
        }
        at += word.length();
        return value;
      }

      private Number number() throws Malformed {
        int start = at;
        accept('-');
        if (!accept('0')) {
          digits("expected a value");
        }
        boolean isInteger = true;
        if (accept('.')) {
          isInteger = false;
          digits("expected a digit");
        }
        if (accept('e') || accept('E')) {
          isInteger = false;
          if (!accept('+')) {
            accept('-');
          }
          digits("expected a digit");
        }
        return number(text.substring(start, at), isInteger);
      }

      private Number number(String written, boolean isInteger) throws Malformed {
        if (isInteger) {
          // 18 digits fit into a long, whatever they are.
          return written.length() < 19 ? (Number) Long.valueOf(written) : narrowed(new BigInteger(written));
        }
        double value = Double.parseDouble(written);
        if (Double.isFinite(value)) {
          return value;
        }
        try {
          return new BigDecimal(written);
        } catch (NumberFormatException error) { // an exponent of more than 31 bits
          throw malformed("a number out of all range");
        }
      }

      private static Number narrowed(BigInteger value) {
        return value.bitLength() < Long.SIZE ? (Number) value.longValue() : value;
      }

      private void digits(String otherwise) throws Malformed {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
          at++;
        }
        if (at == start) {
          throw malformed(otherwise);
        }
      }

      private boolean accept(char wanted) {
        if (at < text.length() && text.charAt(at) == wanted) {
          at++;
          return true;
        }
        return false;
      }

      private void expect(char wanted) throws Malformed {
        if (peek() != wanted) {
          throw malformed("expected '" + wanted + "'");
        }
        at++;
      }

      private char take() throws Malformed {
        if (at >= text.length()) {
          throw malformed("the text ends too early");
        }
        return text.charAt(at++);
      }

      /** Skips white space and returns the next character, -1 at the end of the text. */
      private int peek() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
          at++;
        }
        return at < text.length() ? text.charAt(at) : -1;
      }

      private Malformed malformed(String what) {
        return new Malformed(what + " at character " + (at + 1));
      }
    }
  }
}
