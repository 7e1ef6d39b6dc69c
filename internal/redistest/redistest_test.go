package redistest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/redistest"
)

func TestAServerIsStartedKilledAndRestartedOnItsPort(t *testing.T) {
	s := redistest.Start(t)
	addr, c := s.Addr(), s.Client(t)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart(t)
	if err := c.Ping(t.Context()).Err(); err != nil || s.Addr() != addr {
		t.Fatalf("after restart: %v at %s, was at %s", err, s.Addr(), addr)
	}
}

func TestAServerThatWillNotStartSaysWhy(t *testing.T) {
	redistest.Require(t, "redis-server")
	_, err := redistest.Launch(t.TempDir(), "--no-such-option", "1")
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Fatalf("got %v", err)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := redistest.Launch(t.TempDir()); !errors.Is(err, redistest.ErrMissing) {
		t.Fatalf("got %v", err)
	}
}

func TestAClusterAgrees(t *testing.T) {
	c := redistest.StartCluster(t, 3)
	info, err := c.Nodes[2].Client(t).ClusterInfo(t.Context()).Result()
	if err != nil || !strings.Contains(info, "cluster_slots_ok:16384") {
		t.Fatalf("%v: %s", err, info)
	}
}

func TestASentinelKnowsTheMasterAndItsReplica(t *testing.T) {
	master := redistest.Start(t)
	redistest.StartReplica(t, master)
	s := redistest.StartSentinel(t, master)
	got, err := s.Client(t).Do(t.Context(), "sentinel", "get-master-addr-by-name", redistest.MasterName).StringSlice()
	if err != nil || strings.Join(got, ":") != master.Addr() {
		t.Fatalf("%v: %v", err, got)
	}
}
