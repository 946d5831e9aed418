<?php

/**
 * A small client of the documented API with a wait helper that keeps its promises, on PHP's curl extension.
 *
 * It stands in for an SDK, so that this folder runs as it is: the adapter of a real SDK needs none of it.
 */

declare(strict_types=1);

namespace TaskClient;

const VERSION = '1.0';
const REQUEST_TIMEOUT_S = 30.0; // of a request outside of a wait; inside, the wait's deadline bounds it

/** An answer whose HTTP status is not 2xx. */
final class ApiException extends \Exception
{
    public function __construct(string $message, private readonly int $statusCode, private readonly ?int $apiCode)
    {
        parent::__construct($message);
    }

    public function getStatusCode(): int
    {
        return $this->statusCode;
    }

    public function getApiCode(): ?int
    {
        return $this->apiCode;
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

/** A task that failed; a field that the answer leaves out is null. */
final class TaskException extends \Exception
{
    public function __construct(
        private readonly string $taskId,
        private readonly ?string $errorType,
        private readonly ?string $description,
        private readonly ?string $stackTrace,
        private readonly ?string $version,
    ) {
        parent::__construct("task $taskId failed: $description");
    }

    public function getTaskId(): string
    {
        return $this->taskId;
    }

    public function getErrorType(): ?string
    {
        return $this->errorType;
    }

    public function getDescription(): ?string
    {
        return $this->description;
    }

    public function getStackTrace(): ?string
    {
        return $this->stackTrace;
    }

    public function getVersion(): ?string
    {
        return $this->version;
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

    /**
     * Wait until the task ends and return its result payload; objects are stdClass.
     *
     * The first poll is made at once; after each answer a whole interval is slept, but the last sleep ends at the
     * deadline, where a last poll is made.
     *
     * @param float $pollInterval seconds
     * @param float $timeout      seconds
     *
     * @throws TaskException|ApiException|TransportException
     */
    public function waitForTask(string $taskId, float $pollInterval = 1, float $timeout = 60): mixed
    {
        $deadline = self::now() + $timeout;
        $lastPollS = min($timeout * self::LAST_POLL_SHARE, self::LAST_POLL_LIMIT_S);
        $isLast = false;
        while (true) {
            $task = $this->fetchTask($taskId, max($deadline - self::now(), $lastPollS));
            if ($task->status === 'completed') {
                return $task->result ?? null;
            }
            if ($task->status === 'failed') {
                throw self::taskException($taskId, $task);
            }
            $leftS = $deadline - self::now();
            if ($isLast || $leftS <= 0) {
                $fact = sprintf('task %s was %s after %g s', $taskId, $task->status, $timeout);
                throw new TransportException("$fact; it may still be running on the server", 'timeout');
            }
            $isLast = $leftS <= $pollInterval;
            usleep((int) ceil(min($pollInterval, $leftS) * 1e6));
        }
    }

    public function getTask(string $taskId): \stdClass
    {
        return $this->fetchTask($taskId, REQUEST_TIMEOUT_S);
    }

    // Each of these begins a task and returns its id.

    public function deleteChannels(array $cids, bool $hardDelete = false): string
    {
        return $this->startTask('/api/v2/chat/channels/delete', ['cids' => $cids, 'hard_delete' => $hardDelete]);
    }

    public function exportChannels(array $cids): string
    {
        $channels = array_map(fn (string $cid): array => ['cid' => $cid], $cids);
        return $this->startTask('/api/v2/chat/export_channels', ['channels' => $channels]);
    }

    public function exportUsers(array $userIds): string
    {
        return $this->startTask('/api/v2/export/users', ['user_ids' => $userIds]);
    }

    public function deleteUsers(array $userIds): string
    {
        $everything = ['user' => 'hard', 'messages' => 'hard', 'conversations' => 'hard'];
        return $this->startTask('/api/v2/users/delete', ['user_ids' => $userIds] + $everything);
    }

    private function fetchTask(string $taskId, float $timeoutS): \stdClass
    {
        $task = $this->request('GET', '/api/v2/tasks/' . rawurlencode($taskId), $timeoutS);
        if (!is_string($task->status ?? null)) {
            throw self::malformed('it has no status');
        }
        return $task;
    }

    private function startTask(string $path, array $body): string
    {
        $answer = $this->request('POST', $path, REQUEST_TIMEOUT_S, $body);
        return $answer->task_id ?? throw self::malformed('it has no task_id');
    }

    private static function taskException(string $taskId, \stdClass $task): TaskException
    {
        $error = $task->error ?? null;
        return new TaskException(
            $task->task_id ?? $taskId,
            $error->type ?? null,
            $error->description ?? null,
            $error->stacktrace ?? null,
            $error->version ?? null,
        );
    }

    /** Send one request and return the object in its answer. */
    private function request(string $method, string $path, float $timeoutS, ?array $body = null): \stdClass
    {
        curl_setopt_array($this->connection, [
            CURLOPT_URL => "{$this->baseUrl}$path?" . http_build_query(['api_key' => $this->apiKey]),
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_POSTFIELDS => $body === null ? null : json_encode($body, JSON_THROW_ON_ERROR),
            CURLOPT_HTTPGET => $body === null,
            CURLOPT_HTTPHEADER => [
                'Authorization: ' . $this->token(),
                'Stream-Auth-Type: jwt',
                'Content-Type: application/json',
            ],
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
            $code = $answer->code ?? null;
            throw new ApiException($answer->message ?? "HTTP status $status", $status, is_int($code) ? $code : null);
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
