package notifiers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"", 0, false},
		{"0", 0, false},
		{"30", 30 * time.Second, true},
		{" 30 ", 30 * time.Second, true},
		{"3600", time.Hour, true},
		{"3601", MaxRetryAfter, true},
		{"99999999999999999999999999", MaxRetryAfter, true},
		{"-1", 0, false},
		{"1.5", 0, false},
		{"Mon, 15 Jan 2024 10:01:30 GMT", 90 * time.Second, true},
		{"Mon, 15 Jan 2024 09:59:00 GMT", 0, false},
		{"Mon, 15 Jan 2029 10:00:00 GMT", MaxRetryAfter, true},
		{"tomorrow", 0, false},
	} {
		got, ok := parseRetryAfter(row.text, now)
		if got != row.want || ok != row.ok {
			t.Errorf("parseRetryAfter(%q) = %v, %t; want %v, %t", row.text, got, ok, row.want, row.ok)
		}
	}
}

func TestRetryAfterIsHeededOn429And503Only(t *testing.T) {
	for status, want := range map[int]bool{429: true, 503: true, 500: false, 408: false, 400: false} {
		err := sortAnswer(&AnswerError{Status: status}, "5", time.Now())
		if _, got := WaitOf(err); got != want {
			t.Errorf("%d: waits %t, want %t", status, got, want)
		}
	}
}

func TestCleanTakesEverySecretOut(t *testing.T) {
	req := Request{
		URL: secret.NewURL("https://user:pa55word@h.example/services/T0/deadbeefcafe%2Fx?token=t0ken%20x"),
		Options: httpx.Options{
			ProxyURL:    secret.NewURL("http://proxyuser:pr0xypass@proxy:3128"),
			BearerToken: secret.New("bearer-token"),
			BasicAuth:   httpx.BasicAuth{Username: "u", Password: secret.New("basic-pass")},
			Headers:     map[string]secret.String{"Authorization": secret.New("Token abcdef")},
		},
		Secrets: []secret.String{secret.New("signing")},
	}
	text := "at https://user:pa55word@h.example/services/T0/deadbeefcafe%2Fx?token=t0ken%20x with t0ken x, t0ken+x, " +
		"deadbeefcafe/x, pr0xypass, bearer-token, basic-pass, dTpiYXNpYy1wYXNz, dXNlcjpwYTU1d29yZA==, abcdef, signing; the rest stays"
	got := req.clean(text)
	for _, s := range []string{
		"pa55word", "deadbeefcafe", "t0ken", "pr0xypass", "bearer-token", "basic-pass", "dTpi", "dXNl", "abcdef", "signing",
	} {
		if strings.Contains(got, s) {
			t.Errorf("%q stands in %s", s, got)
		}
	}
	if !strings.HasSuffix(got, "the rest stays") {
		t.Errorf("got %s", got)
	}
}

func TestPostLeavesTheSharedClientAsItIs(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()
	client := server.Client()
	_, err := Post(context.Background(), client, Request{URL: secret.NewURL(server.URL)})
	if !IsPermanent(err) || client.CheckRedirect != nil {
		t.Errorf("err = %v, CheckRedirect set: %t", err, client.CheckRedirect != nil)
	}
}

func TestABadURLIsPermanentAndNotQuoted(t *testing.T) {
	_, err := Post(context.Background(), http.DefaultClient, Request{URL: secret.NewURL("http://h/%zz-s3cr3t")})
	if !IsPermanent(err) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("err = %v", err)
	}
}

func TestUserAgent(t *testing.T) {
	if got := UserAgent(); !strings.HasPrefix(got, "tocsin/") || strings.ContainsAny(got, " \n") {
		t.Errorf("UserAgent() = %q", got)
	}
}

func TestTheAnswerIsKeptWithoutSecretsAndItsStatusIsKnown(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   string
	}{
		{200, "ok", "ok"},
		{202, "queued by t0psecret\nas 7", "queued by *** as 7"},
		{204, "", ""},
		{410, "this webhook t0psecret is gone", "this webhook *** is gone"},
		{503, strings.Repeat("busy ", 10_000), ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		req := Request{URL: secret.NewURL(server.URL), Secrets: []secret.String{secret.New("t0psecret")}}
		receipt, err := Post(t.Context(), server.Client(), req)
		server.Close()
		if receipt.Status != tt.status || tt.want != "" && receipt.Answer != tt.want || len([]rune(receipt.Answer)) > maxErrorRunes {
			t.Errorf("%d: %+v", tt.status, receipt)
		}
		if got := StatusOf(fmt.Errorf("webhook: %w", Permanent(err))); (err != nil) != (got == tt.status) {
			t.Errorf("%d: the error tells of %d", tt.status, got)
		}
	}
	if got := StatusOf(errors.New("refused")); got != 0 {
		t.Error(got)
	}
}
