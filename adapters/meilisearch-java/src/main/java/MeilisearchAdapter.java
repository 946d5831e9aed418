import com.meilisearch.sdk.Client;
import com.meilisearch.sdk.Config;
import com.meilisearch.sdk.exceptions.MeilisearchApiException;
import com.meilisearch.sdk.exceptions.MeilisearchCommunicationException;
import com.meilisearch.sdk.exceptions.MeilisearchException;
import com.meilisearch.sdk.exceptions.MeilisearchTimeoutException;
import com.meilisearch.sdk.model.SwapIndexesParams;
import com.meilisearch.sdk.model.TaskInfo;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import waitproof.Kit;

/** The adapter of meilisearch-java: calls its client and reports what came back. */
final class MeilisearchAdapter implements Kit.Adapter<Client> {
  public static void main(String[] arguments) throws Exception {
    Kit.run(new MeilisearchAdapter());
  }

  @Override
  public Map<String, Object> hello() {
    return Kit.map(
        "sdk", Kit.map("name", "meilisearch-java", "version", sdkVersion()),
        "helper", "Index.waitForTask",
        "result_path", "",
        "capabilities",
            Kit.map(
                "max_concurrency", 0,
                "returns", "nothing",
                "options_together", true,
                "operations", List.of("add_documents", "delete_documents", "swap_indexes")));
  }

  @Override
  public Client connect(String baseUrl, String apiKey, String apiSecret) throws MeilisearchException {
    return new Client(new Config(baseUrl, apiSecret));
  }

  @Override
  public Object waitForTask(Client client, Object taskId, Kit.Options options) throws MeilisearchException {
    if (options.isEmpty()) {
      client.waitForTask(uid(taskId));
      return null;
    }
    if (!options.hasPollInterval() || !options.hasTimeout()) {
      throw new Kit.Unsupported("waitForTask has no overload with one of the two options alone");
    }
    if (options.timeout().toMillis() > Integer.MAX_VALUE) {
      throw new Kit.Unsupported("waitForTask takes a timeout as an int of milliseconds");
    }
    var timeoutInMs = Math.toIntExact(options.timeout().toMillis());
    var intervalInMs = Math.toIntExact(options.pollInterval().toMillis());
    client.index("movies").waitForTask(uid(taskId), timeoutInMs, intervalInMs);
    return null;
  }

  @Override
  public Map<String, Object> getTask(Client client, Object taskId) throws MeilisearchException {
    var task = client.getTask(uid(taskId));
    var status = task.getStatus() == null ? null : task.getStatus().toString();
    var error = task.getError();
    return Kit.map("task_id", task.getUid(), "status", status, "error", error == null ? null : Kit.map(
        "message", error.getMessage(), "code", error.getCode(), "type", error.getType(), "link", error.getLink()));
  }

  @Override
  public Object begin(Client client, String operation, Kit.Arguments arguments) throws MeilisearchException {
    return switch (operation) {
      case "add_documents" ->
          client.index("movies").addDocuments(documents(arguments.strings("ids"))).getTaskUid();
      case "delete_documents" -> client.index("movies").deleteDocuments(arguments.strings("ids")).getTaskUid();
      default -> swap(client, arguments.strings("indexes")).getTaskUid();
    };
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof MeilisearchApiException api) {
      return new Kit.Documented(Kit.Kind.API, fields(api));
    }
    if (exception instanceof MeilisearchCommunicationException || exception instanceof MeilisearchTimeoutException) {
      return new Kit.Documented(Kit.Kind.TRANSPORT, Kit.map());
    }
    return null; // a bare MeilisearchException among them: it is the base of the three
  }

  /** Returns what the exception knows of the error: nothing where the answer had no body, and its getters throw. */
  private static Map<String, Object> fields(MeilisearchApiException api) {
    try {
      return Kit.map("code", api.getCode(), "type", api.getType());
    } catch (NullPointerException error) {
      return Kit.map();
    }
  }

  /** The signature takes an int. */
  private static int uid(Object taskId) {
    return Math.toIntExact((Long) taskId);
  }

  private static String documents(List<String> ids) {
    return ids.stream()
        .map(id -> "{\"id\": \"" + id + "\", \"title\": \"Carol\"}")
        .collect(Collectors.joining(",", "[", "]"));
  }

  private static TaskInfo swap(Client client, List<String> indexes) throws MeilisearchException {
    var swap = new SwapIndexesParams().setIndexes(indexes.toArray(new String[0]));
    return client.swapIndexes(new SwapIndexesParams[] {swap});
  }

  /** Returns the version that the SDK itself sends in its User-Agent: "Meilisearch Java (v0.15.0)". */
  private static String sdkVersion() {
    return com.meilisearch.sdk.Version.getQualifiedVersion().replaceAll("^.*[(]v|[)].*$", "");
  }
}
