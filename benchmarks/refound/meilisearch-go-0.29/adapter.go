// The adapter of meilisearch-go from 0.28 to 0.35, whose waits came with and without a context.
package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"

	"github.com/meilisearch/meilisearch-go"
	"waitproof.dev/kits/go/kit"
)

func main() {
	kit.Run(kit.Adapter[meilisearch.ServiceManager, struct{}]{
		SDK:          kit.SDK{Name: "meilisearch-go", Version: version()},
		Helper:       "WaitForTaskWithContext",
		Capabilities: map[string]any{"cancel": true, "required_options": []string{"timeout"}, "zero_values": true, "get_task": false},
		Connect: func(baseURL, _, apiSecret string) (meilisearch.ServiceManager, error) {
			return meilisearch.New(baseURL, meilisearch.WithAPIKey(apiSecret)), nil
		},
		Wait:     wait,
		Describe: describe,
	})
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
	if options.PollInterval == nil {
		return client.WaitForTaskWithContext(ctx, uid, 0)
	}
	return client.WaitForTaskWithContext(ctx, uid, *options.PollInterval)
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
