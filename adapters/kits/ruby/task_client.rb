# frozen_string_literal: true

# A small client of the API in api.json with a wait helper that keeps its promises, on the standard library.
#
# It stands in for an SDK, so that this folder runs as it is: the adapter of a real SDK needs none of it.

require 'erb'
require 'json'
require 'net/http'
require 'openssl'
require 'timeout'

module TaskClient
  VERSION = '1.0'
  API = JSON.parse(File.read(File.join(__dir__, 'api.json'), encoding: 'UTF-8')).freeze
  REQUEST_TIMEOUT_S = 30 # of a request outside of a wait; inside, the wait's deadline bounds it

  class Error < StandardError; end

  # An answer whose HTTP status is not 2xx.
  class ApiError < Error
    attr_reader :status_code

    def initialize(message, status_code:)
      super(message)
      @status_code = status_code
    end
  end

  # No answer, or one that cannot be read. `error_type`: timeout, connection or malformed_answer.
  class TransportError < Error
    attr_reader :error_type

    def initialize(message, error_type:)
      super(message)
      @error_type = error_type
    end
  end

  # A task that failed; `fields` has what the API documents of it.
  class TaskError < Error
    attr_reader :fields

    def initialize(task_id:, error:, fields:)
      super("task #{task_id} failed: #{error}")
      @fields = fields
    end
  end

  # One answer about a task; `fields` are those of the exception, should it have failed.
  Task = Struct.new(:task_id, :status, :result, :error, :returned, :fields, keyword_init: true)

  # A client of one application, for any number of threads at once. No request is ever repeated.
  class Client
    # What Net::HTTP raises where no whole answer came; Timeout::Error is caught before them.
    BROKEN = [SystemCallError, SocketError, IOError, Net::ProtocolError, Net::HTTPBadResponse,
              Net::HTTPHeaderSyntaxError, OpenSSL::SSL::SSLError, Zlib::Error].freeze

    # The poll at the deadline has no time left, yet needs some to be answered.
    LAST_POLL_SHARE = 0.05
    LAST_POLL_LIMIT_S = 1.0

    def initialize(api_key:, api_secret:, base_url:)
      @credentials = { 'key' => api_key, 'secret' => api_secret, 'token' => token(api_secret) }
      @base = URI(base_url)
      @idle = [] # connections that no request is using
      @lock = Mutex.new
    end

    # Wait until the task ends and return its result payload; intervals and timeouts are in seconds.
    #
    # The first poll is made at once; after each answer a whole interval is slept, but the last sleep ends at the
    # deadline, where a last poll is made. Raises TaskError, ApiError and TransportError.
    def wait_for_task(task_id, poll_interval: nil, timeout: API['wait_timeout'], max_polls: API['max_polls'])
      deadline_s = timeout.nil? ? Float::INFINITY : now_s + timeout
      last_poll_s = [(timeout || 0) * LAST_POLL_SHARE, LAST_POLL_LIMIT_S].min
      first, add, times, most = API['pauses'].values_at('first', 'add', 'times', 'most')
      pause_s = poll_interval || first
      is_last = false
      (1..).each do |polls|
        task = fetch_task(task_id, timeout.nil? ? REQUEST_TIMEOUT_S : [deadline_s - now_s, last_poll_s].max)
        return task.returned if API['done'].include?(task.status)
        raise task_error(task) if API['failed'].include?(task.status)

        left_s = deadline_s - now_s
        raise timed_out(task, timeout, polls) if is_last || left_s <= 0 || polls == max_polls

        is_last = left_s <= pause_s
        sleep([pause_s, left_s].min)
        pause_s = [pause_s * times + add, most].min if poll_interval.nil?
      end
    end

    def get_task(task_id)
      fetch_task(task_id, REQUEST_TIMEOUT_S)
    end

    # Begin an operation and return the task's id; an SDK has a method for each of them.
    def begin(operation, arguments)
      known = API['operations'].fetch(operation)
      named = at(arguments, known['from'])
      path = known['path'].sub('{token}') { ERB::Util.url_encode(named.to_s) }
      body = path == known['path'] ? arguments : {}
      unless known['to'].empty?
        more = nested(known['to'], named)
        body = more.is_a?(Hash) ? arguments.merge(more) : more
      end
      at(request(known['method'], path, REQUEST_TIMEOUT_S, body.empty? ? nil : body), known['task_id'])
    end

    private

    def fetch_task(task_id, timeout_s)
      path = API['poll']['path'].sub('{task_id}') { ERB::Util.url_encode(task_id.to_s) }
      answer = request(API['poll']['method'], path, timeout_s)
      task = Task.new(**API['paths'].to_h { |name, place| [name.to_sym, place.empty? ? nil : at(answer, place)] })
      malformed('it has no status') unless task.status.is_a?(String)
      task.task_id = task_id if task.task_id.nil?
      task.fields = API['exception_fields'].transform_values { |place| at(answer, place) }
      task
    end

    def task_error(task)
      TaskError.new(task_id: task.task_id, error: task.error, fields: task.fields)
    end

    # Return what is at a dotted path, nil if there is nothing; "*" is the value itself.
    def at(value, path)
      return value if path == '*'

      path.split('.').reduce(value) do |inner, step|
        case inner
        when Hash then inner[step]
        when Array then step.match?(/\A\d+\z/) ? inner[step.to_i] : nil
        end
      end
    end

    # Return a hash, or an array, that has `leaf` at a dotted path and nothing else.
    def nested(path, leaf)
      path.split('.').reverse.reduce(leaf) { |inner, step| step.match?(/\A\d+\z/) ? [inner] : { step => inner } }
    end

    def timed_out(task, timeout, polls)
      fact = "task #{task.task_id} was #{task.status.inspect} after #{timeout} s, #{polls} polls"
      TransportError.new("#{fact}; it may still be running on the server", error_type: 'timeout')
    end

    # Send one request and return the object in its answer.
    def request(method, path, timeout_s, body = nil)
      query = URI.encode_www_form(filled(API['query']))
      path = "#{path}?#{query}" unless query.empty?
      request = Net::HTTP.const_get(method.capitalize).new(path, headers)
      request.body = JSON.generate(body) if body
      read(exchange(request, timeout_s))
    end

    def read(response)
      answer = parse(response.body.to_s)
      raise api_error(response, answer || {}) unless response.is_a?(Net::HTTPSuccess)

      answer || malformed('it is not a JSON object')
    end

    # Return the object that a body holds, nil where it holds anything else.
    def parse(body)
      answer = JSON.parse(body)
      answer if answer.is_a?(Hash)
    rescue JSON::ParserError, EncodingError
      nil
    end

    def api_error(response, answer)
      message = answer['message'] || "HTTP status #{response.code}"
      ApiError.new(message, status_code: response.code.to_i)
    end

    def malformed(fact)
      raise TransportError.new("the answer cannot be read: #{fact}", error_type: 'malformed_answer')
    end

    # Timeout bounds the request as a whole: Net::HTTP's own limits begin again with every piece that arrives.
    def exchange(request, timeout_s)
      connection = @lock.synchronize { @idle.pop } || open_connection
      response = Timeout.timeout(timeout_s) do
        connection.start unless connection.started?
        connection.request(request)
      end
      @lock.synchronize { @idle.push(connection) }
      response
    rescue Timeout::Error
      close(connection)
      raise TransportError.new("no answer within #{timeout_s.round(3)} s", error_type: 'timeout')
    rescue *BROKEN => e
      close(connection)
      raise TransportError.new("#{e.class}: #{e.message}", error_type: 'connection')
    end

    def open_connection
      connection = Net::HTTP.new(@base.host, @base.port)
      connection.use_ssl = @base.scheme == 'https'
      connection.keep_alive_timeout = 60 # seconds; by default two, which is shorter than many an interval
      connection.max_retries = 0 # by default a GET that got no answer is sent again, unseen by the caller
      connection.ignore_eof = false if connection.respond_to?(:ignore_eof=) # half an answer is none
      connection.open_timeout = connection.read_timeout = connection.write_timeout = nil
      connection
    end

    def close(connection)
      connection.finish if connection&.started?
    rescue IOError
      nil # it is closed already
    end

    def headers
      filled(API['headers']).merge('Content-Type' => 'application/json')
    end

    def filled(kinds)
      kinds.transform_values { |kind| @credentials.fetch(kind) }
    end

    # A JSON Web Token that the server's side of an application signs for itself.
    def token(secret)
      signed = [{ alg: 'HS256', typ: 'JWT' }, { server: true }].map { |part| base64(JSON.generate(part)) }.join('.')
      "#{signed}.#{base64(OpenSSL::HMAC.digest('SHA256', secret, signed))}"
    end

    def base64(bytes)
      [bytes].pack('m0').tr('+/', '-_').delete('=')
    end

    def now_s
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
