# frozen_string_literal: true

# The probe of the Ruby kit; see test_kit_conformance.py.

require_relative 'kit'
require 'set'

class TaskFailed < StandardError
  attr_reader :task_id, :description, :stack_trace

  def initialize(description = '')
    super('the task failed')
    @task_id = '1'
    @description = description
  end
end

class TaskFailedBrokenly < TaskFailed
  def version
    raise KeyError, 'no version'
  end
end

class Unprintable < NotImplementedError
  def message
    raise self
  end
end

class Throws
  def to_h
    raise IndexError, 'a lazy body'
  end

  def inspect
    raise IndexError, 'a lazy body'
  end
end

Wrapped = Struct.new(:kind, :inner)
Task = Struct.new(:task_id, :status, :result, :error)

class Probe < WaitproofKit::Adapter
  LOOP = {}
  LOOP[:self] = LOOP
  PAYLOADS = {
    'nan' => { a: { 'b' => [1, Float::NAN] } },
    'infinity' => -Float::INFINITY,
    'foreign' => { a: [Set[[1, 2]]] },
    'throws' => { a: [Throws.new] },
    'bytes' => { a: "\xff" },
    'time' => { a: [Time.at(0)] },
    'latin-1' => { a: "\xe9".dup.force_encoding('ISO-8859-1') },
    'labelled-bytes' => { a: "\xc3\xa9".b },
    'bytes-of-a-surrogate' => "\xed\xa0\x80",
    'key' => { a: { 1 => 'x' } },
    'loop' => LOOP,
    'long-int' => { a: 10**5000 },
    'empty' => { object: {}, list: [] },
    'text' => { text: "é\u2028\x7f\n\"\\" },
    'numbers' => [0.1, -0.5, 1.5e300, 9_007_199_254_740_993],
    'all-numbers' => [0.1, 1.0, 1e-7, 1.5e300, 10**30],
    'object' => Wrapped.new('a', Wrapped.new(:b, nil)),
    'null' => nil
  }.freeze

  def initialize
    super
    @built = 0
    @gates = Hash.new { |gates, name| gates[name] = Queue.new }
  end

  def hello
    { sdk: { name: 'fake', version: '1.2.3' }, helper: 'Fake.wait', result_path: 'data.result',
      capabilities: { max_concurrency: 0, operations: ['open'] } }
  end

  def connect(base_url:, api_key:, api_secret:)
    raise 'this key builds no client' if api_key == 'refused'
    raise Unprintable if api_key == 'unprintable'

    sleep 0.01 # a thread that looks now must not build another
    { number: @built += 1, url: base_url, key: api_key, secret: api_secret }
  end

  def wait(client, task_id, **options)
    case task_id
    when /\Agate:/ then @gates[task_id].pop
    when /\Aprints:/ then print_line(task_id.delete_prefix('prints:'))
    when 'fails' then raise TaskFailed
    when 'fails-oddly' then raise TaskFailed, Float::NAN
    when 'fails-brokenly' then raise TaskFailedBrokenly, Throws.new
    when 'caused' then divide_and_fail
    when 'language-error' then 1 / 0
    when 'unprintable' then raise Unprintable
    when 'not-utf-8' then raise "not \xff UTF-8"
    when 'exit' then exit(3)
    when 'throw' then throw :nowhere
    when 'unsupported' then raise WaitproofKit::Unsupported, 'no overload with the interval alone'
    when 'undescribable', 'undescribable-unprintable' then raise KeyError, task_id
    when 'nothing' then return nil
    when 'stdin' then return { data: { result: $stdin.read } }
    when 'sleeps' then sleep 0.03
    end
    { data: { 'result' => payload(task_id, task_id: task_id, options: options, client: client) } }
  end

  def divide_and_fail
    1 / 0
  rescue ZeroDivisionError
    raise TaskFailed
  end

  def print_line(line)
    puts line
    STDOUT.write("#{line}\n")
    IO.for_fd(1, autoclose: false).syswrite("#{line}\n")
    system('sh', '-c', 'cat; echo "$0"', line)
  end

  def payload(name, otherwise)
    return (2..name[5..].to_i).reduce([]) { |deep, _| [deep] } if name.is_a?(String) && name.start_with?('deep:')

    PAYLOADS.fetch(name, otherwise)
  end

  def get_task(_client, task_id)
    Task.new(task_id, 'failed', payload(task_id, nil), { type: 'timeout' })
  end

  def begin_operation(_client, _operation, gate:, **)
    @gates[gate] << true << true
    { id: gate }
  end

  def read_task_id(returned)
    returned[:id]
  end

  def describe(error)
    case error
    when TaskFailed
      names = %i[task_id error_type description stack_trace version]
      { kind: 'task', fields: WaitproofKit.fields_of(error, *names) }
    when KeyError then raise error.message.end_with?('unprintable') ? Unprintable : 'describe is broken'
    end
  end
end

WaitproofKit.run(Probe.new)
