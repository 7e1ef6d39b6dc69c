package plugins

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// Grace is how long the plugin waits for calls that are on their way when it is
// asked to end.
const Grace = 10 * time.Second

// Serve serves the plugin until the daemon that started it asks for the end or
// is gone. It is all that main has to do: it takes over the process's standard
// output, slog's default logger (whose lines the daemon logs with the plugin's
// name) and SIGTERM, and does not return before the end. Started by hand, it
// says what it is and ends the process with code 1; a mistake of the author's
// ends it with code 2.
func Serve(p *Plugin) {
	if err := p.check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if os.Getenv(pluginpb.CookieKey) != pluginpb.CookieValue {
		p.byHand(os.Stderr)
		os.Exit(1)
	}
	stderr := os.Stderr
	slog.SetDefault(slog.New(logHandler(stderr)))
	if err := guardStdout(); err != nil {
		slog.Error("standard output cannot be kept for the handshake", "error", err)
		os.Exit(1)
	}
	s := newServer(p)
	life := newLife(stderr)
	go life.watch()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: pluginpb.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{
			pluginpb.Version1: {pluginpb.Name: &pluginpb.GRPC{Register: s.register}},
		},
		GRPCServer: life.newServer,
		Logger:     hclog.New(&hclog.LoggerOptions{Output: stderr, JSONFormat: true, Level: hclog.Warn}),
	})
	s.close()
}

// byHand says what somebody has started.
func (p *Plugin) byHand(w io.Writer) {
	what, list := "a receiver", "receivers"
	if p.source != nil {
		what, list = "a source of metrics", "sources"
	}
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	var settings strings.Builder
	for _, f := range settingsOf(p.settings) {
		fmt.Fprintf(&settings, "  %-20s %s", f.name, want(f.typ))
		if f.required {
			settings.WriteString(", required")
		}
		if f.doc != "" {
			settings.WriteString(": " + f.doc)
		}
		settings.WriteByte('\n')
	}
	fmt.Fprintf(w, `%s %s is %s for Tocsin, and does nothing when it is started by hand.

To try it:
  tocsin plugin test %s

To use it, in Tocsin's configuration:
  plugins: [{name: %s, path: %s}]
  %s: [{name: …, type: %s}]

Its settings:
%s`, p.name, p.version, what, path, p.name, path, list, p.name, settings.String())
}

// life is the beginning and the end of the process.
type life struct {
	stderr *os.File

	once   sync.Once // the first call has come
	known  chan struct{}
	ready  chan struct{} // server is set
	server *grpc.Server
	// ending is closed for the streams of go-plugin's own to return: they last as
	// long as the connection, and a graceful end would wait for them.
	ending chan struct{}
}

func newLife(stderr *os.File) *life {
	return &life{stderr: stderr, known: make(chan struct{}), ready: make(chan struct{}), ending: make(chan struct{})}
}

// newServer makes the server as go-plugin asks for it.
func (l *life) newServer(options []grpc.ServerOption) *grpc.Server {
	l.server = grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(pluginpb.MaxMessageBytes), grpc.MaxSendMsgSize(pluginpb.MaxMessageBytes),
		// Goroutines that stay keep their stacks: a tenth of the time of a small call.
		grpc.NumStreamWorkers(uint32(runtime.NumCPU())),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			l.once.Do(l.begin)
			return handle(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			l.once.Do(l.begin)
			done := make(chan error, 1)
			// It ends soon after this returns, for its stream's context does.
			go func() { done <- handle(srv, stream) }()
			select {
			case err := <-done:
				return err
			case <-l.ending:
				return status.Error(codes.Unavailable, "the plugin is about to end")
			}
		}))...)
	close(l.ready)
	return l.server
}

// begin comes with the first call, when go-plugin has printed the handshake and
// put pipes of its own in the place of the standard output and error: what is
// printed belongs into the daemon's log.
func (l *life) begin() {
	os.Stdout, os.Stderr = l.stderr, l.stderr
	close(l.known)
}

// lonely is how long the plugin waits for a daemon that started it and never
// called.
const lonely = time.Minute

// watch ends the server when it is time: go-plugin's Serve returns then. It is
// over with the process.
func (l *life) watch() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	gone := parentGone()
	alone := time.After(lonely)
	known := l.known
	for {
		select {
		case <-known:
			known, alone = nil, nil
		case <-alone:
			slog.Error("nobody has called; the plugin ends")
			l.stop()
			return
		case <-gone:
			l.stop()
			return
		case <-asked:
			slog.Info("asked to end; calls that are on their way are finished")
			l.drain(gone)
			l.stop()
			return
		}
	}
}

// drain takes no more calls and waits for those that are on their way, until
// their answers are sent.
func (l *life) drain(gone <-chan struct{}) {
	select {
	case <-l.ready:
	default:
		return // not yet served
	}
	close(l.ending)
	done := make(chan struct{})
	go func() {
		l.server.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-gone:
	case <-time.After(Grace):
		slog.Warn("calls are cut off: they did not end in time", "grace", Grace.String())
	}
}

// stop ends the server, and the process where that does not.
func (l *life) stop() {
	time.AfterFunc(2*time.Second, func() { os.Exit(1) })
	select {
	case <-l.ready:
		l.server.Stop()
	default: // not yet served
		os.Exit(1)
	}
}
