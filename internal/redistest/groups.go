package redistest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is the number of hash slots of every Redis Cluster.
const slots = 16384

// Cluster is a Redis Cluster of masters without replicas.
type Cluster struct{ Nodes []*Server }

// Addrs returns the nodes' addresses.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// StartCluster runs n masters that share the slots evenly, and waits until
// every one of them knows it.
func StartCluster(t testing.TB, n int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range n {
		c.Nodes = append(c.Nodes, Start(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "1000",
		}, args...)...))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for i, node := range c.Nodes {
		client := node.Client(t)
		first, last := i*slots/n, (i+1)*slots/n-1
		for _, command := range [][]any{
			{"cluster", "set-config-epoch", i + 1},
			{"cluster", "addslotsrange", first, last},
			{"cluster", "meet", "127.0.0.1", c.Nodes[0].Port()},
		} {
			if err := client.Do(ctx, command...).Err(); err != nil {
				t.Fatalf("%v: %v", command, err)
			}
		}
	}
	await(t, ctx, "the cluster to agree", c.agreed)
	return c
}

func (c *Cluster) agreed(ctx context.Context) bool {
	for _, node := range c.Nodes {
		client := newClient(node.Addr())
		state, err := client.ClusterInfo(ctx).Result()
		ranges, err2 := client.ClusterSlots(ctx).Result() //nolint:staticcheck // as source/redis asks
		_ = client.Close()
		if err != nil || err2 != nil || len(ranges) != len(c.Nodes) || !strings.Contains(state, "cluster_state:ok") {
			return false
		}
	}
	return true
}

// MasterName is the name under which StartSentinel's Sentinel knows its master.
const MasterName = "mymaster"

// StartReplica runs a replica of master and waits until it is in sync, and
// master counts it as online.
func StartReplica(t testing.TB, master *Server, args ...string) *Server {
	t.Helper()
	r := Start(t, append([]string{
		"--replicaof", "127.0.0.1", strconv.Itoa(master.Port()),
	}, args...)...)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	replica, above := r.Client(t), master.Client(t)
	online := fmt.Sprintf("port=%d,state=online", r.Port())
	await(t, ctx, "the replica's link", func(ctx context.Context) bool {
		here, err := replica.Info(ctx, "replication").Result()
		there, err2 := above.Info(ctx, "replication").Result()
		return err == nil && err2 == nil &&
			strings.Contains(here, "master_link_status:up") && strings.Contains(there, online)
	})
	return r
}

// StartSentinel runs a Sentinel, with a quorum of one, that watches master
// under MasterName, and waits until it knows all of master's replicas.
func StartSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	const program = "redis-server"
	Require(t, program)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{program: program, dir: t.TempDir(), port: port}
	conf := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds %[3]s 500\nsentinel failover-timeout %[3]s 3000\n",
		port, s.dir, MasterName, master.Port())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.exec(exec.Command(program, conf, "--sentinel")); err != nil { //nolint:noctx // lives until Close
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	replication, err := master.Client(t).Info(ctx, "replication").Result()
	if err != nil {
		t.Fatal(err)
	}
	attached := strings.Count(replication, "state=online")
	client := s.Client(t)
	await(t, ctx, "Sentinel to know the replicas", func(ctx context.Context) bool {
		known, err := client.Do(ctx, "sentinel", "replicas", MasterName).Slice()
		return err == nil && len(known) == attached
	})
	return s
}

// await asks until the answer is yes or ctx ends.
func await(t testing.TB, ctx context.Context, what string, yes func(context.Context) bool) {
	t.Helper()
	for !yes(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
