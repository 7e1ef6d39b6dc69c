package httpx_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestWhereNothingIsSent(t *testing.T) {
	const (
		always  = "always"  // refused whatever is set
		private = "private" // refused by private_addresses: refuse
		never   = ""
	)
	for _, row := range []struct{ addr, refused, is string }{
		{"169.254.169.254", always, "a cloud's metadata"},
		{"169.254.170.2", always, "a cloud's metadata"},
		{"169.254.1.1", always, "a link-local address"},
		{"fe80::1", always, "a link-local address"},
		{"fe80::1%eth0", always, "a link-local address"},
		{"fd00:ec2::254", always, "a cloud's metadata"},
		{"100.100.100.200", always, "a cloud's metadata"},
		{"0.0.0.0", always, "no address of a host"},
		{"::", always, "no address of a host"},
		{"0.1.2.3", always, "reserved"},
		{"224.0.0.1", always, "a multicast address"},
		{"ff02::1", always, "a multicast address"},
		{"255.255.255.255", always, "reserved"},
		{"192.0.2.1", always, "reserved"},
		{"2001:db8::1", always, "reserved"},
		{"fec0::1", always, "reserved"},
		{"2002:a9fe:a9fe::1", always, "reserved"},
		{"::ffff:169.254.169.254", always, "a cloud's metadata"},
		{"::ffff:169.254.7.7", always, "a link-local address"},
		{"64:ff9b::a9fe:a9fe", always, "a cloud's metadata"},
		{"127.0.0.1", private, "this machine's own address"},
		{"127.9.9.9", private, "this machine's own address"},
		{"::1", private, "this machine's own address"},
		{"::ffff:127.0.0.1", private, "this machine's own address"},
		{"10.1.2.3", private, "a private network"},
		{"172.31.0.1", private, "a private network"},
		{"192.168.1.1", private, "a private network"},
		{"100.64.0.1", private, "a private network"},
		{"64:ff9b::a01:203", private, "a private network"},
		{"fd12:3456::1", private, "a private network"},
		{"8.8.8.8", never, ""},
		{"172.32.0.1", never, ""},
		{"100.128.0.1", never, ""},
		{"64:ff9b::808:808", never, ""},
		{"2606:4700:4700::1111", never, ""},
	} {
		for _, public := range []bool{false, true} {
			err := httpx.Reach{Public: public}.CheckHost(row.addr)
			if want := row.refused == always || public && row.refused == private; (err != nil) != want {
				t.Errorf("%s, public only %t: %v", row.addr, public, err)
			} else if err != nil && !strings.Contains(err.Error(), row.is) {
				t.Errorf("%s: %v, want %q", row.addr, err, row.is)
			}
		}
	}
	if err := (httpx.Reach{}).CheckHost("hooks.example.com"); err != nil {
		t.Errorf("a name is checked when it is dialed: %v", err)
	}
	if want, err := "169.254.0.9 is a link-local address; nothing is sent there", (httpx.Reach{}).Check(netip.MustParseAddr("169.254.0.9")); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWhatStandsInASourcesURLIsMeant(t *testing.T) {
	for _, row := range []struct {
		url, addr string
		allowed   bool
	}{
		{"http://169.254.20.10:9253/metrics", "169.254.20.10", true},
		{"http://169.254.20.10:9253/metrics", "::ffff:169.254.20.10", true},
		{"http://169.254.20.10:9253/metrics", "169.254.169.254", false},
		{"http://[fe80::1%25eth0]/metrics", "fe80::1", true},
		{"http://db.internal/metrics", "169.254.169.254", false},
		{"http://db.internal/metrics", "10.0.0.7", true},
		{"http://10.0.0.7/metrics", "100.100.100.200", false},
		{"::", "169.254.169.254", false},
	} {
		if err := httpx.ReachFrom(secret.NewURL(row.url)).CheckHost(row.addr); (err == nil) != row.allowed {
			t.Errorf("%s, which leads to %s: %v", row.url, row.addr, err)
		}
	}
}

func ask(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err == nil {
		err = res.Body.Close()
	}
	return err
}

func clientTo(t *testing.T, o httpx.Options, public bool) *http.Client {
	t.Helper()
	client, err := o.ClientTo(httpx.Reach{Public: public}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestTheDialedAddressIsChecked(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	named := "http://" + net.JoinHostPort("localhost", netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)).String()[len("0.0.0.0:"):])
	direct := httpx.Options{ProxyURL: secret.NewURL("none")}
	for _, public := range []bool{false, true} {
		hits.Store(0)
		for _, address := range []string{server.URL, named} {
			err := ask(t, clientTo(t, direct, public), address)
			var refused *httpx.AddressError
			if errors.As(err, &refused) != public || (err != nil) != public {
				t.Errorf("%s, public only %t: %v", address, public, err)
			}
		}
		if got := hits.Load() > 0; got == public {
			t.Errorf("public only %t: the server was asked %d times", public, hits.Load())
		}
	}
	// 0.0.0.0 is this machine, too, when it is dialed.
	unspecified := strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1)
	if err := ask(t, clientTo(t, direct, false), unspecified); err == nil || !strings.Contains(err.Error(), "no address of a host") {
		t.Errorf("%s: %v", unspecified, err)
	}
}

func TestThroughAProxyTheURLIsChecked(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.Host) }))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := clientTo(t, httpx.Options{ProxyURL: secret.NewURL(u.String())}, true)
	// The proxy is in a private network, and may be.
	if err := ask(t, client, "http://hooks.example.com/x"); err != nil {
		t.Error(err)
	}
	for _, address := range []string{"http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/"} {
		var refused *httpx.AddressError
		if err := ask(t, client, address); !errors.As(err, &refused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if strings.Join(asked, " ") != "hooks.example.com" {
		t.Errorf("the proxy was asked for %v", asked)
	}
}
