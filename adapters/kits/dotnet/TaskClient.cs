using System.Diagnostics;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

/// <summary>A small correct SDK: the stand-in for yours, so that this folder runs as it is. Delete it from your copy.</summary>
/// <remarks>
/// The rule of its wait helper in time: the first poll is made at once; after each answer a whole interval is waited,
/// except that the last pause ends at the deadline, where one last poll is made. A poll that is not answered is cut off at
/// the deadline.
/// </remarks>
internal sealed class TaskClient
{
    public const string Version = "0.1.0";

    // For requests that no wait's deadline bounds.
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);

    // The poll at the deadline has no time left, yet needs some to be answered: a twentieth of the timeout, and never over
    // a second.
    private const int LastPollShare = 20;
    private static readonly TimeSpan LastPollLimit = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http;
    private readonly string _baseUrl;
    private readonly string _query;

    public TaskClient(string baseUrl, string apiKey, string apiSecret)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", ServerToken(apiSecret));
        _http.DefaultRequestHeaders.Add("Stream-Auth-Type", "jwt");
        _baseUrl = baseUrl;
        _query = $"?api_key={Uri.EscapeDataString(apiKey)}";
    }

    /// <summary>Waits until the task ends and returns its result payload, null where it has none.</summary>
    /// <param name="taskId">The task to wait for.</param>
    /// <param name="pollInterval">From an answer to the next poll; 1 second where it is null.</param>
    /// <param name="timeout">How long to wait; 60 seconds where it is null.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="TaskFailedException">The task failed.</exception>
    /// <exception cref="TransportException">"timeout": the deadline passed; "connection" or "malformed_answer".</exception>
    /// <exception cref="ApiException">A poll was answered with a status that is not 2xx.</exception>
    public async Task<JsonElement?> WaitForTaskAsync(
        string taskId,
        TimeSpan? pollInterval = null,
        TimeSpan? timeout = null,
        CancellationToken cancellation = default)
    {
        var interval = pollInterval ?? TimeSpan.FromSeconds(1);
        var limit = timeout ?? TimeSpan.FromSeconds(60);
        var lastPoll = Min(limit / LastPollShare, LastPollLimit);
        var clock = Stopwatch.StartNew();
        var isLast = false;
        while (true)
        {
            var task = await GetTaskAsync(taskId, Max(limit - clock.Elapsed, lastPoll), cancellation);
            if (task.Status == "completed")
            {
                return task.Result;
            }

            if (task.Status == "failed")
            {
                throw new TaskFailedException(taskId, task.Error ?? new TaskError(null, null, null, null));
            }

            var left = limit - clock.Elapsed; // any other status has not ended yet
            if (isLast || left <= TimeSpan.Zero)
            {
                throw new TransportException("timeout", $"task {taskId} was {task.Status} after {limit}");
            }

            // Remembered rather than seen from the clock: a pause that ends a tick early must not lead to a second last poll.
            isLast = left <= interval;
            await Task.Delay(WholeMilliseconds(Min(interval, left)), cancellation);
        }
    }

    /// <summary>Asks for the task once; a failed one is returned like any other.</summary>
    public Task<TaskAnswer> GetTaskAsync(string taskId) =>
        GetTaskAsync(taskId, RequestTimeout, CancellationToken.None);

    public Task<string> DeleteChannelsAsync(List<string> cids, bool hardDelete) =>
        BeginAsync("/api/v2/chat/channels/delete", new { cids, hard_delete = hardDelete });

    public Task<string> ExportChannelsAsync(List<string> cids) =>
        BeginAsync("/api/v2/chat/export_channels", new { channels = cids.Select(cid => new { cid }) });

    public Task<string> ExportUsersAsync(List<string> userIds) =>
        BeginAsync("/api/v2/export/users", new { user_ids = userIds });

    public Task<string> DeleteUsersAsync(List<string> userIds) =>
        BeginAsync(
            "/api/v2/users/delete",
            new { user_ids = userIds, user = "hard", messages = "hard", conversations = "hard" });

    private async Task<TaskAnswer> GetTaskAsync(string taskId, TimeSpan timeout, CancellationToken cancellation)
    {
        if (taskId is "" or "." or "..") // no escape makes these a part of a path
        {
            throw new ArgumentException($"'{taskId}' is not a task id", nameof(taskId));
        }

        var path = $"/api/v2/tasks/{Uri.EscapeDataString(taskId)}";
        var body = await SendAsync(new HttpRequestMessage(HttpMethod.Get, Url(path)), timeout, cancellation);
        return new TaskAnswer(
            Text(body, "task_id"),
            Text(body, "status") ?? throw Malformed("it has no status"),
            body.TryGetProperty("result", out var result) && result.ValueKind != JsonValueKind.Null ? result : null,
            Error(body));
    }

    private async Task<string> BeginAsync(string path, object body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Url(path))
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body)),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var answer = await SendAsync(request, RequestTimeout, CancellationToken.None);
        return Text(answer, "task_id") ?? throw Malformed("it has no task_id");
    }

    private Uri Url(string path) => new(_baseUrl + path + _query);

    /// <summary>Sends a request and returns the object that the answer is; nothing here repeats it.</summary>
    private async Task<JsonElement> SendAsync(
        HttpRequestMessage request, TimeSpan timeout, CancellationToken cancellation)
    {
        using var timeIsUp = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeIsUp.CancelAfter(WholeMilliseconds(timeout));
        try
        {
            // Head and body: a body can stall, too.
            using var response = await _http.SendAsync(
                request, HttpCompletionOption.ResponseContentRead, timeIsUp.Token);
            var body = await response.Content.ReadAsByteArrayAsync(timeIsUp.Token);
            if (!response.IsSuccessStatusCode)
            {
                throw new ApiException((int)response.StatusCode, Encoding.UTF8.GetString(body));
            }

            return Object(body);
        }
        catch (OperationCanceledException error) when (!cancellation.IsCancellationRequested)
        {
            throw new TransportException("timeout", "no complete answer when the time was up", error);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw new TransportException("connection", $"the connection broke: {error.Message}", error);
        }
    }

    private static JsonElement Object(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 1000 });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw Malformed("the body is not an object");
        }
        catch (JsonException error)
        {
            throw new TransportException("malformed_answer", "the body is not JSON", error);
        }
    }

    private static TaskError? Error(JsonElement body)
    {
        if (!body.TryGetProperty("error", out var error) || error.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return error.ValueKind == JsonValueKind.Object
            ? new TaskError(
                Text(error, "type"), Text(error, "description"), Text(error, "stacktrace"), Text(error, "version"))
            : throw Malformed("its error is not an object");
    }

    private static string? Text(JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException) // another type, or half a surrogate pair
        {
            throw Malformed($"its {name} is not a text");
        }
    }

    private static TransportException Malformed(string what) => new("malformed_answer", what);

    // Timers drop the part of a millisecond: this one never ends too early.
    private static TimeSpan WholeMilliseconds(TimeSpan time) =>
        TimeSpan.FromMilliseconds(Math.Ceiling(time.TotalMilliseconds));

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    /// <summary>Returns a JSON Web Token (HS256) that lets a server act for the application.</summary>
    private static string ServerToken(string apiSecret)
    {
        var signed = Part(Encoding.UTF8.GetBytes("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"))
            + "."
            + Part(Encoding.UTF8.GetBytes("{\"server\":true}"));
        return signed + "." + Part(HMACSHA256.HashData(Encoding.UTF8.GetBytes(apiSecret), Encoding.UTF8.GetBytes(signed)));
    }

    private static string Part(byte[] data) =>
        Convert.ToBase64String(data).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}

/// <summary>One answer about a task; Result and Error are null where it has none.</summary>
internal sealed record TaskAnswer(string? TaskId, string Status, JsonElement? Result, TaskError? Error);

/// <summary>Why a task failed; null stands for what the answer left out.</summary>
internal sealed record TaskError(string? Type, string? Description, string? StackTrace, string? Version);

/// <summary>The task failed on the server.</summary>
internal sealed class TaskFailedException : Exception
{
    public TaskFailedException(string taskId, TaskError error)
        : base($"task {taskId} failed: {error.Type}: {error.Description}")
    {
        TaskId = taskId;
        Error = error;
    }

    public string TaskId { get; }

    public TaskError Error { get; }
}

/// <summary>No answer came, or none that could be understood: "timeout", "connection" or "malformed_answer".</summary>
internal sealed class TransportException : Exception
{
    public TransportException(string errorType, string message, Exception? cause = null)
        : base(message, cause) => ErrorType = errorType;

    public string ErrorType { get; }
}

/// <summary>The server answered with a status that is not 2xx.</summary>
internal sealed class ApiException : Exception
{
    public ApiException(int statusCode, string body)
        : base($"HTTP {statusCode}: {body}") => StatusCode = statusCode;

    public int StatusCode { get; }
}
