# frozen_string_literal: true

# The adapter of the task client beside it. For your own SDK, copy this folder and change this file.

require_relative 'kit'
require_relative 'task_client'

# Calls the client and reports what came back.
class TaskClientAdapter < WaitproofKit::Adapter
  def hello
    {
      sdk: { name: 'example client', version: TaskClient::VERSION },
      helper: 'TaskClient::Client#wait_for_task',
      result_path: '', # the helper returns the payload itself
      capabilities: {
        max_concurrency: 0,
        operations: TaskClient::API['operations'].keys,
        options: TaskClient::API['options']
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
    client.get_task(task_id).to_h.slice(:task_id, :status, :result, :error)
  end

  # Your SDK has a method for each operation: call that here.
  def begin_operation(client, operation, **arguments)
    client.begin(operation, arguments.transform_keys(&:to_s))
  end

  def describe(error)
    case error
    when TaskClient::TaskError then { kind: 'task', fields: error.fields }
    when TaskClient::TransportError
      return TaskClient::API['timeout'].transform_keys(&:to_sym) if error.error_type == 'timeout'

      { kind: 'transport', fields: WaitproofKit.fields_of(error, :error_type) }
    when TaskClient::ApiError
      { kind: 'api', fields: WaitproofKit.fields_of(error, :status_code, :message) }
    end
  end
end

WaitproofKit.run(TaskClientAdapter.new)
