package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/api"
)

type badPush struct{}

func (badPush) Error() string    { return "strategies.USER_RUNS.hits: -1 is less than 0" }
func (badPush) BadRequest() bool { return true }

func TestIngest(t *testing.T) {
	o := overviewWorld().options()
	wantError(t, do(t, api.New(o).Handler(), "POST", "/api/v1/ingest", strings.NewReader("{}")), 404, "ingest_disabled", "type: push")

	o.Ingester, o.Limits.MaxBodyBytes = accept{}, 10
	h := api.New(o).Handler()
	wantBody(t, do(t, h, "POST", "/api/v1/ingest", strings.NewReader(`{"a":1}`)), 200, `{"bytes":7}`)
	wantError(t, do(t, h, "POST", "/api/v1/ingest", strings.NewReader(strings.Repeat("x", 11))), 413, "body_too_large", "10B")
	wantError(t, do(t, h, "POST", "/api/v1/ingest", strings.NewReader("x"), "Content-Encoding", "gzip"), 415, "unsupported_encoding")

	o.Ingester = accept{errors.Join(badPush{})}
	wantError(t, do(t, api.New(o).Handler(), "POST", "/api/v1/ingest", strings.NewReader("{}")), 400, "bad_request", "USER_RUNS.hits: -1")
	o.Ingester = accept{errors.New("sink closed")}
	wantError(t, do(t, api.New(o).Handler(), "POST", "/api/v1/ingest", strings.NewReader("{}")), 500, "internal")
}

func TestReload(t *testing.T) {
	o := overviewWorld().options()
	wantError(t, do(t, api.New(o).Handler(), "POST", "/-/reload", nil), 501, "reload_disabled")
	o.Reloader = accept{}
	wantBody(t, do(t, api.New(o).Handler(), "POST", "/-/reload", http.NoBody), 200, `{"status":"reloaded"}`)
	o.Reloader = accept{errors.New("rules.yaml:12:5: rules[2].fro: unknown field\nrules.yaml:14:9: no such metric")}
	wantError(t, do(t, api.New(o).Handler(), "POST", "/-/reload", http.NoBody), 422, "config_refused", "12:5", "14:9")
	o.Reloader = accept{api.ErrStopping}
	wantError(t, do(t, api.New(o).Handler(), "POST", "/-/reload", http.NoBody), 503, "stopping", "the daemon is stopping")
}

func TestReady(t *testing.T) {
	o := overviewWorld().options()
	wantBody(t, get(t, api.New(o).Handler(), "/-/ready"), 200, `{"status":"ready"}`)
	wantBody(t, get(t, api.New(o).Handler(), "/-/healthy"), 200, `{"status":"healthy"}`)
	o.Ready = func(context.Context) error { return errors.New("the store is not open") }
	wantError(t, get(t, api.New(o).Handler(), "/-/ready"), 503, "not_ready", "the store is not open")
}

type slowReload struct{}

func (slowReload) Reload(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestWhatAHandlerWaitsForHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := overviewWorld().options()
		o.Reloader = slowReload{}
		began := time.Now()
		wantError(t, do(t, api.New(o).Handler(), "POST", "/-/reload", http.NoBody), 504, "timeout")
		if took := time.Since(began); took != api.DefaultLimits().ReloadTimeout {
			t.Errorf("gave up after %s", took)
		}
	})
}
