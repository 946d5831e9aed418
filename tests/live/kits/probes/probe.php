<?php

/** The probe of the PHP kit; see test_kit_conformance.py. */

declare(strict_types=1);

require __DIR__ . '/kit.php';

final class TaskFailed extends Exception
{
    public function __construct(private readonly mixed $description = '')
    {
        parent::__construct('the task failed');
    }

    public function getTaskId(): string { return '1'; }
    public function getDescription(): mixed { return $this->description; }
    public function getStackTrace(): ?string { return null; }
}

final class TaskFailedBrokenly extends Exception
{
    public function getTaskId(): string { return '1'; }
    public function getDescription(): mixed { return new Throws(); }
    public function getStackTrace(): ?string { return null; }
    public function getVersion(): string { throw new DomainException('no version'); }
}

final class Throws implements JsonSerializable
{
    public function jsonSerialize(): mixed { throw new DomainException('a lazy body'); }
}

final class Own implements JsonSerializable
{
    public function jsonSerialize(): mixed { return ['b' => 1]; }
}

final class Probe extends Waitproof\Adapter
{
    private int $built = 0;

    public function hello(): array
    {
        return ['sdk' => ['name' => 'fake', 'version' => '1.2.3'], 'helper' => 'Fake.wait',
            'result_path' => 'data.result', 'capabilities' => ['operations' => ['open']]];
    }

    public function connect(string $baseUrl, string $apiKey, string $apiSecret): object
    {
        if ($apiKey === 'refused') {
            throw new RuntimeException('this key builds no client');
        }
        $number = ++$this->built;
        return (object) ['number' => $number, 'url' => $baseUrl, 'key' => $apiKey, 'secret' => $apiSecret];
    }

    public function wait(object $client, mixed $taskId, array $options): mixed
    {
        $name = (string) $taskId;
        if (str_starts_with($name, 'prints:')) {
            $line = substr($name, strlen('prints:'));
            echo "$line\n";
            fwrite(STDOUT, "$line\n");
            file_put_contents('php://stdout', "$line\n");
            passthru('cat; echo ' . escapeshellarg($line));
        }
        match ($name) {
            'sleeps' => usleep(30_000),
            'fails' => throw new TaskFailed(),
            'fails-oddly' => throw new TaskFailed(NAN),
            'fails-brokenly' => throw new TaskFailedBrokenly('the task failed'),
            'caused' => throw new Exception('the wait', 0, new DivisionByZeroError()),
            'language-error' => intdiv(1, 0),
            'not-utf-8' => throw new Exception("not \xff UTF-8"),
            'unsupported' => throw new Waitproof\Unsupported('no overload with the interval alone'),
            'undescribable' => throw new DomainException('describe() breaks on this one'),
            default => null,
        };
        if ($name === 'nothing') {
            return null;
        }
        $otherwise = ['task_id' => $taskId, 'options' => (object) $options, 'client' => $client];
        $payload = $name === 'stdin' ? file_get_contents('php://stdin') : self::payload($name, $otherwise);
        return (object) ['data' => ['result' => $payload]];
    }

    private static function payload(string $name, mixed $otherwise): mixed
    {
        if (str_starts_with($name, 'deep:')) {
            $deep = [];
            for ($level = (int) substr($name, 5); $level > 1; $level--) {
                $deep = [$deep];
            }
            return $deep;
        }
        $loop = new stdClass();
        $loop->self = $loop;
        return match ($name) {
            'nan' => ['a' => ['b' => [1, NAN]]],
            'infinity' => -INF,
            'foreign' => ['a' => [new ArrayObject([1])]],
            'throws' => ['a' => [new Throws()]],
            'bytes' => ['a' => "\xe9"],
            'datetime' => ['a' => [new DateTime()]],
            'own-json' => ['a' => new Own()],
            'loop' => $loop,
            'null' => null,
            'text' => ['text' => "é\u{2028}\x7f\n\"\\"],
            'numbers' => [0.1, -0.5, 1.5e300, 9007199254740993],
            'empty' => ['object' => new stdClass(), 'list' => []],
            'keys' => (object) ['0' => 1, '' => 2, 'a.b' => 3],
            'list-like' => (object) ['0' => 1, '1' => 2],
            'nul' => ["\0a" => 1, 'b' => 2],
            'all-numbers' => [0.1, 1.0, 1e-7, 1.5e300, PHP_INT_MAX, PHP_INT_MIN],
            default => $otherwise,
        };
    }

    public function getTask(object $client, mixed $taskId): mixed
    {
        return (object) ['id' => $taskId];
    }

    public function readTask(mixed $returned): array
    {
        return ['task_id' => $returned->id, 'status' => 'failed', 'result' => self::payload($returned->id, null),
            'error' => ['type' => 'timeout']];
    }

    public function begin(object $client, string $operation, array $arguments): mixed
    {
        return [$arguments['gate']];
    }

    public function readTaskId(mixed $returned): mixed
    {
        return $returned[0];
    }

    public function describe(Throwable $error): ?array
    {
        $getters = ['task_id' => 'getTaskId', 'error_type' => 'getErrorType', 'description' => 'getDescription',
            'stack_trace' => 'getStackTrace', 'version' => 'getVersion'];
        return match (true) {
            $error instanceof TaskFailed, $error instanceof TaskFailedBrokenly =>
                ['kind' => 'task', 'fields' => Waitproof\fieldsOf($error, $getters)],
            $error instanceof DomainException => throw new LogicException('describe is broken'),
            default => null,
        };
    }
}

Waitproof\run(new Probe());
