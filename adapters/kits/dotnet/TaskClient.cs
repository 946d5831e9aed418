using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

/// <summary>A small correct SDK: the stand-in for yours, so that this folder runs as it is. Delete it from your copy.</summary>
/// <remarks>
/// What the API looks like is in api.json, with dotted paths for places.
/// The rule of its wait helper in time: the first poll is made at once; after each answer a whole interval is waited,
/// except that the last pause ends at the deadline, where one last poll is made. A poll that is not answered is cut off at
/// the deadline.
/// </remarks>
internal sealed class TaskClient
{
    public const string Version = "0.1.0";

    /// <summary>What the API looks like: the adapter runs in its folder, where this file is.</summary>
    public static readonly JsonElement Api = JsonDocument.Parse(File.ReadAllBytes("api.json")).RootElement;

    // For requests that no wait's deadline bounds.
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Forever = TimeSpan.FromDays(36500);

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
        foreach (var header in Api.GetProperty("headers").EnumerateObject())
        {
            var credential = Credential(header.Value.GetString(), apiKey, apiSecret);
            _http.DefaultRequestHeaders.TryAddWithoutValidation(header.Name, credential);
        }

        var query = new List<string>();
        foreach (var part in Api.GetProperty("query").EnumerateObject())
        {
            var credential = Credential(part.Value.GetString(), apiKey, apiSecret);
            query.Add(Uri.EscapeDataString(part.Name) + "=" + Uri.EscapeDataString(credential));
        }

        _baseUrl = baseUrl;
        _query = query.Count == 0 ? "" : "?" + string.Join("&", query);
    }

    /// <summary>Waits until the task ends and returns its result payload, null where it has none.</summary>
    /// <param name="taskId">The task to wait for.</param>
    /// <param name="pollInterval">From an answer to the next poll; the API's default where it is null.</param>
    /// <param name="timeout">How long to wait; the API's default where it is null.</param>
    /// <param name="maxPolls">After how many polls to give up; the API's default where it is null.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="TaskFailedException">The task failed.</exception>
    /// <exception cref="TransportException">"timeout": the deadline passed; "connection" or "malformed_answer".</exception>
    /// <exception cref="ApiException">A poll was answered with a status that is not 2xx.</exception>
    public async Task<JsonElement?> WaitForTaskAsync(
        object taskId,
        TimeSpan? pollInterval = null,
        TimeSpan? timeout = null,
        int? maxPolls = null,
        CancellationToken cancellation = default)
    {
        var pauses = Api.GetProperty("pauses");
        var pause = pollInterval ?? TimeSpan.FromSeconds(Number(pauses, "first"));
        var hasDeadline = timeout is not null || Api.GetProperty("wait_timeout").ValueKind == JsonValueKind.Number;
        var limit = timeout ?? (hasDeadline ? TimeSpan.FromSeconds(Number(Api, "wait_timeout")) : Forever);
        var defaultMaxPolls = Api.GetProperty("max_polls").ValueKind == JsonValueKind.Number
            ? Api.GetProperty("max_polls").GetInt32()
            : int.MaxValue;
        var mostPolls = maxPolls ?? defaultMaxPolls;
        var lastPoll = Min(limit / LastPollShare, LastPollLimit);
        var clock = Stopwatch.StartNew();
        var isLast = false;
        for (var polls = 1; ; polls++)
        {
            var most = hasDeadline ? Max(limit - clock.Elapsed, lastPoll) : RequestTimeout;
            var task = await GetTaskAsync(taskId, most, cancellation);
            if (IsOneOf("done", task.Status))
            {
                return task.Returned;
            }

            if (IsOneOf("failed", task.Status))
            {
                throw new TaskFailedException(task);
            }

            var left = limit - clock.Elapsed; // any other status has not ended yet
            if (isLast || left <= TimeSpan.Zero || polls >= mostPolls)
            {
                throw new TransportException("timeout", $"task {taskId} was {task.Status} after {limit}, {polls} polls");
            }

            // Remembered rather than seen from the clock: a pause that ends a tick early must not lead to a second last poll.
            isLast = left <= pause;
            await Task.Delay(WholeMilliseconds(Min(pause, left)), cancellation);
            if (pollInterval is null)
            {
                var next = pause.TotalSeconds * Number(pauses, "times") + Number(pauses, "add");
                pause = TimeSpan.FromSeconds(Math.Min(next, Number(pauses, "most")));
            }
        }
    }

    /// <summary>Asks for the task once; a failed one is returned like any other.</summary>
    public Task<TaskAnswer> GetTaskAsync(object taskId) =>
        GetTaskAsync(taskId, RequestTimeout, CancellationToken.None);

    /// <summary>Begins an operation and returns the id of its task; an SDK has a method for each of them.</summary>
    public async Task<object?> BeginAsync(string operation, IReadOnlyDictionary<string, JsonElement> arguments)
    {
        var known = Api.GetProperty("operations").GetProperty(operation);
        var path = Known(known, "path");
        var body = Body(arguments, known);
        if (path.Contains("{token}"))
        {
            path = path.Replace("{token}", Uri.EscapeDataString(Named(arguments, known)?.GetString() ?? ""));
            body = null;
        }

        var request = new HttpRequestMessage(new HttpMethod(Known(known, "method")), Url(path));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        var answer = await SendAsync(request, RequestTimeout, CancellationToken.None);
        return At(answer, Known(known, "task_id"));
    }

    private static string Known(JsonElement operation, string name) => operation.GetProperty(name).GetString() ?? "";

    /// <summary>Returns the argument that names the task, null where there is none.</summary>
    private static JsonElement? Named(IReadOnlyDictionary<string, JsonElement> arguments, JsonElement operation)
    {
        var place = Known(operation, "from");
        var dot = place.IndexOf('.');
        if (!arguments.TryGetValue(dot < 0 ? place : place.Substring(0, dot), out var argument))
        {
            return null;
        }

        return dot < 0 ? argument : At(argument, place.Substring(dot + 1));
    }

    /// <summary>Returns the arguments as JSON, with the one that names the task where the API has it; null for none.</summary>
    private static string? Body(IReadOnlyDictionary<string, JsonElement> arguments, JsonElement operation)
    {
        var members = new Dictionary<string, string>();
        foreach (var argument in arguments)
        {
            members[argument.Key] = argument.Value.GetRawText();
        }

        var place = Known(operation, "to");
        if (place.Length > 0)
        {
            var steps = place.Split('.');
            var more = Named(arguments, operation)?.GetRawText() ?? "null";
            for (var at = steps.Length - 1; at > 0; at--)
            {
                more = Within(steps[at], more);
            }

            if (IsIndex(steps[0]))
            {
                return Within(steps[0], more);
            }

            members[steps[0]] = more;
        }

        var written = members.Select(member => JsonSerializer.Serialize(member.Key) + ":" + member.Value);
        return members.Count == 0 ? null : "{" + string.Join(",", written) + "}";
    }

    private static string Within(string step, string json) =>
        IsIndex(step) ? "[" + json + "]" : "{" + JsonSerializer.Serialize(step) + ":" + json + "}";

    private static bool IsIndex(string step) => int.TryParse(step, out _);

    /// <summary>Returns what is at a dotted path, null if there is nothing; "*" is the value itself.</summary>
    private static JsonElement? At(JsonElement value, string path)
    {
        if (path.Length == 0)
        {
            return null;
        }

        if (path == "*")
        {
            return value;
        }

        foreach (var step in path.Split('.'))
        {
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(step, out var member))
            {
                value = member;
            }
            else if (value.ValueKind == JsonValueKind.Array
                && int.TryParse(step, out var index)
                && index < value.GetArrayLength())
            {
                value = value[index];
            }
            else
            {
                return null;
            }
        }

        if (value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value;
    }

    private async Task<TaskAnswer> GetTaskAsync(object taskId, TimeSpan timeout, CancellationToken cancellation)
    {
        var id = Convert.ToString(taskId, CultureInfo.InvariantCulture) ?? "";
        if (id is "" or "." or "..") // no escape makes these a part of a path
        {
            throw new ArgumentException($"'{id}' is not a task id", nameof(taskId));
        }

        var poll = Api.GetProperty("poll");
        var path = Known(poll, "path").Replace("{task_id}", Uri.EscapeDataString(id));
        var request = new HttpRequestMessage(new HttpMethod(Known(poll, "method")), Url(path));
        var body = await SendAsync(request, timeout, cancellation);
        var places = Api.GetProperty("paths");
        var fields = new Dictionary<string, object?>();
        foreach (var field in Api.GetProperty("exception_fields").EnumerateObject())
        {
            fields[field.Name] = At(body, field.Value.GetString() ?? "");
        }

        return new TaskAnswer(
            (object?)At(body, Known(places, "task_id")) ?? taskId,
            Text(At(body, Known(places, "status")), "status"),
            At(body, Known(places, "result")),
            At(body, Known(places, "error")),
            At(body, Known(places, "returned")),
            fields);
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

    private static string Text(JsonElement? value, string name)
    {
        try
        {
            return value?.GetString() ?? throw Malformed($"it has no {name}");
        }
        catch (InvalidOperationException) // another type, or half a surrogate pair
        {
            throw Malformed($"its {name} is not a text");
        }
    }

    private static bool IsOneOf(string list, string status) =>
        Api.GetProperty(list).EnumerateArray().Any(each => each.GetString() == status);

    private static double Number(JsonElement part, string name) => part.GetProperty(name).GetDouble();

    private static string Credential(string? kind, string apiKey, string apiSecret) => kind switch
    {
        "token" => ServerToken(apiSecret),
        "secret" => apiSecret,
        _ => apiKey,
    };

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

/// <summary>One answer about a task; Fields are those of the exception, should it have failed.</summary>
internal sealed record TaskAnswer(
    object? TaskId,
    string Status,
    JsonElement? Result,
    JsonElement? Error,
    JsonElement? Returned,
    Dictionary<string, object?> Fields);

/// <summary>The task failed on the server; Fields are what the API documents of it.</summary>
internal sealed class TaskFailedException : Exception
{
    public TaskFailedException(TaskAnswer task)
        : base($"task {task.TaskId} failed: {task.Error}") => Fields = task.Fields;

    public Dictionary<string, object?> Fields { get; }
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
