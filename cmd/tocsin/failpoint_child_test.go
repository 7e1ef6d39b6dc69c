//go:build unix

package main_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine"
	"github.com/tocsin-dev/tocsin/engine/external"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/webhook"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// failpointChild is set for a process that a test starts from its own binary: an
// engine, an outbox and a store put together as the daemon does it, with a trap
// between them. Nothing of the program knows of traps.
const failpointChild = "TOCSIN_TEST_FAILPOINT"

// step is where a process ends itself.
type step string

// The steps of a notification's life, in their order.
const (
	nowhere            step = ""
	beforeTransition   step = "before the transition is committed"
	afterTransition    step = "after the transition is committed"
	beforeQueued       step = "before the notification is committed"
	beforeHandedOver   step = "after the notification is committed, before it is handed over"
	beforeRequest      step = "after the claim, before the request"
	beforeAnswerCounts step = "after the answer, before it settles"
	beforeSettled      step = "when it is about to settle"
	whileSettling      step = "while it settles"
	afterSettled       step = "after it has settled"
	whileApplied       step = "while the journal is moved into the tables"
)

// trap ends the process at a step of a notification of some status.
type trap struct {
	at     step
	status alert.State

	mu       sync.Mutex
	statuses map[string]alert.State // of the notifications that were sent
}

func (t *trap) spring() {
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}

func (t *trap) step(at step, is bool) {
	if t.at == at && is {
		t.spring()
	}
}

// trappedStore is the store as the engine and the outbox know it.
type trappedStore struct {
	*sqlite.Store
	trap *trap
}

func (s trappedStore) Commit(ctx context.Context, c store.Change) error {
	moves, queues := false, false
	for i := range c.Alerts {
		moves = moves || c.Alerts[i].State == s.trap.status
	}
	for i := range c.Deliveries {
		queues = queues || c.Deliveries[i].Notification.Status == s.trap.status
	}
	s.trap.step(beforeTransition, moves)
	s.trap.step(beforeQueued, queues)
	if err := s.Store.Commit(ctx, c); err != nil {
		return err
	}
	s.trap.step(afterTransition, moves)
	s.trap.step(beforeHandedOver, queues)
	if s.trap.at == whileApplied && moves {
		go s.trap.watchApplier(s.Path())
	}
	return nil
}

func (s trappedStore) Settle(ctx context.Context, outcomes []store.Settlement) error {
	is := false
	for i := range outcomes {
		s.trap.mu.Lock()
		is = is || s.trap.statuses[outcomes[i].ID] == s.trap.status
		s.trap.mu.Unlock()
	}
	s.trap.step(beforeSettled, is)
	if s.trap.at == whileSettling && is {
		go s.trap.spring()
	}
	if err := s.Store.Settle(ctx, outcomes); err != nil {
		return err
	}
	s.trap.step(afterSettled, is)
	return nil
}

// watchApplier springs when a row of the journal is in the tables by half.
func (t *trap) watchApplier(path string) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		panic(err)
	}
	for {
		var ops int
		if err := db.QueryRow(`SELECT ops FROM applied`).Scan(&ops); err == nil && ops > 0 { //nolint:noctx // the process ends with it
			t.spring()
		}
	}
}

// trappedNotifier is the receiver as the outbox knows it.
type trappedNotifier struct {
	notifiers.Notifier
	trap *trap
}

func (n trappedNotifier) Notify(ctx context.Context, what alert.Notification) (notifiers.Receipt, error) {
	n.trap.mu.Lock()
	n.trap.statuses[what.ID] = what.Status
	n.trap.mu.Unlock()
	n.trap.step(beforeRequest, what.Status == n.trap.status)
	receipt, err := n.Notifier.Notify(ctx, what)
	n.trap.step(beforeAnswerCounts, what.Status == n.trap.status)
	return receipt, err
}

// playFailpoint is the child's whole life. Its arguments are the database, the
// receiver's URL, the step at which it ends and the status that the step is of;
// on its input come words that it does and answers.
func playFailpoint() int {
	path, url, t := os.Args[1], os.Args[2], &trap{at: step(os.Args[3]), status: alert.State(os.Args[4]), statuses: map[string]alert.State{}}
	if err := playUntilEnd(path, url, t); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

func playUntilEnd(path, url string, t *trap) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	opened, err := sqlite.Open(ctx, path, sqlite.Options{}, log)
	if err != nil {
		return err
	}
	trapped := trappedStore{opened, t}
	cfg := webhook.Default()
	cfg.URL, cfg.Body = secret.NewURL(url), notifiers.TextFrom("{{ json . }}")
	hook, err := webhook.New(cfg, nil)
	if err != nil {
		return err
	}
	box := outbox.New(outbox.Options{Store: trapped, Policy: outbox.DefaultPolicy(), Log: log})
	box.SetReceivers([]outbox.Receiver{{Name: "hook", Type: "webhook", Notifier: trappedNotifier{hook, t}, Timeout: patience}})
	setup, err := failpointSetup()
	if err != nil {
		return err
	}
	e := engine.New(engine.Options{Setup: setup, Store: trapped, Outbox: box, Log: log})
	boxCtx, stopBox := context.WithCancel(context.Background())
	defer stopBox()
	engineDone, boxDone := make(chan error, 1), make(chan error, 1)
	go func() { engineDone <- e.Run(ctx) }()
	go func() { boxDone <- box.Run(boxCtx) }()
	<-e.Ready()
	fmt.Println("ready")
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		if err := obeyWord(ctx, e, box, opened, input.Text()); err != nil {
			return err
		}
		fmt.Println("done:", input.Text())
	}
	cancel()
	first := <-engineDone
	stopBox()
	for _, err := range []error{first, <-boxDone} {
		if !errors.Is(err, context.Canceled) {
			return errors.Join(err, opened.Close())
		}
	}
	return opened.Close()
}

// failpointSetup tells one receiver of everything. The waits part the commit of
// a transition from that of its notification.
func failpointSetup() (engine.Setup, error) {
	wait := 20 * time.Millisecond
	root, problems := route.Compile(route.Spec{
		Receivers: []string{"hook"}, GroupBy: []string{"batch"}, GroupWait: &wait, GroupInterval: &wait,
	}, []string{"hook"})
	return engine.Setup{
		Route: route.Options{Root: root, Receivers: []route.Receiver{{Name: "hook"}}, NewID: func() string { return "msg_" + rand.Text() }},
		External: external.Options{
			ResolveTimeout: time.Hour, Severity: func(string) alert.Severity { return alert.Critical },
		},
	}, problems.Err()
}

// obeyWord posts an alert, or its end, or a thousand of them ("fire 1000"), or
// waits until nothing is to be sent.
func obeyWord(ctx context.Context, e *engine.Engine, box *outbox.Outbox, s *sqlite.Store, word string) error {
	verb, count, many := strings.Cut(word, " ")
	n := 1
	if many {
		var err error
		if n, err = strconv.Atoi(count); err != nil {
			return err
		}
	}
	alerts := make([]alert.Posted, n)
	for i := range alerts {
		alerts[i].Labels = alert.LabelsOf("alertname", "a", "batch", strconv.Itoa(i/500), "n", strconv.Itoa(i))
	}
	switch verb {
	case "fire":
		return e.Post(ctx, alerts)
	case "end":
		for i := range alerts {
			alerts[i].EndsAt = time.Now()
		}
		return e.Post(ctx, alerts)
	case "settle":
		return awaitSettled(ctx, e, box, s)
	}
	return errors.New("unknown word " + word)
}

// awaitSettled waits until no group waits for its time and every notification
// is settled, on the disk.
func awaitSettled(ctx context.Context, e *engine.Engine, box *outbox.Outbox, s *sqlite.Store) error {
	for deadline := time.Now().Add(patience); ; {
		due := false
		for _, g := range e.Groups() {
			due = due || !g.FlushAt.IsZero() && g.FlushAt.Before(time.Now().Add(time.Minute))
		}
		// What was decided is on its way to the store for a moment; an order that
		// changes nothing comes behind it.
		if _, err := e.Acknowledge(ctx, nil, alert.Ack{}); err != nil {
			return err
		}
		page, err := s.Deliveries(ctx, store.DeliveryQuery{States: []alert.DeliveryState{alert.DeliveryPending}})
		if err != nil {
			return err
		}
		if !due && len(page.Deliveries) == 0 && box.Status()["hook"].Pending == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("waited in vain for everything to be settled")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
