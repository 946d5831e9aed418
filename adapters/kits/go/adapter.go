// The adapter of the task client: copy this folder, and let the functions below call your SDK.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"

	"waitproof.dev/kits/go/kit"
	"waitproof.dev/kits/go/taskclient"
)

//go:embed api.json
var apiFile []byte

var api taskclient.API

// For your SDK: a struct with json tags for the arguments of all its operations together.
type arguments = map[string]any

func main() {
	if err := json.Unmarshal(apiFile, &api); err != nil {
		fmt.Fprintln(os.Stderr, "api.json:", err)
		os.Exit(2)
	}
	operations := []string{}
	for name := range api.Operations {
		operations = append(operations, name)
	}
	sort.Strings(operations)
	kit.Run(kit.Adapter[*taskclient.Client, arguments]{
		SDK:          kit.SDK{Name: "example client", Version: "1.0.0"},
		Helper:       "Client.WaitForTask",
		ResultPath:   "",
		Capabilities: map[string]any{"cancel": true, "options": api.Options},
		Connect:      connect,
		Wait:         wait,
		GetTask:      getTask,
		Operations:   operations,
		Begin:        begin,
		Describe:     describe,
	})
}

func connect(baseURL, apiKey, apiSecret string) (*taskclient.Client, error) {
	return taskclient.New(&api, baseURL, apiKey, apiSecret), nil
}

func wait(ctx context.Context, client *taskclient.Client, taskID string, options kit.Options) (any, error) {
	var given []taskclient.WaitOption
	if options.PollInterval != nil {
		given = append(given, taskclient.WithPollInterval(*options.PollInterval))
	}
	if options.Timeout != nil {
		given = append(given, taskclient.WithTimeout(*options.Timeout))
	}
	if options.MaxPolls != nil {
		given = append(given, taskclient.WithMaxPolls(*options.MaxPolls))
	}
	return client.WaitForTask(ctx, taskID, given...)
}

func getTask(client *taskclient.Client, taskID string) (kit.Task, error) {
	task, err := client.GetTask(context.Background(), taskID)
	if err != nil {
		return kit.Task{}, err
	}
	return kit.Task{ID: task.ID, Status: task.Status, Result: task.Result, Error: task.Error}, nil
}

// Your SDK has a method for each operation: call that here.
func begin(client *taskclient.Client, operation string, arguments arguments) (any, error) {
	return client.Begin(context.Background(), operation, arguments)
}

func describe(err error) kit.Exception {
	var task *taskclient.TaskError
	var transport *taskclient.TransportError
	var refused *taskclient.APIError
	switch {
	case errors.As(err, &task):
		return kit.Exception{Kind: "task", Fields: task.Task.Fields}
	case errors.As(err, &transport) && transport.ErrorType == "timeout":
		return kit.Exception{Kind: api.Timeout.Kind, Type: api.Timeout.Type, Fields: api.Timeout.Fields}
	case errors.As(err, &transport):
		return kit.Exception{Kind: "transport", Fields: map[string]any{"error_type": transport.ErrorType}}
	case errors.As(err, &refused):
		return kit.Exception{Kind: "api", Fields: map[string]any{
			"status_code": refused.StatusCode, "message": refused.Message,
		}}
	default:
		return kit.Exception{}
	}
}
