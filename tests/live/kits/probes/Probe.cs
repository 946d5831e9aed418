using System.Collections;
using System.Diagnostics;
using System.Dynamic;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Waitproof;

Kit.Run(new Probe());

internal sealed class TaskFailedException : Exception
{
    internal TaskFailedException(object? description)
        : base("the task failed") => Description = description;

    internal object? Description { get; }
}

internal sealed class UnprintableException : Exception
{
    public override string Message => throw this;
}

/// <summary>As the JSON libraries' values are: a sequence of values like itself.</summary>
internal sealed class Foreign : IEnumerable<Foreign>
{
    public IEnumerator<Foreign> GetEnumerator() => Enumerable.Empty<Foreign>().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>The probe of the .NET kit; see test_kit_conformance.py.</summary>
internal sealed class Probe : SdkAdapter<Dictionary<string, object?>>
{
    private readonly Dictionary<string, TaskCompletionSource> _gates = new();
    private int _built;

    public override Dictionary<string, object?> Hello() => Kit.Map(
        ("sdk", Kit.Map(("name", "fake"), ("version", "1.2.3"))),
        ("helper", "Fake.wait"),
        ("result_path", "data.result"),
        ("capabilities", Kit.Map(
            ("max_concurrency", 0), ("non_blocking", true), ("cancel", true), ("operations", new[] { "open", "context" }))));

    public override Dictionary<string, object?> Connect(string baseUrl, string apiKey, string apiSecret) => apiKey switch
    {
        "refused" => throw new InvalidOperationException("this key builds no client"),
        "unprintable" => throw new UnprintableException(),
        _ => Kit.Map(("number", ++_built), ("url", baseUrl), ("key", apiKey), ("secret", apiSecret)),
    };

    public override async Task<object?> Wait(
        Dictionary<string, object?> client, object taskId, WaitOptions options, CancellationToken cancellation)
    {
        var name = taskId.ToString()!;
        if (name.StartsWith("until-cancelled", StringComparison.Ordinal))
        {
            try
            {
                await Task.Delay(TimeSpan.FromSeconds(10), cancellation);
            }
            catch (OperationCanceledException) when (name.EndsWith("-own", StringComparison.Ordinal))
            {
                throw new TaskFailedException("");
            }
        }

        if (name.StartsWith("gate:", StringComparison.Ordinal))
        {
            await Gate(name).Task;
        }

        if (name.StartsWith("prints:", StringComparison.Ordinal))
        {
            Print(name.Substring("prints:".Length));
        }

        switch (name)
        {
            case "leaves-a-thread": new Thread(() => Thread.Sleep(1000)).Start(); break;
            case "fails": throw new TaskFailedException("");
            case "fails-oddly": throw new TaskFailedException(double.NaN);
            case "fails-brokenly": throw new TaskFailedException(Throws());
            case "caused": throw new InvalidOperationException("the wait", new ArithmeticException());
            case "language-error": throw new ArithmeticException("no \udfff divisor");
            case "unprintable": throw new UnprintableException();
            case "undescribable" or "undescribable-unprintable": throw new NotSupportedException(name);
            case "unsupported": throw new UnsupportedCall("no overload with the interval alone");
            case "stdin": return await Console.In.ReadToEndAsync();
            case "sleeps": await Task.Delay(35); break;
            case "send":
                var sent = "";
                SynchronizationContext.Current!.Send(_ => sent = "called", null);
                return sent;
        }

        var given = Kit.Map();
        if (options.PollInterval is { } pollInterval)
        {
            given["poll_interval"] = pollInterval.TotalSeconds;
        }

        if (options.Timeout is { } timeout)
        {
            given["timeout"] = timeout.TotalSeconds;
        }

        if (options.MaxPolls is { } maxPolls)
        {
            given["max_polls"] = maxPolls;
        }

        return Payload(name, Kit.Map(("task_id", taskId), ("options", given), ("client", client)));
    }

    public override Task<Dictionary<string, object?>> GetTask(Dictionary<string, object?> client, object taskId) =>
        Task.FromResult(Kit.Map(
            ("task_id", taskId),
            ("status", "failed"),
            ("result", Payload((string)taskId, null)),
            ("error", Kit.Map(("type", "timeout")))));

    public override Task<object?> Begin(
        Dictionary<string, object?> client, string operation, OperationArguments arguments)
    {
        if (operation == "context")
        {
            SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
            return Task.FromResult<object?>("changed");
        }

        var gate = arguments.Strings("gates")[0];
        Gate(gate).TrySetResult();
        return Task.FromResult<object?>(gate);
    }

    public override Documented? Describe(Exception exception) => exception switch
    {
        NotSupportedException { Message: "undescribable-unprintable" } => throw new UnprintableException(),
        NotSupportedException => throw new InvalidOperationException("describe is broken"),
        TaskFailedException failed => new(Kind.Task, Kit.Map(
            ("task_id", "1"), ("description", failed.Description), ("stack_trace", null))),
        _ => null,
    };

    private static IEnumerable<int> Throws()
    {
        yield return 1;
        throw new InvalidDataException("a lazy body");
    }

    private static void Print(string line)
    {
        Console.WriteLine(line);
        using (var descriptor = Console.OpenStandardOutput())
        {
            descriptor.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        }

        var child = new ProcessStartInfo("sh") { UseShellExecute = false };
        child.ArgumentList.Add("-c");
        child.ArgumentList.Add("cat; echo \"$0\"");
        child.ArgumentList.Add(line);
        using var process = Process.Start(child)!;
        process.WaitForExit();
    }

    private static object? Payload(string name, object? otherwise)
    {
        if (name.StartsWith("deep:", StringComparison.Ordinal))
        {
            object deep = Array.Empty<object>();
            for (var level = int.Parse(name.Substring("deep:".Length)); level > 1; level--)
            {
                deep = new[] { deep };
            }

            return deep;
        }

        var loop = new List<object>();
        loop.Add(loop);
        return name switch
        {
            "null" => null,
            "nan" => Kit.Map(("a", Kit.Map(("b", new object[] { 1, double.NaN })))),
            "infinity" => float.NegativeInfinity,
            "foreign" => Kit.Map(("a", new object[] { new Foreign() })),
            "throws" => Kit.Map(("a", new object[] { Throws() })),
            "bytes" => Kit.Map(("a", new byte[] { 1 })),
            "key" => Kit.Map(("a", new Dictionary<int, string> { [1] = "x" })),
            "table" => Kit.Map(("a", new int[1, 1])),
            "loop" => loop,
            "long-int" => Kit.Map(("a", BigInteger.Pow(10, 5000))),
            "not-utf-8" => Kit.Map(("a", JsonDocument.Parse(new byte[] { (byte)'"', 0xff, (byte)'"' }).RootElement)),
            "text" => Kit.Map(("text", "é\u2028\u007f\n\"\\")),
            "numbers" => new object[] { 0.1, -0.5, 1.5e300, 9007199254740993L },
            "comments" => JsonDocument.Parse(
                "{\"a\": [1, /* no */ 2,],}",
                new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }).RootElement,
            "node" => new JsonObject { ["lone"] = "\ud800", ["list"] = new JsonArray(1, null, "x") },
            "expando" => Expando(),
            "read-only" => new System.Collections.ObjectModel.ReadOnlyDictionary<string, int>(
                new Dictionary<string, int> { ["a"] = 1 }),
            _ => otherwise,
        };
    }

    private static ExpandoObject Expando()
    {
        var expando = new ExpandoObject();
        ((IDictionary<string, object?>)expando)["a"] = 1;
        return expando;
    }

    private TaskCompletionSource Gate(string name)
    {
        if (!_gates.TryGetValue(name, out var gate))
        {
            gate = new TaskCompletionSource();
            _gates[name] = gate;
        }

        return gate;
    }
}
