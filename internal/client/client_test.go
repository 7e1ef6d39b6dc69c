package client_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/client"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestGetSendsTheTokenAndReadsTheAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/t/api" || r.URL.Query().Get("a") != "b c" || r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("asked for %s with %q", r.URL, r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(`{"x":1}`))
	}))
	defer server.Close()
	c, err := client.New(server.URL+"/t/", secret.New("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.Get(t.Context(), "/api", url.Values{"a": {"b c"}})
	if err != nil || string(body) != `{"x":1}` || c.Base() != server.URL+"/t" {
		t.Errorf("%s, %v, base %s", body, err, c.Base())
	}
}

func TestTheTokenDoesNotFollowARedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	c, err := client.New(server.URL, secret.New("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	if _, err := c.Get(t.Context(), "/", nil); !errors.As(err, &refused) || refused.Status != http.StatusFound {
		t.Error(err)
	}
}

func TestWhereNothingAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	_ = l.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	defer secured.Close()
	for base, want := range map[string]string{
		"http://" + free: "no daemon answers at http://" + free + "; is it running?",
		"https://" + strings.TrimPrefix(plain.URL, "http://"): "it does not speak https; try http://",
		secured.URL: "certificate",
	} {
		c, err := client.New(base, secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		var silent *client.UnreachableError
		if _, err := c.Get(t.Context(), "/x", url.Values{"q": {"hidden"}}); !errors.As(err, &silent) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %q", base, err, want)
		}
	}
}

func TestNewRefusesWhatIsNoPlace(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:9590", "ftp://x", "http://", "http://x?a=b", "http://x#y", "http://a:hidden@x"} {
		if _, err := client.New(base, secret.String{}); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", base, err)
		}
	}
}
