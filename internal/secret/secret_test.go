package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"text/template"
)

const hidden = "hunter2"

type config struct {
	Token  String
	URL    URL
	Many   []String
	ByName map[string]URL
	Ptr    *String
	own    String // fmt asks no method of a field that is not exported
	ownURL URL
	nested struct{ deep String }
}

func newConfig() config {
	token := New(hidden)
	c := config{
		Token: token, URL: NewURL("https://user:" + hidden + "@example.com/" + hidden + "?k=" + hidden + "#" + hidden),
		Many: []String{token}, ByName: map[string]URL{"a": NewURL(hidden)}, Ptr: &token, own: token, ownURL: NewURL("https://example.com/" + hidden),
	}
	c.nested.deep = token
	return c
}

// clean fails when the text holds the secret, in hexadecimal too.
func clean(t *testing.T, how, text string) {
	t.Helper()
	for _, leak := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprint([]byte(hidden)), fmt.Sprintf("% x", hidden)} {
		if strings.Contains(text, leak) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
}

func TestNoVerbShowsASecret(t *testing.T) {
	c := newConfig()
	values := map[string]any{"string": c.Token, "pointer": c.Ptr, "url": c.URL, "config": c, "config pointer": &c, "slice": []any{c}, "map": map[string]config{"a": c}}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%t", "%T", "%10s", "%-10.3s", "%e", "%b", "%w", "%!"} {
			clean(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		clean(t, name+" Sprintln", fmt.Sprintln(v))
		clean(t, name+" error", fmt.Errorf("config %v", v).Error())
	}
}

func TestNoEncoderShowsASecret(t *testing.T) {
	c := newConfig()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "JSON", string(data))
	if want := `"Token":"***","URL":"https://example.com"`; !strings.Contains(string(data), want) {
		t.Errorf("%s in %s", want, data)
	}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h).With("with", c.Token)
		log.Info("message", "token", c.Token, "url", c.URL, "config", c, "pointer", &c, "ptr", c.Ptr, slog.Group("g", "u", c.URL))
	}
	clean(t, "slog", out.String())
	out.Reset()
	tmpl := template.Must(template.New("").Parse(`{{.Token}} {{.URL}} {{.}} {{printf "%#v" .URL}} {{.Ptr}} {{html .Token}} {{index .Many 0}}`))
	if err := tmpl.Execute(&out, c); err != nil {
		t.Fatal(err)
	}
	clean(t, "template", out.String())
}

func TestStringAndURLPrint(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{New(hidden), "***"},
		{New(""), ""},
		{String{}, ""},
		{URL{}, ""},
		{NewURL("https://hooks.slack.com/services/T0/B0/" + hidden), "https://hooks.slack.com"},
		{NewURL("redis://:" + hidden + "@127.0.0.1:6379/0"), "redis://127.0.0.1:6379"},
		{NewURL("postgres://u:pa/" + hidden + "@db/x"), "***"}, // the password ends the host
		{NewURL("postgres://u:12#" + hidden + "@db/x"), "***"},
		{NewURL("host=db password=" + hidden), "***"},
		{NewURL("://" + hidden), "***"},
	} {
		if got := fmt.Sprint(tt.v); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	var s String
	if err := s.FromScalar(hidden); err != nil || s.Reveal() != hidden || s.Empty() || !New("").Empty() {
		t.Error("a secret does not give what was put in")
	}
}

func TestCleanErrorTakesTheURLOut(t *testing.T) {
	_, parse := url.Parse("https://u:12" + hidden + "@host:x" + hidden)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/"+hidden, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, refused := http.DefaultClient.Do(request)                   //nolint:bodyclose // it is refused
	_, canceled := http.DefaultClient.Do(request.WithContext(ctx)) //nolint:bodyclose // it is cancelled
	nested := &url.Error{Op: "Get", URL: hidden, Err: fmt.Errorf("redirect: %w", parse)}
	for name, err := range map[string]error{"parse": parse, "refused": refused, "cancelled": canceled, "nested": nested, "wrapped": fmt.Errorf("notify: %w", refused)} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		clean(t, name, CleanError(err).Error())
	}
	if !errors.Is(CleanError(canceled), context.Canceled) {
		t.Error("the cause is lost")
	}
	if other := errors.New("other"); !errors.Is(CleanError(other), other) || CleanError(nil) != nil {
		t.Error("other errors pass as they are")
	}
}
