import java.util.List;
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
        "sdk", Kit.map("name", "task-client", "version", TaskClient.VERSION),
        "helper", "TaskClient.waitForTask",
        "result_path", "",
        "capabilities",
            Kit.map(
                "max_concurrency", 0,
                "cancel", true, // its waits throw InterruptedException, as their signatures say
                "operations", List.of("delete_channels", "export_channels", "export_users", "delete_users")));
  }

  @Override
  public TaskClient connect(String baseUrl, String apiKey, String apiSecret) {
    return new TaskClient(baseUrl, apiKey, apiSecret);
  }

  @Override
  public Object waitForTask(TaskClient client, Object taskId, Kit.Options options) throws Exception {
    if (options.isEmpty()) {
      return client.waitForTask((String) taskId);
    }
    var given = new TaskClient.WaitOptions();
    if (options.hasPollInterval()) {
      given = given.pollInterval(options.pollInterval());
    }
    if (options.hasTimeout()) {
      given = given.timeout(options.timeout());
    }
    return client.waitForTask((String) taskId, given);
  }

  @Override
  public Map<String, Object> getTask(TaskClient client, Object taskId) throws Exception {
    var task = client.getTask((String) taskId);
    return Kit.map(
        "task_id", task.taskId(), "status", task.status(), "result", task.result(), "error", error(task.error()));
  }

  @Override
  public Object begin(TaskClient client, String operation, Kit.Arguments arguments) throws Exception {
    return switch (operation) {
      case "delete_channels" ->
          client.deleteChannels(arguments.strings("cids"), arguments.flag("hard_delete"));
      case "export_channels" -> client.exportChannels(arguments.strings("cids"));
      case "export_users" -> client.exportUsers(arguments.strings("user_ids"));
      default -> client.deleteUsers(arguments.strings("user_ids"));
    };
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof TaskClient.TaskException task) {
      return new Kit.Documented(
          Kit.Kind.TASK,
          Kit.map(
              "task_id", task.getTaskId(),
              "error_type", task.getErrorType(),
              "description", task.getDescription(),
              "stack_trace", task.getStackTraceText(),
              "version", task.getVersion()));
    }
    if (exception instanceof TaskClient.TransportException transport) {
      return new Kit.Documented(Kit.Kind.TRANSPORT, Kit.map("error_type", transport.getErrorType()));
    }
    if (exception instanceof TaskClient.ApiException api) {
      return new Kit.Documented(Kit.Kind.API, Kit.map("status_code", api.getStatusCode()));
    }
    return null;
  }

  private static Map<String, Object> error(TaskClient.TaskError error) {
    if (error == null) {
      return null;
    }
    return Kit.map(
        "type", error.type(),
        "description", error.description(),
        "stacktrace", error.stackTrace(),
        "version", error.version());
  }
}
