// Package kit is the Go side of waitproof's adapter protocol, version 1: one file, standard library only.
//
// It owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every
// answer. The SDK's name, how to build its client and which errors it has belong in an [Adapter], which is
// passed to [Run].
//
// The one fact to know: an error or a panic that leaves Wait, GetTask or Begin is reported as what the SDK's
// caller saw, so put only the call itself there. A panic anywhere else is an adapter error.
package kit

import (
	"bufio"
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	protocol = 1
	maxDepth = 200 // levels of one answer, its own object included: the protocol's limit
)

// Adapter is what the kit must know about one SDK. C is the SDK's client; A is a struct with json tags for the
// arguments of all its operations together.
type Adapter[C, A any] struct {
	SDK          SDK
	Helper       string         // the helper as its callers write it
	ResultPath   string         // path to the payload in what the helper returns, "" = it is the payload
	Capabilities map[string]any // besides those that the kit knows, under the protocol's names

	Connect func(baseURL, apiKey, apiSecret string) (C, error)

	// Wait calls the SDK's helper and returns the payload. Nil: the SDK ships no helper. If the helper takes a
	// context, pass ctx on and add the capability "cancel": true.
	Wait func(ctx context.Context, client C, taskID string, options Options) (result any, err error)

	// GetTask fetches one task. Nil: the SDK cannot.
	GetTask func(client C, taskID string) (Task, error)

	// Begin starts one of Operations and returns its task's id as the SDK gives it, a pointer included.
	Operations []string
	Begin      func(client C, operation string, arguments A) (taskID any, err error)

	// Describe classifies an error that the SDK documents; return the zero Exception for any other.
	Describe func(err error) Exception
}

// SDK names what is tested.
type SDK struct {
	Name    string
	Version string
}

// Options are the options of one wait. One that is nil was not given and must not be passed on: that is how
// the helper's defaults are tested.
type Options struct {
	PollInterval *time.Duration
	Timeout      *time.Duration
	MaxPolls     *int
	NoTimeout    bool // the caller asks for a wait without a timeout (capability "no_timeout")
}

// Task is one task as the SDK returned it. GetTask and Wait get an id that is an integer on the wire as its
// digits; report it here as the SDK has it.
type Task struct {
	ID     any `json:"task_id"`
	Status any `json:"status"`
	Result any `json:"result"`
	Error  any `json:"error"`
}

// Exception is what the documentation says of an error.
type Exception struct {
	Kind   string         // "task", "transport" or "api"; "" is any other
	Fields map[string]any // under their documented names; one that the error does not have is left out
	Type   string         // where one Go type stands for several documented errors; "" is the Go type
}

// Unsupported returns the error for a call that the SDK's signature cannot express.
func Unsupported(reason string) error { return unsupported(reason) }

type unsupported string

func (reason unsupported) Error() string { return string(reason) }

// Run serves the calls on stdin, each in its own goroutine. It returns at the end of stdin, when all of them
// have been answered.
func Run[C, A any](adapter Adapter[C, A]) {
	in, out := takeStdinAndStdout()
	s := &session[C, A]{adapter: adapter, out: out, clients: map[string]C{}, waits: map[string]context.CancelFunc{}}
	var inFlight sync.WaitGroup
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			s.receive(line, &inFlight)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				logf("stdin: %v", err)
			}
			break
		}
	}
	inFlight.Wait()
}

// message is any line of the harness.
type message struct {
	Op        string          `json:"op"`
	ID        json.RawMessage `json:"id"`
	BaseURL   any             `json:"base_url"`
	APIKey    any             `json:"api_key"`
	APISecret any             `json:"api_secret"`
	Client    *string         `json:"client"`
	TaskID    json.RawMessage `json:"task_id"`
	Options   json.RawMessage `json:"options"`
	Operation string          `json:"operation"`
	Arguments json.RawMessage `json:"arguments"`
	Call      json.RawMessage `json:"call"`
}

type answer map[string]any

// call is one call of the SDK, ready to be made.
type call[C any] func(client C) (returned any, err error)

type connection struct{ baseURL, apiKey, apiSecret string }

type session[C, A any] struct {
	adapter Adapter[C, A]

	writing sync.Mutex
	out     io.Writer

	connecting sync.Mutex
	connection *connection // from hello, nil before it came
	clients    map[string]C

	cancelling sync.Mutex
	waits      map[string]context.CancelFunc // of the waits in flight, by the call's id
}

func (s *session[C, A]) receive(line []byte, inFlight *sync.WaitGroup) {
	var m message
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(line, &m); {
	case !utf8.Valid(line):
		logf("a line that is not UTF-8: %.200q", line)
	case json.Valid(line) && line[0] != '{':
		logf("a line that is not an object: %.200q", line)
	case errors.As(err, &mistyped) && m.ID != nil:
		s.send(answer{"id": m.ID, "outcome": "adapter_error", "message": err.Error()})
	case err != nil:
		logf("a line that is not JSON (%v): %.200q", err, line)
	case m.Op == "hello":
		s.greet(&m)
	case m.ID == nil:
		logf("a call without an id: %.200q", line)
	case m.Op == "ping":
		s.send(answer{"id": m.ID, "outcome": "returned"})
	case m.Op == "cancel":
		s.send(s.cancel(&m))
	default:
		ctx := s.begin(&m)
		inFlight.Add(1)
		go func() {
			defer inFlight.Done()
			defer s.end(&m)
			s.send(s.answer(ctx, &m))
		}()
	}
}

// begin gives a wait its own context; the other calls share one that ends never.
func (s *session[C, A]) begin(m *message) context.Context {
	if m.Op != "wait" {
		return context.Background()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelling.Lock()
	defer s.cancelling.Unlock()
	s.waits[string(m.ID)] = cancel
	return ctx
}

func (s *session[C, A]) end(m *message) {
	s.cancelling.Lock()
	defer s.cancelling.Unlock()
	if cancel, known := s.waits[string(m.ID)]; known {
		cancel()
		delete(s.waits, string(m.ID))
	}
}

func (s *session[C, A]) cancel(m *message) answer {
	if can, _ := s.adapter.Capabilities["cancel"].(bool); !can {
		return answer{"id": m.ID, "outcome": "unsupported", "reason": "the helper takes no context"}
	}
	s.cancelling.Lock()
	defer s.cancelling.Unlock()
	if cancel, known := s.waits[string(m.Call)]; known { // it may have ended
		cancel()
	}
	return answer{"id": m.ID, "outcome": "returned"}
}

func (s *session[C, A]) greet(m *message) {
	baseURL, isText := m.BaseURL.(string)
	apiKey, hasKey := m.APIKey.(string)
	apiSecret, hasSecret := m.APISecret.(string)
	if !isText || !hasKey || !hasSecret {
		logf("a hello without a text as its 'base_url', 'api_key' or 'api_secret'")
		return
	}
	s.connecting.Lock()
	s.connection = &connection{baseURL, apiKey, apiSecret}
	s.connecting.Unlock()
	a := s.adapter
	capabilities := map[string]any{
		"wait":            a.Wait != nil,
		"get_task":        a.GetTask != nil,
		"operations":      append([]string{}, a.Operations...), // [] and not null where there are none
		"max_concurrency": 0,
		"end":             true,
	}
	for name, value := range a.Capabilities {
		capabilities[name] = value
	}
	s.send(answer{
		"op":       "hello",
		"protocol": protocol,
		"sdk": map[string]string{
			"name": a.SDK.Name, "version": a.SDK.Version, "language": "go", "runtime": runtime.Version(),
		},
		"helper":       a.Helper,
		"result_path":  a.ResultPath,
		"capabilities": capabilities,
	})
}

// answer makes one call. A panic outside of the SDK's call, where this function is, is an adapter error.
func (s *session[C, A]) answer(ctx context.Context, m *message) (reply answer) {
	reply = answer{"id": m.ID}
	defer func() {
		if trouble := recover(); trouble != nil {
			text := "panic: " + textOf(trouble)
			logf("%s\n%s", text, debug.Stack())
			reply = answer{"id": m.ID, "outcome": "adapter_error", "message": text}
		}
	}()
	member, call, err := s.bind(ctx, m)
	if err != nil {
		reply["outcome"], reply["message"] = "adapter_error", textOf(err)
		return reply
	}
	client, err := s.client(m)
	if err != nil {
		reply["outcome"], reply["message"] = "adapter_error", textOf(err)
		return reply
	}
	returned, elapsed, err := attempt(call, client)
	var reason unsupported
	if errors.As(err, &reason) {
		reply["outcome"], reply["reason"] = "unsupported", string(reason)
		return reply
	}
	if m.Op == "wait" {
		reply["elapsed"] = math.Round(elapsed.Seconds()*1e6) / 1e6
	}
	if err != nil {
		exception := s.describe(err)
		if exception["kind"] == "other" && ctx.Err() != nil && errors.Is(err, context.Canceled) {
			reply["outcome"] = "cancelled"
			return reply
		}
		reply["outcome"], reply["exception"] = "raised", exception
		return reply
	}
	reply["outcome"] = "returned"
	if text, flaw := encode(returned, 1); flaw != "" {
		reply["unencodable"] = flaw
	} else {
		reply[member] = text
	}
	return reply
}

// bind reads a call, and names the member of the answer for what it returns.
func (s *session[C, A]) bind(ctx context.Context, m *message) (member string, call call[C], err error) {
	a := s.adapter
	switch {
	case m.Op == "wait" && a.Wait != nil:
		taskID, err := readTaskID(m.TaskID)
		if err != nil {
			return "", nil, err
		}
		options, err := readOptions(m.Options)
		return "result", func(client C) (any, error) { return a.Wait(ctx, client, taskID, options) }, err
	case m.Op == "get_task" && a.GetTask != nil:
		taskID, err := readTaskID(m.TaskID)
		return "task", func(client C) (any, error) { return a.GetTask(client, taskID) }, err
	case m.Op == "begin" && contains(a.Operations, m.Operation):
		var arguments A
		if err := json.Unmarshal(m.Arguments, &arguments); err != nil {
			return "", nil, fmt.Errorf("arguments of %s: %w", m.Operation, err)
		}
		return "task_id", func(client C) (any, error) { return a.Begin(client, m.Operation, arguments) }, nil
	case m.Op == "begin":
		return "", nil, fmt.Errorf("unknown operation '%s'", m.Operation)
	default:
		return "", nil, fmt.Errorf("unknown op '%s'", m.Op)
	}
}

// client returns the client of that name; the lock makes calls at once build one.
func (s *session[C, A]) client(m *message) (client C, err error) {
	name := "default"
	if m.Client != nil {
		name = *m.Client
	}
	s.connecting.Lock()
	defer s.connecting.Unlock()
	client, known := s.clients[name]
	if known {
		return client, nil
	}
	hello := s.connection
	if hello == nil {
		return client, errors.New("a call before hello")
	}
	client, err = s.adapter.Connect(hello.baseURL, hello.apiKey, hello.apiSecret)
	if err != nil {
		return client, errors.New("no client: " + textOf(err))
	}
	s.clients[name] = client
	return client, nil
}

func (s *session[C, A]) describe(err error) answer {
	described := answer{"kind": "other", "type": fmt.Sprintf("%T", err), "message": textOf(err), "cause": causeOf(err)}
	var exception Exception
	if _, is := err.(panicked); is {
		described["type"] = "panic"
	} else if s.adapter.Describe != nil {
		exception = s.adapter.Describe(err)
	}
	if exception.Kind != "" {
		described["kind"] = exception.Kind
	}
	if exception.Type != "" {
		described["type"] = exception.Type
	}
	fields := answer{}
	for name, value := range exception.Fields {
		if text, flaw := encode(value, 3); flaw == "" {
			fields[name] = text
		} else if strings.HasPrefix(flaw, "nested") { // %#v would follow a loop forever
			fields[name] = fmt.Sprintf("%T", value)
		} else {
			fields[name] = fmt.Sprintf("%#v", value)
		}
	}
	described["fields"] = fields
	return described
}

// causeOf returns the type of the first error that an error wraps, "" where it wraps none.
func causeOf(err error) (name string) {
	defer func() { _ = recover() }() // an Unwrap that panics must not hide its error
	cause := errors.Unwrap(err)
	if several, is := err.(interface{ Unwrap() []error }); is && len(several.Unwrap()) > 0 {
		cause = several.Unwrap()[0]
	}
	if cause == nil {
		return ""
	}
	return fmt.Sprintf("%T", cause)
}

func (s *session[C, A]) send(reply answer) {
	line, err := json.Marshal(reply)
	if err != nil { // only from Capabilities: results and fields are encoded by now
		logf("an answer that JSON cannot carry: %v", err)
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.out.Write(append(line, '\n')); err != nil {
		logf("stdout: %v", err)
	}
}

// panicked is a panic in the SDK: its caller saw this instead of an error.
type panicked struct{ value any }

func (p panicked) Error() string { return textOf(p.value) }

// textOf is a value's text, also where Error or String panics: of a nil pointer in an error it does.
func textOf(value any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("<the text of %T cannot be read>", value)
		}
	}()
	switch v := value.(type) {
	case error:
		if p := reflect.ValueOf(value); p.Kind() == reflect.Pointer && p.IsNil() {
			return "<nil>"
		}
		return v.Error()
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprint(value)
}

func attempt[C any](call call[C], client C) (returned any, elapsed time.Duration, err error) {
	started := time.Now() // and Since: the monotonic clock
	defer func() {
		elapsed = time.Since(started)
		if value := recover(); value != nil {
			returned, err = nil, panicked{value}
		}
	}()
	returned, err = call(client)
	return
}

func readTaskID(raw json.RawMessage) (taskID string, err error) {
	if raw == nil {
		return "", errors.New("the call has no 'task_id'")
	}
	if raw[0] != '"' {
		return string(raw), nil
	}
	err = json.Unmarshal(raw, &taskID)
	return taskID, err
}

func readOptions(raw json.RawMessage) (options Options, err error) {
	if raw == nil {
		return options, nil
	}
	given := map[string]*float64{}
	if err := json.Unmarshal(raw, &given); err != nil {
		return options, fmt.Errorf("options: %w", err)
	}
	for name, value := range given {
		if value == nil && name == "timeout" {
			options.NoTimeout = true
			continue
		}
		if value == nil {
			return options, fmt.Errorf("option '%s' is null", name)
		}
		duration := time.Duration(math.Round(*value * float64(time.Second)))
		switch name {
		case "poll_interval":
			options.PollInterval = &duration
		case "timeout":
			options.Timeout = &duration
		case "max_polls":
			polls := int(*value)
			options.MaxPolls = &polls
		default:
			return options, fmt.Errorf("unknown option '%s'", name)
		}
	}
	return options, nil
}

func contains(names []string, name string) bool {
	for _, known := range names {
		if known == name {
			return true
		}
	}
	return false
}

// encode returns a value as JSON, or what JSON cannot carry and its place, such as "NaN at a.b[0]". Around the
// value there are that many levels of the answer.
func encode(value any, around int) (text json.RawMessage, flaw string) {
	if flaw := flawOf(reflect.ValueOf(value), "", around); flaw != "" {
		return nil, flaw
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err.Error()
	}
	if !utf8.Valid(text) { // a json.RawMessage is copied as it is
		return nil, "text that is not UTF-8"
	}
	if around+levels(text) > maxDepth { // what a MarshalJSON wrote is seen only here
		return nil, tooDeep
	}
	return text, ""
}

const tooDeep = "nested too deeply, or within itself"

// levels counts how deeply JSON is nested.
func levels(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > deepest {
				deepest = depth
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

var (
	jsonMarshaler = reflect.TypeOf((*json.Marshaler)(nil)).Elem()
	textMarshaler = reflect.TypeOf((*encoding.TextMarshaler)(nil)).Elem()
)

// pointers is the limit of pointers and interfaces on one path: only a loop has more. The levels of JSON are
// counted once they are written.
const pointers = 1000

// flawOf finds what [json.Marshal] refuses without naming its place, or changes silently. "" means no flaw.
func flawOf(v reflect.Value, path string, depth int) string {
	if !v.IsValid() {
		return ""
	}
	if v.Type().Implements(jsonMarshaler) || v.Type().Implements(textMarshaler) {
		return flawOfMarshaler(v, path)
	}
	if depth > maxDepth+pointers {
		return tooDeep
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return flawOf(v.Elem(), path, depth+1)
	case reflect.Float32, reflect.Float64:
		switch number := v.Float(); {
		case math.IsNaN(number):
			return at(path, "NaN")
		case math.IsInf(number, 1):
			return at(path, "Infinity")
		case math.IsInf(number, -1):
			return at(path, "-Infinity")
		}
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return at(path, "text that is not UTF-8")
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return at(path, v.Type().String()) // json.Marshal would make base64 of it
		}
		for i := 0; i < v.Len(); i++ {
			if flaw := flawOf(v.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1); flaw != "" {
				return flaw
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
		for _, key := range keys {
			name := fmt.Sprint(key)
			if !utf8.ValidString(name) {
				return at(path, "a key that is not UTF-8")
			}
			if flaw := flawOf(v.MapIndex(key), below(path, name), depth+1); flaw != "" {
				return flaw
			}
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" || !field.IsExported() {
				continue
			}
			if name == "" {
				name = field.Name
			}
			if flaw := flawOf(v.Field(i), below(path, name), depth+1); flaw != "" {
				return flaw
			}
		}
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return at(path, v.Type().String())
	}
	return ""
}

// flawOfMarshaler writes a value that writes itself: it may fail or panic.
func flawOfMarshaler(v reflect.Value, path string) (flaw string) {
	if !v.CanInterface() {
		return ""
	}
	defer func() {
		if trouble := recover(); trouble != nil {
			flaw = at(path, fmt.Sprintf("a value that panics (%s)", textOf(trouble)))
		}
	}()
	_, err := json.Marshal(v.Interface())
	var failed *json.MarshalerError
	if errors.As(err, &failed) {
		return at(path, fmt.Sprintf("a value that fails (%s)", textOf(failed.Err)))
	}
	return ""
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func at(path, what string) string {
	if path == "" {
		return what + " at the top"
	}
	return what + " at " + path
}

// takeStdinAndStdout returns the protocol's two streams, and leaves the SDK an empty stdin and a stdout that is
// stderr. What the variables point at is exchanged, not the variables: a logger may have copied os.Stdout
// before main began.
func takeStdinAndStdout() (in io.Reader, out io.Writer) {
	stdin, stdout := *os.Stdin, *os.Stdout
	if nothing, err := os.Open(os.DevNull); err == nil {
		*os.Stdin = *nothing
	}
	*os.Stdout = *os.Stderr
	return &stdin, &stdout
}

func logf(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "waitproof kit: "+format+"\n", values...)
}
