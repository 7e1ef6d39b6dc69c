package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

// service answers as its path says, and keeps what it was told.
type service struct {
	*httptest.Server
	mu   sync.Mutex
	told []string
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.told = append(s.told, string(body))
		s.mu.Unlock()
		switch r.URL.Path {
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/wrong":
			w.WriteHeader(http.StatusBadRequest)
		case "/slow":
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) url(path string) string {
	return "generic://" + strings.TrimPrefix(s.URL, "http://") + path + "?disabletls=yes&template=json"
}

func TestPlugin(t *testing.T) {
	s := newService(t)
	settings := func(path string) string { return fmt.Sprintf(`{"url": %q}`, s.url(path)) }
	plugintest.Run(t, plugintest.Build(t, "."),
		plugintest.Config(settings("/")),
		plugintest.Retry(settings("/busy")),
		plugintest.Permanent(settings("/wrong")),
		plugintest.Slow(settings("/slow")),
		plugintest.Bad(`{"url": "gotifi://host/token"}`),
	)
}

func TestATitleAndALineAnAlert(t *testing.T) {
	s := newService(t)
	cfg := Default()
	cfg.Most, cfg.URL = 2, secretURL(t, s.url("/"))
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Notify(t.Context(), notifiers.Sample(alert.Firing, 4)); err != nil {
		t.Fatal(err)
	}
	want := `{"message":"CRITICAL: Cache hit rate below 70% for USER_RUNS strategy [62.1% (threshold 70%)]\n` +
		`CRITICAL: Average query time above 500ms [612.4ms (threshold 500ms)]\n` +
		`and 2 more: https://tocsin.example.com/api/v1/alerts?match=team%3D%22web%22","title":"CRITICAL: web (4 alerts)"}`
	if got := s.told[0]; got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

func TestValidateNamesTheMistake(t *testing.T) {
	for _, row := range []struct{ url, want string }{
		{"gotifi://host/token", `url: shoutrrr knows no service "gotifi"; did you mean "gotify"?`},
		{"no service", `url: begins with no service; write for example gotify://`},
		{"fax://host", `url: shoutrrr knows no service "fax"; there are bark, discord,`},
		{"https://example.com/hook", `url: shoutrrr knows no service "https"`},
		{"telegram://s3cret-token@telegram", "url: "},
		{"matrix://user:password@host", ""},
		{"logger://", ""},
	} {
		cfg := Default()
		cfg.URL = secretURL(t, row.url)
		got := ""
		if err := cfg.Validate().Err(); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, row.want) || row.want == "" && got != "" || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %q, want %q", row.url, got, row.want)
		}
	}
}

func TestErrorsAreSortedAndShowNoSecret(t *testing.T) {
	cfg := Default()
	cfg.URL = secretURL(t, "telegram://12345678:AbCdEf-token@telegram?chats=@channel-name")
	for _, row := range []struct {
		text      string
		status    int
		permanent bool
	}{
		{`sending POST request to "https://api.telegram.org/bot12345678:AbCdEf-token/sendMessage": dial tcp: timeout`, 0, false},
		{"got unexpected HTTP status: 400 Bad Request", 400, true},
		{"server returned status 413", 413, true},
		{"failed to send: HTTP 429", 429, false},
		{"unexpected status code: 401 - token AbCdEf-token is wrong", 401, false},
		{"got unexpected HTTP status: 503 Service Unavailable", 503, false},
		{"message has 422 characters", 0, false},
	} {
		err := cfg.sorted(errors.New(row.text))
		if notifiers.StatusOf(err) != row.status || notifiers.IsPermanent(err) != row.permanent {
			t.Errorf("%q: status %d, permanent %t; want %d, %t", row.text, notifiers.StatusOf(err), notifiers.IsPermanent(err), row.status, row.permanent)
		}
		if strings.Contains(err.Error(), "AbCdEf") || strings.Contains(err.Error(), "12345678") {
			t.Errorf("a secret shows: %s", err)
		}
	}
}

func secretURL(t *testing.T, text string) (u plugins.SecretURL) {
	t.Helper()
	if err := u.FromScalar(text); err != nil {
		t.Fatal(err)
	}
	return u
}
