//go:build unix

package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func ask(t *testing.T, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.Ping(ctx)
}

func TestAServerIsKilledAndStartedAgainOnItsPort(t *testing.T) {
	begun := time.Now()
	s := Start(t)
	t.Logf("started in %s", time.Since(begun))
	s.Exec("postgres", "CREATE TABLE kept (n int)")
	s.Kill()
	if err := ask(t, s.URL("postgres", "postgres")); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart()
	s.Exec("postgres", "SELECT * FROM kept")
}

func TestAStoppedServerHangsUntilItGoesOn(t *testing.T) {
	s := Start(t, "max_connections=10")
	s.Stop()
	if err := ask(t, s.URL("postgres", "postgres")); err == nil {
		t.Fatal("a stopped server answers")
	}
	s.Cont()
	if err := ask(t, s.URL("postgres", "postgres")); err != nil {
		t.Fatal(err)
	}
}

func TestPgBouncerStandsBeforeTheServer(t *testing.T) {
	s := Start(t)
	s.Exec("postgres", "CREATE ROLE app LOGIN")
	b := StartPgBouncer(t, s, 2, "transaction")
	if err := ask(t, b.URL("app", "postgres")); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	if err := ask(t, b.URL("app", "postgres")); err == nil {
		t.Fatal("a killed PgBouncer answers")
	}
}
