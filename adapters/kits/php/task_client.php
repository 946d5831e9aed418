<?php

/**
 * A small client of the API in api.json with a wait helper that keeps its promises, on PHP's curl extension.
 *
 * It stands in for an SDK, so that this folder runs as it is: the adapter of a real SDK needs none of it.
 */

declare(strict_types=1);

namespace TaskClient;

const VERSION = '1.0';
define('TaskClient\API', json_decode(file_get_contents(__DIR__ . '/api.json'), true, 512, JSON_THROW_ON_ERROR));
const REQUEST_TIMEOUT_S = 30.0; // of a request outside of a wait; inside, the wait's deadline bounds it

/** An answer whose HTTP status is not 2xx. */
final class ApiException extends \Exception
{
    public function __construct(string $message, private readonly int $statusCode)
    {
        parent::__construct($message);
    }

    public function getStatusCode(): int
    {
        return $this->statusCode;
    }
}

/** No answer, or one that cannot be read. */
final class TransportException extends \Exception
{
    /** @param string $errorType timeout, connection or malformed_answer */
    public function __construct(string $message, private readonly string $errorType)
    {
        parent::__construct($message);
    }

    public function getErrorType(): string
    {
        return $this->errorType;
    }
}

/** A task that failed. */
final class TaskException extends \Exception
{
    /** @param array $fields what the API documents of it, by name */
    public function __construct(mixed $taskId, mixed $error, private readonly array $fields)
    {
        parent::__construct("task $taskId failed: " . json_encode($error));
    }

    public function getFields(): array
    {
        return $this->fields;
    }
}

/** A client of one application, and its one connection. */
final class Client
{
    // The poll at the deadline has no time left, yet needs some to be answered.
    private const LAST_POLL_SHARE = 0.05;
    private const LAST_POLL_LIMIT_S = 1.0;

    private readonly \CurlHandle $connection;

    public function __construct(
        private readonly string $apiKey,
        private readonly string $apiSecret,
        private readonly string $baseUrl,
    ) {
        $this->connection = curl_init();
    }

    /** Return credentials by name. */
    private function filled(array $kinds): array
    {
        $known = ['key' => $this->apiKey, 'secret' => $this->apiSecret, 'token' => $this->token()];
        return array_map(fn (string $kind): string => $known[$kind], $kinds);
    }

    /**
     * Wait until the task ends and return its result payload; objects are stdClass.
     *
     * The first poll is made at once; after each answer a whole interval is slept, but the last sleep ends at the
     * deadline, where a last poll is made.
     *
     * @param float $pollInterval seconds
     * @param float $timeout      seconds
     * @param int   $maxPolls     after how many polls to give up
     *
     * @throws TaskException|ApiException|TransportException
     */
    public function waitForTask(
        string|int $taskId,
        ?float $pollInterval = null,
        ?float $timeout = API['wait_timeout'],
        ?int $maxPolls = API['max_polls'],
    ): mixed {
        $timeout ??= INF;
        $deadline = self::now() + $timeout;
        $pauses = API['pauses'];
        $pause = $pollInterval ?? $pauses['first'];
        $polls = 0;
        $lastPollS = min($timeout * self::LAST_POLL_SHARE, self::LAST_POLL_LIMIT_S);
        $isLast = false;
        while (true) {
            $limitS = $timeout === INF ? REQUEST_TIMEOUT_S : max($deadline - self::now(), $lastPollS);
            $task = $this->fetchTask($taskId, $limitS);
            $polls++;
            if (in_array($task->status, API['done'], true)) {
                return $task->returned;
            }
            if (in_array($task->status, API['failed'], true)) {
                throw new TaskException($task->task_id, $task->error, $task->fields);
            }
            $leftS = $deadline - self::now();
            if ($isLast || $leftS <= 0 || $polls === $maxPolls) {
                $fact = sprintf('task %s was %s after %g s, %d polls', $taskId, $task->status, $timeout, $polls);
                throw new TransportException("$fact; it may still be running on the server", 'timeout');
            }
            $isLast = $leftS <= $pause;
            usleep((int) ceil(min($pause, $leftS) * 1e6));
            if ($pollInterval === null) {
                $pause = min($pause * $pauses['times'] + $pauses['add'], $pauses['most']);
            }
        }
    }

    public function getTask(string|int $taskId): \stdClass
    {
        $task = $this->fetchTask($taskId, REQUEST_TIMEOUT_S);
        unset($task->returned, $task->fields);
        return $task;
    }

    /** Begin an operation and return the task's id; an SDK has a method for each of them. */
    public function begin(string $operation, array $arguments): mixed
    {
        $known = API['operations'][$operation];
        $named = self::at($arguments, $known['from']);
        $path = str_replace('{token}', is_string($named) ? rawurlencode($named) : '', $known['path']);
        $body = $path === $known['path'] ? $arguments : [];
        if ($known['to'] !== '') {
            $more = self::nested($known['to'], $named);
            $body = array_is_list($more) ? $more : $more + $arguments;
        }
        return self::at($this->request($known['method'], $path, REQUEST_TIMEOUT_S, $body ?: null), $known['task_id']);
    }

    private function fetchTask(string|int $taskId, float $timeoutS): \stdClass
    {
        $path = str_replace('{task_id}', rawurlencode((string) $taskId), API['poll']['path']);
        $answer = $this->request(API['poll']['method'], $path, $timeoutS);
        $task = (object) self::places($answer, API['paths']);
        if (!is_string($task->status)) {
            throw self::malformed('it has no status');
        }
        $task->task_id ??= $taskId;
        $task->fields = self::places($answer, API['exception_fields']);
        return $task;
    }

    /** Return what is at a dotted path, null if there is nothing; "*" is the value itself. */
    private static function at(mixed $value, string $path): mixed
    {
        foreach (in_array($path, ['', '*'], true) ? [] : explode('.', $path) as $step) {
            $value = is_object($value) ? $value->$step ?? null : (is_array($value) ? $value[$step] ?? null : null);
        }
        return $value;
    }

    private static function places(mixed $value, array $paths): array
    {
        return array_map(fn (string $path): mixed => $path === '' ? null : self::at($value, $path), $paths);
    }

    /** Return an array that has a value at a dotted path and nothing else. */
    private static function nested(string $path, mixed $leaf): array
    {
        foreach (array_reverse(explode('.', $path)) as $step) {
            $leaf = [ctype_digit($step) ? 0 : $step => $leaf];
        }
        return $leaf;
    }

    /** Send one request and return the object in its answer. */
    private function request(string $method, string $path, float $timeoutS, ?array $body = null): \stdClass
    {
        $query = http_build_query($this->filled(API['query']));
        $headers = $this->filled(API['headers']) + ['Content-Type' => 'application/json'];
        curl_setopt_array($this->connection, [
            CURLOPT_URL => $this->baseUrl . $path . ($query === '' ? '' : "?$query"),
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_POSTFIELDS => $body === null ? null : json_encode($body, JSON_THROW_ON_ERROR),
            CURLOPT_HTTPHEADER => array_map(fn ($name) => "$name: $headers[$name]", array_keys($headers)),
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT_MS => max(1, (int) ceil($timeoutS * 1000)), // of the request as a whole; 0 means no limit
            CURLOPT_NOSIGNAL => true, // curl's alarm signal counts whole seconds
        ]);
        $text = curl_exec($this->connection);
        $errno = curl_errno($this->connection);
        if ($errno !== 0) {
            $type = $errno === CURLE_OPERATION_TIMEDOUT ? 'timeout' : 'connection';
            throw new TransportException(curl_error($this->connection), $type);
        }
        $answer = json_decode($text);
        $status = curl_getinfo($this->connection, CURLINFO_RESPONSE_CODE);
        if ($status < 200 || $status > 299) {
            throw new ApiException($answer->message ?? "HTTP status $status", $status);
        }
        return $answer instanceof \stdClass ? $answer : throw self::malformed('it is not a JSON object');
    }

    private static function malformed(string $fact): TransportException
    {
        return new TransportException("the answer cannot be read: $fact", 'malformed_answer');
    }

    /** A JSON Web Token that the server's side of an application signs for itself. */
    private function token(): string
    {
        $parts = [['alg' => 'HS256', 'typ' => 'JWT'], ['server' => true]];
        $signed = implode('.', array_map(fn (array $part): string => self::base64(json_encode($part)), $parts));
        return $signed . '.' . self::base64(hash_hmac('sha256', $signed, $this->apiSecret, true));
    }

    private static function base64(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
