# frozen_string_literal: true

# The adapter of Stream's Ruby SDK.

require_relative '../kits/ruby/kit'
begin
  require 'getstream_ruby'
rescue LoadError => e
  warn("getstream-ruby cannot be loaded (#{e.message}): run bundle install in this folder")
  exit(2)
end

# Calls the client and reports what came back.
class GetstreamAdapter < WaitproofKit::Adapter
  Models = GetStream::Generated::Models

  def hello
    {
      sdk: { name: 'getstream-ruby', version: GetStreamRuby::VERSION },
      helper: 'GetStreamRuby::Client#wait_for_task',
      result_path: '', # the helper returns the payload itself
      capabilities: {
        max_concurrency: 0,
        operations: %w[delete_channels export_channels export_users delete_users]
      }
    }
  end

  def connect(base_url:, api_key:, api_secret:)
    GetStreamRuby.manual(api_key: api_key, api_secret: api_secret, base_url: base_url)
  end

  def wait(client, task_id, **options)
    client.wait_for_task(task_id, **options)
  end

  def get_task(client, task_id)
    client.common.get_task(task_id)
  end

  def begin_operation(client, operation, **arguments)
    case operation
    when 'delete_channels'
      client.chat.delete_channels(Models::DeleteChannelsRequest.new(**arguments))
    when 'export_channels'
      channels = arguments[:cids].map { |cid| Models::ChannelExport.new(cid: cid) }
      client.chat.export_channels(Models::ExportChannelsRequest.new(channels: channels))
    when 'export_users'
      client.common.export_users(Models::ExportUsersRequest.new(**arguments))
    else
      client.common.delete_users(Models::DeleteUsersRequest.new(**arguments))
    end
  end

  def read_task_id(returned)
    returned.task_id
  end

  def describe(error)
    case error
    when GetStreamRuby::TaskError
      names = %i[task_id error_type description stack_trace version]
      { kind: 'task', fields: WaitproofKit.fields_of(error, *names) }
    when GetStreamRuby::TransportError
      { kind: 'transport', fields: WaitproofKit.fields_of(error, :error_type) }
    when GetStreamRuby::ApiError
      { kind: 'api', fields: WaitproofKit.fields_of(error, :status_code, :code, :message) }
    end
  end
end

WaitproofKit.run(GetstreamAdapter.new)
