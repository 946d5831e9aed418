// The adapter of Meilisearch's Go SDK.
package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"

	"github.com/meilisearch/meilisearch-go"
	"waitproof.dev/kits/go/kit"
)

// arguments of all operations together.
type arguments struct {
	IDs     []string `json:"ids"`
	Indexes []string `json:"indexes"`
}

func main() {
	kit.Run(kit.Adapter[meilisearch.ServiceManager, arguments]{
		SDK:    kit.SDK{Name: "meilisearch-go", Version: version()},
		Helper: "TaskReader.WaitForTask",
		// The context is the timeout: without one, WaitForTask waits for as long as the task takes.
		Capabilities: map[string]any{"cancel": true, "no_timeout": true, "required_options": []string{"timeout"}, "zero_values": true},
		Connect:      connect,
		Wait:         wait,
		GetTask:      getTask,
		Operations:   []string{"add_documents", "delete_documents", "swap_indexes"},
		Begin:        begin,
		Describe:     describe,
	})
}

func connect(baseURL, _, apiSecret string) (meilisearch.ServiceManager, error) {
	return meilisearch.New(baseURL, meilisearch.WithAPIKey(apiSecret)), nil
}

func wait(ctx context.Context, client meilisearch.ServiceManager, taskID string, options kit.Options) (any, error) {
	uid, err := strconv.ParseInt(taskID, 10, 64)
	if err != nil {
		return nil, err
	}
	if options.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *options.Timeout)
		defer cancel()
	}
	if options.PollInterval == nil { // an interval of 0 is the default
		return client.WaitForTask(ctx, uid, 0)
	}
	return client.WaitForTask(ctx, uid, *options.PollInterval)
}

func getTask(client meilisearch.ServiceManager, taskID string) (kit.Task, error) {
	uid, err := strconv.ParseInt(taskID, 10, 64)
	if err != nil {
		return kit.Task{}, err
	}
	task, err := client.GetTask(context.Background(), uid)
	if err != nil {
		return kit.Task{}, err
	}
	return kit.Task{ID: task.UID, Status: task.Status, Result: task.Details, Error: task.Error}, nil
}

func begin(client meilisearch.ServiceManager, operation string, arguments arguments) (any, error) {
	ctx := context.Background()
	movies := client.Index("movies")
	var info *meilisearch.TaskInfo
	var err error
	switch operation {
	case "add_documents":
		var documents []map[string]string
		for _, id := range arguments.IDs {
			documents = append(documents, map[string]string{"id": id, "title": "Carol"})
		}
		info, err = movies.AddDocuments(ctx, documents, nil)
	case "delete_documents":
		info, err = movies.DeleteDocuments(ctx, arguments.IDs, nil)
	default:
		swap := []*meilisearch.SwapIndexesParams{{Indexes: arguments.Indexes}}
		info, err = client.SwapIndexes(ctx, swap)
	}
	if err != nil {
		return nil, err
	}
	return info.TaskUID, nil
}

// describe tells the SDK's errors apart by their codes: all of them are a *meilisearch.Error.
func describe(err error) kit.Exception {
	if errors.Is(err, context.Canceled) { // what a context promises its caller, whatever the SDK's code for it
		return kit.Exception{}
	}
	var meiliErr *meilisearch.Error
	if !errors.As(err, &meiliErr) {
		if errors.Is(err, context.DeadlineExceeded) { // what a context promises its caller
			return kit.Exception{Kind: "transport"}
		}
		return kit.Exception{}
	}
	switch meiliErr.ErrCode {
	case meilisearch.APIError, meilisearch.APIErrorWithoutMessage:
		return kit.Exception{Kind: "api", Fields: map[string]any{
			"status_code": meiliErr.StatusCode, "code": meiliErr.APIError.Code,
		}}
	case meilisearch.TimeoutError:
		return kit.Exception{Kind: "transport", Type: "*meilisearch.Error TimeoutError"}
	case meilisearch.CommunicationError, meilisearch.MaxRetriesExceeded:
		return kit.Exception{Kind: "transport"}
	default:
		return kit.Exception{}
	}
}

// version returns the version of the SDK that this program was built with.
func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/meilisearch/meilisearch-go" {
			return module.Version
		}
	}
	return "unknown"
}
