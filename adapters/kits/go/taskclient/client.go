// Package taskclient is a small client of Stream's tasks on net/http, with a wait helper that keeps every promise
// of the documentation. It stands where your SDK will stand: adapter.go is the only file that knows it.
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
	"time"
)

const (
	defaultPollInterval = 1 * time.Second
	defaultTimeout      = 60 * time.Second
	requestTimeout      = 60 * time.Second // of requests that no wait's deadline bounds

	// The poll at the deadline needs some time to be answered: a twentieth of the timeout, at most a second.
	lastPollShare = 20
	lastPollLimit = 1 * time.Second
)

// Client is a client of one application, for any number of goroutines at once.
type Client struct {
	baseURL string
	query   string
	token   string
	http    *http.Client
}

// New returns a client.
func New(baseURL, apiKey, apiSecret string) *Client {
	return &Client{
		baseURL: baseURL,
		query:   url.Values{"api_key": {apiKey}}.Encode(),
		token:   serverToken(apiSecret),
		http: &http.Client{
			// A connection for each request: on one that was kept, net/http repeats a request by itself, and
			// a dropped poll would never be seen. At a poll a second it costs next to nothing.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			// A redirect isn't a task: it is an error like any status other than 2xx.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Task is one answer about a task.
type Task struct {
	ID     string          `json:"task_id"`
	Status string          `json:"status"`
	Result json.RawMessage `json:"result"` // as it came, so that no number is rounded
	Error  *ErrorResult    `json:"error"`
}

// ErrorResult says why a task failed; a pointer is nil where the answer says nothing.
type ErrorResult struct {
	Type        *string `json:"type"`
	Description *string `json:"description"`
	Stacktrace  *string `json:"stacktrace"`
	Version     *string `json:"version"`
}

// TaskError is a task that failed.
type TaskError struct {
	TaskID string
	ErrorResult
}

func (e *TaskError) Error() string {
	if e.Description == nil {
		return fmt.Sprintf("task %s failed", e.TaskID)
	}
	return fmt.Sprintf("task %s failed: %s", e.TaskID, *e.Description)
}

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
	Code       int    `json:"code"`
	Message    string `json:"message"`
}

func (e *APIError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.StatusCode, e.Message) }

// WaitOption changes one of the defaults of [Client.WaitForTask].
type WaitOption func(*waitConfig)

type waitConfig struct{ pollInterval, timeout time.Duration }

// WithPollInterval sets the time from an answer to the next poll, 1 s by default.
func WithPollInterval(d time.Duration) WaitOption { return func(c *waitConfig) { c.pollInterval = d } }

// WithTimeout sets how long to wait, 60 s by default.
func WithTimeout(d time.Duration) WaitOption { return func(c *waitConfig) { c.timeout = d } }

// WaitForTask polls until the task has ended and returns its result. The first poll is made at once; the last one
// at the deadline. A failed task is a [*TaskError], a missed deadline a [*TransportError] with the ErrorType
// "timeout", after which the task may still be running on the server.
func (c *Client) WaitForTask(ctx context.Context, taskID string, options ...WaitOption) (json.RawMessage, error) {
	config := waitConfig{defaultPollInterval, defaultTimeout}
	for _, option := range options {
		option(&config)
	}
	deadline := time.Now().Add(config.timeout)
	lastPoll := min(config.timeout/lastPollShare, lastPollLimit)
	for isLast := false; ; {
		task, err := c.getTask(ctx, taskID, max(time.Until(deadline), lastPoll))
		if err != nil {
			return nil, err
		}
		switch task.Status {
		case "completed":
			return task.Result, nil
		case "failed":
			failure := &TaskError{TaskID: taskID}
			if task.Error != nil {
				failure.ErrorResult = *task.Error
			}
			return nil, failure
		}
		left := time.Until(deadline)
		if isLast || left <= 0 {
			err := fmt.Errorf("task %s was %q after %v: %w", taskID, task.Status, config.timeout, context.DeadlineExceeded)
			return nil, &TransportError{"timeout", err}
		}
		isLast = left <= config.pollInterval
		select {
		case <-ctx.Done():
			return nil, transportError(ctx.Err())
		case <-time.After(min(config.pollInterval, left)):
		}
	}
}

// GetTask asks for the task once; a failed one is returned like any other.
func (c *Client) GetTask(ctx context.Context, taskID string) (*Task, error) {
	return c.getTask(ctx, taskID, requestTimeout)
}

// DeleteChannels begins to delete channels and returns the id of the task.
func (c *Client) DeleteChannels(ctx context.Context, cids []string, hardDelete bool) (string, error) {
	return c.begin(ctx, "/api/v2/chat/channels/delete", map[string]any{"cids": cids, "hard_delete": hardDelete})
}

// ExportChannels begins to export channels and returns the id of the task.
func (c *Client) ExportChannels(ctx context.Context, cids []string) (string, error) {
	channels := make([]map[string]string, len(cids))
	for i, cid := range cids {
		channels[i] = map[string]string{"cid": cid}
	}
	return c.begin(ctx, "/api/v2/chat/export_channels", map[string]any{"channels": channels})
}

// ExportUsers begins to export users and returns the id of the task.
func (c *Client) ExportUsers(ctx context.Context, userIDs []string) (string, error) {
	return c.begin(ctx, "/api/v2/export/users", map[string]any{"user_ids": userIDs})
}

// DeleteUsers begins to delete users and returns the id of the task.
func (c *Client) DeleteUsers(ctx context.Context, userIDs []string) (string, error) {
	return c.begin(ctx, "/api/v2/users/delete", map[string]any{"user_ids": userIDs})
}

func (c *Client) getTask(ctx context.Context, taskID string, timeout time.Duration) (*Task, error) {
	task := new(Task)
	err := c.send(ctx, http.MethodGet, "/api/v2/tasks/"+url.PathEscape(taskID), nil, timeout, task)
	if err == nil && task.Status == "" {
		err = malformed(errors.New("the answer has no status"))
	}
	return task, err
}

func (c *Client) begin(ctx context.Context, path string, arguments map[string]any) (string, error) {
	body, err := json.Marshal(arguments)
	if err != nil {
		return "", err
	}
	task := new(Task)
	err = c.send(ctx, http.MethodPost, path, body, requestTimeout, task)
	if err == nil && task.ID == "" {
		err = malformed(errors.New("the answer has no task_id"))
	}
	return task.ID, err
}

func (c *Client) send(ctx context.Context, method, path string, body []byte, timeout time.Duration, into any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout) // of the whole exchange, the body included
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.baseURL+path+"?"+c.query, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", c.token)
	request.Header.Set("Stream-Auth-Type", "jwt")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return transportError(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return transportError(err)
	}
	if response.StatusCode/100 != 2 {
		apiError := &APIError{Message: http.StatusText(response.StatusCode)}
		_ = json.Unmarshal(answer, apiError) // a proxy's page isn't JSON, and the status is enough
		apiError.StatusCode = response.StatusCode
		return apiError
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return malformed(err)
	}
	return nil
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
