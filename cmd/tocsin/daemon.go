package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/internal/signed"
	"github.com/tocsin-dev/tocsin/internal/watch"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/source/heartbeat"
	"github.com/tocsin-dev/tocsin/source/push"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// daemon is everything that runs, put together.
type daemon struct {
	files   files
	world   world
	log     *slog.Logger
	started *configs.Config // what the socket and the store were opened by

	listener net.Listener
	server   *http.Server
	handler  atomic.Pointer[http.Handler]
	registry *prometheus.Registry

	store  *sqlite.Store
	board  *source.Board
	engine *engine.Engine
	outbox *outbox.Outbox
	// plugins run from before the first receiver is built until the last message is
	// sent.
	plugins *pluginhost.Host
	// linkKey signs the links of messages; buttons are the receivers whose
	// messages have some.
	linkKey []byte
	buttons map[string]api.Buttons

	mu      sync.Mutex // guards what a reload changes
	plan    *plan
	sources map[string]*running
	runCtx  context.Context // of the sources; nil before run
	// stopping ends reloads: they would start sources that nobody stops.
	stopping bool
	// refusal is the message that the alert about a refused edit was last given.
	refusal string

	// checking holds one while a text is checked: thousands of rules take
	// hundreds of megabytes, and whoever may read may ask.
	checking chan struct{}

	watcher *watch.Watcher
	reload  atomic.Pointer[reloadState]
	pulses  pulses
	heart   *heartbeat.Monitor
	// retell holds one when the sample of how the files stand is wanted now.
	retell chan struct{}
}

// running is one source at work.
type running struct {
	config configs.Source
	run    func(ctx context.Context) error
	keys   api.KeyScanner // nil when the source lists none
	hub    *push.Hub      // nil unless the source takes pushes
	cancel context.CancelFunc
	done   chan struct{}
}

// newDaemon opens the store and the listening socket and builds everything;
// nothing runs yet.
func newDaemon(ctx context.Context, f files, w world, p *plan, log *slog.Logger) (*daemon, error) {
	d := &daemon{
		files: f, world: w, log: log, plan: p, started: p.config, board: source.NewBoard(), sources: map[string]*running{},
		registry: prometheus.NewRegistry(), watcher: watch.New(watch.Default(log)), retell: make(chan struct{}, 1),
		checking: make(chan struct{}, 1),
	}
	d.reload.Store(&reloadState{at: time.Now(), succeededAt: time.Now()})
	var err error
	if d.plugins = w.plugins; d.plugins == nil {
		d.plugins = newPluginHost(log, d.tellSoon)
	}
	d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.config.Server.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w; give --listen, or server.listen, another port", err)
		}
		return nil, fail("server", err)
	}
	d.store, err = sqlite.Open(ctx, p.config.Store.Path, sqlite.Options{}, log)
	if err != nil {
		return nil, errors.Join(fail("store", err), d.listener.Close())
	}
	receivers, err := d.keyedReceivers(ctx, p.config)
	if err != nil {
		return nil, errors.Join(err, d.listener.Close(), d.store.Close())
	}
	policy := outbox.DefaultPolicy()
	policy.Drain = p.config.Server.ShutdownTimeout
	d.outbox = outbox.New(outbox.Options{Store: d.store, Policy: policy, Log: log, OnHealth: d.receiverHealth})
	d.outbox.SetReceivers(receivers)
	d.buttons = buttonsOf(receivers)
	d.engine = engine.New(engine.Options{
		Setup: d.setup(p), Store: d.store, Outbox: d.outbox, Log: log,
		HistoryRetention: p.config.Store.Retention.History, SamplesRetention: p.config.Store.Retention.Samples,
		DeliveriesRetention: min(p.config.Store.Retention.Deliveries, p.config.Store.Retention.History), MaxStoreBytes: int64(p.config.Store.Retention.Size),
	})
	if err := errors.Join(d.buildSources(p.config), d.openHeartbeats(ctx, p.config)); err != nil {
		return nil, errors.Join(err, d.listener.Close(), d.store.Close())
	}
	if err := d.plugins.Apply(pluginSpecs(p.config, w.environ)); err != nil {
		return nil, errors.Join(fail("plugins", err), d.listener.Close(), d.store.Close())
	}
	d.files.plugins = questions{ctx: context.WithoutCancel(ctx), environ: w.environ, folder: filepath.Dir(f.config), running: d.plugins, lenient: true}.ask
	d.registerMetrics()
	d.server = d.exchangeAPI().HTTP(p.config.Server.Listen)
	d.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		(*d.handler.Load()).ServeHTTP(rw, r)
	})
	return d, nil
}

func (d *daemon) setup(p *plan) engine.Setup {
	options := route.Options{
		Root: p.routing.Root, Inhibitions: p.routing.Inhibitions, Maintenance: p.routing.Maintenance, Receivers: p.routing.Receivers,
		ExternalURL: p.config.ExternalURL(), NewID: newMessageID, SilenceWarning: p.config.SilenceWarning,
	}
	names := map[string]bool{ownSource: true}
	for _, s := range p.config.Sources {
		names[s.Name] = true
	}
	watched := func(ls alert.Labels) bool { return names[ls.Get(alert.LabelSource)] }
	return engine.Setup{Rules: p.rules, Route: options, Watched: watched, External: external.Options{
		ResolveTimeout: p.config.External.ResolveTimeout, Severity: p.config.External.Severity,
	}}
}

// markLinkKey is the mark that keeps the key of signed links, so that a restart
// does not make those invalid that were sent.
const markLinkKey = "links/key"

// keyedReceivers builds the receivers, and finds or makes the key that signs
// the links in what they send.
func (d *daemon) keyedReceivers(ctx context.Context, c *configs.Config) ([]outbox.Receiver, error) {
	marks, err := d.store.Marks(ctx)
	if err != nil {
		return nil, fail("store", err)
	}
	for _, m := range marks {
		if key, err := hex.DecodeString(m.Value); m.Name == markLinkKey && err == nil && len(key) == signed.KeyBytes {
			d.linkKey = key
		}
	}
	if d.linkKey == nil {
		d.linkKey = signed.NewKey()
		err := d.store.Commit(ctx, store.Change{Marks: []store.Mark{{Name: markLinkKey, Value: hex.EncodeToString(d.linkKey)}}})
		if err != nil {
			return nil, fail("store", err)
		}
	}
	return d.buildReceivers(c)
}

func (d *daemon) buildReceivers(c *configs.Config) ([]outbox.Receiver, error) {
	out := make([]outbox.Receiver, 0, len(c.Receivers))
	for _, r := range c.Receivers {
		n, err := d.buildReceiver(&r)
		if err != nil {
			return nil, fail(fmt.Sprintf("receiver %q", r.Name), err)
		}
		out = append(out, outbox.Receiver{
			Name: r.Name, Type: r.Type, Notifier: n, Timeout: r.Timeout, GiveUp: r.GiveUpAfter, Rate: r.RateLimit,
			Concurrency: cmp.Or(r.Concurrency, d.world.kinds.receivers[r.Type].concurrency), Settings: digestOf(r.Settings),
		})
	}
	return out, nil
}

func (d *daemon) buildReceiver(r *configs.Receiver) (notifiers.Notifier, error) {
	if configs.IsPlugin(r.Settings) {
		return d.pluginNotifier(r)
	}
	needs := receiverNeeds{timeout: r.Timeout, stdout: d.world.stdout, links: notifiers.NewLinks(d.linkKey)}
	return d.world.kinds.receivers[r.Type].build(r.Settings, needs)
}

// buttonsOf returns the receivers whose messages have buttons.
func buttonsOf(receivers []outbox.Receiver) map[string]api.Buttons {
	out := map[string]api.Buttons{}
	for _, r := range receivers {
		if b, ok := r.Notifier.(api.Buttons); ok {
			out[r.Name] = b
		}
	}
	return out
}

// buildSources brings the sources in line with the configuration: those that
// did not change go on, the others are stopped, and new ones are made. When
// one cannot be made, nothing is changed.
func (d *daemon) buildSources(c *configs.Config) error {
	made := map[string]*running{}
	for _, s := range c.Sources {
		if old := d.sources[s.Name]; old != nil && reflect.DeepEqual(old.config, s) {
			made[s.Name] = old
			continue
		}
		r, err := d.buildSource(s)
		if err != nil {
			return fail(fmt.Sprintf("source %q", s.Name), err)
		}
		made[s.Name] = r
	}
	for name, old := range d.sources {
		if made[name] != old {
			old.stop()
		}
	}
	d.sources = made
	if d.runCtx != nil {
		d.startSources(d.runCtx)
	}
	return nil
}

func (d *daemon) buildSource(s configs.Source) (*running, error) {
	if s.Type == typePush {
		c, err := as[push.Config](s.Settings)
		if err != nil {
			return nil, err
		}
		hub := push.NewHub(*c, s.Spec(), d.engine, d.board, d.log)
		return &running{config: s, hub: hub, run: hub.Run}, nil
	}
	build := d.world.kinds.sources[s.Type].build
	if configs.IsPlugin(s.Settings) {
		build = func(any, string, *slog.Logger) (source.Source, error) { return d.pluginSource(&s) }
	}
	built, err := build(s.Settings, s.Name, d.log)
	if err != nil {
		return nil, err
	}
	r := &running{config: s}
	r.run = func(ctx context.Context) error {
		return source.NewPoller(s.Spec(), built, d.engine, d.board, d.log).Run(ctx)
	}
	r.keys, _ = built.(api.KeyScanner)
	return r, nil
}

func (r *running) stop() {
	if r.cancel != nil {
		r.cancel()
		<-r.done
	}
}

func (d *daemon) startSources(ctx context.Context) {
	for name, r := range d.sources {
		if r.cancel != nil {
			continue
		}
		r.done = make(chan struct{})
		var own context.Context
		own, r.cancel = context.WithCancel(ctx)
		go func() {
			defer close(r.done)
			if err := r.run(own); err != nil && own.Err() == nil {
				d.log.Error("source ended", "source", name, "error", err)
			}
		}()
	}
}

// run works until ctx ends, then drains: sources stop first, then the engine
// commits what it has, then attempts under way end, then the store closes.
func (d *daemon) run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	engineDone, outboxDone, serverDone := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	outboxCtx, stopOutbox := context.WithCancel(inner)
	defer stopOutbox()
	engineCtx, stopEngine := context.WithCancel(inner)
	defer stopEngine()
	ctx, stopBeside := context.WithCancel(ctx)
	defer stopBeside()
	go func() { serverDone <- d.server.Serve(d.listener) }()
	go func() { engineDone <- d.engine.Run(engineCtx) }()
	go func() { outboxDone <- d.outbox.Run(outboxCtx) }()

	var failure error
	var beside sync.WaitGroup // what ends with ctx
	select {
	case <-d.engine.Ready():
		d.mu.Lock()
		d.runCtx = inner
		d.startSources(inner)
		d.watchFiles(d.plan)
		d.mu.Unlock()
		beside.Go(func() { _ = d.watcher.Run(ctx, d.reloadChanged) }) // returns ctx's error
		beside.Go(func() { d.tellOfItself(ctx) })
		beside.Go(func() { returnMemory(ctx) })
		beside.Go(func() { d.runPulses(ctx) })
		select {
		case <-ctx.Done():
		case err := <-serverDone:
			failure = fail("server", err)
		}
	case err := <-engineDone:
		failure = err
		engineDone <- err
	case <-ctx.Done():
	}
	d.log.Info("stopping: what is under way is finished")
	stopBeside()
	beside.Wait()
	shut, cancel := context.WithTimeout(inner, d.stopSources())
	defer cancel()
	stopEngine()
	failure = errors.Join(failure, notCancelled(<-engineDone))
	stopOutbox()
	failure = errors.Join(failure, notCancelled(<-outboxDone))
	d.plugins.Close()
	if err := d.server.Shutdown(shut); err != nil {
		failure = errors.Join(failure, d.server.Close())
	}
	failure = errors.Join(failure, d.stopHeartbeats(shut))
	return errors.Join(failure, d.store.Close())
}

// stopSources ends all sources and every later reload, and returns how long the
// rest of the stop may take.
func (d *daemon) stopSources() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var wg sync.WaitGroup
	for _, r := range d.sources {
		wg.Go(r.stop)
	}
	wg.Wait()
	d.sources, d.stopping = map[string]*running{}, true
	return d.plan.config.Server.ShutdownTimeout
}

func notCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// newMessageID makes a notification's id.
func newMessageID() string { return "msg_" + rand.Text() }

func fail(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }
