package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// runs runs tocsin within the process.
func runs(t *testing.T, args ...string) (code int, printed string) {
	t.Helper()
	var out strings.Builder
	root := newRoot(world{stdout: &out, stderr: &out, kinds: kindsOf(nil)})
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		out.WriteString(err.Error())
		code = exitUnread
		if exit, ok := err.(*exitError); ok { //nolint:errorlint // it is never wrapped
			code = exit.code
		}
	}
	return code, out.String()
}

func TestWhatPeopleAskOfDeliveriesAndReceivers(t *testing.T) {
	const page = `{"deliveries":[{"id":"msg_1","receiver":"ops","state":"dead","reason":"new alert","alert_count":3,"created_at":"2024-01-15T10:00:00.000Z","attempt_count":2,"last_error":"answered 400"},
		{"id":"msg_0","receiver":"hooks","state":"sent","reason":"repeated","alert_count":1,"created_at":"2024-01-15T09:00:00.000Z","attempt_count":1,"last_error":null}],"next_cursor":"c"}`
	for _, tt := range []struct {
		name    string
		args    []string
		request string
		status  int
		answer  string
		code    int
		want    string
	}{
		{"a list", []string{"deliveries", "--state", "dead,sent", "--since", "1h"}, "GET /api/v1/deliveries?limit=20&since=1h&state=dead%2Csent", 200, page, 0, "dead   ops       2024-01-15 10:00:00Z  3       2         msg_1  answered 400\n"},
		{"more", []string{"deliveries"}, "GET /api/v1/deliveries?limit=20", 200, page, 0, "there are more"},
		{"nothing", []string{"deliveries"}, "GET /api/v1/deliveries?limit=20", 200, `{"deliveries":[],"next_cursor":null}`, 0, "no such notifications"},
		{"a state that is none", []string{"deliveries", "--state", "lost"}, "GET /api/v1/deliveries?limit=20&state=lost", 400, `{"error":{"code":"bad_request","message":"state: \"lost\" is not one of pending"}}`, 2, "is not one of"},
		{"for programs", []string{"deliveries", "-o", "json"}, "GET /api/v1/deliveries?limit=20", 200, page, 0, `"next_cursor":"c"`},
		{"once more", []string{"deliveries", "redeliver", "msg_1"}, "POST /api/v1/deliveries/msg_1/redeliver", 202, `{}`, 0, "msg_1 is on its way"},
		{"on its way already", []string{"deliveries", "redeliver", "msg_1"}, "POST /api/v1/deliveries/msg_1/redeliver", 409, `{"error":{"code":"pending","message":"the delivery is on its way already"}}`, 1, "on its way already"},
		{"a misspelt command", []string{"deliveries", "redelivr", "x"}, "", 0, "", 2, `did you mean "redeliver"`},
		{"no id", []string{"deliveries", "redeliver"}, "", 0, "", 2, "name a notification"},
		{"a test", []string{"receivers", "test", "ops"}, "POST /api/v1/receivers/ops/test", 200, `{"ok":true,"status":200,"took_ms":84.23,"answer":"ok","reference":null}`, 0, "ops got the test in 84.2ms, answered 200: ok"},
		{"a test that failed", []string{"receivers", "test", "ops"}, "POST /api/v1/receivers/ops/test", 502, `{"ok":false,"status":503,"took_ms":2,"answer":"busy","reference":null,"error":{"code":"test_failed","message":"the test did not arrive: answered 503"}}`, 1, "the test did not arrive: answered 503, after 2ms"},
		{"a proxy's 502", []string{"receivers", "test", "ops"}, "POST /api/v1/receivers/ops/test", 502, `<html>`, 2, "is not a Tocsin"},
		{"no such receiver", []string{"receivers", "test", "o/p"}, "POST /api/v1/receivers/o%2Fp/test", 404, `{"error":{"code":"not_found","message":"there is no receiver"}}`, 1, "there is no receiver"},
		{"a token that may not", []string{"receivers", "enable", "ops"}, "POST /api/v1/receivers/ops/enable", 403, `{"error":{"code":"forbidden","message":"this needs a token of scope operate"}}`, 2, "scope operate"},
		{"enabled", []string{"receivers", "enable", "ops"}, "POST /api/v1/receivers/ops/enable", 200, `{"status":"enabled"}`, 0, "ops is enabled"},
		{"what there is", []string{"receivers"}, "", 0, "", 0, "enable"},
		{"nonsense", []string{"receivers", "tset"}, "", 0, "", 2, `did you mean "test"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.RequestURI
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.answer))
			}))
			defer server.Close()
			args := tt.args
			if tt.request != "" {
				args = append(args, "--url", server.URL)
			}
			code, out := runs(t, args...)
			if code != tt.code || !strings.Contains(out, tt.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, tt.code, tt.want, out)
			}
			if asked != tt.request {
				t.Errorf("asked for %q, want %q", asked, tt.request)
			}
		})
	}
}

func TestTheWeakestTokenThatMay(t *testing.T) {
	token := func(scope configs.Scope) configs.Token {
		return configs.Token{Token: secret.New(string(scope)), Scope: scope}
	}
	all := []configs.Token{token(configs.ScopeAdmin), token(configs.ScopeOperate), token(configs.ScopeRead)}
	for _, tt := range []struct {
		tokens []configs.Token
		need   configs.Scope
		want   string
	}{
		{all, configs.ScopeRead, "read"},
		{all, configs.ScopeOperate, "operate"},
		{all[:1], configs.ScopeOperate, "admin"},
		{all[2:], configs.ScopeOperate, "read"},
		{nil, configs.ScopeRead, ""},
	} {
		if got := weakest(tt.tokens, tt.need).Reveal(); got != tt.want {
			t.Errorf("of %d tokens for %s: %q, want %q", len(tt.tokens), tt.need, got, tt.want)
		}
	}
}
