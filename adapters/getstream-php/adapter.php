<?php

/** The adapter of Stream's PHP SDK. */

declare(strict_types=1);

use Composer\InstalledVersions;
use GetStream\ClientBuilder;
use GetStream\Exceptions\StreamApiException;
use GetStream\Exceptions\StreamTaskException;
use GetStream\Exceptions\StreamTransportException;
use GetStream\GeneratedModels\ChannelExport;
use GetStream\GeneratedModels\DeleteChannelsRequest;
use GetStream\GeneratedModels\DeleteUsersRequest;
use GetStream\GeneratedModels\ExportChannelsRequest;
use GetStream\GeneratedModels\ExportUsersRequest;

require __DIR__ . '/../kits/php/kit.php';

if (!is_file(__DIR__ . '/vendor/autoload.php')) {
    fwrite(STDERR, "getstream/getstream-php is not installed: run composer install in this folder\n");
    exit(2);
}
require __DIR__ . '/vendor/autoload.php';

/** Calls the client and reports what came back. */
final class GetstreamAdapter extends Waitproof\Adapter
{
    public function hello(): array
    {
        $version = InstalledVersions::getPrettyVersion('getstream/getstream-php');
        return [
            'sdk' => ['name' => 'getstream-php', 'version' => ltrim($version, 'v')],
            'helper' => 'Client::waitForTask',
            'result_path' => 'result',
            'capabilities' => [
                'max_concurrency' => 1,
                'operations' => ['delete_channels', 'export_channels', 'export_users', 'delete_users'],
                'poll_interval_resolution' => 1, // the helper takes whole seconds
                'timeout_resolution' => 1,
            ],
        ];
    }

    public function connect(string $baseUrl, string $apiKey, string $apiSecret): object
    {
        return (new ClientBuilder())
            ->apiKey($apiKey)
            ->apiSecret($apiSecret)
            ->baseUrl($baseUrl)
            ->skipEnvLoad()
            ->buildChatClient();
    }

    public function wait(object $client, mixed $taskId, array $options): mixed
    {
        $names = ['poll_interval' => 'pollIntervalSeconds', 'timeout' => 'timeoutSeconds'];
        return $client->waitForTask($taskId, ...Waitproof\renamed($options, $names));
    }

    public function getTask(object $client, mixed $taskId): mixed
    {
        return $client->getTask($taskId);
    }

    public function readTask(mixed $returned): array
    {
        $task = $returned->getData();
        return [
            'task_id' => $task->taskID,
            'status' => $task->status,
            'result' => $task->result,
            'error' => $task->error,
        ];
    }

    public function begin(object $client, string $operation, array $arguments): mixed
    {
        return match ($operation) {
            'delete_channels' => $client->deleteChannels(new DeleteChannelsRequest(
                cids: $arguments['cids'],
                hardDelete: $arguments['hard_delete'],
            )),
            'export_channels' => $client->exportChannels(new ExportChannelsRequest(
                channels: array_map(fn (string $cid) => new ChannelExport(cid: $cid), $arguments['cids']),
            )),
            'export_users' => $client->exportUsers(new ExportUsersRequest(userIds: $arguments['user_ids'])),
            'delete_users' => $client->deleteUsers(new DeleteUsersRequest(userIds: $arguments['user_ids'])),
        };
    }

    public function readTaskId(mixed $returned): mixed
    {
        return $returned->getData()->taskID;
    }

    public function describe(Throwable $error): ?array
    {
        return match (true) {
            $error instanceof StreamTaskException => ['kind' => 'task', 'fields' => Waitproof\fieldsOf($error, [
                'task_id' => 'getTaskId',
                'error_type' => 'getErrorType',
                'description' => 'getDescription',
                'stack_trace' => 'getStackTrace',
                'version' => 'getVersion',
            ])],
            $error instanceof StreamTransportException => [
                'kind' => 'transport',
                'fields' => Waitproof\fieldsOf($error, ['error_type' => 'getErrorType']),
            ],
            $error instanceof StreamApiException => ['kind' => 'api', 'fields' => Waitproof\fieldsOf($error, [
                'status_code' => 'getStatusCode',
                'code' => 'getApiErrorCode',
                'message' => 'getMessage',
            ])],
            default => null,
        };
    }
}

Waitproof\run(new GetstreamAdapter());
