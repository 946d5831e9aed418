using GetStream;
using GetStream.Models;
using Waitproof;

Kit.Run(new GetstreamAdapter());

/// <summary>The adapter of getstream-net: calls its client and reports what came back.</summary>
internal sealed class GetstreamAdapter : SdkAdapter<StreamClient>
{
    public override Dictionary<string, object?> Hello() => Kit.Map(
        ("sdk", Kit.Map(
            ("name", "getstream-net"), ("version", typeof(StreamClient).Assembly.GetName().Version?.ToString(3)))),
        ("helper", "StreamClient.WaitForTaskAsync"),
        ("result_path", "Result"),
        ("capabilities", Kit.Map(
            ("max_concurrency", 0),
            ("non_blocking", true),
            ("cancel", true),
            ("operations", new[] { "delete_channels", "export_channels", "export_users", "delete_users" }))));

    public override StreamClient Connect(string baseUrl, string apiKey, string apiSecret) =>
        new(apiKey, apiSecret, baseUrl);

    public override async Task<object?> Wait(
        StreamClient client, object taskId, WaitOptions options, CancellationToken cancellation)
    {
        var id = (string)taskId;
        var task = (options.PollInterval, options.Timeout) switch
        {
            (null, null) => await client.WaitForTaskAsync(id, cancellationToken: cancellation),
            ({ } pollInterval, null) => await client.WaitForTaskAsync(
                id, pollInterval: pollInterval, cancellationToken: cancellation),
            (null, { } timeout) => await client.WaitForTaskAsync(
                id, timeout: timeout, cancellationToken: cancellation),
            ({ } pollInterval, { } timeout) => await client.WaitForTaskAsync(
                id, pollInterval, timeout, cancellation),
        };
        return task.Result;
    }

    public override async Task<Dictionary<string, object?>> GetTask(StreamClient client, object taskId)
    {
        var response = await client.GetTaskAsync((string)taskId);
        var task = response.Data!;
        return Kit.Map(
            ("task_id", task.TaskID), ("status", task.Status), ("result", task.Result), ("error", Error(task.Error)));
    }

    public override async Task<object?> Begin(StreamClient client, string operation, OperationArguments arguments)
    {
        var chat = new ChatClient(client);
        switch (operation)
        {
            case "delete_channels":
                var deletion = await chat.DeleteChannelsAsync(new DeleteChannelsRequest
                {
                    Cids = arguments.Strings("cids"),
                    HardDelete = arguments.Flag("hard_delete"),
                });
                return deletion.Data!.TaskID;

            case "export_channels":
                var channels = arguments.Strings("cids").Select(cid => new ChannelExport { Cid = cid }).ToList();
                var export = await chat.ExportChannelsAsync(new ExportChannelsRequest { Channels = channels });
                return export.Data!.TaskID;

            case "export_users":
                var users = await client.ExportUsersAsync(
                    new ExportUsersRequest { UserIds = arguments.Strings("user_ids") });
                return users.Data!.TaskID;

            default:
                var people = await client.DeleteUsersAsync(
                    new DeleteUsersRequest { UserIds = arguments.Strings("user_ids") });
                return people.Data!.TaskID;
        }
    }

    public override Documented? Describe(Exception exception) => exception switch
    {
        GetStreamTaskException task => new(Kind.Task, Kit.Map(
            ("task_id", task.TaskId),
            ("error_type", task.ErrorType),
            ("description", task.Description),
            ("stack_trace", task.StackTrace), // the SDK's own property, which hides .NET's
            ("version", task.Version))),
        GetStreamTransportException transport => new(Kind.Transport, Kit.Map(("error_type", transport.ErrorType))),
        GetStreamApiException api => new(Kind.Api, Kit.Map(
            ("status_code", api.StatusCode), ("code", api.Code), ("message", api.Message))),
        _ => null, // a bare GetStreamException among them: it is the base of the three
    };

    private static Dictionary<string, object?>? Error(ErrorResult? error) => error is null ? null : Kit.Map(
        ("type", error.Type),
        ("description", error.Description),
        ("stacktrace", error.Stacktrace),
        ("version", error.Version));
}
