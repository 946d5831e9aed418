// The adapter of meilisearch-go up to 0.27, whose waits took their context in a struct.
package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/meilisearch/meilisearch-go"
	"waitproof.dev/kits/go/kit"
)

func main() {
	kit.Run(kit.Adapter[*meilisearch.Client, struct{}]{
		SDK:          kit.SDK{Name: "meilisearch-go", Version: version()},
		Helper:       "Client.WaitForTask",
		Capabilities: map[string]any{"options_together": true, "zero_values": true, "get_task": false},
		Connect: func(baseURL, _, apiSecret string) (*meilisearch.Client, error) {
			return meilisearch.NewClient(meilisearch.ClientConfig{Host: baseURL, APIKey: apiSecret}), nil
		},
		Wait:     wait,
		Describe: describe,
	})
}

func wait(ctx context.Context, client *meilisearch.Client, taskID string, options kit.Options) (any, error) {
	uid, err := strconv.ParseInt(taskID, 10, 64)
	if err != nil {
		return nil, err
	}
	if options.Timeout == nil {
		return client.WaitForTask(uid)
	}
	ctx, cancel := context.WithTimeout(ctx, *options.Timeout)
	defer cancel()
	interval := 50 * time.Millisecond
	if options.PollInterval != nil {
		interval = *options.PollInterval
	}
	return client.WaitForTask(uid, meilisearch.WaitParams{Context: ctx, Interval: interval})
}

func describe(err error) kit.Exception {
	if errors.Is(err, context.Canceled) { // what a context promises its caller, whatever the SDK's code for it
		return kit.Exception{}
	}
	var meiliErr *meilisearch.Error
	if errors.Is(err, context.DeadlineExceeded) {
		return kit.Exception{Kind: "transport"}
	}
	if !errors.As(err, &meiliErr) {
		return kit.Exception{}
	}
	switch meiliErr.ErrCode {
	case meilisearch.MeilisearchApiError, meilisearch.MeilisearchApiErrorWithoutMessage:
		return kit.Exception{Kind: "api"}
	case meilisearch.MeilisearchTimeoutError:
		return kit.Exception{Kind: "transport", Type: "*meilisearch.Error TimeoutError"}
	default:
		return kit.Exception{Kind: "transport"}
	}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/meilisearch/meilisearch-go" {
			return module.Version
		}
	}
	return "unknown"
}
