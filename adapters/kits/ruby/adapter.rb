# frozen_string_literal: true

# The adapter of the task client beside it. For your own SDK, copy this folder and change this file.

require_relative 'kit'
require_relative 'task_client'

# Calls the client and reports what came back.
class TaskClientAdapter < WaitproofKit::Adapter
  def hello
    {
      sdk: { name: 'task-client', version: TaskClient::VERSION },
      helper: 'TaskClient::Client#wait_for_task',
      result_path: '', # the helper returns the payload itself
      capabilities: {
        max_concurrency: 0,
        operations: %w[delete_channels export_channels export_users delete_users]
      }
    }
  end

  def connect(base_url:, api_key:, api_secret:)
    TaskClient::Client.new(api_key: api_key, api_secret: api_secret, base_url: base_url)
  end

  def wait(client, task_id, **options)
    client.wait_for_task(task_id, **options)
  end

  def get_task(client, task_id)
    client.get_task(task_id)
  end

  def begin_operation(client, operation, **arguments)
    case operation
    when 'delete_channels' then client.delete_channels(**arguments)
    when 'export_channels' then client.export_channels(**arguments)
    when 'export_users' then client.export_users(**arguments)
    else client.delete_users(**arguments)
    end
  end

  def describe(error)
    case error
    when TaskClient::TaskError
      names = %i[task_id error_type description stack_trace version]
      { kind: 'task', fields: WaitproofKit.fields_of(error, *names) }
    when TaskClient::TransportError
      { kind: 'transport', fields: WaitproofKit.fields_of(error, :error_type) }
    when TaskClient::ApiError
      { kind: 'api', fields: WaitproofKit.fields_of(error, :status_code, :code, :message) }
    end
  end
end

WaitproofKit.run(TaskClientAdapter.new)
