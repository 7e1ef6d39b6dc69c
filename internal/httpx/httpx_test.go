package httpx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestValidate(t *testing.T) {
	header := func(name, value string) map[string]secret.String {
		return map[string]secret.String{name: secret.New(value)}
	}
	for _, tt := range []struct {
		name string
		opts httpx.Options
		want string // path: message, or "" for none
	}{
		{"the zero value", httpx.Options{}, ""},
		{"a proxy", httpx.Options{ProxyURL: secret.NewURL("http://user:hunter2@proxy:3128")}, ""},
		{"no proxy", httpx.Options{ProxyURL: secret.NewURL("none")}, ""},
		{"a proxy without scheme", httpx.Options{ProxyURL: secret.NewURL("proxy:3128")}, "proxy_url: does not begin with"},
		{"a proxy whose password breaks the URL", httpx.Options{ProxyURL: secret.NewURL("http://u:hunter2#@p:1")}, "proxy_url: not a URL"},
		{"a proxy with a path", httpx.Options{ProxyURL: secret.NewURL("http://proxy/x")}, "proxy_url: a proxy has no path"},
		{"a certificate without key", httpx.Options{TLS: httpx.TLS{CertFile: "c.pem"}}, "tls.key_file: missing"},
		{"a key without certificate", httpx.Options{TLS: httpx.TLS{KeyFile: "k.pem"}}, "tls.cert_file: missing"},
		{"an authority that is not asked", httpx.Options{TLS: httpx.TLS{CAFile: "c", InsecureSkipVerify: true}}, "tls.insecure_skip_verify: makes"},
		{"a header's name", httpx.Options{Headers: header("X Y", "v")}, `headers.X Y: "X Y" is not`},
		{"a header's value", httpx.Options{Headers: header("X-Key", "hunter2\n")}, "headers.X-Key: the value cannot"},
		{"a token with a line break", httpx.Options{BearerToken: secret.New("hunter2\n")}, "bearer_token: the token cannot"},
		{"a password alone", httpx.Options{BasicAuth: httpx.BasicAuth{Password: secret.New("hunter2")}}, "basic_auth.username: missing"},
		{"two credentials", httpx.Options{BearerToken: secret.New("x"), Headers: header("authorization", "y")}, "headers.authorization: only one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkProblem(t, tt.opts.Validate(), tt.want)
		})
	}
}

func checkProblem(t *testing.T, ps problem.List, want string) {
	t.Helper()
	got := fmt.Sprint(ps.Err())
	if want == "" {
		if len(ps) != 0 {
			t.Fatalf("got %s, want no problem", got)
		}
		return
	}
	if len(ps) != 1 || !strings.HasPrefix(got, want) {
		t.Fatalf("got %s, want %s…", got, want)
	}
	if strings.Contains(got, "hunter2") {
		t.Fatalf("the problem shows a secret: %s", got)
	}
}

func get(t *testing.T, o httpx.Options, url string) (*http.Response, error) {
	t.Helper()
	client, err := o.Client(5 * time.Second)
	if err != nil {
		return nil, err
	}
	t.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Authorize(req)
	return client.Do(req)
}

func mustGet(t *testing.T, o httpx.Options, url string) {
	t.Helper()
	resp, err := get(t, o, url)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAuthorizeSetsHeadersAndCredentials(t *testing.T) {
	var got *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	defer srv.Close()

	mustGet(t, httpx.Options{
		Headers:     map[string]secret.String{"x-key": secret.New("k"), "host": secret.New("shop.example")},
		BearerToken: secret.New("tok"),
	}, srv.URL)
	if got.Header.Get("X-Key") != "k" || got.Host != "shop.example" || got.Header.Get("Authorization") != "Bearer tok" {
		t.Fatalf("host %q, headers %v", got.Host, got.Header)
	}

	mustGet(t, httpx.Options{BasicAuth: httpx.BasicAuth{Username: "u", Password: secret.New("p")}}, srv.URL)
	if user, password, _ := got.BasicAuth(); user != "u" || password != "p" || got.UserAgent() != "tocsin" {
		t.Fatalf("%q %q, agent %q", user, password, got.UserAgent())
	}
}

func TestRedirectsCarryCredentialsToTheSameHostOnly(t *testing.T) {
	var got http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/away", http.RedirectHandler(other.URL, http.StatusFound))
	mux.Handle("/here", http.RedirectHandler("/end", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	opts := httpx.Options{
		Headers:   map[string]secret.String{"X-Key": secret.New("k")},
		BasicAuth: httpx.BasicAuth{Username: "u", Password: secret.New("p")},
	}

	mustGet(t, opts, srv.URL+"/here?token=hunter2")
	if got.Get("X-Key") != "k" || got.Get("Authorization") == "" {
		t.Errorf("same host: the credentials are gone: %v", got)
	}
	mustGet(t, opts, srv.URL+"/away?token=hunter2")
	if got.Get("X-Key") != "" || got.Get("Authorization") != "" || got.Get("Referer") != "" {
		t.Errorf("another host was told %v", got)
	}
	resp, err := get(t, opts, srv.URL+"/loop")
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") {
		t.Errorf("a loop ended with %v", err)
	}
}

func TestProxyIsUsed(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	mustGet(t, httpx.Options{ProxyURL: secret.NewURL(proxy.URL)}, "http://nowhere.invalid/x")
	if asked != "http://nowhere.invalid/x" {
		t.Fatalf("the proxy was asked for %q", asked)
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = nil
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", srv.Certificate().Raw)
	cert, key := clientCertificate(t, dir)
	junk := filepath.Join(dir, "junk.pem")
	if err := os.WriteFile(junk, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name string
		tls  httpx.TLS
		want string // in the error; "" for success
	}{
		{"authority and certificate", httpx.TLS{CAFile: ca, CertFile: cert, KeyFile: key}, ""},
		{"no check", httpx.TLS{InsecureSkipVerify: true, CertFile: cert, KeyFile: key}, ""},
		{"another name of the same server", httpx.TLS{CAFile: ca, CertFile: cert, KeyFile: key, ServerName: "example.com"}, ""},
		{"a name it has not", httpx.TLS{CAFile: ca, CertFile: cert, KeyFile: key, ServerName: "other.test"}, "not other.test"},
		{"an unknown authority", httpx.TLS{CertFile: cert, KeyFile: key}, "unknown authority"},
		{"no certificate of ours", httpx.TLS{CAFile: ca}, "certificate required"},
		{"no such file", httpx.TLS{CAFile: dir + "/none"}, "tls.ca_file: open"},
		{"a file without PEM", httpx.TLS{CAFile: junk}, "holds no certificate"},
		{"a broken pair", httpx.TLS{CertFile: junk, KeyFile: key}, "tls.cert_file and tls.key_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := get(t, httpx.Options{TLS: tt.tls}, srv.URL)
			if err == nil {
				_ = resp.Body.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func clientCertificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tocsin"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", pkcs8)
	return cert, key
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadBody(t *testing.T) {
	for _, tt := range []struct {
		body  string
		limit int64
		want  string
	}{
		{"", 0, ""},
		{"1234", 4, ""},
		{"12345", 4, "longer than 4 bytes"},
	} {
		got, err := httpx.ReadBody(strings.NewReader(tt.body), tt.limit)
		var tooLarge *httpx.TooLargeError
		switch {
		case tt.want == "" && (err != nil || string(got) != tt.body):
			t.Errorf("%q: %q, %v", tt.body, got, err)
		case tt.want != "" && (!errors.As(err, &tooLarge) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %s", tt.body, err, tt.want)
		}
	}
	if part, err := httpx.ReadBody(io.MultiReader(strings.NewReader("12"), broken{}), 9); !errors.Is(err, io.ErrUnexpectedEOF) || string(part) != "12" {
		t.Errorf("a cut body: %q, %v", part, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
