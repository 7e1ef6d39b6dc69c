package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// daemonAnswer serves /api/v1/series as the API does, to whoever has the token.
func daemonAnswer(t *testing.T, asked *[]string, answer func(metric string) (int, string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		metric := r.URL.Query().Get("metric")
		*asked = append(*asked, metric)
		if r.URL.Path != "/api/v1/series" || r.Header.Get("Authorization") != "Bearer hunter2hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error": {"code": "unauthorized", "message": "a token is needed"}}`)
			return
		}
		status, body := answer(metric)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const seenRules = `rules:
  - {id: seen, metric: cache.hit_rate, match: ['strategy = USER_RUNS'], critical: value < 70}
  - {id: misspelt, metric: cache.hit_rate, match: ['strategy = USER_RUN'], critical: value < 70}
  - {id: never-had, metric: redis.up, match: ['source = cache'], critical: value < 1}
`

func TestCheckAsksADaemonWhatItHasSeen(t *testing.T) {
	var asked []string
	url := daemonAnswer(t, &asked, func(metric string) (int, string) {
		if metric != "cache.hit_rate" {
			return 200, `{"series":[],"total":0}`
		}
		return 200, `{"series":[{"metric":"cache.hit_rate","labels":{"source":"app","strategy":"USER_RUNS"},"value":1,"at":"2024-01-15T10:00:00.000Z"}],"total":1}`
	})
	stderr, err := runCheck(t, "--daemon", url+"/", "--token", "hunter2hunter2")
	want := `warning: rules[1].match[0]: no series of cache.hit_rate has strategy="USER_RUN", of 1 that the daemon has seen; did you mean "USER_RUNS"?`
	if err != nil || !strings.Contains(stderr, want) || strings.Count(stderr, "warning") != 1 {
		t.Errorf("%v\n%s", err, stderr)
	}
	if got := strings.Join(asked, " "); got != "cache.hit_rate redis.up" {
		t.Errorf("asked for %s", got)
	}
}

func TestCheckSaysWhyADaemonCannotBeAsked(t *testing.T) {
	var asked []string
	answer := func(status int, body string) string {
		return daemonAnswer(t, &asked, func(string) (int, string) { return status, body })
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct{ name, url, token, want string }{
		{"no token", answer(200, `{}`), "", "wants a token"},
		{"no Tocsin", answer(200, `<html>`), "hunter2hunter2", "is not a Tocsin"},
		{"another document", answer(200, `{}`), "hunter2hunter2", "is not a Tocsin"},
		{"an older one", answer(404, ``), "hunter2hunter2", "one of another version: it says 404"},
		{"broken", answer(503, ``), "hunter2hunter2", "it says 503"},
		{"gone", gone.URL, "", "is it running?"},
		{"no URL", "127.0.0.1:9590", "", "want a URL such as http://127.0.0.1:9590"},
		{"a URL with a password", "http://ops:hunter2hunter2@127.0.0.1:9590", "", "a URL with a password is not for this; give a token"},
	} {
		asked = nil
		args := []string{"--daemon", c.url}
		if c.token != "" {
			args = append(args, "--token", c.token)
		}
		stderr, err := runCheck(t, args...)
		told := stderr
		if err != nil {
			told += err.Error()
		}
		exit, _ := err.(*exitError) //nolint:errorlint // it is what a command returns
		if exit == nil || exit.code != exitUnread || !strings.Contains(told, c.want) || strings.Contains(told, "hunter2") || len(asked) > 1 {
			t.Errorf("%s: exit %v, asked %v:\n%s", c.name, exit, asked, told)
		}
	}
}

func runCheck(t *testing.T, args ...string) (stderr string, err error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, name, seenRules)
	var out, errs bytes.Buffer
	root := newRoot(world{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, kinds: kindsOf(nil)})
	root.SetArgs(append([]string{"check", "--rules", name}, args...))
	err = root.ExecuteContext(context.WithoutCancel(t.Context()))
	return errs.String(), err
}

// TestEverySourceSaysWhatItYields: of one that does not, check would warn of
// nothing.
func TestEverySourceSaysWhatItYields(t *testing.T) {
	given := map[string]bool{}
	for name, settings := range kindsOf(nil).configs().Sources {
		y, ok := settings().(yielder)
		if !ok {
			t.Errorf("%s does not say what it yields", name)
			continue
		}
		for _, metric := range y.Yields("x").Metrics {
			given[metric] = true
		}
	}
	for _, family := range []string{"redis.*", "postgres.*", "http.*", "process.*", "host.*", "app.*", "*"} {
		if !given[family] {
			t.Errorf("no source yields %s", family)
		}
	}
}
