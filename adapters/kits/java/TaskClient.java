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
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import waitproof.Kit.Json;

/**
 * A small correct SDK: the stand-in for yours, so that this folder runs as it is. Delete it from your copy.
 *
 * <p>The rule of its wait helper in time: the first poll is made at once; after each answer a whole interval
 * is slept, except that the last sleep ends at the deadline, where one last poll is made. A poll that is not
 * answered is cut off at the deadline.
 */
final class TaskClient {
  static final String VERSION = "0.1.0";

  // For requests that no wait's deadline bounds.
  private static final long REQUEST_TIMEOUT_NS = Duration.ofSeconds(60).toNanos();
  // The poll at the deadline has no time left, yet needs some to be answered: a twentieth of the timeout, and
  // never over a second.
  private static final int LAST_POLL_SHARE = 20;
  private static final long LAST_POLL_LIMIT_NS = Duration.ofSeconds(1).toNanos();

  private final String baseUrl;
  private final String query;
  private final String token;
  // HTTP/1.1: over plain HTTP the JDK would ask every new connection whether it speaks HTTP/2.
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  TaskClient(String baseUrl, String apiKey, String apiSecret) {
    this.baseUrl = baseUrl;
    this.query = "?api_key=" + escaped(apiKey);
    this.token = serverToken(apiSecret);
  }

  /** The options of a wait; what is not set has its default. */
  record WaitOptions(Duration pollInterval, Duration timeout) {
    WaitOptions() {
      this(Duration.ofSeconds(1), Duration.ofSeconds(60));
    }

    WaitOptions pollInterval(Duration interval) {
      return new WaitOptions(interval, timeout);
    }

    WaitOptions timeout(Duration limit) {
      return new WaitOptions(pollInterval, limit);
    }
  }

  /** One answer about a task; result and error are null where it has none. */
  record Task(String taskId, String status, Object result, TaskError error) {}

  /** Why a task failed; null stands for what the answer left out. */
  record TaskError(String type, String description, String stackTrace, String version) {}

  /** The task failed on the server. */
  static final class TaskException extends Exception {
    private static final long serialVersionUID = 1L;
    private final String taskId;
    private final transient TaskError error;

    TaskException(String taskId, TaskError error) {
      super("task " + taskId + " failed: " + error.type() + ": " + error.description());
      this.taskId = taskId;
      this.error = error;
    }

    String getTaskId() {
      return taskId;
    }

    String getErrorType() {
      return error.type();
    }

    String getDescription() {
      return error.description();
    }

    /** Returns the server's stack trace; {@code getStackTrace()} is the JVM's own. */
    String getStackTraceText() {
      return error.stackTrace();
    }

    String getVersion() {
      return error.version();
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

  /** Waits with the default options: a poll every second, for 60 seconds. */
  Object waitForTask(String taskId)
      throws TaskException, TransportException, ApiException, InterruptedException {
    return waitForTask(taskId, new WaitOptions());
  }

  /** Waits until the task ends and returns its result payload, null where it has none. */
  Object waitForTask(String taskId, WaitOptions options)
      throws TaskException, TransportException, ApiException, InterruptedException {
    long intervalNs = options.pollInterval().toNanos();
    long timeoutNs = options.timeout().toNanos();
    long deadline = System.nanoTime() + timeoutNs;
    long lastPollNs = Math.min(timeoutNs / LAST_POLL_SHARE, LAST_POLL_LIMIT_NS);
    boolean isLast = false;
    while (true) {
      Task task = getTask(taskId, Math.max(deadline - System.nanoTime(), lastPollNs));
      if (task.status().equals("completed")) {
        return task.result();
      }
      if (task.status().equals("failed")) {
        throw new TaskException(
            taskId, task.error() == null ? new TaskError(null, null, null, null) : task.error());
      }
      long leftNs = deadline - System.nanoTime(); // any other status has not ended yet
      if (isLast || leftNs <= 0) {
        String message = "task " + taskId + " was " + task.status() + " after " + options.timeout();
        throw new TransportException("timeout", message, null);
      }
      isLast = leftNs <= intervalNs;
      sleep(Math.min(intervalNs, leftNs));
    }
  }

  /** Asks for the task once; a failed one is returned like any other. */
  Task getTask(String taskId) throws TransportException, ApiException, InterruptedException {
    return getTask(taskId, REQUEST_TIMEOUT_NS);
  }

  String deleteChannels(List<String> cids, boolean hardDelete)
      throws TransportException, ApiException, InterruptedException {
    return begin("/api/v2/chat/channels/delete", Map.of("cids", cids, "hard_delete", hardDelete));
  }

  String exportChannels(List<String> cids) throws TransportException, ApiException, InterruptedException {
    List<Map<String, String>> channels = cids.stream().map(cid -> Map.of("cid", cid)).toList();
    return begin("/api/v2/chat/export_channels", Map.of("channels", channels));
  }

  String exportUsers(List<String> userIds) throws TransportException, ApiException, InterruptedException {
    return begin("/api/v2/export/users", Map.of("user_ids", userIds));
  }

  String deleteUsers(List<String> userIds) throws TransportException, ApiException, InterruptedException {
    return begin(
        "/api/v2/users/delete",
        Map.of("user_ids", userIds, "user", "hard", "messages", "hard", "conversations", "hard"));
  }

  private Task getTask(String taskId, long timeoutNs)
      throws TransportException, ApiException, InterruptedException {
    if (List.of("", ".", "..").contains(taskId)) { // no escape makes these a part of a path
      throw new IllegalArgumentException("'" + taskId + "' is not a task id");
    }
    return task(send(request("/api/v2/tasks/" + escaped(taskId)).GET(), timeoutNs));
  }

  private String begin(String path, Map<String, Object> body)
      throws TransportException, ApiException, InterruptedException {
    HttpRequest.Builder request = request(path).header("Content-Type", "application/json");
    try {
      request.POST(BodyPublishers.ofString(Json.write(body)));
    } catch (Json.Unencodable error) {
      throw new IllegalArgumentException(error);
    }
    return text(send(request, REQUEST_TIMEOUT_NS), "task_id", true);
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(baseUrl + path + query))
        .header("Authorization", token)
        .header("Stream-Auth-Type", "jwt");
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

  private static Task task(Map<?, ?> body) throws TransportException {
    TaskError error = null;
    if (body.get("error") instanceof Map<?, ?> reported) {
      error =
          new TaskError(
              text(reported, "type", false),
              text(reported, "description", false),
              text(reported, "stacktrace", false),
              text(reported, "version", false));
    } else if (body.get("error") != null) {
      throw malformed("its error is not an object", null);
    }
    return new Task(text(body, "task_id", false), text(body, "status", true), body.get("result"), error);
  }

  private static String text(Map<?, ?> body, String name, boolean isRequired) throws TransportException {
    Object value = body.get(name);
    if (value instanceof String || value == null && !isRequired) {
      return (String) value;
    }
    throw malformed("its " + name + " is not a string", null);
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
