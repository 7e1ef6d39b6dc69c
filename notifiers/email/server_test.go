package email

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

const (
	user     = "tocsin@example.com"
	password = "hunter2-s3cr3t"
)

// certificate makes one for 127.0.0.1 that the file's authority vouches for.
func certificate(t testing.TB) (cert tls.Certificate, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, caFile
}

// received is one mail that a server took.
type received struct {
	from, user string
	to         []string
	raw        []byte
	tls        bool
	utf8       bool
}

func (r received) message(t testing.TB) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(r.raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// server is a mail server that takes what it is given.
type server struct {
	mechanisms []string
	refuse     map[string]error // by recipient
	ascii      bool             // no SMTPUTF8

	mu    sync.Mutex
	mails []received
}

func (s *server) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

// start serves on a free port of the loopback, and returns the settings to reach it.
func (s *server) start(t testing.TB, encryption string) Config {
	t.Helper()
	cert, ca := certificate(t)
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &serverSession{s: s, conn: c}, nil }))
	srv.Domain, srv.AllowInsecureAuth, srv.EnableSMTPUTF8, srv.ErrorLog = "mail.example.com", true, !s.ascii, quiet{}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := portOf(t, l)
	switch encryption {
	case StartTLS:
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	case TLS:
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
	c := settings(port)
	c.Encryption, c.TLS.CAFile = encryption, ca
	if len(s.mechanisms) > 0 {
		c.Username, c.Password = user, secret.New(password)
	}
	return c
}

func portOf(t testing.TB, l net.Listener) int {
	t.Helper()
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func settings(port int) Config {
	c := Default()
	c.Host, c.Port, c.From, c.To, c.Hello = "127.0.0.1", port, "Tocsin <tocsin@example.com>", []string{"ops@example.com"}, "tests.example.com"
	return c
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type serverSession struct {
	s    *server
	conn *smtp.Conn
	got  received
}

func (x *serverSession) Reset()        { x.got = received{user: x.got.user} }
func (x *serverSession) Logout() error { return nil }

func (x *serverSession) AuthMechanisms() []string { return x.s.mechanisms }

func (x *serverSession) Auth(mech string) (sasl.Server, error) {
	check := func(u, p string) error {
		if u != user || p != password {
			return smtp.ErrAuthFailed
		}
		x.got.user = u
		return nil
	}
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, u, p string) error { return check(u, p) }), nil
	case sasl.Login:
		return &loginServer{check: check}, nil
	case "CRAM-MD5":
		return &cramServer{check: check}, nil
	case "XOAUTH2":
		return &xoauth2Server{check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *serverSession) Mail(from string, o *smtp.MailOptions) error {
	if len(x.s.mechanisms) > 0 && x.got.user == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := x.conn.TLSConnectionState()
	x.got.from, x.got.tls, x.got.utf8 = from, encrypted, o != nil && o.UTF8
	return nil
}

func (x *serverSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := x.s.refuse[to]; err != nil {
		return err
	}
	x.got.to = append(x.got.to, to)
	return nil
}

func (x *serverSession) Data(r io.Reader) (err error) {
	if x.got.raw, err = io.ReadAll(r); err != nil {
		return err
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.mails = append(x.s.mails, x.got)
	return nil
}

type loginServer struct {
	check func(user, pass string) error
	said  []string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.said[0], l.said[1])
}

// cramServer is RFC 2195's.
type cramServer struct {
	check func(user, pass string) error
	asked bool
}

func (c *cramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	const asks = "<1896.697170952@mail.example.com>"
	if !c.asked {
		c.asked = true
		return []byte(asks), false, nil
	}
	mac := hmac.New(md5.New, []byte(password)) //nolint:gosec // it is what the RFC says
	_, _ = mac.Write([]byte(asks))
	u, digest, _ := strings.Cut(string(response), " ")
	if digest != hex.EncodeToString(mac.Sum(nil)) {
		return nil, true, smtp.ErrAuthFailed
	}
	return nil, true, c.check(u, password)
}

type xoauth2Server struct{ check func(user, pass string) error }

func (x *xoauth2Server) Next(response []byte) (challenge []byte, done bool, err error) {
	u, rest, ok := strings.Cut(strings.TrimPrefix(string(response), "user="), "\x01auth=Bearer ")
	if !ok {
		return nil, true, errors.New("not XOAUTH2")
	}
	return nil, true, x.check(u, strings.TrimSuffix(rest, "\x01\x01"))
}

// The steps of a session at which a scripted server can do otherwise.
const (
	atGreeting = "GREETING"
	atHello    = "EHLO"
	atMail     = "MAIL"
	atRcpt     = "RCPT"
	atData     = "DATA"
	atEnd      = "."
)

// What it can do there beside answering.
const (
	hang = "hang"
	drop = "drop"
)

// scripted is a mail server that answers as it is told; "" is what any server
// would say.
type scripted struct {
	say map[string]string // by step: a reply, hang or drop

	mu    sync.Mutex
	ended int // messages that came whole
	ids   []string
}

// start serves without encryption until the test ends.
func (s *scripted) start(t testing.TB) Config {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				s.talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	c := settings(portOf(t, l))
	c.Encryption = Plain
	return c
}

func (s *scripted) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	answer := func(step, usual string) bool {
		s.mu.Lock()
		said := s.say[step]
		s.mu.Unlock()
		switch said {
		case "":
			said = usual
		case hang:
			_, _ = io.Copy(io.Discard, in)
			return false
		case drop:
			return false
		}
		_, err := io.WriteString(conn, said+"\r\n")
		return err == nil
	}
	if !answer(atGreeting, "220 mail.example.com ESMTP") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(strings.ToUpper(line)), " ")
		switch usual := map[string]string{"HELO": "250 ok", "EHLO": "250-mail.example.com\r\n250 ENHANCEDSTATUSCODES", "DATA": "354 go on", "QUIT": "221 bye"}[verb]; {
		case verb == "DATA":
			if !answer(verb, usual) {
				return
			}
			if !strings.HasPrefix(s.of(atData), "4") && !strings.HasPrefix(s.of(atData), "5") && (!s.body(in) || !answer(atEnd, "250 2.0.0 queued as 4711")) {
				return
			}
		case usual != "":
			if !answer(verb, usual) || verb == "QUIT" {
				return
			}
		default:
			if !answer(verb, "250 2.0.0 ok") {
				return
			}
		}
	}
}

func (s *scripted) of(step string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.say[step]
}

// body reads a message to its end.
func (s *scripted) body(in *bufio.Reader) bool {
	id := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if strings.HasPrefix(line, "Message-ID:") {
			id = strings.TrimSpace(strings.TrimPrefix(line, "Message-ID:"))
		}
		if line == ".\r\n" {
			s.mu.Lock()
			s.ended++
			s.ids = append(s.ids, id)
			s.mu.Unlock()
			return true
		}
	}
}
