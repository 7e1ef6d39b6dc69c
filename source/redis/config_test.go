package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/redistest"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

func TestAConfigurationIsValidated(t *testing.T) {
	valid := func() Config {
		cfg := Default()
		cfg.URL = secret.NewURL("redis://user:hunter2@127.0.0.1:6379/0")
		return cfg
	}
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string // path: part of the message; empty when it is fine
	}{
		{"a URL", func(*Config) {}, ""},
		{"a socket", func(c *Config) { c.URL = secret.NewURL("unix:///run/redis.sock?db=2") }, ""},
		{"no URL", func(c *Config) { c.URL = secret.URL{} }, "url: is missing"},
		{"no scheme", func(c *Config) { c.URL = secret.NewURL("127.0.0.1:6379") }, "url: is not a URL"},
		{"http", func(c *Config) { c.URL = secret.NewURL("http://h") }, "url: want a redis://"},
		{"no host", func(c *Config) { c.URL = secret.NewURL("redis:///0") }, "url: names no host"},
		{"a database by name", func(c *Config) { c.URL = secret.NewURL("redis://h/main") }, "url: the database"},
		{"an unknown mode", func(c *Config) { c.Mode = "clustr" }, `mode: unknown mode "clustr": want standalone, sentinel, cluster; did you mean "cluster"?`},
		{"a cluster", func(c *Config) { c.URL, c.Addrs = secret.URL{}, []string{"a:1", "b:2"} }, ""},
		{"a cluster by URL", func(c *Config) { c.Mode = "cluster" }, ""},
		{"a cluster with a database", func(c *Config) { c.Mode, c.DB = "cluster", 1 }, "db: a cluster"},
		{"an address without port", func(c *Config) { c.Mode, c.Addrs = "cluster", []string{"a:1", "b"} }, `addrs[1]: "b"`},
		{"a sentinel", func(c *Config) { *c = Config{MasterName: "m", Addrs: []string{"a:1"}} }, ""},
		{"a sentinel without address", func(c *Config) { *c = Config{MasterName: "m"} }, "addrs: is missing"},
		{"a sentinel without master", func(c *Config) { *c = Config{Mode: "sentinel", Addrs: []string{"a:1"}} }, "master_name: is missing"},
		{"a sentinel with a URL", func(c *Config) { c.MasterName, c.Addrs = "m", []string{"a:1"} }, "url: has no meaning"},
		{"half a certificate", func(c *Config) { c.TLS.CertFile = "x" }, "tls: cert_file and key_file"},
		{"no strategies", func(c *Config) { c.StrategyStats.RedisHash = "s" }, "strategy_stats.redis_hash: no strategies"},
		{"one hash for two", func(c *Config) {
			c.StrategyStats.RedisHash, c.Strategies = "s", map[string]Strategy{"A": {}, "B": {}}
		}, "strategy_stats.redis_hash: gives all"},
		{"a negative ttl", func(c *Config) { c.Strategies = map[string]Strategy{"A": {TTL: -1}} }, "strategies.A.ttl:"},
		{"an empty redaction", func(c *Config) { c.Keys.Redact = []string{"a", ""} }, "keys.redact[1]:"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := valid()
			row.change(&cfg)
			err := cfg.Validate().Err()
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("%v, want %q", err, row.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func TestTheURLAndTheFieldsMakeOneEndpoint(t *testing.T) {
	cfg := Default()
	cfg.URL = secret.NewURL("rediss://ann:p%40ss@[::1]/3")
	e, useTLS, err := endpointOf(&cfg)
	if err != nil || !useTLS || e.addr != "[::1]:6379" || e.username != "ann" || e.password.Reveal() != "p@ss" || e.db != 3 {
		t.Errorf("%+v, %v, %v", e, useTLS, err)
	}
	cfg.Username, cfg.Password, cfg.DB = "bob", secret.New("other"), 4
	if e, _, _ = endpointOf(&cfg); e.username != "bob" || e.password.Reveal() != "other" || e.db != 4 {
		t.Errorf("%+v", e)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, "server")
	certificate(t, dir, "stranger")
	file := func(name string) string { return filepath.Join(dir, name) }
	redistest.Require(t, "redis-server")
	port := freePort(t)
	redistest.Start(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", file("server.crt"), "--tls-key-file", file("server.key"), "--tls-ca-cert-file", file("server.crt"))
	for _, row := range []struct {
		name string
		url  string
		tls  TLS
		kind source.FaultKind
	}{
		{"its certificate is trusted", "rediss://127.0.0.1:" + port, TLS{CAFile: file("server.crt")}, ""},
		{"tls without the scheme", "redis://127.0.0.1:" + port, TLS{CAFile: file("server.crt")}, ""},
		{"another's is trusted", "rediss://127.0.0.1:" + port, TLS{CAFile: file("stranger.crt")}, source.Blind},
		{"none is asked for", "rediss://127.0.0.1:" + port, TLS{InsecureSkipVerify: true}, ""},
		{"another name is wanted", "rediss://127.0.0.1:" + port, TLS{CAFile: file("server.crt"), ServerName: "elsewhere"}, source.Blind},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Default()
			cfg.URL, cfg.TLS = secret.NewURL(row.url), row.tls
			r, err := poll(t, open(t, cfg))
			if row.kind == "" && err != nil || row.kind != "" && (err == nil || source.KindOf(err) != row.kind || len(r.Samples) > 0) {
				t.Errorf("%v, %v", err, r.Samples)
			}
		})
	}
	cfg := Default()
	cfg.URL, cfg.TLS = secret.NewURL("rediss://127.0.0.1:"+port), TLS{CAFile: file("missing.crt")}
	if _, err := New(cfg, "cache", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Errorf("a missing file: %v", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l := listen(t)
	_ = l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
