package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

const (
	// clientName is how the monitor shows in CLIENT LIST.
	clientName = "tocsin"
	// dialTimeout bounds a dial whose caller has long given up.
	dialTimeout = 5 * time.Second
	// poolSize: a poll and a listing of keys go on at a time.
	poolSize = 2
)

// endpoint is where a server is and who we are to it.
type endpoint struct {
	network, addr string
	username      string
	password      secret.String
	db            int
}

// connector makes clients that leave no trace in the server's error
// statistics, and knows of every dial that is still under way.
type connector struct {
	tls  *tls.Config     // nil for plain connections
	life context.Context //nolint:containedctx // ends with the source, and every dial with it

	mu     sync.Mutex // guards dials against a Wait that has begun
	closed bool
	dials  sync.WaitGroup
}

// client returns a client for one server. It connects when it is first used,
// retries nothing, and calls onConnect for every connection that it made.
func (c *connector) client(e endpoint, onConnect func()) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Network: e.network, Addr: e.addr, Username: e.username, Password: e.password.Reveal(), DB: e.db,
		Dialer: c.dial,
		OnConnect: func(ctx context.Context, conn *redis.Conn) error {
			onConnect()
			// The name is a courtesy: a user who may not set it may still look.
			if err := conn.ClientSetName(ctx, clientName).Err(); err != nil && !isReply(err) {
				return err
			}
			return nil
		},
		// Each of these costs error replies on some version when left alone:
		// CLIENT SETINFO before 7.2, HELLO 3 before 6.0, CLIENT
		// MAINT_NOTIFICATIONS on all but the managed ones.
		DisableIdentity:          true,
		Protocol:                 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// A retry would hide what the poll is there to see.
		MaxRetries: -1, DialerRetries: 1,
		// Deadlines are the context's alone.
		ContextTimeoutEnabled: true, DialTimeout: dialTimeout, ReadTimeout: -1, WriteTimeout: -1,
		PoolSize: poolSize, PipelinePoolSize: -1,
	})
	client.AddHook(refusals{})
	return client
}

// dial never returns an error: a dial that failed is a connection whose first
// use fails with it. go-redis' pool would otherwise log it, and after two of
// them answer from memory while it probes in a goroutine of its own.
func (c *connector) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return failedConn{err: &connectError{net.ErrClosed}}, nil
	}
	c.dials.Add(1)
	c.mu.Unlock()
	defer c.dials.Done()

	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	conn, err := c.open(ctx, network, addr)
	if err != nil {
		return failedConn{err: &connectError{err}}, nil
	}
	return conn, nil
}

func (c *connector) open(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil || c.tls == nil {
		return conn, err
	}
	config := c.tls
	if config.ServerName == "" && network != "unix" {
		host, _, _ := net.SplitHostPort(addr)
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// wait lets no dial begin and waits for those that did.
func (c *connector) wait() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.dials.Wait()
}

// refusals is the hook that makes a refused HELLO end the connection at once.
// go-redis would try AUTH next, be refused again, and report that.
type refusals struct{}

func (refusals) DialHook(next redis.DialHook) redis.DialHook { return next }

func (refusals) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (refusals) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil || cmd.Name() != "hello" || !isReply(err) {
			return err
		}
		for _, refusal := range []string{"ERR max number of clients", "NOAUTH", "WRONGPASS", "DENIED"} {
			if strings.HasPrefix(err.Error(), refusal) {
				return &connectError{err}
			}
		}
		return err
	}
}

// failedConn is a connection that never came to be.
type failedConn struct{ err error }

func (c failedConn) Read([]byte) (int, error)       { return 0, c.err }
func (c failedConn) Write([]byte) (int, error)      { return 0, c.err }
func (failedConn) Close() error                     { return nil }
func (failedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (failedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (failedConn) SetDeadline(time.Time) error      { return nil }
func (failedConn) SetReadDeadline(time.Time) error  { return nil }
func (failedConn) SetWriteDeadline(time.Time) error { return nil }

// endpointOf merges the URL and the fields of the configuration; fields win.
func endpointOf(cfg *Config) (e endpoint, useTLS bool, err error) {
	e = endpoint{network: "tcp"}
	useTLS = cfg.TLS != TLS{}
	if !cfg.URL.Empty() {
		u, err := parseURL(cfg.URL)
		if err != nil {
			return e, false, err
		}
		if u.Scheme == "unix" {
			e.network, e.addr = "unix", u.Path
		} else {
			port := u.Port()
			if port == "" {
				port = "6379"
			}
			e.addr = net.JoinHostPort(u.Hostname(), port)
		}
		useTLS = useTLS || u.Scheme == "rediss"
		password, _ := u.User.Password()
		e.username, e.password = u.User.Username(), secret.New(password)
		_, _ = fmt.Sscan(databaseOf(u), &e.db) // a number, or empty: parseURL looked
	}
	if cfg.Username != "" {
		e.username = cfg.Username
	}
	if !cfg.Password.Empty() {
		e.password = cfg.Password
	}
	if cfg.DB != 0 {
		e.db = cfg.DB
	}
	return e, useTLS, nil
}

// tlsConfig reads the certificates that the configuration names.
func tlsConfig(t TLS) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // the operator's own choice
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
