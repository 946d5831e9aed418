import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import waitproof.Kit.Json;

/**
 * A small correct SDK: the stand-in for yours, so that this folder runs as it is. Delete it from your copy. What
 * the API looks like is in api.json.
 *
 * <p>The rule of its wait helper in time: the first poll is made at once; after each answer a whole interval
 * is slept, except that the last sleep ends at the deadline, where one last poll is made. A poll that is not
 * answered is cut off at the deadline.
 */
final class TaskClient {
  static final String VERSION = "0.1.0";
  static final Map<?, ?> API = api();

  // For requests that no wait's deadline bounds.
  private static final long REQUEST_TIMEOUT_NS = Duration.ofSeconds(60).toNanos();
  private static final long FOREVER_NS = Duration.ofDays(36_500).toNanos();
  // The poll at the deadline has no time left, yet needs some to be answered: a twentieth of the timeout, and
  // never over a second.
  private static final int LAST_POLL_SHARE = 20;
  private static final long LAST_POLL_LIMIT_NS = Duration.ofSeconds(1).toNanos();

  private final String baseUrl;
  private final String query;
  private final Map<String, String> headers;
  // HTTP/1.1: over plain HTTP the JDK would ask every new connection whether it speaks HTTP/2.
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  TaskClient(String baseUrl, String apiKey, String apiSecret) {
    this.baseUrl = baseUrl;
    var known = Map.of("key", apiKey, "secret", apiSecret, "token", serverToken(apiSecret));
    this.headers = filled("headers", known);
    this.query =
        filled("query", known).entrySet().stream()
            .map(each -> escaped(each.getKey()) + "=" + escaped(each.getValue()))
            .collect(Collectors.joining("&"));
  }

  /** The options of a wait; null stands for what the API has, and a timeout that is null even there for none. */
  record WaitOptions(Duration pollInterval, Duration timeout, Number maxPolls) {
    WaitOptions() {
      this(
          null,
          API.get("wait_timeout") == null ? null : seconds(API.get("wait_timeout")),
          (Number) API.get("max_polls"));
    }

    WaitOptions pollInterval(Duration interval) {
      return new WaitOptions(interval, timeout, maxPolls);
    }

    WaitOptions timeout(Duration limit) {
      return new WaitOptions(pollInterval, limit, maxPolls);
    }

    WaitOptions maxPolls(int limit) {
      return new WaitOptions(pollInterval, timeout, limit);
    }
  }

  /** One answer about a task; fields are those of the exception, should it have failed. */
  record Task(
      Object taskId,
      String status,
      Object result,
      Object error,
      Object returned,
      Map<String, Object> fields) {}

  /** The task failed on the server; its fields are what the API documents of it. */
  static final class TaskException extends Exception {
    private static final long serialVersionUID = 1L;
    private final transient Map<String, Object> fields;

    TaskException(Task task) {
      super("task " + task.taskId() + " failed: " + task.error());
      this.fields = task.fields();
    }

    Map<String, Object> getFields() {
      return fields;
    }
  }

  /** No answer came, or none that could be understood: "timeout", "connection" or "malformed_answer". */
  static final class TransportException extends Exception {
    private static final long serialVersionUID = 1L;
    private final String errorType;

    TransportException(String errorType, String message, Throwable cause) {
      super(message, cause);
      this.errorType = errorType;
    }

    String getErrorType() {
      return errorType;
    }
  }

  /** The server answered with a status that is not 2xx. */
  static final class ApiException extends Exception {
    private static final long serialVersionUID = 1L;
    private final int statusCode;

    ApiException(int statusCode, String body) {
      super("HTTP " + statusCode + ": " + body);
      this.statusCode = statusCode;
    }

    int getStatusCode() {
      return statusCode;
    }
  }

  /** Waits with the default options. */
  Object waitForTask(Object taskId)
      throws TaskException, TransportException, ApiException, InterruptedException {
    return waitForTask(taskId, new WaitOptions());
  }

  /** Waits until the task ends and returns its result payload, null where it has none. */
  Object waitForTask(Object taskId, WaitOptions options)
      throws TaskException, TransportException, ApiException, InterruptedException {
    boolean hasOwnPause = options.pollInterval() != null;
    long pauseNs = (hasOwnPause ? options.pollInterval() : seconds(at(API, "pauses.first"))).toNanos();
    long timeoutNs = options.timeout() == null ? FOREVER_NS : options.timeout().toNanos();
    long deadline = System.nanoTime() + timeoutNs;
    Number maxPolls = options.maxPolls();
    long lastPollNs = Math.min(timeoutNs / LAST_POLL_SHARE, LAST_POLL_LIMIT_NS);
    boolean isLast = false;
    for (int polls = 1; ; polls++) {
      long limitNs = Math.max(deadline - System.nanoTime(), lastPollNs);
      Task task = getTask(taskId, options.timeout() == null ? REQUEST_TIMEOUT_NS : limitNs);
      if (((List<?>) API.get("done")).contains(task.status())) {
        return task.returned();
      }
      if (((List<?>) API.get("failed")).contains(task.status())) {
        throw new TaskException(task);
      }
      long leftNs = deadline - System.nanoTime(); // any other status has not ended yet
      if (isLast || leftNs <= 0 || maxPolls != null && polls == maxPolls.intValue()) {
        String message = "task " + taskId + " was " + task.status() + " after " + options.timeout() + ", " + polls + " polls";
        throw new TransportException("timeout", message, null);
      }
      isLast = leftNs <= pauseNs;
      sleep(Math.min(pauseNs, leftNs));
      if (!hasOwnPause) {
        double nextNs = pauseNs * number("pauses.times") + number("pauses.add") * 1e9;
        pauseNs = Math.round(Math.min(nextNs, number("pauses.most") * 1e9));
      }
    }
  }

  /** Asks for the task once; a failed one is returned like any other. */
  Task getTask(Object taskId) throws TransportException, ApiException, InterruptedException {
    return getTask(taskId, REQUEST_TIMEOUT_NS);
  }

  /** Begins an operation and returns the id of its task; an SDK has a method for each of them. */
  Object begin(String operation, Map<String, Object> arguments)
      throws TransportException, ApiException, InterruptedException {
    Map<?, ?> known = (Map<?, ?>) at(API, "operations." + operation);
    String path = (String) known.get("path");
    Object named = at(arguments, (String) known.get("from"));
    Object body = arguments;
    if (path.contains("{token}")) {
      path = path.replace("{token}", escaped(String.valueOf(named)));
      body = Map.of();
    } else if (!"".equals(known.get("to"))) {
      body = nested((String) known.get("to"), named);
      if (body instanceof Map<?, ?> more) {
        Map<Object, Object> all = new LinkedHashMap<>(arguments);
        all.putAll(more);
        body = all;
      }
    }
    var content = body.equals(Map.of()) ? BodyPublishers.noBody() : BodyPublishers.ofString(written(body));
    HttpRequest.Builder request = request(path).method((String) known.get("method"), content);
    return at(send(request, REQUEST_TIMEOUT_NS), (String) known.get("task_id"));
  }

  private static String written(Object body) {
    try {
      return Json.write(body);
    } catch (Json.Unencodable error) {
      throw new IllegalArgumentException(error);
    }
  }

  private Task getTask(Object taskId, long timeoutNs)
      throws TransportException, ApiException, InterruptedException {
    String text = String.valueOf(taskId);
    if (List.of("", ".", "..").contains(text)) { // no escape makes these a part of a path
      throw new IllegalArgumentException("'" + text + "' is not a task id");
    }
    String path = ((String) at(API, "poll.path")).replace("{task_id}", escaped(text));
    Map<?, ?> answer =
        send(request(path).method((String) at(API, "poll.method"), BodyPublishers.noBody()), timeoutNs);
    if (!(place(answer, "status") instanceof String status)) {
      throw malformed("its status is not a string", null);
    }
    Map<String, Object> fields = new LinkedHashMap<>();
    ((Map<?, ?>) API.get("exception_fields"))
        .forEach((name, where) -> fields.put((String) name, at(answer, (String) where)));
    Object own = place(answer, "task_id");
    return new Task(
        own == null ? taskId : own,
        status,
        place(answer, "result"),
        place(answer, "error"),
        place(answer, "returned"),
        fields);
  }

  private static Object place(Map<?, ?> answer, String name) {
    return at(answer, (String) at(API, "paths." + name));
  }

  private HttpRequest.Builder request(String path) {
    String target = query.isEmpty() ? path : path + "?" + query;
    var request =
        HttpRequest.newBuilder(URI.create(baseUrl + target)).header("Content-Type", "application/json");
    headers.forEach(request::header);
    return request;
  }

  /** Sends a request and returns the object that the answer is; nothing here repeats it. */
  private Map<?, ?> send(HttpRequest.Builder request, long timeoutNs)
      throws TransportException, ApiException, InterruptedException {
    // Not HttpRequest.timeout(), which ends with the head of the answer: a body can stall, too.
    CompletableFuture<HttpResponse<byte[]>> future =
        http.sendAsync(request.build(), BodyHandlers.ofByteArray());
    HttpResponse<byte[]> response;
    try {
      response = future.get(timeoutNs, TimeUnit.NANOSECONDS);
    } catch (TimeoutException error) {
      throw new TransportException("timeout", "no complete answer when the time was up", error);
    } catch (ExecutionException error) {
      throw new TransportException("connection", "the connection broke: " + error.getCause(), error.getCause());
    } finally {
      future.cancel(true); // ends the exchange, where there is still one
    }
    if (response.statusCode() / 100 != 2) {
      throw new ApiException(response.statusCode(), new String(response.body(), StandardCharsets.UTF_8));
    }
    return object(response.body());
  }

  private static Map<?, ?> object(byte[] body) throws TransportException {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
      if (Json.read(text) instanceof Map<?, ?> object) {
        return object;
      }
      throw malformed("the body is not an object", null);
    } catch (CharacterCodingException | Json.Malformed error) {
      throw malformed("the body is not JSON", error);
    }
  }

  /** Returns what is at a dotted path, null if there is nothing; "*" is the value itself. */
  private static Object at(Object value, String path) {
    if (path.isEmpty() || path.equals("*")) {
      return path.isEmpty() ? null : value;
    }
    for (String step : path.split("\\.")) {
      if (value instanceof Map<?, ?> object) {
        value = object.get(step);
      } else if (value instanceof List<?> list && isIndex(step) && Integer.parseInt(step) < list.size()) {
        value = list.get(Integer.parseInt(step));
      } else {
        return null;
      }
    }
    return value;
  }

  /** Returns an object, or a list, that has a value at a dotted path and nothing else. */
  private static Object nested(String path, Object leaf) {
    int dot = path.indexOf('.');
    String step = dot < 0 ? path : path.substring(0, dot);
    Object inner = dot < 0 ? leaf : nested(path.substring(dot + 1), leaf);
    return isIndex(step) ? List.of(inner) : Map.of(step, inner);
  }

  private static boolean isIndex(String step) {
    return step.matches("[0-9]{1,9}");
  }

  private static Map<String, String> filled(String name, Map<String, String> known) {
    Map<String, String> filled = new LinkedHashMap<>();
    ((Map<?, ?>) API.get(name)).forEach((key, kind) -> filled.put((String) key, known.get(kind)));
    return filled;
  }

  private static Duration seconds(Object number) {
    return Duration.ofNanos(Math.round(((Number) number).doubleValue() * 1e9));
  }

  private static double number(String path) {
    return ((Number) at(API, path)).doubleValue();
  }

  private static Map<?, ?> api() {
    try {
      return (Map<?, ?>) Json.read(Files.readString(Path.of("api.json"))); // the adapter runs in its folder
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    } catch (Json.Malformed error) {
      throw new IllegalStateException("api.json is not JSON", error);
    }
  }

  private static TransportException malformed(String what, Exception cause) {
    return new TransportException("malformed_answer", what, cause);
  }

  private static void sleep(long ns) throws InterruptedException {
    Thread.sleep((ns + 999_999) / 1_000_000); // whole milliseconds, and never too early
  }

  private static String escaped(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** Returns a JSON Web Token (HS256) that lets a server act for the application. */
  private static String serverToken(String apiSecret) {
    Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
    String signed =
        base64.encodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8))
            + "."
            + base64.encodeToString("{\"server\":true}".getBytes(StandardCharsets.UTF_8));
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(apiSecret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      return signed + "." + base64.encodeToString(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException("every JDK has HmacSHA256", error);
    }
  }
}
