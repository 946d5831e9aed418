#nullable enable

using System;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Numerics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Win32.SafeHandles;

namespace Waitproof;

/// <summary>What the kit must know about one SDK, whose calls are awaited.</summary>
/// <remarks>
/// <para>
/// The .NET side of waitproof's adapter protocol, version 1: one file, the runtime's library alone, .NET 8 or later.
/// The kit owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every answer.
/// The SDK's name, how to build its client and which exceptions it has belong in a class that you write and pass to
/// <see cref="Kit.Run{TClient}"/>:
/// </para>
/// <code>
/// sealed class MyAdapter : SdkAdapter&lt;MyClient&gt;
/// {
///     public override Dictionary&lt;string, object?&gt; Hello() => Kit.Map(
///         ("sdk", Kit.Map(("name", "my-sdk"), ("version", "1.0"))),
///         ("helper", "MyClient.WaitForTaskAsync"),
///         ("result_path", "Result"),
///         ("capabilities", Kit.Map(("max_concurrency", 0), ("non_blocking", true))));
///
///     public override MyClient Connect(string baseUrl, string apiKey, string apiSecret) => new(apiKey, apiSecret, baseUrl);
///
///     public override async Task&lt;object?&gt; Wait(
///         MyClient client, object taskId, WaitOptions options, CancellationToken cancellation) => ...
/// }
/// </code>
/// <para>
/// The one fact to know: an exception that leaves <c>Wait</c>, <c>GetTask</c> or <c>Begin</c> is reported as what the
/// SDK's caller saw, so put only the call itself there. An exception anywhere else is an adapter error.
/// </para>
/// </remarks>
/// <typeparam name="TClient">The SDK's client.</typeparam>
public abstract class SdkAdapter<TClient>
    where TClient : class
{
    /// <summary>Returns sdk (name and version), helper, result_path and capabilities, as on the wire.</summary>
    /// <remarks>
    /// The kit adds the language and the runtime. It can have any number of calls in flight; set max_concurrency to what
    /// the SDK can have (0 = any number; absent = 1), and cancel to true if its helper takes a cancellation token.
    /// </remarks>
    public abstract Dictionary<string, object?> Hello();

    /// <summary>Builds a client. The kit calls it once for each client that the harness names.</summary>
    public abstract TClient Connect(string baseUrl, string apiKey, string apiSecret);

    /// <summary>Calls the SDK's helper with exactly the options that are given; returns the task's result payload.</summary>
    /// <param name="client">The client to use.</param>
    /// <param name="taskId">A string or a long, as the suite's contract has it.</param>
    /// <param name="options">The options that were given.</param>
    /// <param name="cancellation">To be passed on, if the helper takes one.</param>
    public virtual Task<object?> Wait(
        TClient client, object taskId, WaitOptions options, CancellationToken cancellation) =>
        throw new AdapterFault($"{GetType().Name} has no Wait, and hello did not say so");

    /// <summary>Fetches one task; returns its task_id, status, result and error, those that it has.</summary>
    public virtual Task<Dictionary<string, object?>> GetTask(TClient client, object taskId) =>
        throw new AdapterFault($"{GetType().Name} has no GetTask, and hello did not say so");

    /// <summary>Begins one of capabilities.operations, and returns the id of its task.</summary>
    public virtual Task<object?> Begin(TClient client, string operation, OperationArguments arguments) =>
        throw new AdapterFault($"{GetType().Name} has no Begin, and hello did not say so");

    /// <summary>Returns kind and fields of an exception that the SDK documents, null for any other.</summary>
    public virtual Documented? Describe(Exception exception) => null;
}

/// <summary>The options of one wait: an absent one is null, and must not be passed to the helper.</summary>
public sealed record WaitOptions(TimeSpan? PollInterval, TimeSpan? Timeout)
{
    /// <summary>After how many polls to give up.</summary>
    public int? MaxPolls { get; init; }
}

/// <summary>The arguments of a batch operation; one that the harness left out is an adapter error.</summary>
public sealed class OperationArguments
{
    private readonly Dictionary<string, JsonElement> _all;

    internal OperationArguments(JsonElement all) => _all = Json.MembersOf(all);

    /// <summary>All of them, by name.</summary>
    public IReadOnlyDictionary<string, JsonElement> All => _all;

    /// <summary>Returns an argument that is a list of texts.</summary>
    public List<string> Strings(string name) => Get(name).EnumerateArray().Select(Json.Text).ToList();

    /// <summary>Returns an argument that is true or false.</summary>
    public bool Flag(string name) => Get(name).GetBoolean();

    private JsonElement Get(string name) =>
        _all.TryGetValue(name, out var value)
            ? value
            : throw new AdapterFault($"begin came without the argument '{name}'");
}

/// <summary>Which family a documented exception belongs to; an exception that is not described is Other.</summary>
public enum Kind
{
    /// <summary>The SDK's task exception.</summary>
    Task,

    /// <summary>Its transport exception.</summary>
    Transport,

    /// <summary>Its exception for an HTTP error answer.</summary>
    Api,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>An exception as the SDK documents it.</summary>
/// <param name="Kind">Its family.</param>
/// <param name="Fields">
/// The documented fields that it has, under their documented names; null is a value. One that JSON cannot carry is
/// reported as its ToString().
/// </param>
/// <param name="Type">Null for the name of its class; for a stand-in that poses as another exception.</param>
public sealed record Documented(Kind Kind, Dictionary<string, object?> Fields, string? Type = null);

/// <summary>Throw it for a call that the SDK's signature cannot express.</summary>
public sealed class UnsupportedCall : Exception
{
    /// <summary>Says why.</summary>
    public UnsupportedCall(string reason)
        : base(reason)
    {
    }
}

/// <summary>The call cannot be made, and the SDK is not the reason.</summary>
internal sealed class AdapterFault : Exception
{
    internal AdapterFault(string message)
        : base(message)
    {
    }
}

/// <summary>Serves the protocol.</summary>
public static class Kit
{
    /// <summary>Returns a dictionary of names and values, in their order.</summary>
    public static Dictionary<string, object?> Map(params (string Name, object? Value)[] members)
    {
        var map = new Dictionary<string, object?>();
        foreach (var (name, value) in members)
        {
            map[name] = value;
        }

        return map;
    }

    /// <summary>Serves the protocol until the end of stdin and until every call is answered.</summary>
    /// <remarks>
    /// Every call starts and continues on this one thread, as on the thread of a user interface: an SDK that blocks it is
    /// found. One that has no async variant is called through <c>Task.Run</c>, and does not say non_blocking. Call
    /// this before anything of the SDK's: from here on the SDK and its child processes have an empty stdin and a stdout
    /// that is stderr, so that they neither read a line of the protocol nor print between two. On Windows, where only the
    /// streams of Console are exchanged, a child process still could. The process ends after it, unless the SDK left a
    /// foreground thread behind: that is for the suite to find, so don't call exit.
    /// </remarks>
    public static void Run<TClient>(SdkAdapter<TClient> adapter)
        where TClient : class
    {
        Console.Out.Flush();
        var (input, output) = OperatingSystem.IsWindows()
            ? (Console.OpenStandardInput(), Console.OpenStandardOutput())
            : Descriptors.Take();
        Console.SetIn(TextReader.Null);
        Console.SetOut(Console.Error);
        new Session<TClient>(adapter, input, output).Serve();
    }

    internal static void Log(string text) => Console.Error.WriteLine($"waitproof kit: {text}");

    /// <summary>Returns an exception's message; one that cannot be read must not hide its exception.</summary>
    internal static string MessageOf(Exception exception)
    {
        try
        {
            return exception.Message;
        }
        catch (Exception)
        {
            return "<Message failed>";
        }
    }

    /// <summary>Returns an exception with its stack trace, for people.</summary>
    internal static string Shown(Exception exception)
    {
        try
        {
            return exception.ToString();
        }
        catch (Exception)
        {
            return $"{exception.GetType().Name}: {MessageOf(exception)}";
        }
    }
}

/// <summary>Moves the protocol's two streams to other descriptors, where the system is not Windows.</summary>
internal static class Descriptors
{
    /// <summary>Returns the protocol's streams; descriptor 0 is empty from here on, and descriptor 1 is stderr.</summary>
    internal static (Stream Input, Stream Output) Take()
    {
        Stream input = new FileStream(Copied(0), FileAccess.Read, 0);
        Stream output = new FileStream(Copied(1), FileAccess.Write, 0);
        using var nothing = File.OpenHandle("/dev/null");
        Replace((int)nothing.DangerousGetHandle(), 0);
        Replace(2, 1);
        return (input, output);
    }

    private static SafeFileHandle Copied(int descriptor)
    {
        var copy = Dup(descriptor);
        return copy >= 0
            ? new SafeFileHandle((IntPtr)copy, true)
            : throw new IOException($"descriptor {descriptor} cannot be copied: error {Marshal.GetLastPInvokeError()}");
    }

    private static void Replace(int source, int target)
    {
        if (Dup2(source, target) < 0)
        {
            throw new IOException($"descriptor {target} cannot be replaced: error {Marshal.GetLastPInvokeError()}");
        }
    }

    [DllImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static extern int Dup(int descriptor);

    [DllImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static extern int Dup2(int source, int target);
}

/// <summary>One thread for everything: what is awaited on it continues on it.</summary>
internal sealed class EventLoop : SynchronizationContext
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _queue = new();
    private int _threadId;

    public override void Post(SendOrPostCallback callback, object? state)
    {
        try
        {
            _queue.Add((callback, state));
        }
        catch (InvalidOperationException)
        {
            // The loop has ended: nobody waits for what the SDK still had to do.
        }
    }

    public override void Send(SendOrPostCallback callback, object? state)
    {
        if (Environment.CurrentManagedThreadId == _threadId)
        {
            callback(state);
            return;
        }

        using var done = new ManualResetEventSlim();
        ExceptionDispatchInfo? thrown = null;
        SendOrPostCallback report = _ =>
        {
            try
            {
                callback(state);
            }
            catch (Exception exception)
            {
                thrown = ExceptionDispatchInfo.Capture(exception);
            }

            done.Set();
        };
        Post(report, null);
        done.Wait();
        thrown?.Throw();
    }

    public override SynchronizationContext CreateCopy() => this;

    internal void Run()
    {
        _threadId = Environment.CurrentManagedThreadId;
        foreach (var (callback, state) in _queue.GetConsumingEnumerable())
        {
            SetSynchronizationContext(this); // before each: a callback of the SDK's may have set another
            callback(state);
        }
    }

    internal void End() => _queue.CompleteAdding();
}

/// <summary>One conversation: a thread reads calls, the event loop makes them, both write answers.</summary>
internal sealed class Session<TClient>
    where TClient : class
{
    private const int Protocol = 1;

    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = Json.MaxDepth };

    private readonly SdkAdapter<TClient> _adapter;
    private readonly Stream _input;
    private readonly Stream _output;
    private readonly object _writing = new();
    private readonly EventLoop _loop = new();
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _waits = new(); // in flight, by the call's id
    private volatile bool _canCancel;

    // Below this line: touched on the event loop alone.
    private readonly Dictionary<string, TClient> _clients = new();
    private (string BaseUrl, string ApiKey, string ApiSecret)? _connection;
    private IReadOnlyCollection<string> _operations = Array.Empty<string>();
    private int _inFlight;
    private bool _inputHasEnded;

    internal Session(SdkAdapter<TClient> adapter, Stream input, Stream output)
    {
        _adapter = adapter;
        _input = input;
        _output = output;
    }

    internal void Serve()
    {
        // A background thread: blocked on stdin, it must not keep a process alive whose loop has broken down.
        new Thread(Read) { IsBackground = true, Name = "stdin" }.Start();
        _loop.Run();
    }

    private void Read()
    {
        try
        {
            foreach (var line in Lines())
            {
                if (Parse(line) is { } message)
                {
                    Take(message);
                }
            }
        }
        finally
        {
            _loop.Post(_ => EndOfInput(), null);
        }
    }

    private IEnumerable<byte[]> Lines()
    {
        using var input = new BufferedStream(_input, 64 * 1024);
        var line = new MemoryStream();
        for (var next = input.ReadByte(); next >= 0; next = input.ReadByte())
        {
            if (next == '\n')
            {
                yield return line.ToArray();
                line.SetLength(0);
            }
            else
            {
                line.WriteByte((byte)next);
            }
        }

        if (line.Length > 0)
        {
            yield return line.ToArray();
        }
    }

    /// <summary>Returns the members of the object on a line; null when it is not one, which is reported on stderr.</summary>
    private static Dictionary<string, JsonElement>? Parse(byte[] line)
    {
        var text = Encoding.UTF8.GetString(line);
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }

        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(line);
            using var document = JsonDocument.Parse(text, Deep);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return Json.MembersOf(document.RootElement.Clone());
            }

            Kit.Log($"a line that is not an object: {text}");
        }
        catch (DecoderFallbackException)
        {
            Kit.Log($"a line that is not UTF-8: {text}");
        }
        catch (JsonException error)
        {
            Kit.Log($"a line that is not JSON ({error.Message}): {text}");
        }

        return null;
    }

    private void Take(Dictionary<string, JsonElement> message)
    {
        var op = OpOf(message);
        if (op == "hello")
        {
            _loop.Post(_ => Greet(message), null);
        }
        else if (!message.TryGetValue("id", out var id))
        {
            var members = message.Select(member => $"{member.Key}: {member.Value.GetRawText()}");
            Kit.Log($"a call without an id: {string.Join(", ", members)}");
        }
        else if (op == "ping")
        {
            // Here, not on the loop: a blocked loop must not pass for a dead process.
            Send(Kit.Map(("id", id), ("outcome", "returned")));
        }
        else if (op == "cancel" && !_canCancel)
        {
            Send(Kit.Map(("id", id), ("outcome", "unsupported"), ("reason", "the helper takes no token")));
        }
        else if (op == "cancel")
        {
            _loop.Post(_ => Cancel(message), null);
            Send(Kit.Map(("id", id), ("outcome", "returned")));
        }
        else
        {
            _loop.Post(_ => Start(id, message), null);
        }
    }

    private static string OpOf(Dictionary<string, JsonElement> message) =>
        message.TryGetValue("op", out var op) && op.ValueKind == JsonValueKind.String ? Json.Text(op) : "";

    private void Greet(Dictionary<string, JsonElement> message)
    {
        var texts = new List<string>();
        foreach (var name in new[] { "base_url", "api_key", "api_secret" })
        {
            if (!message.TryGetValue(name, out var text) || text.ValueKind != JsonValueKind.String)
            {
                Kit.Log($"a hello without a text as its '{name}'");
                return;
            }

            texts.Add(Json.Text(text));
        }

        _connection = (texts[0], texts[1], texts[2]);
        var hello = Kit.Map(("op", "hello"), ("protocol", Protocol));
        foreach (var (name, value) in _adapter.Hello())
        {
            hello[name] = value;
        }

        var sdk = Kit.Map(("language", "dotnet"), ("runtime", RuntimeInformation.FrameworkDescription));
        foreach (var (name, value) in (Dictionary<string, object?>)hello["sdk"]!)
        {
            sdk[name] = value;
        }

        hello["sdk"] = sdk;
        hello.TryAdd("result_path", "");
        hello.TryAdd("capabilities", Kit.Map());
        var capabilities = (Dictionary<string, object?>)hello["capabilities"]!;
        capabilities.TryAdd("end", true);
        _operations = capabilities.TryGetValue("operations", out var operations)
            ? ((IEnumerable<string>)operations!).ToList()
            : Array.Empty<string>();
        _canCancel = capabilities.TryGetValue("cancel", out var canCancel) && canCancel is true;
        Send(hello);
    }

    /// <summary>Cancels a wait, if it has not ended.</summary>
    private void Cancel(Dictionary<string, JsonElement> message)
    {
        if (!message.TryGetValue("call", out var call) || !_waits.TryGetValue(call.GetRawText(), out var source))
        {
            return;
        }

        try
        {
            source.Cancel();
        }
        catch (AggregateException error) // what the SDK registered on the token has thrown
        {
            Kit.Log(Kit.Shown(error));
        }
    }

    private void EndOfInput()
    {
        _inputHasEnded = true;
        if (_inFlight == 0)
        {
            _loop.End();
        }
    }

    /// <summary>Begins a call on the event loop; it never throws.</summary>
    private async void Start(JsonElement id, Dictionary<string, JsonElement> message)
    {
        _inFlight++;
        try
        {
            var answer = Kit.Map(("id", id));
            foreach (var (name, value) in await Outcome(id, message))
            {
                answer[name] = value;
            }

            Send(answer);
        }
        catch (AdapterFault fault)
        {
            Fail(id, fault.Message);
        }
        catch (Exception error) // of any kind: the harness waits for an answer
        {
            Fail(id, $"{error.GetType().Name}: {Kit.MessageOf(error)}");
            Kit.Log(Kit.Shown(error));
        }
        finally
        {
            _loop.Post(_ => Finished(), null); // this may be another thread, where the SDK has set another context
        }
    }

    private void Finished()
    {
        _inFlight--;
        if (_inputHasEnded && _inFlight == 0)
        {
            _loop.End();
        }
    }

    private async Task<Dictionary<string, object?>> Outcome(JsonElement id, Dictionary<string, JsonElement> message)
    {
        var op = OpOf(message);
        var source = new CancellationTokenSource();
        var call = Bind(op, message, source.Token); // from here on its client is built
        if (op == "wait")
        {
            _waits[id.GetRawText()] = source;
        }

        object? returned = null;
        Exception? thrown = null;
        var started = Stopwatch.GetTimestamp();
        try
        {
            returned = await call();
        }
        catch (Exception exception) // of any kind: the caller saw it
        {
            thrown = exception;
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        _waits.TryRemove(id.GetRawText(), out _);
        if (thrown is AdapterFault)
        {
            throw thrown;
        }

        if (thrown is UnsupportedCall)
        {
            return Kit.Map(("outcome", "unsupported"), ("reason", thrown.Message));
        }

        var outcome = thrown is null
            ? Returned(op, returned)
            : Failed(thrown, source.IsCancellationRequested);
        if (op == "wait")
        {
            outcome["elapsed"] = Math.Round(elapsed.TotalSeconds, 6);
        }

        return outcome;
    }

    /// <summary>Returns that a call was cancelled, if that is all that its exception says, else the exception.</summary>
    private Dictionary<string, object?> Failed(Exception thrown, bool wasCancelled) =>
        wasCancelled && thrown is OperationCanceledException && _adapter.Describe(thrown) is null
            ? Kit.Map(("outcome", "cancelled"))
            : Kit.Map(("outcome", "raised"), ("exception", Described(thrown)));

    private Func<Task<object?>> Bind(
        string op, Dictionary<string, JsonElement> message, CancellationToken cancellation)
    {
        switch (op)
        {
            case "wait":
            {
                var taskId = TaskId(message);
                var options = Options(message);
                var client = Client(message);
                return () => _adapter.Wait(client, taskId, options, cancellation);
            }

            case "get_task":
            {
                var taskId = TaskId(message);
                var client = Client(message);
                return async () => await _adapter.GetTask(client, taskId);
            }

            case "begin":
            {
                var operation = Json.Text(Required(message, "operation"));
                var arguments = new OperationArguments(Required(message, "arguments"));
                if (!_operations.Contains(operation))
                {
                    throw new AdapterFault($"unknown operation '{operation}'");
                }

                var client = Client(message);
                return () => _adapter.Begin(client, operation, arguments);
            }

            default:
                throw new AdapterFault($"unknown op '{op}'");
        }
    }

    private static JsonElement Required(Dictionary<string, JsonElement> message, string name) =>
        message.TryGetValue(name, out var value) ? value : throw new AdapterFault($"the call has no '{name}'");

    private static object TaskId(Dictionary<string, JsonElement> message)
    {
        var taskId = Required(message, "task_id");
        if (taskId.ValueKind == JsonValueKind.String)
        {
            return Json.Text(taskId);
        }

        if (taskId.TryGetInt64(out var number))
        {
            return number;
        }

        return BigInteger.Parse(taskId.GetRawText(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }

    private static WaitOptions Options(Dictionary<string, JsonElement> message)
    {
        TimeSpan? pollInterval = null;
        TimeSpan? timeout = null;
        int? maxPolls = null;
        if (message.TryGetValue("options", out var options) && options.ValueKind != JsonValueKind.Null)
        {
            foreach (var (name, value) in Json.MembersOf(options))
            {
                switch (name)
                {
                    case "poll_interval":
                        pollInterval = Duration(value);
                        break;
                    case "timeout":
                        timeout = Duration(value);
                        break;
                    case "max_polls":
                        maxPolls = value.GetInt32();
                        break;
                    default: // dropped, it would be taken for absent
                        throw new AdapterFault($"unknown option '{name}'");
                }
            }
        }

        return new WaitOptions(pollInterval, timeout) { MaxPolls = maxPolls };
    }

    private static TimeSpan? Duration(JsonElement seconds) =>
        seconds.ValueKind == JsonValueKind.Null
            ? null
            : TimeSpan.FromTicks((long)Math.Round(seconds.GetDecimal() * TimeSpan.TicksPerSecond));

    private TClient Client(Dictionary<string, JsonElement> message)
    {
        var name = message.TryGetValue("client", out var given) ? Json.Text(given) : "default";
        if (!_clients.TryGetValue(name, out var client))
        {
            var (baseUrl, apiKey, apiSecret) = _connection ?? throw new AdapterFault("a call before hello");
            client = _adapter.Connect(baseUrl, apiKey, apiSecret);
            _clients[name] = client;
        }

        return client;
    }

    private static Dictionary<string, object?> Returned(string op, object? value)
    {
        var name = op switch { "wait" => "result", "get_task" => "task", _ => "task_id" };
        try
        {
            return Kit.Map(("outcome", "returned"), (name, new Json.Written(Json.Write(value, 1))));
        }
        catch (Json.UnencodableException reason)
        {
            return Kit.Map(("outcome", "returned"), ("unencodable", reason.Message));
        }
    }

    private Dictionary<string, object?> Described(Exception exception)
    {
        var known = _adapter.Describe(exception);
        var fields = Kit.Map();
        foreach (var (name, value) in known?.Fields ?? Kit.Map())
        {
            fields[name] = Field(value);
        }

        return Kit.Map(
            ("kind", (known?.Kind ?? Kind.Other).ToString().ToLowerInvariant()),
            ("type", known?.Type ?? exception.GetType().Name),
            ("message", Kit.MessageOf(exception)),
            ("fields", fields),
            ("cause", exception.InnerException?.GetType().Name ?? ""));
    }

    private static object? Field(object? value)
    {
        try
        {
            return new Json.Written(Json.Write(value, 3));
        }
        catch (Json.UnencodableException reason)
        {
            try
            {
                return value?.ToString();
            }
            catch (Exception) // one broken field must not lose the others
            {
                return $"<{reason.Message}>";
            }
        }
    }

    private void Fail(JsonElement id, string text) =>
        Send(Kit.Map(("id", id), ("outcome", "adapter_error"), ("message", text)));

    private void Send(Dictionary<string, object?> answer)
    {
        var line = Encoding.ASCII.GetBytes(Json.Write(answer, 0) + "\n");
        lock (_writing)
        {
            _output.Write(line);
            _output.Flush();
        }
    }
}

/// <summary>The JSON that System.Text.Json refuses: lone surrogates, and values that cannot be written.</summary>
internal static class Json
{
    // Levels of one line, its own object included: the protocol's limit.
    internal const int MaxDepth = 200;

    private const int MaxDigits = 4300; // of an integer that the harness reads

    /// <summary>What JSON cannot carry, and its place, such as "NaN at a.b[0]".</summary>
    internal sealed class UnencodableException : Exception
    {
        internal UnencodableException(string message)
            : base(message)
        {
        }
    }

    /// <summary>A value that is JSON already.</summary>
    internal sealed record Written(string Text);

    /// <summary>Returns a string's text, also where it has a lone surrogate, which GetString refuses.</summary>
    internal static string Text(JsonElement element)
    {
        try
        {
            return element.GetString() ?? throw new AdapterFault("a text is null");
        }
        catch (InvalidOperationException) when (element.ValueKind == JsonValueKind.String)
        {
            return Unescaped(element.GetRawText());
        }
    }

    /// <summary>Returns an object's members; of two with one name the last counts.</summary>
    internal static Dictionary<string, JsonElement> MembersOf(JsonElement element)
    {
        var members = new Dictionary<string, JsonElement>();
        foreach (var member in element.EnumerateObject())
        {
            members[Name(member)] = member.Value;
        }

        return members;
    }

    /// <summary>Writes one value, in ASCII: a lone surrogate has no UTF-8, but it has an escape.</summary>
    /// <param name="value">The value.</param>
    /// <param name="around">How many levels of the answer are around it.</param>
    internal static string Write(object? value, int around)
    {
        var text = new StringBuilder();
        Write(value, text, "", around);
        return text.ToString();
    }

    /// <summary>Returns a member's name, also where it has a lone surrogate, which Name refuses.</summary>
    private static string Name(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            var text = member.ToString(); // the member as it came, from its first quote on
            var end = 1;
            while (text[end] != '"')
            {
                end += text[end] == '\\' ? 2 : 1;
            }

            return Unescaped(text.Substring(0, end + 1));
        }
    }

    private static string Unescaped(string quoted)
    {
        var text = new StringBuilder();
        for (var at = 1; at < quoted.Length - 1; at++)
        {
            if (quoted[at] != '\\')
            {
                text.Append(quoted[at]);
                continue;
            }

            at++;
            if (quoted[at] == 'u')
            {
                text.Append((char)int.Parse(quoted.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                at += 4;
            }
            else
            {
                var known = "bfnrt".IndexOf(quoted[at]);
                text.Append(known < 0 ? quoted[at] : "\b\f\n\r\t"[known]);
            }
        }

        return text.ToString();
    }

    private static void Write(object? value, StringBuilder text, string path, int depth)
    {
        try
        {
            WriteValue(value, text, path, depth);
        }
        catch (Exception error) when (error is not UnencodableException) // such as a lazy sequence of the SDK's
        {
            throw Unencodable($"a value that throws {error.GetType().Name}", path);
        }
    }

    private static void WriteValue(object? value, StringBuilder text, string path, int depth)
    {
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool flag:
                text.Append(flag ? "true" : "false");
                break;
            case Written written:
                text.Append(written.Text);
                break;
            case string or char:
                WriteString(value.ToString()!, text);
                break;
            case sbyte or byte or short or ushort or int or uint or long or ulong or BigInteger or decimal:
                WriteDigits(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), text, path);
                break;
            case float or double:
                WriteFraction((IFormattable)value, text, path);
                break;
            case JsonElement element:
                WriteElement(element, text, path, depth);
                break;
            case JsonObject node:
                WriteObject(node.Select(member => (member.Key, (object?)member.Value)), text, path, depth);
                break;
            case JsonValue leaf:
                WriteLeaf(leaf, text, path, depth);
                break;
            case IDictionary map:
                WriteObject(Members(map, path), text, path, depth);
                break;
            case Array { Rank: > 1 }:
                throw Unencodable(value.GetType().Name, path);
            case IEnumerable items and not byte[]:
                WriteEnumerable(items, text, path, depth);
                break;
            default:
                throw Unencodable(value.GetType().Name, path);
        }
    }

    /// <summary>Writes what was read as JSON, without the comments and trailing commas that it may have had.</summary>
    private static void WriteElement(JsonElement element, StringBuilder text, string path, int depth)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var members = element.EnumerateObject().Select(member => (Name(member), (object?)member.Value));
                WriteObject(members, text, path, depth);
                break;
            case JsonValueKind.Array:
                WriteArray(element.EnumerateArray(), text, path, depth);
                break;
            case JsonValueKind.String:
                WriteString(Text(element), text);
                break;
            case JsonValueKind.Number: // as it came, every digit of it
                var number = element.GetRawText();
                if (number.IndexOfAny(new[] { '.', 'e', 'E' }) >= 0 && !double.IsFinite(element.GetDouble()))
                {
                    throw Unencodable("a number that no double can hold", path);
                }

                WriteDigits(number, text, path);
                break;
            case JsonValueKind.Undefined:
                throw Unencodable("an undefined JsonElement", path);
            default:
                text.Append(element.GetRawText()); // true, false, null
                break;
        }
    }

    private static void WriteLeaf(JsonValue leaf, StringBuilder text, string path, int depth)
    {
        if (leaf.TryGetValue<JsonElement>(out var element))
        {
            WriteElement(element, text, path, depth);
        }
        else if (leaf.TryGetValue<object>(out var value) && value is not JsonNode)
        {
            WriteValue(value, text, path, depth);
        }
        else
        {
            throw Unencodable(leaf.GetType().Name, path);
        }
    }

    /// <summary>Writes a sequence: a dictionary, another library's JSON, or a list of other values.</summary>
    private static void WriteEnumerable(IEnumerable items, StringBuilder text, string path, int depth)
    {
        var type = items.GetType();
        if (Newtonsoft(type) is { } token)
        {
            WriteNewtonsoft(items, token, text, path, depth);
        }
        else if (type.GetInterfaces().Any(IsDictionary))
        {
            WriteObject(Pairs(items, path), text, path, depth);
        }
        else if (items is not JsonArray && type.GetInterfaces().Any(each => IsSequenceOf(each, type)))
        {
            throw Unencodable(type.Name, path); // its items are like itself, so it is not what they make up
        }
        else
        {
            WriteArray(items, text, path, depth);
        }
    }

    private static bool IsDictionary(Type each) =>
        each.IsGenericType
        && (each.GetGenericTypeDefinition() == typeof(IDictionary<,>)
            || each.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>));

    private static bool IsSequenceOf(Type each, Type type) =>
        each.IsGenericType
        && each.GetGenericTypeDefinition() == typeof(IEnumerable<>)
        && each.GetGenericArguments()[0] is { IsClass: true } item
        && item != typeof(object)
        && item.IsAssignableFrom(type);

    /// <summary>Returns Newtonsoft's JToken where a type is derived from it: JObject, JArray, JValue.</summary>
    private static Type? Newtonsoft(Type type)
    {
        for (var each = type; each is not null; each = each.BaseType)
        {
            if (each.FullName == "Newtonsoft.Json.Linq.JToken")
            {
                return each;
            }
        }

        return null;
    }

    /// <summary>Writes a JToken as its own library does; the kit itself needs no package.</summary>
    private static void WriteNewtonsoft(object value, Type token, StringBuilder text, string path, int depth)
    {
        var convert = token.Assembly.GetType("Newtonsoft.Json.JsonConvert");
        var serialize = convert?.GetMethod("SerializeObject", new[] { typeof(object) });
        if (serialize?.Invoke(null, new[] { value }) is not string json)
        {
            throw Unencodable(value.GetType().Name, path);
        }

        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 10 * MaxDepth });
        WriteElement(document.RootElement, text, path, depth);
    }

    private static IEnumerable<(string Name, object? Value)> Members(IDictionary map, string path)
    {
        foreach (DictionaryEntry member in map)
        {
            yield return (Key(member.Key, path), member.Value);
        }
    }

    private static IEnumerable<(string Name, object? Value)> Pairs(IEnumerable pairs, string path)
    {
        foreach (var pair in pairs)
        {
            var type = pair!.GetType(); // KeyValuePair of whatever types
            var key = type.GetProperty("Key")?.GetValue(pair);
            yield return (Key(key, path), type.GetProperty("Value")?.GetValue(pair));
        }
    }

    private static string Key(object? key, string path) =>
        key as string ?? throw Unencodable($"{key?.GetType().Name ?? "null"} as a key", path);

    private static void WriteDigits(string digits, StringBuilder text, string path)
    {
        if (digits.Length > MaxDigits)
        {
            throw Unencodable("an int too long to write", path);
        }

        text.Append(digits);
    }

    private static void Enter(int depth)
    {
        if (depth >= MaxDepth)
        {
            throw new UnencodableException("nested too deeply, or within itself");
        }
    }

    private static void WriteFraction(IFormattable value, StringBuilder text, string path)
    {
        var written = value.ToString("R", CultureInfo.InvariantCulture);
        if (written is "NaN" or "Infinity" or "-Infinity")
        {
            throw Unencodable(written, path);
        }

        text.Append(written);
    }

    private static void WriteObject(
        IEnumerable<(string Name, object? Value)> members, StringBuilder text, string path, int depth)
    {
        Enter(depth);
        var comma = "";
        text.Append('{');
        foreach (var (name, value) in members)
        {
            text.Append(comma);
            WriteString(name, text);
            text.Append(':');
            Write(value, text, path.Length == 0 ? name : $"{path}.{name}", depth + 1);
            comma = ",";
        }

        text.Append('}');
    }

    private static void WriteArray(IEnumerable items, StringBuilder text, string path, int depth)
    {
        Enter(depth);
        var index = 0;
        text.Append('[');
        foreach (var item in items)
        {
            text.Append(index == 0 ? "" : ",");
            Write(item, text, $"{path}[{index}]", depth + 1);
            index++;
        }

        text.Append(']');
    }

    private static void WriteString(string value, StringBuilder text)
    {
        text.Append('"');
        foreach (var next in value)
        {
            if (next is '"' or '\\')
            {
                text.Append('\\').Append(next);
            }
            else
            {
                WriteAscii(next, text);
            }
        }

        text.Append('"');
    }

    private static void WriteAscii(char next, StringBuilder text)
    {
        if (next is >= ' ' and < (char)0x7f)
        {
            text.Append(next);
        }
        else
        {
            text.Append("\\u").Append(((int)next).ToString("x4", CultureInfo.InvariantCulture));
        }
    }

    private static UnencodableException Unencodable(string what, string path) =>
        new(path.Length == 0 ? $"{what} at the top" : $"{what} at {path}");
}
