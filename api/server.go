package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/internal/units"
)

// Options is all that the server needs. Board, Engine, History and Log are
// required; what else is nil or empty is answered with how to set it up.
type Options struct {
	Board  Board
	Engine Engine
	// Explainer may be nil.
	Explainer Explainer
	History   History
	// Deliveries and Sender may be nil.
	Deliveries Deliveries
	Sender     Sender
	// Plugins tells how the plugins stand, by name; nil for none.
	Plugins  func() []PluginStatus
	Keys     map[string]KeyScanner // by the name of their source
	Ingester Ingester
	Reloader Reloader
	// RuleFiles may be nil, and LastReload: how the last reading of the files
	// went. It is asked for every readiness check and must not wait.
	RuleFiles  RuleFiles
	LastReload func() ReloadStatus
	// Router, Poster and Operator may be nil: nothing stands with a router, no
	// alerts are taken from outside, nobody can silence.
	Router   Router
	Poster   Poster
	Operator Operator
	// AlertExplainer and Heart may be nil.
	AlertExplainer AlertExplainer
	Heart          Heart
	// ResolveTimeout is how long an alert from outside fires that has no end and
	// is not posted again; 0 is DefaultResolveTimeout.
	ResolveTimeout time.Duration
	// Ready returns why the daemon is not ready; nil, or a nil Ready, is ready.
	// The reason is shown to whoever asks and must hold nothing of the inside.
	Ready      func(ctx context.Context) error
	Gatherer   prometheus.Gatherer   // for /metrics
	Registerer prometheus.Registerer // for the server's own metrics
	Log        *slog.Logger

	// Tokens may be empty while Listen is a loopback address.
	Tokens      []Token
	Listen      string // host:port
	ExternalURL string
	Version     string // of Tocsin

	// Services says which service of the health document a source belongs to:
	// database, cache or mcp, by the source's name. A source that is not named
	// here belongs to database when it is of type postgres, to cache when of
	// type redis, and to mcp when it is called mcp. A service of another name
	// counts for the overall status, as the alerts of that category do, and is
	// not listed.
	Services map[string]string
	Limits   Limits // zero fields are those of DefaultLimits

	// Buttons are the receivers whose messages have buttons, by name.
	Buttons map[string]Buttons
	// LinkKey is what the links of messages are signed with; without it none work.
	LinkKey []byte
}

// Limits bound what one client can take.
type Limits struct {
	MaxBodyBytes   units.ByteSize // of one request
	MaxAlertsBytes units.ByteSize // of one POST of alerts
	MaxQueryBytes  int            // of the part of the URL after ?
	MaxHeaderBytes int
	// AskTimeout bounds what a handler waits for: the store, a scan of keys,
	// the ingest. ReloadTimeout bounds the reload, TestTimeout the test of a
	// receiver.
	AskTimeout, ReloadTimeout, TestTimeout                    time.Duration
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
}

// DefaultLimits returns the limits where the options give none.
func DefaultLimits() Limits {
	return Limits{
		MaxBodyBytes: 1 << 20, MaxAlertsBytes: 32 << 20, MaxQueryBytes: 4 << 10, MaxHeaderBytes: 16 << 10,
		AskTimeout: 10 * time.Second, ReloadTimeout: 30 * time.Second, TestTimeout: 40 * time.Second,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 45 * time.Second, IdleTimeout: 2 * time.Minute,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	orElse(&l.MaxBodyBytes, d.MaxBodyBytes)
	orElse(&l.MaxAlertsBytes, d.MaxAlertsBytes)
	orElse(&l.MaxQueryBytes, d.MaxQueryBytes)
	orElse(&l.MaxHeaderBytes, d.MaxHeaderBytes)
	orElse(&l.AskTimeout, d.AskTimeout)
	orElse(&l.ReloadTimeout, d.ReloadTimeout)
	orElse(&l.TestTimeout, d.TestTimeout)
	orElse(&l.ReadHeaderTimeout, d.ReadHeaderTimeout)
	orElse(&l.ReadTimeout, d.ReadTimeout)
	orElse(&l.WriteTimeout, d.WriteTimeout)
	orElse(&l.IdleTimeout, d.IdleTimeout)
	return l
}

func orElse[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

// Server answers HTTP requests. It is safe for concurrent use and starts
// nothing: whoever serves its handler also shuts it down.
type Server struct {
	Options
	router    *mux.Router
	guard     *guard
	unmatched routeMetrics

	views  cached[viewKey, *view]
	alerts cached[uint64, *document]
	static staticDocuments
	amv2   standIn

	presses presses
}

// DefaultResolveTimeout is Alertmanager's.
const DefaultResolveTimeout = 5 * time.Minute

// New makes a server.
func New(o Options) *Server {
	o.Limits = o.Limits.orDefault()
	orElse(&o.ResolveTimeout, DefaultResolveTimeout)
	s := &Server{Options: o, guard: newGuard(o.Tokens, o.Listen, o.ExternalURL), amv2: standIn{started: time.Now()}}
	s.static = s.newStaticDocuments()
	m := newMetrics(o.Registerer)
	s.unmatched = m.route("none")
	// SkipClean: a path that is nearly right is a 404 with a suggestion, not a
	// redirect that loses a POST's body.
	s.router = mux.NewRouter().SkipClean(true)
	for _, rt := range s.routes() {
		methods := []string{rt.method}
		if rt.method == http.MethodGet && !rt.noHead {
			methods = append(methods, http.MethodHead)
		}
		// A file's name may hold slashes: it is a path.
		s.router.Handle(strings.ReplaceAll(rt.path, "{file}", "{file:.+}"), s.wrap(rt, m.route(rt.path))).Methods(methods...)
	}
	s.router.NotFoundHandler = tidyAM(s.router, s.wrap(route{handle: s.unknownPath}, s.unmatched))
	s.router.MethodNotAllowedHandler = s.wrap(route{handle: s.wrongMethod}, s.unmatched)
	return s
}

// Handler returns the whole of the API.
func (s *Server) Handler() http.Handler { return s.router }

// HTTP returns a server for addr with every limit set, not started.
func (s *Server) HTTP(addr string) *http.Server {
	return &http.Server{
		Addr: addr, Handler: s.Handler(),
		ReadHeaderTimeout: s.Limits.ReadHeaderTimeout, ReadTimeout: s.Limits.ReadTimeout,
		WriteTimeout: s.Limits.WriteTimeout, IdleTimeout: s.Limits.IdleTimeout,
		MaxHeaderBytes: s.Limits.MaxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}
