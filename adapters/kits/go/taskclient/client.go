// Package taskclient is a small client of the API in api.json on net/http, with a wait helper that keeps every
// promise of the documentation. It stands where your SDK will stand: adapter.go is the only file that knows it.
package taskclient

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	requestTimeout = 60 * time.Second // of requests that no wait's deadline bounds
	forever        = 100 * 365 * 24 * time.Hour

	// The poll at the deadline needs some time to be answered: a twentieth of the timeout, at most a second.
	lastPollShare = 20
	lastPollLimit = 1 * time.Second
)

// API is what an API looks like: the contents of api.json. Places are dotted paths.
type API struct {
	Poll            Endpoint             `json:"poll"`
	Headers         map[string]string    `json:"headers"` // each is the key, the secret or a token
	Query           map[string]string    `json:"query"`
	Paths           map[string]string    `json:"paths"`
	Done            []string             `json:"done"`
	Failed          []string             `json:"failed"`
	ExceptionFields map[string]string    `json:"exception_fields"`
	Timeout         Timeout              `json:"timeout"`
	Options         []string             `json:"options"`
	Pauses          Pauses               `json:"pauses"`
	WaitTimeout     *float64             `json:"wait_timeout"` // seconds
	MaxPolls        int                  `json:"max_polls"`
	Operations      map[string]Operation `json:"operations"`
}

// Pauses are those between polls, in seconds: the first, how the next comes of each, and the longest.
type Pauses struct {
	First float64 `json:"first"`
	Add   float64 `json:"add"`
	Times float64 `json:"times"`
	Most  float64 `json:"most"`
}

// Endpoint is a request.
type Endpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// Timeout is how a wait that is out of time ends.
type Timeout struct {
	Kind   string         `json:"kind"`
	Type   string         `json:"type"`
	Fields map[string]any `json:"fields"`
}

// Operation is a request that begins a task.
type Operation struct {
	Endpoint
	From   string `json:"from"` // where the arguments have what names the task
	To     string `json:"to"`   // where the body needs that, too
	TaskID string `json:"task_id"`
}

// Client is a client of one application, for any number of goroutines at once.
type Client struct {
	api     *API
	baseURL string
	query   string
	headers map[string]string
	http    *http.Client
}

// New returns a client.
func New(api *API, baseURL, apiKey, apiSecret string) *Client {
	known := map[string]string{"key": apiKey, "secret": apiSecret, "token": serverToken(apiSecret)}
	query, headers := url.Values{}, map[string]string{}
	for name, kind := range api.Query {
		query.Set(name, known[kind])
	}
	for name, kind := range api.Headers {
		headers[name] = known[kind]
	}
	return &Client{
		api:     api,
		baseURL: baseURL,
		query:   query.Encode(),
		headers: headers,
		http: &http.Client{
			// A connection for each request: on one that was kept, net/http repeats a request by itself, and
			// a dropped poll would never be seen. At a poll a second it costs next to nothing.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			// A redirect isn't a task: it is an error like any status other than 2xx.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Task is one answer about a task, each value as it came, so that no number is rounded.
type Task struct {
	ID     json.RawMessage
	Status string
	Result json.RawMessage
	Error  json.RawMessage
	Fields map[string]any // of the error, should it have failed

	Returned json.RawMessage // by a wait that has ended well
}

// TaskError is a task that failed.
type TaskError struct{ Task *Task }

func (e *TaskError) Error() string { return fmt.Sprintf("task %s failed: %s", e.Task.ID, e.Task.Error) }

// TransportError is an answer that did not come, or that is not the documented one.
type TransportError struct {
	ErrorType string // "timeout", "connection" or "malformed_answer"
	Err       error
}

func (e *TransportError) Error() string { return e.ErrorType + ": " + e.Err.Error() }
func (e *TransportError) Unwrap() error { return e.Err }

// APIError is an answer with a status that is not 2xx.
type APIError struct {
	StatusCode int    `json:"-"`
	Message    string `json:"message"`
}

func (e *APIError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.StatusCode, e.Message) }

// WaitOption changes one of the defaults of [Client.WaitForTask].
type WaitOption func(*waitConfig)

type waitConfig struct {
	pollInterval *time.Duration
	timeout      time.Duration
	maxPolls     int
}

// WithPollInterval sets the time from an answer to the next poll.
func WithPollInterval(d time.Duration) WaitOption { return func(c *waitConfig) { c.pollInterval = &d } }

// WithTimeout sets how long to wait.
func WithTimeout(d time.Duration) WaitOption { return func(c *waitConfig) { c.timeout = d } }

// WithMaxPolls sets after how many polls to give up.
func WithMaxPolls(n int) WaitOption { return func(c *waitConfig) { c.maxPolls = n } }

// WaitForTask polls until the task has ended and returns its result. The first poll is made at once; the last one
// at the deadline. A failed task is a [*TaskError], a missed deadline a [*TransportError] with the ErrorType
// "timeout", after which the task may still be running on the server.
func (c *Client) WaitForTask(ctx context.Context, taskID string, options ...WaitOption) (json.RawMessage, error) {
	config := waitConfig{timeout: forever, maxPolls: c.api.MaxPolls}
	if c.api.WaitTimeout != nil {
		config.timeout = seconds(*c.api.WaitTimeout)
	}
	for _, option := range options {
		option(&config)
	}
	deadline := time.Now().Add(config.timeout)
	lastPoll := min(config.timeout/lastPollShare, lastPollLimit)
	pause := seconds(c.api.Pauses.First)
	if config.pollInterval != nil {
		pause = *config.pollInterval
	}
	isLast := false
	for polls := 1; ; polls++ {
		limit := max(time.Until(deadline), lastPoll)
		if config.timeout == forever {
			limit = requestTimeout
		}
		task, err := c.getTask(ctx, taskID, limit)
		if err != nil {
			return nil, err
		}
		if slices.Contains(c.api.Done, task.Status) {
			return task.Returned, nil
		}
		if slices.Contains(c.api.Failed, task.Status) {
			return nil, &TaskError{task}
		}
		left := time.Until(deadline)
		if isLast || left <= 0 || polls == config.maxPolls {
			err := fmt.Errorf("task %s was %q after %v: %w", taskID, task.Status, config.timeout, context.DeadlineExceeded)
			return nil, &TransportError{"timeout", err}
		}
		isLast = left <= pause
		select {
		case <-ctx.Done():
			return nil, transportError(ctx.Err())
		case <-time.After(min(pause, left)):
		}
		if config.pollInterval == nil {
			known := c.api.Pauses
			pause = seconds(min(pause.Seconds()*known.Times+known.Add, known.Most))
		}
	}
}

// GetTask asks for the task once; a failed one is returned like any other.
func (c *Client) GetTask(ctx context.Context, taskID string) (*Task, error) {
	return c.getTask(ctx, taskID, requestTimeout)
}

// Begin begins an operation and returns the id of the task. An SDK has a method for each of them.
func (c *Client) Begin(ctx context.Context, operation string, arguments map[string]any) (json.RawMessage, error) {
	known := c.api.Operations[operation]
	text, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	path, body, named := known.Path, text, at(text, known.From)
	if strings.Contains(path, "{token}") {
		var part string
		_ = json.Unmarshal(named, &part)
		path, body = strings.Replace(path, "{token}", url.PathEscape(part), 1), nil
	} else if known.To != "" {
		if body, err = json.Marshal(merged(arguments, nested(known.To, named))); err != nil {
			return nil, err
		}
	} else if len(arguments) == 0 {
		body = nil
	}
	answer, err := c.send(ctx, known.Method, path, body, requestTimeout)
	if err != nil {
		return nil, err
	}
	return at(answer, known.TaskID), nil
}

func (c *Client) getTask(ctx context.Context, taskID string, timeout time.Duration) (*Task, error) {
	path := strings.Replace(c.api.Poll.Path, "{task_id}", url.PathEscape(taskID), 1)
	answer, err := c.send(ctx, c.api.Poll.Method, path, nil, timeout)
	if err != nil {
		return nil, err
	}
	task := &Task{
		ID: c.place(answer, "task_id"), Result: c.place(answer, "result"), Error: c.place(answer, "error"),
		Fields: map[string]any{}, Returned: c.place(answer, "returned"),
	}
	if json.Unmarshal(c.place(answer, "status"), &task.Status) != nil || task.Status == "" {
		return nil, malformed(errors.New("the answer has no status"))
	}
	for name, place := range c.api.ExceptionFields {
		task.Fields[name] = at(answer, place)
	}
	return task, nil
}

func (c *Client) place(answer json.RawMessage, name string) json.RawMessage {
	return at(answer, c.api.Paths[name])
}

// at returns what is at a dotted path, as it came; null if there is nothing, and the value itself for "*".
func at(value json.RawMessage, path string) json.RawMessage {
	switch path {
	case "*":
		return value
	case "":
		return json.RawMessage("null")
	}
	for _, step := range strings.Split(path, ".") {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		if json.Unmarshal(value, &object) == nil {
			value = object[step]
		} else if index, err := strconv.Atoi(step); err == nil && json.Unmarshal(value, &list) == nil && index < len(list) {
			value = list[index]
		} else {
			value = nil
		}
		if value == nil {
			return json.RawMessage("null")
		}
	}
	return value
}

// nested returns an object, or a list, that has a value at a dotted path and nothing else.
func nested(path string, leaf any) any {
	steps := strings.Split(path, ".")
	for i := len(steps) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(steps[i]); err == nil {
			leaf = []any{leaf}
		} else {
			leaf = map[string]any{steps[i]: leaf}
		}
	}
	return leaf
}

// merged returns arguments with other members on top, or those others where they are a list.
func merged(arguments map[string]any, more any) any {
	object, isObject := more.(map[string]any)
	if !isObject {
		return more
	}
	for name, value := range arguments {
		if _, has := object[name]; !has {
			object[name] = value
		}
	}
	return object
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (c *Client) send(
	ctx context.Context, method, path string, body []byte, timeout time.Duration,
) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout) // of the whole exchange, the body included
	defer cancel()
	target := c.baseURL + path
	if c.query != "" {
		target += "?" + c.query
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range c.headers {
		request.Header.Set(name, value)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, transportError(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, transportError(err)
	}
	if response.StatusCode/100 != 2 {
		apiError := &APIError{Message: http.StatusText(response.StatusCode)}
		_ = json.Unmarshal(answer, apiError) // a proxy's page isn't JSON, and the status is enough
		apiError.StatusCode = response.StatusCode
		return nil, apiError
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(answer, &object); err != nil {
		return nil, malformed(err)
	}
	if object == nil {
		return nil, malformed(errors.New("the answer is null"))
	}
	return answer, nil
}

func transportError(err error) error {
	if errors.Is(err, context.Canceled) { // by the caller
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &TransportError{"timeout", err}
	}
	return &TransportError{"connection", err}
}

func malformed(err error) error { return &TransportError{"malformed_answer", err} }

// serverToken returns a JSON Web Token (HS256) that lets a server act for the application.
func serverToken(secret string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(`{"server":true}`))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}
