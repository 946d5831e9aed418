// The probe of the Go kit; see test_kit_conformance.py.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"waitproof.dev/kits/go/kit"
)

type client struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

type arguments struct {
	Gate string `json:"gate"`
}

type taskFailed struct{ fields map[string]any }

func (taskFailed) Error() string { return "the task failed" }

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type unprintable struct{}

func (e unprintable) Error() string { panic(e) }

type throws struct{}

func (throws) MarshalJSON() ([]byte, error) { panic("a lazy body") }

type refuses struct{}

func (refuses) MarshalJSON() ([]byte, error) { return nil, errors.New("a lazy body") }

type loop map[string]any

var (
	early = os.Stdout // a logger that took it before main began
	built = 0
	gates sync.Map
)

func gate(name string) chan struct{} {
	opened, _ := gates.LoadOrStore(name, make(chan struct{}))
	return opened.(chan struct{})
}

func payload(taskID string, otherwise any) any {
	if levels, isDeep := strings.CutPrefix(taskID, "deep:"); isDeep {
		count, _ := strconv.Atoi(levels)
		return json.RawMessage(strings.Repeat("[", count) + strings.Repeat("]", count))
	}
	within := loop{}
	within["self"] = within
	digits, _ := new(big.Int).SetString(strings.Repeat("9", 40), 10)
	payload, isKnown := map[string]any{
		"nan":                  map[string]any{"a": map[string]any{"b": []any{1, math.NaN()}}},
		"infinity":             math.Inf(-1),
		"foreign":              map[string]any{"a": []any{func() {}}},
		"throws":               map[string]any{"a": []any{throws{}}},
		"refuses":              map[string]any{"a": []any{refuses{}}},
		"bytes":                map[string]any{"a": []byte("x")},
		"not-utf-8":            map[string]any{"a": "\xff"},
		"raw":                  json.RawMessage("{\"a\":\"\xff\"}"),
		"key":                  map[string]any{"a": map[string]any{"\xff": 1}},
		"bytes-of-a-surrogate": "\xed\xa0\x80",
		"loop":                 within,
		"null":                 (*string)(nil),
		"text":                 map[string]any{"text": "é\u2028\x7f\n\"\\"},
		"numbers":              []any{0.1, -0.5, 1.5e300, 9007199254740993},
		"exact":                json.RawMessage(`{"odd":9007199254740993,"lone":"\ud800","html":"<&>"}`),
		"digits":               []any{digits, int64(math.MaxInt64)},
		"time":                 []any{time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
	}[taskID]
	if isKnown {
		return payload
	}
	return otherwise
}

func wait(ctx context.Context, c *client, taskID string, options kit.Options) (any, error) {
	absent := (*string)(nil)
	fields := map[string]any{"task_id": "1", "description": "", "stack_trace": absent}
	if strings.HasPrefix(taskID, "until-cancelled") {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}
	switch taskID {
	case "fails", "until-cancelled-own":
		return nil, taskFailed{fields}
	case "until-cancelled":
		return nil, fmt.Errorf("wrapped: %w", ctx.Err())
	case "fails-oddly":
		fields["description"] = math.NaN()
		return nil, fmt.Errorf("wrapped: %w", taskFailed{fields})
	case "fails-brokenly":
		fields["description"] = throws{}
		return nil, taskFailed{fields}
	case "fails-not-utf-8":
		fields["description"] = "\xff"
		return nil, taskFailed{fields}
	case "caused":
		return nil, fmt.Errorf("the wait: %w", errors.New("no divisor"))
	case "language-error":
		return nil, errors.New("no \xff divisor")
	case "unprintable":
		return nil, unprintable{}
	case "nil":
		return nil, (*nilError)(nil)
	case "panic":
		var nothing map[string]int
		nothing["x"] = 1
	case "unsupported":
		return nil, kit.Unsupported("no overload with the interval alone")
	case "undescribable", "undescribable-unprintable":
		return nil, fmt.Errorf("%s: %w", taskID, io.ErrUnexpectedEOF)
	case "stdin":
		text, err := io.ReadAll(os.Stdin)
		return string(text), err
	case "sleeps":
		time.Sleep(30 * time.Millisecond)
	}
	if strings.HasPrefix(taskID, "gate:") {
		<-gate(taskID)
	}
	if line, prints := strings.CutPrefix(taskID, "prints:"); prints {
		fmt.Println(line)
		fmt.Fprintln(early, line)
		child := exec.Command("sh", "-c", `cat; echo "$0"`, line)
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := child.Run(); err != nil {
			return nil, err
		}
	}
	given := map[string]any{}
	if options.PollInterval != nil {
		given["poll_interval"] = options.PollInterval.Seconds()
	}
	if options.Timeout != nil {
		given["timeout"] = options.Timeout.Seconds()
	}
	if options.MaxPolls != nil {
		given["max_polls"] = *options.MaxPolls
	}
	return payload(taskID, map[string]any{"task_id": taskID, "options": given, "client": c}), nil
}

func main() {
	adapter := kit.Adapter[*client, arguments]{
		SDK:          kit.SDK{Name: "fake", Version: "1.2.3"},
		Helper:       "Fake.wait",
		ResultPath:   "data.result",
		Capabilities: map[string]any{"cancel": true},
		Connect: func(baseURL, apiKey, apiSecret string) (*client, error) {
			switch apiKey {
			case "refused":
				return nil, errors.New("this key builds no client")
			case "unprintable":
				return nil, unprintable{}
			}
			built++
			return &client{built, baseURL, apiKey, apiSecret}, nil
		},
		Wait: wait,
		GetTask: func(_ *client, taskID string) (kit.Task, error) {
			failure := map[string]any{"type": "timeout"}
			return kit.Task{ID: taskID, Status: "failed", Result: payload(taskID, nil), Error: failure}, nil
		},
		Operations: []string{"open"},
		Begin: func(_ *client, _ string, arguments arguments) (any, error) {
			close(gate(arguments.Gate))
			return &arguments.Gate, nil
		},
		Describe: func(err error) kit.Exception {
			var failed taskFailed
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF) && strings.HasPrefix(err.Error(), "undescribable-unprintable"):
				panic(unprintable{})
			case errors.Is(err, io.ErrUnexpectedEOF):
				panic("describe is broken")
			case errors.As(err, &failed):
				return kit.Exception{Kind: "task", Fields: failed.fields}
			}
			return kit.Exception{}
		},
	}
	if len(os.Args) > 1 {
		adapter.Wait, adapter.GetTask, adapter.Operations = nil, nil, nil
		adapter.Capabilities = map[string]any{"timeout_resolution": 1}
	}
	kit.Run(adapter)
}
