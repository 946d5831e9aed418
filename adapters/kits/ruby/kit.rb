# frozen_string_literal: true

# The Ruby side of waitproof's adapter protocol, version 1: one file, standard library only, Ruby 2.7+.
#
# It owns the lines on stdin and stdout, the calls in flight (each in its own thread), the clients by name and the
# shape of every answer. The SDK's name, how to build its client and which exceptions it has belong in a
# subclass of WaitproofKit::Adapter:
#
#     class MyAdapter < WaitproofKit::Adapter
#       def hello
#         { sdk: { name: 'my-sdk', version: MySdk::VERSION }, helper: 'Client#wait_for_task',
#           result_path: 'data.result', capabilities: { max_concurrency: 0 } }
#       end
#
#       def connect(base_url:, api_key:, api_secret:)
#         MySdk::Client.new(api_key, api_secret, base_url: base_url)
#       end
#
#       def wait(client, task_id, **options)
#         client.wait_for_task(task_id, **options)
#       end
#
#       def describe(error)
#         case error
#         when MySdk::TaskError then { kind: 'task', fields: WaitproofKit.fields_of(error, :task_id, :error_type) }
#         end
#       end
#     end
#
#     WaitproofKit.run(MyAdapter.new)
#
# The one fact to know: an exception that leaves `wait`, `get_task` or `begin_operation` is reported as what the
# SDK's caller saw, so put only the call itself there. An exception anywhere else is an adapter error.

require 'json'

module WaitproofKit
  PROTOCOL = 1
  MAX_DEPTH = 200 # levels of one answer, its own object included: the protocol's limit
  MAX_DIGITS = 4300 # of an integer that the harness reads
  # What may stand before the escape of a lone surrogate, and that escape itself.
  SURROGATES = /(\\\\|\\u[dD][89abAB]\h{2}\\u[dD][c-fC-F]\h{2})|\\u[dD][89a-fA-F]\h{2}/n.freeze

  # Raise it in `wait`, `get_task` or `begin_operation` for a call that the SDK's signature cannot express.
  class Unsupported < StandardError; end

  # What the kit must know about one SDK.
  class Adapter
    # Return `sdk` (name and version), `helper`, `result_path` and `capabilities`, as on the wire.
    #
    # `result_path` is the path to the payload in what `wait` returned: methods or keys joined by dots, "" for the
    # returned value itself. The kit adds the language and the runtime. It can have any number of calls in flight;
    # set `max_concurrency` to what the SDK can have (0 = any number; absent = 1).
    def hello
      raise NotImplementedError, "#{self.class} has no hello"
    end

    # Build a client.
    def connect(base_url:, api_key:, api_secret:)
      raise NotImplementedError, "#{self.class} has no connect"
    end

    # Call the SDK's helper with exactly these options: an option that was not given is absent here.
    def wait(_client, _task_id, **_options)
      raise NotImplementedError, "#{self.class} has no wait"
    end

    # Fetch one task.
    def get_task(_client, _task_id)
      raise NotImplementedError, "#{self.class} has no get_task"
    end

    # Begin one of `capabilities.operations`; `arguments` has symbols for keys.
    def begin_operation(_client, _operation, **_arguments)
      raise NotImplementedError, "#{self.class} has no begin_operation"
    end

    # Return the task in what `get_task` returned: a hash, or an object with task_id, status, result and error.
    def read_task(returned)
      returned
    end

    # Return the task's id in what `begin_operation` returned.
    def read_task_id(returned)
      returned
    end

    # Return `kind` and `fields` of an exception that the SDK documents, nil for any other.
    #
    # The kit fills in `type` and `message` unless they are given. A field's value that JSON cannot carry is
    # reported as `inspect` shows it.
    def describe(_error)
      nil
    end
  end

  # Serve an SDK, a thread per call. Returns at the end of stdin, when every call is answered.
  def self.run(adapter)
    Session.new(adapter).serve
  end

  # Return what the named methods give; one that the exception lacks is left out (nil and "" are not).
  # A method that raises is reported as a text that says so.
  def self.fields_of(error, *names)
    names.select { |name| error.respond_to?(name) }.to_h { |name| [name, field_of(error, name)] }
  end

  def self.field_of(error, name)
    error.public_send(name)
  rescue StandardError, NotImplementedError => e # one broken field must not lose the others
    "<reading it raised #{e.class}>"
  end

  # The call cannot be made, and the SDK is not the reason.
  class CallError < StandardError; end

  # A value that JSON cannot carry, and its place.
  class UnencodableError < StandardError; end

  # The outcome of one call of the SDK; `error` is nil when it returned.
  Attempt = Struct.new(:returned, :error, :elapsed_s)

  # Reads the lines, makes the calls, and builds and writes the answers.
  class Session
    CALLS = { 'wait' => :wait, 'get_task' => :get_task, 'begin' => :begin_operation }.freeze

    def initialize(adapter)
      @adapter = adapter
      @input, @output = WaitproofKit.take_stdin_and_stdout
      @write_lock = Mutex.new
      @client_lock = Mutex.new
      @clients = {}
      @connection = nil
      @result_path = ''
      @operations = []
    end

    def serve
      in_flight = []
      each_message do |message|
        case message['op']
        when 'hello' then greet(message)
        when 'ping' then write(id: message['id'], outcome: 'returned')
        when 'cancel' then write(id: message['id'], outcome: 'unsupported', reason: "a thread can't be cancelled")
        else
          in_flight.select!(&:alive?)
          in_flight << Thread.new { answer(message) }
        end
      end
      in_flight.each(&:join)
    end

    private

    # --- calls ---

    def greet(message)
      names = %w[base_url api_key api_secret]
      missing = names.find { |name| !message[name].is_a?(String) }
      return log("a hello without a text as its '#{missing}'") if missing

      @connection = names.to_h { |name| [name.to_sym, message[name]] }
      hello = @adapter.hello
      sdk = { language: 'ruby', runtime: "#{RUBY_ENGINE} #{RUBY_VERSION}" }.merge(hello.fetch(:sdk))
      capabilities = { end: true }.merge(hello.fetch(:capabilities, {}))
      hello = { result_path: '' }.merge(hello, sdk: sdk, capabilities: capabilities)
      @result_path = hello.fetch(:result_path)
      @operations = hello.fetch(:capabilities).fetch(:operations, [])
      write({ op: 'hello', protocol: PROTOCOL }.merge(hello))
    end

    def answer(message)
      call = bind(message)
      write(report(message, attempt(call)))
    rescue CallError => e
      fail_call(message, e.message)
    rescue Exception => e # rubocop:disable Lint/RescueException -- of any kind: the harness waits for an answer
      text = "#{e.class}: #{WaitproofKit.message_of(e)}"
      log([text, *e.backtrace].join("\n\t"))
      fail_call(message, text)
    end

    # Return the call of the SDK, ready to be made: its client is built by now.
    def bind(message)
      op = message['op']
      name = CALLS.fetch(op) { raise CallError, "unknown op '#{op}'" }
      if @adapter.method(name).owner == Adapter
        raise CallError, "#{@adapter.class} has no #{name}, and hello did not say so"
      end
      return bind_begin(message) if op == 'begin'

      task_id = member(message, 'task_id')
      client = client_of(message)
      return -> { @adapter.get_task(client, task_id) } if op == 'get_task'

      options = message['options'] ? members(message, 'options') : {}
      -> { @adapter.wait(client, task_id, **options) }
    end

    def bind_begin(message)
      operation = member(message, 'operation')
      raise CallError, "unknown operation '#{operation}'" unless @operations.include?(operation)

      arguments = members(message, 'arguments')
      client = client_of(message)
      -> { @adapter.begin_operation(client, operation, **arguments) }
    end

    def member(message, name)
      message.fetch(name) { raise CallError, "the call has no '#{name}'" }
    end

    def members(message, name)
      value = member(message, name)
      raise CallError, "the call's '#{name}' are not an object" unless value.is_a?(Hash)

      value.transform_keys(&:to_sym)
    end

    def client_of(message)
      name = message.fetch('client', 'default')
      @client_lock.synchronize do
        raise CallError, 'a call before hello' if @connection.nil?

        @clients[name] ||= @adapter.connect(**@connection)
      end
    end

    def attempt(call)
      started_s = WaitproofKit.now_s
      returned = call.call
      Attempt.new(returned, nil, WaitproofKit.now_s - started_s)
    rescue Exception => e # rubocop:disable Lint/RescueException -- of any kind: the caller saw it
      Attempt.new(nil, e, WaitproofKit.now_s - started_s)
    end

    # --- answers ---

    def report(message, attempt)
      if attempt.error.is_a?(Unsupported)
        return { id: message['id'], outcome: 'unsupported', reason: WaitproofKit.message_of(attempt.error) }
      end

      answer = { id: message['id'] }
      if attempt.error
        answer.update(outcome: 'raised', exception: describe(attempt.error))
      else
        answer.update(outcome: 'returned', **payload(message['op'], attempt.returned))
      end
      answer[:elapsed] = attempt.elapsed_s.round(6) if message['op'] == 'wait'
      answer
    end

    # Return the answer's member for what was returned, or `unencodable` and the reason.
    def payload(op, returned)
      case op
      when 'wait' then { result: Plain.value(Plain.reach(returned, @result_path), '', 1) }
      when 'get_task' then { task: Plain.task(@adapter.read_task(returned)) }
      else { task_id: Plain.value(@adapter.read_task_id(returned), '', 1) }
      end
    rescue UnencodableError => e
      { unencodable: e.message }
    end

    def describe(error)
      known = { kind: 'other', type: error.class.to_s, message: WaitproofKit.message_of(error), fields: {} }
      described = known.merge(@adapter.describe(error) || {})
      fields = described[:fields].transform_values { |value| Plain.field(value) }
      described.merge(fields: fields, cause: error.cause.nil? ? '' : error.cause.class.to_s)
    end

    def fail_call(message, text)
      write(id: message['id'], outcome: 'adapter_error', message: WaitproofKit.readable(text))
    end

    # --- lines ---

    # Yield every call and ping that has an id, and hello.
    def each_message
      @input.each_line do |line|
        next if line.strip.empty?

        message = parse(line)
        next if message.nil?

        if message['op'] == 'hello' || Plain.text?(message['id'])
          yield message
        else
          log("a call without an id: #{message}")
        end
      end
    end

    def parse(line)
      raise EncodingError, 'it is not UTF-8' unless line.dup.force_encoding('UTF-8').valid_encoding?

      text = line.b.gsub(SURROGATES) { $1 || '\ufffd' } # Ruby's text is UTF-8, which has no lone surrogate
      message = JSON.parse(text.force_encoding('UTF-8'), max_nesting: MAX_DEPTH)
      return message if message.is_a?(Hash)

      log("a line that is not an object: #{line[0, 200].inspect}")
      nil
    rescue JSON::ParserError, EncodingError, ArgumentError => e
      log("a line that is not JSON (#{WaitproofKit.readable(e.message)[0, 200].tr("\n", ' ')})")
      nil
    end

    # Write one line. ASCII with escapes, so that no locale can change it.
    def write(answer)
      line = JSON.generate(answer, ascii_only: true, max_nesting: 0)
      @write_lock.synchronize do
        @output.write(line, "\n")
        @output.flush
      end
    end

    def log(text)
      warn("waitproof kit: #{text}")
    end
  end

  # Turns what an SDK returned into JSON's types, or names what it cannot turn, and its place.
  module Plain
    module_function

    # Follow a path as the SDK's caller would.
    def reach(returned, path)
      path.split('.').reduce(returned) do |value, step|
        if value.is_a?(Hash) && (value.key?(step) || value.key?(step.to_sym))
          value.key?(step) ? value[step] : value[step.to_sym]
        elsif !value.is_a?(Hash) && value.respond_to?(step)
          read(value, path, step)
        else
          raise UnencodableError, "nothing at #{path}: #{value.class} has no #{step.inspect}"
        end
      end
    end

    def read(value, path, step)
      value.public_send(step)
    rescue StandardError => e
      raise UnencodableError, "nothing at #{path}: reading #{step.inspect} raised #{e.class}"
    end

    # Return the four fields of a task, those that it has.
    def task(task)
      return value(task, '', 1) if task.nil? || task.is_a?(Hash)

      value(WaitproofKit.fields_of(task, :task_id, :status, :result, :error), '', 1)
    end

    def field(given)
      value(given, '', 3)
    rescue UnencodableError => e
      begin
        WaitproofKit.readable(given.inspect)
      rescue StandardError, NotImplementedError, SystemStackError # one broken field must not lose the others
        "<#{e.message}>"
      end
    end

    # Return a value as JSON's types; an object by its own `to_h` where it has one. `depth` is the number of the
    # answer's levels around the value.
    #
    # Raises UnencodableError with what JSON cannot carry and its path, such as "NaN at a.b[0]".
    def value(given, path, depth)
      case given
      when nil, true, false then given
      when Integer then integer(given, path)
      when Float then float(given, path)
      when String, Symbol then text(given.to_s, path)
      else
        raise UnencodableError, 'nested too deeply, or within itself' if depth >= MAX_DEPTH

        written(content_of(given, path), path, depth)
      end
    end

    def written(content, path, depth)
      case content
      when Array then content.each_with_index.map { |item, index| value(item, "#{path}[#{index}]", depth + 1) }
      when Hash then hash(content, path, depth)
      else value(content, path, depth + 1) # such as nil: a `to_h` may give anything
      end
    end

    # Return an array or a hash as it is, and what the `to_h` of an object gives.
    def content_of(given, path)
      return given if given.is_a?(Array) || given.is_a?(Hash)

      # A collection's `to_h` takes its items for pairs; a Struct is a collection of its members.
      is_object = given.respond_to?(:to_h) && (given.is_a?(Struct) || !given.is_a?(Enumerable))
      return given.to_h if is_object

      raise UnencodableError, at(path, given.class.to_s)
    rescue UnencodableError
      raise
    rescue StandardError, NotImplementedError, SystemStackError => e
      raise UnencodableError, at(path, "a value that raises #{e.class}")
    end

    def integer(given, path)
      # An integer of 14,000 bits has fewer digits than the limit: nearly every one need not be written to count them.
      return given if given.bit_length < 14_000 || given.abs.to_s.length <= MAX_DIGITS

      raise UnencodableError, at(path, 'an int too long to write')
    end

    def hash(given, path, depth)
      given.to_h do |key, item|
        raise UnencodableError, at(path, "#{key.class} as a key") unless key.is_a?(String) || key.is_a?(Symbol)

        name = text(key.to_s, path)
        [name, value(item, path.empty? ? name : "#{path}.#{name}", depth + 1)]
      end
    end

    def float(given, path)
      return given if given.finite?

      raise UnencodableError, at(path, given.to_s) # NaN, Infinity, -Infinity
    end

    def text?(given)
      given.is_a?(String) && given.valid_encoding?
    end

    # Return a text in UTF-8: what came from the network may be labelled as bytes, and still be UTF-8.
    def text(given, path)
      utf8 = given.encoding == Encoding::BINARY ? given.dup.force_encoding('UTF-8') : given.encode('UTF-8')
      return utf8 if utf8.valid_encoding?

      raise UnencodableError, at(path, 'text that is not UTF-8')
    rescue EncodingError
      raise UnencodableError, at(path, "text in #{given.encoding} that is not UTF-8")
    end

    def at(path, what)
      path.empty? ? "#{what} at the top" : "#{what} at #{path}"
    end
  end

  module_function

  def now_s
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # Return an exception's message; an exception without one that can be read must not hide the exception.
  def message_of(error)
    readable(error.message.to_s)
  rescue Exception # rubocop:disable Lint/RescueException -- a message may raise anything, its own exception too
    "<#{error.class}#message failed>"
  end

  # Return a text for people: what is not UTF-8 is replaced.
  def readable(text)
    text = text.encoding == Encoding::BINARY ? text.dup.force_encoding('UTF-8') : text
    text.encode('UTF-8', invalid: :replace, undef: :replace).scrub
  end

  # Return the protocol's two streams, and leave the SDK an empty stdin and a stdout that is stderr.
  #
  # The descriptors themselves are moved, so that neither `puts`, a logger, a C library nor a child process can
  # write between the lines of the protocol or read one of them.
  def take_stdin_and_stdout
    $stdout.flush
    input = $stdin.dup
    output = $stdout.dup
    $stdin.reopen(File::NULL)
    $stdout.reopen($stderr)
    $stdout.sync = $stderr.sync = true
    [input.binmode, output.binmode]
  end

  Thread.report_on_exception = false # an exception that the SDK's caller sees is reported as an answer
end
