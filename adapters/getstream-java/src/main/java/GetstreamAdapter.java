import io.getstream.exceptions.StreamApiException;
import io.getstream.exceptions.StreamException;
import io.getstream.exceptions.StreamTaskException;
import io.getstream.exceptions.StreamTransportException;
import io.getstream.models.ChannelExport;
import io.getstream.models.DeleteChannelsRequest;
import io.getstream.models.DeleteUsersRequest;
import io.getstream.models.ErrorResult;
import io.getstream.models.ExportChannelsRequest;
import io.getstream.models.ExportUsersRequest;
import io.getstream.services.framework.StreamSDKClient;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import waitproof.Kit;

/** The adapter of stream-sdk-java: calls its client and reports what came back. */
final class GetstreamAdapter implements Kit.Adapter<StreamSDKClient> {
  public static void main(String[] arguments) throws Exception {
    Kit.run(new GetstreamAdapter());
  }

  @Override
  public Map<String, Object> hello() {
    return Kit.map(
        "sdk", Kit.map("name", "stream-sdk-java", "version", sdkVersion()),
        "helper", "StreamSDKClient.waitForTask",
        "result_path", "result",
        "capabilities",
            Kit.map(
                "max_concurrency", 0,
                "operations", List.of("delete_channels", "export_channels", "export_users", "delete_users")));
  }

  @Override
  public StreamSDKClient connect(String baseUrl, String apiKey, String apiSecret) {
    // No constructor takes a base URL; the one without arguments reads all three from system properties.
    System.setProperty("io.getstream.url", baseUrl);
    System.setProperty("io.getstream.apiKey", apiKey);
    System.setProperty("io.getstream.apiSecret", apiSecret);
    return new StreamSDKClient();
  }

  @Override
  public Object waitForTask(StreamSDKClient client, Object taskId, Kit.Options options) throws StreamException {
    if (options.isEmpty()) {
      return client.waitForTask((String) taskId).getResult();
    }
    if (!options.hasPollInterval() || !options.hasTimeout()) {
      throw new Kit.Unsupported("waitForTask has no overload with one of the two options alone");
    }
    return client.waitForTask((String) taskId, options.pollInterval(), options.timeout()).getResult();
  }

  @Override
  public Map<String, Object> getTask(StreamSDKClient client, Object taskId) throws StreamException {
    var task = client.getTask((String) taskId).execute().getData();
    return Kit.map(
        "task_id", task.getTaskID(),
        "status", task.getStatus(),
        "result", task.getResult(),
        "error", error(task.getError()));
  }

  @Override
  public Object begin(StreamSDKClient client, String operation, Kit.Arguments arguments)
      throws StreamException {
    switch (operation) {
      case "delete_channels":
        var deletion =
            DeleteChannelsRequest.builder()
                .cids(arguments.strings("cids"))
                .hardDelete(arguments.flag("hard_delete"))
                .build();
        return client.chat().deleteChannels(deletion).execute().getData().getTaskID();
      case "export_channels":
        var channels =
            arguments.strings("cids").stream().map(cid -> ChannelExport.builder().cid(cid).build()).toList();
        var export = ExportChannelsRequest.builder().channels(channels).build();
        return client.chat().exportChannels(export).execute().getData().getTaskID();
      case "export_users":
        var users = ExportUsersRequest.builder().userIds(arguments.strings("user_ids")).build();
        return client.exportUsers(users).execute().getData().getTaskID();
      default:
        var people = DeleteUsersRequest.builder().userIds(arguments.strings("user_ids")).build();
        return client.deleteUsers(people).execute().getData().getTaskID();
    }
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof StreamTaskException task) {
      return new Kit.Documented(
          Kit.Kind.TASK,
          Kit.map(
              "task_id", task.getTaskId(),
              "error_type", task.getErrorType(),
              "description", task.getDescription(),
              "stack_trace", task.getStackTraceText(),
              "version", task.getVersion()));
    }
    if (exception instanceof StreamTransportException transport) {
      return new Kit.Documented(Kit.Kind.TRANSPORT, Kit.map("error_type", transport.getErrorType()));
    }
    if (exception instanceof StreamApiException api) {
      return new Kit.Documented(
          Kit.Kind.API,
          Kit.map("status_code", api.getStatusCode(), "code", api.getCode(), "message", api.getMessage()));
    }
    return null; // a bare StreamException among them: it is the base of the three
  }

  private static Map<String, Object> error(ErrorResult error) {
    if (error == null) {
      return null;
    }
    return Kit.map(
        "type", error.getType(),
        "description", error.getDescription(),
        "stacktrace", error.getStacktrace(),
        "version", error.getVersion());
  }

  /** Returns the version that the SDK itself sends in X-Stream-Client. */
  private static String sdkVersion() {
    try (var file = StreamSDKClient.class.getResourceAsStream("/version.properties")) {
      var properties = new Properties();
      properties.load(file);
      return properties.getProperty("version");
    } catch (IOException error) {
      throw new IllegalStateException("the SDK's version.properties cannot be read", error);
    }
  }
}
