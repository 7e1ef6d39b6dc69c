package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

// FuzzBodies: whatever a client sends is taken or refused, and no silence holds
// for every alert there is.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"matchers":["category=cache"],"duration":"2h","comment":"x"}`, `{"matchers":["a=~.*"],"ends_at":"2999-01-01T00:00:00Z","comment":"x"}`,
		`{"alerts":["a"],"until":"2999-01-01T00:00:00Z"}`, `{"matchers":["{a=b,c!=d}"],"duration":"1h","by":"ada"}`, `{"comment":null,"duration":7}`, `[]`, `{"a`,
		`{"matchers":["a=b"],"duration":"290y","starts_at":"9999-12-31T23:59:59Z","comment":"x"}`,
	} {
		f.Add(body)
	}
	a := fires("cache-hit-rate", alert.Critical, "category", "cache")
	f.Fuzz(func(t *testing.T, body string) {
		h := newHands(a)
		handler := api.New(h.options()).Handler()
		for _, path := range [...]string{"/api/v1/silences", "/api/v1/silences/preview", "/api/v1/acks", "/api/v1/alerts/" + a.ID + "/ack", "/api/v1/alerts/" + a.ID + "/snooze"} {
			if w := do(t, handler, http.MethodPost, path, strings.NewReader(body)); w.Code >= 500 {
				t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
			}
		}
		for _, s := range h.silences {
			if s.Matchers.Matches(nil) {
				t.Errorf("%s silences everything", s.Matchers)
			}
		}
		if w := get(t, handler, "/api/v1/silences"); w.Code != http.StatusOK {
			t.Errorf("the list answers %d: %s", w.Code, w.Body)
		}
	})
}
