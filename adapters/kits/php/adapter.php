<?php

/** The adapter of the task client beside it. For your own SDK, copy this folder and change this file. */

declare(strict_types=1);

use TaskClient\ApiException;
use TaskClient\Client;
use TaskClient\TaskException;
use TaskClient\TransportException;

require __DIR__ . '/kit.php';
require __DIR__ . '/task_client.php';

if (!extension_loaded('curl')) {
    fwrite(STDERR, "PHP's curl extension is missing: install it, such as with apt-get install php-curl\n");
    exit(2);
}

/** Calls the client and reports what came back. */
final class TaskClientAdapter extends Waitproof\Adapter
{
    public function hello(): array
    {
        return [
            'sdk' => ['name' => 'example client', 'version' => TaskClient\VERSION],
            'helper' => 'TaskClient\Client::waitForTask',
            'result_path' => '', // the helper returns the payload itself
            'capabilities' => [
                'max_concurrency' => 1,
                'operations' => array_keys(TaskClient\API['operations']),
                'options' => TaskClient\API['options'],
            ],
        ];
    }

    public function connect(string $baseUrl, string $apiKey, string $apiSecret): object
    {
        return new Client($apiKey, $apiSecret, $baseUrl);
    }

    public function wait(object $client, mixed $taskId, array $options): mixed
    {
        $options = Waitproof\renamed($options, ['poll_interval' => 'pollInterval', 'max_polls' => 'maxPolls']);
        return $client->waitForTask($taskId, ...$options);
    }

    public function getTask(object $client, mixed $taskId): mixed
    {
        return $client->getTask($taskId);
    }

    public function begin(object $client, string $operation, array $arguments): mixed
    {
        return $client->begin($operation, $arguments); // your SDK has a method for each
    }

    public function describe(Throwable $error): ?array
    {
        return match (true) {
            $error instanceof TaskException => ['kind' => 'task', 'fields' => $error->getFields()],
            $error instanceof TransportException => $error->getErrorType() === 'timeout'
                ? TaskClient\API['timeout']
                : ['kind' => 'transport', 'fields' => Waitproof\fieldsOf($error, ['error_type' => 'getErrorType'])],
            $error instanceof ApiException => ['kind' => 'api', 'fields' => Waitproof\fieldsOf($error, [
                'status_code' => 'getStatusCode',
                'message' => 'getMessage',
            ])],
            default => null,
        };
    }
}

Waitproof\run(new TaskClientAdapter());
