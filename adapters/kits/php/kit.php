<?php

/**
 * The PHP side of waitproof's adapter protocol, version 1: one file, no extension needed, PHP 8.1+.
 *
 * It owns the lines on stdin and stdout, the clients by name and the shape of every answer. The SDK's
 * name, how to build its client and which exceptions it has belong in a subclass of `Adapter`:
 *
 *     final class MyAdapter extends Waitproof\Adapter
 *     {
 *         public function hello(): array
 *         {
 *             return ['sdk' => ['name' => 'my-sdk', 'version' => '1.0'], 'helper' => 'Client::waitForTask',
 *                 'result_path' => 'result', 'capabilities' => ['operations' => ['import_file']]];
 *         }
 *
 *         public function connect(string $baseUrl, string $apiKey, string $apiSecret): object
 *         {
 *             return new MySdk\Client($apiKey, $apiSecret, baseUrl: $baseUrl);
 *         }
 *
 *         public function wait(object $client, mixed $taskId, array $options): mixed
 *         {
 *             return $client->waitForTask($taskId, ...$options);
 *         }
 *         …
 *     }
 *
 *     Waitproof\run(new MyAdapter());
 *
 * The one fact to know: an exception that leaves `wait`, `getTask` or `begin` is reported as what the SDK's
 * caller saw, so put only the call itself there. An exception anywhere else is an adapter error.
 *
 * Calls are made one after another: the harness starts as many processes as it wants calls at once.
 */

declare(strict_types=1);

namespace Waitproof;

const PROTOCOL = 1;
const MAX_DEPTH = 200; // levels of one answer, its own object included: the protocol's limit

/** Throw it in `wait`, `getTask` or `begin` for a call that the SDK's signature cannot express. */
final class Unsupported extends \Exception
{
}

/** What the kit must know about one SDK. */
abstract class Adapter
{
    /**
     * Return `sdk` (name and version), `helper`, `result_path` and `capabilities`, as on the wire.
     *
     * `result_path` is the path to the payload in what `wait` returned: properties or keys joined by dots, ''
     * for the returned value itself. The kit adds the language and the runtime.
     */
    abstract public function hello(): array;

    /** Build a client. */
    abstract public function connect(string $baseUrl, string $apiKey, string $apiSecret): object;

    /** Call the SDK's helper with exactly these options: an option that was not given is absent here. */
    public function wait(object $client, mixed $taskId, array $options): mixed
    {
        throw new \LogicException(static::class . ' has no wait, and hello did not say so');
    }

    /** Fetch one task. */
    public function getTask(object $client, mixed $taskId): mixed
    {
        throw new \LogicException(static::class . ' has no getTask, and hello did not say so');
    }

    /** Begin one of `capabilities.operations`. */
    public function begin(object $client, string $operation, array $arguments): mixed
    {
        throw new \LogicException(static::class . ' has no begin, and hello did not say so');
    }

    /** Return the task in what `getTask` returned, under the names of the wire. */
    public function readTask(mixed $returned): mixed
    {
        return $returned;
    }

    /** Return the task's id in what `begin` returned. */
    public function readTaskId(mixed $returned): mixed
    {
        return $returned;
    }

    /**
     * Return `kind` and `fields` of an exception that the SDK documents, null for any other.
     *
     * The kit fills in `type` and `message` unless they are given. A field's value that JSON cannot carry is
     * reported by the name of its type.
     */
    public function describe(\Throwable $error): ?array
    {
        return null;
    }
}

/**
 * Serve an SDK until the end of stdin, then end the process.
 *
 * PHP cannot move its own stdout. So this process starts itself again, with an empty stdin and a stdout that is
 * stderr, and passes the protocol's two streams as descriptors 3 and 4: nothing that the SDK or its child processes
 * print can come between the lines. Settings passed with -d are lost; use ini_set().
 */
function run(Adapter $adapter): never
{
    if (getenv('WAITPROOF_KIT_STREAMS') === '3,4') {
        ini_set('serialize_precision', '-1'); // the shortest text that reads back as the same float
        $session = new Session($adapter, fopen('php://fd/3', 'rb'), fopen('php://fd/4', 'wb'));
        $session->serve();
        exit(0);
    }
    $command = [PHP_BINARY, ...$_SERVER['argv']];
    $descriptors = [['file', '/dev/null', 'r'], STDERR, STDERR, STDIN, STDOUT];
    $environment = ['WAITPROOF_KIT_STREAMS' => '3,4'] + getenv();
    $process = proc_open($command, $descriptors, $pipes, null, $environment);
    exit($process === false ? 1 : proc_close($process));
}

/** Return the options under the names that the SDK's parameters have. */
function renamed(array $options, array $names): array
{
    $renamed = [];
    foreach ($options as $name => $value) {
        $renamed[$names[$name] ?? $name] = $value;
    }
    return $renamed;
}

/**
 * Return what the named getters give; one that the exception lacks is left out (null and '' are not).
 *
 * A getter that throws is reported as a text that says so.
 *
 * @param array<string, string> $getters the documented name => the getter's
 */
function fieldsOf(\Throwable $error, array $getters): array
{
    $has = array_filter($getters, fn (string $getter): bool => method_exists($error, $getter));
    return array_map(function (string $getter) use ($error): mixed {
        try {
            return $error->$getter();
        } catch (\Throwable $failure) { // one broken field must not lose the others
            return '<reading it raised ' . $failure::class . '>';
        }
    }, $has);
}

/** The call cannot be made, and the SDK is not the reason. */
final class CallError extends \Exception
{
}

/** A value that JSON cannot carry, and its place. */
final class UnencodableError extends \Exception
{
}

/** The outcome of one call of the SDK; `error` is null when it returned. */
final class Attempt
{
    public function __construct(
        public readonly mixed $returned,
        public readonly ?\Throwable $error,
        public readonly float $elapsedS,
    ) {
    }
}

/** Reads the lines, makes the calls, and builds and writes the answers. */
final class Session
{
    /** @var array<string, object> */
    private array $clients = [];
    private ?array $connection = null;
    private string $resultPath = '';
    private array $operations = [];

    /**
     * @param resource $input
     * @param resource $output
     */
    public function __construct(private readonly Adapter $adapter, private $input, private $output)
    {
    }

    public function serve(): void
    {
        while (($line = fgets($this->input)) !== false) {
            $message = trim($line) === '' ? null : $this->parse($line);
            if ($message === null) {
                continue;
            }
            match ($message['op'] ?? null) {
                'hello' => $this->greet($message),
                'ping' => $this->write(['id' => $message['id'], 'outcome' => 'returned']),
                'cancel' => $this->write(['id' => $message['id'], 'outcome' => 'unsupported', 'reason' => 'it makes one call at a time']),
                default => $this->answer($message),
            };
        }
    }

    private function greet(array $message): void
    {
        foreach (['base_url', 'api_key', 'api_secret'] as $name) {
            if (!is_string($message[$name] ?? null)) {
                tell("a hello without a text as its '$name'");
                return;
            }
        }
        $this->connection = [$message['base_url'], $message['api_key'], $message['api_secret']];
        $hello = $this->adapter->hello() + ['result_path' => '', 'capabilities' => []];
        $hello['sdk'] += ['language' => 'php', 'runtime' => 'PHP ' . PHP_VERSION];
        $this->resultPath = $hello['result_path'];
        $this->operations = $hello['capabilities']['operations'] ?? [];
        $hello['capabilities'] += ['end' => true]; // the exit at the end of run() is that of the script
        $this->write(['op' => 'hello', 'protocol' => PROTOCOL] + $hello);
    }

    private function answer(array $message): void
    {
        try {
            $call = $this->bind($message);
            $answer = $this->report($message, self::attempt($call));
        } catch (CallError $error) {
            $answer = ['outcome' => 'adapter_error', 'message' => $error->getMessage()];
        } catch (\Throwable $error) {
            $text = $error::class . ': ' . $error->getMessage();
            tell($text . "\n" . $error->getTraceAsString()); // not (string) $error: it may throw
            $answer = ['outcome' => 'adapter_error', 'message' => $text];
        }
        $this->write(['id' => $message['id']] + $answer);
    }

    /** Return the call of the SDK, ready to be made: its client is built by now. */
    private function bind(array $message): \Closure
    {
        $op = $message['op'] ?? null;
        $methods = ['wait' => 'wait', 'get_task' => 'getTask', 'begin' => 'begin'];
        $method = is_string($op) ? $methods[$op] ?? null : null;
        if ($method === null) {
            throw new CallError('unknown op ' . quoted($op));
        }
        if ((new \ReflectionMethod($this->adapter, $method))->class === Adapter::class) {
            throw new CallError($this->adapter::class . " has no $method, and hello did not say so");
        }
        if ($op === 'begin') {
            $operation = self::member($message, 'operation');
            $arguments = self::members($message, 'arguments');
            if (!in_array($operation, $this->operations, true)) {
                throw new CallError('unknown operation ' . quoted($operation));
            }
            $client = $this->client($message);
            return fn (): mixed => $this->adapter->begin($client, $operation, $arguments);
        }
        $taskId = self::member($message, 'task_id');
        $client = $this->client($message);
        if ($op === 'get_task') {
            return fn (): mixed => $this->adapter->getTask($client, $taskId);
        }
        $options = isset($message['options']) ? self::members($message, 'options') : [];
        return fn (): mixed => $this->adapter->wait($client, $taskId, $options);
    }

    private static function member(array $message, string $name): mixed
    {
        return array_key_exists($name, $message) ? $message[$name] : throw new CallError("the call has no '$name'");
    }

    private static function members(array $message, string $name): array
    {
        $value = self::member($message, $name);
        return $value instanceof \stdClass
            ? (array) $value
            : throw new CallError("the call's '$name' are not an object");
    }

    private function client(array $message): object
    {
        $name = $message['client'] ?? 'default';
        if ($this->connection === null) {
            throw new CallError('a call before hello');
        }
        return $this->clients[$name] ??= $this->adapter->connect(...$this->connection);
    }

    private static function attempt(\Closure $call): Attempt
    {
        $started = hrtime(true);
        try {
            $returned = $call();
            return new Attempt($returned, null, (hrtime(true) - $started) / 1e9);
        } catch (\Throwable $error) {
            return new Attempt(null, $error, (hrtime(true) - $started) / 1e9);
        }
    }

    private function report(array $message, Attempt $attempt): array
    {
        if ($attempt->error instanceof Unsupported) {
            return ['outcome' => 'unsupported', 'reason' => $attempt->error->getMessage()];
        }
        $answer = $attempt->error !== null
            ? ['outcome' => 'raised', 'exception' => $this->describe($attempt->error)]
            : ['outcome' => 'returned'] + $this->payload($message['op'], $attempt->returned);
        return $message['op'] === 'wait' ? $answer + ['elapsed' => round($attempt->elapsedS, 6)] : $answer;
    }

    /** Return the answer's member for what was returned, or `unencodable` and the reason. */
    private function payload(string $op, mixed $returned): array
    {
        try {
            return match ($op) {
                'wait' => ['result' => Plain::value(Plain::reach($returned, $this->resultPath), '', 1)],
                'get_task' => ['task' => Plain::value($this->adapter->readTask($returned), '', 1)],
                'begin' => ['task_id' => Plain::value($this->adapter->readTaskId($returned), '', 1)],
            };
        } catch (UnencodableError $error) {
            return ['unencodable' => $error->getMessage()];
        }
    }

    private function describe(\Throwable $error): array
    {
        $known = ['kind' => 'other', 'type' => $error::class, 'message' => $error->getMessage(), 'fields' => []];
        $described = ($this->adapter->describe($error) ?? []) + $known;
        $described['fields'] = (object) array_map(Plain::field(...), $described['fields']);
        $cause = $error->getPrevious();
        return $described + ['cause' => $cause === null ? '' : $cause::class];
    }

    /** Return a line's object, null when it is not one; an empty object inside it stays one. */
    private function parse(string $line): ?array
    {
        try {
            $flags = JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING;
            $message = json_decode(self::withoutLoneSurrogates($line), false, flags: $flags);
        } catch (\JsonException $error) {
            tell("a line that is not JSON ({$error->getMessage()}): " . substr(trim($line), 0, 200));
            return null;
        }
        if (!$message instanceof \stdClass) {
            tell('a line that is not an object: ' . substr(trim($line), 0, 200));
            return null;
        }
        if (!isset($message->id) && ($message->op ?? null) !== 'hello') {
            tell('a call without an id: ' . trim($line));
            return null;
        }
        return (array) $message;
    }

    /** Replace the escapes of lone surrogates: UTF-8 has none, and json_decode refuses a line with one. */
    private static function withoutLoneSurrogates(string $line): string
    {
        $passed = '\\\\\\\\|\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}';
        return preg_replace("/(?:$passed)(*SKIP)(*FAIL)|\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}/", '\ufffd', $line) ?? $line;
    }

    /** Write one line. ASCII with escapes; where a message is not UTF-8, its bad bytes are replaced. */
    private function write(array $answer): void
    {
        $flags = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION;
        $line = json_encode($answer, $flags) . "\n";
        for ($rest = $line; $rest !== ''; $rest = substr($rest, $written)) {
            $written = fwrite($this->output, $rest);
            if ($written === false) {
                tell('stdout is closed');
                exit(1);
            }
        }
        fflush($this->output);
    }
}

/** Turns what an SDK returned into what json_encode writes unchanged, or names what it cannot, and its place. */
final class Plain
{
    /** Follow a path as the SDK's caller would. */
    public static function reach(mixed $returned, string $path): mixed
    {
        $value = $returned;
        foreach ($path === '' ? [] : explode('.', $path) as $step) {
            $value = match (true) {
                is_array($value) && array_key_exists($step, $value) => $value[$step],
                is_object($value) && property_exists($value, $step) => $value->$step,
                default => throw new UnencodableError(
                    "nothing at $path: " . get_debug_type($value) . " has no '$step'"
                ),
            };
        }
        return $value;
    }

    public static function field(mixed $given): mixed
    {
        try {
            return self::value($given, '', 3);
        } catch (UnencodableError) {
            return is_string($given) || is_float($given) ? (string) $given : get_debug_type($given);
        }
    }

    /**
     * Return a value as null, booleans, numbers, texts, lists, maps, and objects for what JSON calls objects.
     *
     * An array that is a list is a list, an empty one too: an SDK that turned {} into [] has lost something.
     * `$depth` is the number of the answer's levels around the value.
     *
     * @throws UnencodableError with what JSON cannot carry and its path, such as "NaN at a.b[0]"
     */
    public static function value(mixed $given, string $path, int $depth): mixed
    {
        if ($depth >= MAX_DEPTH && (is_array($given) || is_object($given))) {
            throw new UnencodableError('nested too deeply, or within itself');
        }
        return match (true) {
            $given === null, is_bool($given), is_int($given) => $given,
            is_float($given) => self::float($given, $path),
            is_string($given) => self::text($given, $path),
            is_array($given) && array_is_list($given) => self::items($given, $path, $depth),
            is_array($given), $given instanceof \stdClass => self::members((array) $given, $path, $depth),
            $given instanceof \BackedEnum => $given->value,
            $given instanceof \JsonSerializable => self::serialized($given, $path, $depth),
            default => throw new UnencodableError(self::at($path, get_debug_type($given))),
        };
    }

    private static function serialized(\JsonSerializable $given, string $path, int $depth): mixed
    {
        try {
            $json = $given->jsonSerialize();
        } catch (\Throwable $error) {
            throw new UnencodableError(self::at($path, 'a value that throws ' . $error::class));
        }
        // As in json_encode, one that gives itself is its public properties.
        return self::value($json === $given ? (object) get_object_vars($given) : $json, $path, $depth);
    }

    private static function items(array $given, string $path, int $depth): array
    {
        $items = [];
        foreach ($given as $index => $item) {
            $items[] = self::value($item, "{$path}[$index]", $depth + 1);
        }
        return $items;
    }

    private static function members(array $given, string $path, int $depth): array|object
    {
        $members = [];
        foreach ($given as $name => $item) {
            $name = self::text((string) $name, $path); // PHP makes the key "0" an integer
            $members[$name] = self::value($item, $path === '' ? $name : "$path.$name", $depth + 1);
        }
        // As an array wherever it cannot be taken for a list: json_encode drops an object's names that begin with NUL.
        return array_is_list($members) ? (object) $members : $members;
    }

    private static function float(float $given, string $path): float
    {
        if (is_finite($given)) {
            return $given;
        }
        $name = is_nan($given) ? 'NaN' : ($given > 0 ? 'Infinity' : '-Infinity');
        throw new UnencodableError(self::at($path, $name));
    }

    private static function text(string $given, string $path): string
    {
        return preg_match('//u', $given) === 1
            ? $given
            : throw new UnencodableError(self::at($path, 'text that is not UTF-8'));
    }

    private static function at(string $path, string $what): string
    {
        return $path === '' ? "$what at the top" : "$what at $path";
    }
}

function tell(string $text): void
{
    fwrite(STDERR, "waitproof kit: $text\n");
}

function quoted(mixed $value): string
{
    return is_string($value) ? "'$value'" : (string) json_encode($value);
}
