using Waitproof;

Kit.Run(new Adapter());

/// <summary>The adapter of TaskClient: the few lines to change for your own SDK.</summary>
internal sealed class Adapter : SdkAdapter<TaskClient>
{
    public override Dictionary<string, object?> Hello() => Kit.Map(
        ("sdk", Kit.Map(("name", "task-client"), ("version", TaskClient.Version))),
        ("helper", "TaskClient.WaitForTaskAsync"),
        ("result_path", ""),
        ("capabilities", Kit.Map(
            ("max_concurrency", 0),
            ("non_blocking", true),
            ("cancel", true),
            ("operations", new[] { "delete_channels", "export_channels", "export_users", "delete_users" }))));

    public override TaskClient Connect(string baseUrl, string apiKey, string apiSecret) => new(baseUrl, apiKey, apiSecret);

    public override async Task<object?> Wait(
        TaskClient client, object taskId, WaitOptions options, CancellationToken cancellation)
    {
        var id = (string)taskId;
        return (options.PollInterval, options.Timeout) switch
        {
            (null, null) => await client.WaitForTaskAsync(id, cancellation: cancellation),
            ({ } pollInterval, null) => await client.WaitForTaskAsync(
                id, pollInterval: pollInterval, cancellation: cancellation),
            (null, { } timeout) => await client.WaitForTaskAsync(id, timeout: timeout, cancellation: cancellation),
            ({ } pollInterval, { } timeout) => await client.WaitForTaskAsync(
                id, pollInterval, timeout, cancellation),
        };
    }

    public override async Task<Dictionary<string, object?>> GetTask(TaskClient client, object taskId)
    {
        var task = await client.GetTaskAsync((string)taskId);
        return Kit.Map(
            ("task_id", task.TaskId), ("status", task.Status), ("result", task.Result), ("error", Error(task.Error)));
    }

    public override async Task<object?> Begin(TaskClient client, string operation, OperationArguments arguments) =>
        operation switch
        {
            "delete_channels" => await client.DeleteChannelsAsync(arguments.Strings("cids"), arguments.Flag("hard_delete")),
            "export_channels" => await client.ExportChannelsAsync(arguments.Strings("cids")),
            "export_users" => await client.ExportUsersAsync(arguments.Strings("user_ids")),
            _ => await client.DeleteUsersAsync(arguments.Strings("user_ids")),
        };

    public override Documented? Describe(Exception exception) => exception switch
    {
        TaskFailedException task => new(Kind.Task, Kit.Map(
            ("task_id", task.TaskId),
            ("error_type", task.Error.Type),
            ("description", task.Error.Description),
            ("stack_trace", task.Error.StackTrace),
            ("version", task.Error.Version))),
        TransportException transport => new(Kind.Transport, Kit.Map(("error_type", transport.ErrorType))),
        ApiException api => new(Kind.Api, Kit.Map(("status_code", api.StatusCode))),
        _ => null,
    };

    private static Dictionary<string, object?>? Error(TaskError? error) => error is null ? null : Kit.Map(
        ("type", error.Type),
        ("description", error.Description),
        ("stacktrace", error.StackTrace),
        ("version", error.Version));
}
