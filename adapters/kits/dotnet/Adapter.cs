using Waitproof;

Kit.Run(new Adapter());

/// <summary>The adapter of TaskClient: the few lines to change for your own SDK.</summary>
internal sealed class Adapter : SdkAdapter<TaskClient>
{
    public override Dictionary<string, object?> Hello() => Kit.Map(
        ("sdk", Kit.Map(("name", "example client"), ("version", TaskClient.Version))),
        ("helper", "TaskClient.WaitForTaskAsync"),
        ("result_path", ""),
        ("capabilities", Kit.Map(
            ("max_concurrency", 0),
            ("non_blocking", true),
            ("cancel", true),
            ("options", TaskClient.Api.GetProperty("options")),
            ("operations", TaskClient.Api.GetProperty("operations").EnumerateObject().Select(each => each.Name).ToArray()))));

    public override TaskClient Connect(string baseUrl, string apiKey, string apiSecret) => new(baseUrl, apiKey, apiSecret);

    public override async Task<object?> Wait(
        TaskClient client, object taskId, WaitOptions options, CancellationToken cancellation)
    {
        if (options.MaxPolls is { } maxPolls)
        {
            return await client.WaitForTaskAsync(taskId, options.PollInterval, options.Timeout, maxPolls, cancellation);
        }

        return (options.PollInterval, options.Timeout) switch
        {
            (null, null) => await client.WaitForTaskAsync(taskId, cancellation: cancellation),
            ({ } pollInterval, null) => await client.WaitForTaskAsync(
                taskId, pollInterval: pollInterval, cancellation: cancellation),
            (null, { } timeout) => await client.WaitForTaskAsync(taskId, timeout: timeout, cancellation: cancellation),
            ({ } pollInterval, { } timeout) => await client.WaitForTaskAsync(
                taskId, pollInterval, timeout, cancellation: cancellation),
        };
    }

    public override async Task<Dictionary<string, object?>> GetTask(TaskClient client, object taskId)
    {
        var task = await client.GetTaskAsync(taskId);
        return Kit.Map(
            ("task_id", task.TaskId), ("status", task.Status), ("result", task.Result), ("error", task.Error));
    }

    // Your SDK has a method for each operation: call that here.
    public override Task<object?> Begin(TaskClient client, string operation, OperationArguments arguments) =>
        client.BeginAsync(operation, arguments.All);

    public override Documented? Describe(Exception exception) => exception switch
    {
        TaskFailedException task => new Documented(Kind.Task, task.Fields),
        TransportException { ErrorType: "timeout" } => TimedOut(),
        TransportException transport => new Documented(
            Kind.Transport, Kit.Map(("error_type", transport.ErrorType))),
        ApiException api => new Documented(Kind.Api, Kit.Map(("status_code", api.StatusCode))),
        _ => null,
    };

    private static Documented TimedOut()
    {
        var promised = TaskClient.Api.GetProperty("timeout");
        var fields = new Dictionary<string, object?>();
        foreach (var field in promised.GetProperty("fields").EnumerateObject())
        {
            fields[field.Name] = field.Value;
        }

        var kind = Enum.Parse<Kind>(promised.GetProperty("kind").GetString() ?? "", true);
        var type = promised.TryGetProperty("type", out var name) ? name.GetString() : null;
        return new Documented(kind, fields, type);
    }
}
