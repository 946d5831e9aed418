// The adapter of the task client: copy this folder, and let the functions below call your SDK.
package main

import (
	"context"
	"errors"

	"waitproof.dev/kits/go/kit"
	"waitproof.dev/kits/go/taskclient"
)

// arguments of all operations together.
type arguments struct {
	CIDs       []string `json:"cids"`
	HardDelete bool     `json:"hard_delete"`
	UserIDs    []string `json:"user_ids"`
}

func main() {
	kit.Run(kit.Adapter[*taskclient.Client, arguments]{
		SDK:          kit.SDK{Name: "taskclient", Version: "1.0.0"},
		Helper:       "Client.WaitForTask",
		ResultPath:   "",
		Capabilities: map[string]any{"cancel": true},
		Connect:      connect,
		Wait:         wait,
		GetTask:      getTask,
		Operations:   []string{"delete_channels", "export_channels", "export_users", "delete_users"},
		Begin:        begin,
		Describe:     describe,
	})
}

func connect(baseURL, apiKey, apiSecret string) (*taskclient.Client, error) {
	return taskclient.New(baseURL, apiKey, apiSecret), nil
}

func wait(ctx context.Context, client *taskclient.Client, taskID string, options kit.Options) (any, error) {
	var given []taskclient.WaitOption
	if options.PollInterval != nil {
		given = append(given, taskclient.WithPollInterval(*options.PollInterval))
	}
	if options.Timeout != nil {
		given = append(given, taskclient.WithTimeout(*options.Timeout))
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

func begin(client *taskclient.Client, operation string, arguments arguments) (any, error) {
	ctx := context.Background()
	switch operation {
	case "delete_channels":
		return client.DeleteChannels(ctx, arguments.CIDs, arguments.HardDelete)
	case "export_channels":
		return client.ExportChannels(ctx, arguments.CIDs)
	case "export_users":
		return client.ExportUsers(ctx, arguments.UserIDs)
	default:
		return client.DeleteUsers(ctx, arguments.UserIDs)
	}
}

func describe(err error) kit.Exception {
	var task *taskclient.TaskError
	var transport *taskclient.TransportError
	var api *taskclient.APIError
	switch {
	case errors.As(err, &task):
		return kit.Exception{Kind: "task", Fields: map[string]any{
			"task_id":     task.TaskID,
			"error_type":  task.Type,
			"description": task.Description,
			"stack_trace": task.Stacktrace,
			"version":     task.Version,
		}}
	case errors.As(err, &transport):
		return kit.Exception{Kind: "transport", Fields: map[string]any{"error_type": transport.ErrorType}}
	case errors.As(err, &api):
		return kit.Exception{Kind: "api", Fields: map[string]any{
			"status_code": api.StatusCode, "code": api.Code, "message": api.Message,
		}}
	default:
		return kit.Exception{}
	}
}
