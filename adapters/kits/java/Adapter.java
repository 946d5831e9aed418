import java.util.List;
import java.util.Locale;
import java.util.Map;
import waitproof.Kit;

/** The adapter of {@link TaskClient}: the few lines to change for your own SDK. */
final class Adapter implements Kit.Adapter<TaskClient> {
  public static void main(String[] arguments) throws Exception {
    Kit.run(new Adapter());
  }

  @Override
  public Map<String, Object> hello() {
    return Kit.map(
        "sdk", Kit.map("name", "example client", "version", TaskClient.VERSION),
        "helper", "TaskClient.waitForTask",
        "result_path", "",
        "capabilities",
            Kit.map(
                "max_concurrency", 0,
                "cancel", true, // its waits throw InterruptedException, as their signatures say
                "options", TaskClient.API.get("options"),
                "operations", List.copyOf(((Map<?, ?>) TaskClient.API.get("operations")).keySet())));
  }

  @Override
  public TaskClient connect(String baseUrl, String apiKey, String apiSecret) {
    return new TaskClient(baseUrl, apiKey, apiSecret);
  }

  @Override
  public Object waitForTask(TaskClient client, Object taskId, Kit.Options options) throws Exception {
    if (options.isEmpty()) {
      return client.waitForTask(taskId);
    }
    var given = new TaskClient.WaitOptions();
    if (options.hasPollInterval()) {
      given = given.pollInterval(options.pollInterval());
    }
    if (options.hasTimeout()) {
      given = given.timeout(options.timeout());
    }
    if (options.hasMaxPolls()) {
      given = given.maxPolls(options.maxPolls());
    }
    return client.waitForTask(taskId, given);
  }

  @Override
  public Map<String, Object> getTask(TaskClient client, Object taskId) throws Exception {
    var task = client.getTask(taskId);
    return Kit.map(
        "task_id", task.taskId(), "status", task.status(), "result", task.result(), "error", task.error());
  }

  // Your SDK has a method for each operation: call that here.
  @Override
  public Object begin(TaskClient client, String operation, Kit.Arguments arguments) throws Exception {
    return client.begin(operation, arguments.all());
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof TaskClient.TaskException task) {
      return new Kit.Documented(Kit.Kind.TASK, task.getFields());
    }
    if (exception instanceof TaskClient.TransportException transport) {
      return transport.getErrorType().equals("timeout")
          ? timeout((Map<?, ?>) TaskClient.API.get("timeout"))
          : new Kit.Documented(Kit.Kind.TRANSPORT, Kit.map("error_type", transport.getErrorType()));
    }
    if (exception instanceof TaskClient.ApiException api) {
      return new Kit.Documented(Kit.Kind.API, Kit.map("status_code", api.getStatusCode()));
    }
    return null;
  }

  private static Kit.Documented timeout(Map<?, ?> promised) {
    Map<String, Object> fields = Kit.map();
    ((Map<?, ?>) promised.get("fields")).forEach((name, value) -> fields.put((String) name, value));
    return new Kit.Documented(
        Kit.Kind.valueOf(((String) promised.get("kind")).toUpperCase(Locale.ROOT)),
        fields,
        (String) promised.get("type"));
  }
}
