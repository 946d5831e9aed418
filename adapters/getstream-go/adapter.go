// The adapter of Stream's Go SDK.
package main

import (
	"context"
	"errors"

	getstream "github.com/GetStream/getstream-go/v5"
	"waitproof.dev/kits/go/kit"
)

// arguments of all operations together.
type arguments struct {
	CIDs       []string `json:"cids"`
	HardDelete *bool    `json:"hard_delete"`
	UserIDs    []string `json:"user_ids"`
}

func main() {
	kit.Run(kit.Adapter[*getstream.Stream, arguments]{
		SDK:          kit.SDK{Name: "getstream-go", Version: getstream.Version()},
		Helper:       "getstream.WaitForTask",
		ResultPath:   "Data.Result",
		Capabilities: map[string]any{"cancel": true},
		Connect:      connect,
		Wait:         wait,
		GetTask:      getTask,
		Operations:   []string{"delete_channels", "export_channels", "export_users", "delete_users"},
		Begin:        begin,
		Describe:     describe,
	})
}

func connect(baseURL, apiKey, apiSecret string) (*getstream.Stream, error) {
	return getstream.NewClient(apiKey, apiSecret, getstream.WithBaseUrl(baseURL))
}

func wait(ctx context.Context, client *getstream.Stream, taskID string, options kit.Options) (any, error) {
	var given []getstream.WaitForTaskOption
	if options.PollInterval != nil {
		given = append(given, getstream.WithWaitForTaskPollInterval(*options.PollInterval))
	}
	if options.Timeout != nil {
		given = append(given, getstream.WithWaitForTaskTimeout(*options.Timeout))
	}
	response, err := getstream.WaitForTask(ctx, client, taskID, given...)
	if err != nil {
		return nil, err
	}
	return response.Data.Result, nil
}

func getTask(client *getstream.Stream, taskID string) (kit.Task, error) {
	response, err := client.GetTask(context.Background(), taskID, &getstream.GetTaskRequest{})
	if err != nil {
		return kit.Task{}, err
	}
	task := response.Data
	return kit.Task{ID: task.TaskID, Status: task.Status, Result: task.Result, Error: task.Error}, nil
}

func begin(client *getstream.Stream, operation string, arguments arguments) (any, error) {
	ctx := context.Background()
	switch operation {
	case "delete_channels":
		response, err := client.Chat().DeleteChannels(ctx, &getstream.DeleteChannelsRequest{
			Cids: arguments.CIDs, HardDelete: arguments.HardDelete,
		})
		if err != nil {
			return nil, err
		}
		return response.Data.TaskID, nil
	case "export_channels":
		var channels []getstream.ChannelExport
		for _, cid := range arguments.CIDs {
			channels = append(channels, getstream.ChannelExport{Cid: getstream.PtrTo(cid)})
		}
		response, err := client.Chat().ExportChannels(ctx, &getstream.ExportChannelsRequest{Channels: channels})
		if err != nil {
			return nil, err
		}
		return response.Data.TaskID, nil
	case "export_users":
		response, err := client.ExportUsers(ctx, &getstream.ExportUsersRequest{UserIds: arguments.UserIDs})
		if err != nil {
			return nil, err
		}
		return response.Data.TaskID, nil
	default:
		response, err := client.DeleteUsers(ctx, &getstream.DeleteUsersRequest{UserIds: arguments.UserIDs})
		if err != nil {
			return nil, err
		}
		return response.Data.TaskID, nil
	}
}

func describe(err error) kit.Exception {
	var streamErr *getstream.StreamError
	if !errors.As(err, &streamErr) {
		return kit.Exception{}
	}
	switch {
	case errors.Is(err, getstream.ErrTaskFailed):
		return kit.Exception{Kind: "task", Fields: map[string]any{
			"task_id":     streamErr.Task.TaskID,
			"error_type":  streamErr.Task.ErrorType,
			"description": streamErr.Task.Description,
			"stack_trace": streamErr.Task.StackTrace,
			"version":     streamErr.Task.Version,
		}}
	case errors.Is(err, getstream.ErrTransport):
		return kit.Exception{Kind: "transport", Fields: map[string]any{"error_type": streamErr.ErrorType}}
	case errors.Is(err, getstream.ErrApiResponse):
		return kit.Exception{Kind: "api", Fields: map[string]any{
			"status_code": streamErr.StatusCode, "code": streamErr.Code, "message": streamErr.Message,
		}}
	default:
		return kit.Exception{}
	}
}
