package api_test

import (
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/api"
)

func TestHeartbeats(t *testing.T) {
	f := newHands()
	h := api.New(f.options()).Handler()
	wantBody(t, do(t, h, "POST", "/api/v1/heartbeats/backup", strings.NewReader("what the job printed")), 200,
		`{"name":"backup","state":"ok","every_seconds":3600,"grace_seconds":60,"severity":"critical","last_beat":"2024-01-15T10:00:00.000Z","late_at":"2024-01-15T11:01:00.000Z"}`)
	if len(f.beats) != 1 {
		t.Errorf("beats %v", f.beats)
	}
	wantBody(t, get(t, h, "/api/v1/heartbeats"), 200, `"name":"nightly-report","state":"waiting"`, `"last_beat":null`, `"name":"lost","state":"late"`)
	wantError(t, do(t, h, "POST", "/api/v1/heartbeats/bakcup", nil), 404, "not_found", `there is no heartbeat "bakcup"; did you mean "backup"?`)
	wantError(t, do(t, h, "POST", "/api/v1/heartbeats/completely-else", nil), 404, "not_found", "GET /api/v1/heartbeats lists them")
	wantError(t, do(t, h, "GET", "/api/v1/heartbeats/backup", nil), 405, "method_not_allowed", "POST")

	none := api.New((&world{}).options()).Handler()
	wantBody(t, get(t, none, "/api/v1/heartbeats"), 200, `{"heartbeats":[]}`)
	wantError(t, do(t, none, "POST", "/api/v1/heartbeats/backup", nil), 404, "heartbeats_disabled", "add heartbeats:")
}
