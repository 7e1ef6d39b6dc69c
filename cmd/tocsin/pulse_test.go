package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

func TestADeadManPingGoesWhereMessagesMay(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for _, row := range []struct{ url, private, wrong string }{
		{server.URL, notifiers.PrivateAllow, ""},
		{server.URL, notifiers.PrivateRefuse, "this machine's own address"},
		{strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1), notifiers.PrivateAllow, "no address of a host"},
	} {
		ping, err := pinger(configs.Deadman{
			URL: secret.NewURL(row.url), Timeout: 5 * time.Second, Method: http.MethodGet,
			Addresses: notifiers.Addresses{PrivateAddresses: row.private}, Options: httpx.Options{ProxyURL: secret.NewURL("none")},
		})
		if err != nil {
			t.Fatal(err)
		}
		err = ping(t.Context())
		if (err == nil) != (row.wrong == "") || err != nil && !strings.Contains(err.Error(), row.wrong) {
			t.Errorf("%s, %s: %v, want %q", row.url, row.private, err, row.wrong)
		}
	}
}
