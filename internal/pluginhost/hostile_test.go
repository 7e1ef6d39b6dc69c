//go:build unix

package pluginhost_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// pluginWord begins the arguments of a process of this binary that is a plugin.
const pluginWord = "be-a-plugin"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == pluginWord {
		bePlugin(os.Args[2], os.Args[3:])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == hostWord {
		beHost(os.Args[2:])
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.(*GRPCBroker).Run"))
}

// bePlugin misbehaves in the way that its first argument names.
func bePlugin(manner string, args []string) {
	say := func(text string) { fmt.Print(text) }
	switch manner {
	case "exits":
		fmt.Fprintln(os.Stderr, "cannot find my config")
		os.Exit(3)
	case "silent":
		select {}
	case "chatters":
		say("Hello, I am starting up!\n")
		select {}
	case "endless":
		for {
			say(strings.Repeat("x", 4096))
		}
	case "old-core":
		say("9|1|unix|/nowhere|grpc|\n")
		select {}
	case "other-version":
		say("1|7|unix|/nowhere|grpc|\n")
		select {}
	case "net-rpc":
		say("1|1|unix|/nowhere|netrpc|\n")
		select {}
	case "elsewhere":
		say("1|1|tcp|192.0.2.1:80|grpc|\n")
		select {}
	case "foreign-socket":
		say("1|1|unix|/run/docker.sock|grpc|\n")
		select {}
	case "no-grpc":
		noGRPC()
	case "other-plugin":
		serve(func(*grpc.Server) {})
	case "forks-and-exits":
		fork(args)
		os.Exit(4)
	default:
		h := &hostile{manner: manner, args: args}
		if manner == "ignores-sigterm" {
			signal.Ignore(syscall.SIGTERM)
		}
		if manner == "regroups" { // into the host's group, where nobody looks for it
			signal.Ignore(syscall.SIGTERM)
			if group, err := syscall.Getpgid(os.Getppid()); err != nil || syscall.Setpgid(0, group) != nil {
				panic("cannot change the group")
			}
		}
		if manner == "forks" {
			fork(args)
		}
		serve(func(s *grpc.Server) {
			pluginpb.RegisterPluginServer(s, h)
			pluginpb.RegisterNotifierServer(s, h)
			h.server = s
		})
		if manner == "hangs-up" {
			time.Sleep(time.Hour)
		}
	}
}

func serve(register func(*grpc.Server)) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  pluginpb.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{pluginpb.Version1: {pluginpb.Name: &pluginpb.GRPC{Register: register}}},
		GRPCServer:       plugin.DefaultGRPCServer, // which takes 4 MiB
		Logger:           hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Info}),
	})
}

// noGRPC shakes hands, and answers with something else.
func noGRPC() {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "s"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("1|1|unix|%s|grpc|\n", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_ = c.Close()
	}
}

// fork starts a child in the plugin's group, and one that has left it, and writes
// their numbers into files.
func fork(args []string) {
	for i, attr := range []*syscall.SysProcAttr{nil, {Setsid: true}} {
		cmd := exec.Command("/bin/sleep", "600") //nolint:noctx // it shall outlive us
		cmd.SysProcAttr = attr
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // which keeps the pipes open
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		if err := os.WriteFile(args[0]+strconv.Itoa(i), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			panic(err)
		}
	}
}

// hostile is a plugin that can be talked to.
type hostile struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	manner string
	args   []string
	server *grpc.Server
}

const hostileSchema = `{"type": "object", "required": ["to"], "additionalProperties": false, "properties": {
	"to": {"type": "string", "minLength": 3}, "level": {"enum": ["low", "high"]}, "tries": {"type": "integer", "minimum": 1},
	"hosts": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer"}}, "additionalProperties": false}}}}`

func (h *hostile) Describe(ctx context.Context, _ *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	switch h.manner {
	case "describe-hangs":
		<-ctx.Done()
		select {}
	case "nameless":
		return &pluginpb.DescribeResponse{}, nil
	case "kindless":
		return &pluginpb.DescribeResponse{Name: "kindless"}, nil
	}
	return &pluginpb.DescribeResponse{
		Name: "hostile", Version: "1.2.3", Kinds: []pluginpb.Kind{pluginpb.Kind_KIND_NOTIFIER}, ConfigSchema: hostileSchema,
	}, nil
}

func (h *hostile) ValidateConfig(_ context.Context, r *pluginpb.ValidateConfigRequest) (*pluginpb.ValidateConfigResponse, error) {
	if strings.Contains(string(r.GetConfigJson()), "nobody") {
		return &pluginpb.ValidateConfigResponse{Problems: []*pluginpb.Problem{{Path: "to", Message: "there is nobody of that name", Hint: "write somebody"}}}, nil
	}
	return &pluginpb.ValidateConfigResponse{}, nil
}

func (h *hostile) Notify(ctx context.Context, r *pluginpb.NotifyRequest) (*pluginpb.NotifyResponse, error) {
	n := r.GetNotification()
	if strings.Contains(string(r.GetConfigJson()), "a black hole") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	switch h.manner {
	case "hangs-up":
		go h.server.Stop()
		<-ctx.Done()
		return nil, ctx.Err()
	case "confesses":
		return nil, status.Error(codes.Internal, "cannot log in with "+os.Getenv("PAGER_TOKEN"))
	case "hangs":
		<-ctx.Done()
		select {}
	case "panics":
		panic("the pager is on fire")
	case "dies":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "floods":
		w := bufio.NewWriter(os.Stderr)
		for i := range 200_000 {
			fmt.Fprintf(w, "line %d %s\n", i, strings.Repeat("y", 100))
		}
		_ = w.Flush()
		fmt.Println(strings.Repeat("z", 1<<20))
	case "logs":
		fmt.Fprintln(os.Stderr, `{"@level":"warn","@message":"the pager is slow","@module":"x","took":"5s","tries":3}`)
		fmt.Fprintln(os.Stderr, `{"time":"now","level":"ERROR","msg":"slog says so","plugin":"another"}`)
		fmt.Fprintln(os.Stderr, "Traceback: token is "+os.Getenv("PAGER_TOKEN"))
		fmt.Fprintln(os.Stderr, os.Getenv("PAGER_KEY"))
		fmt.Println("hello\x1b[31m on standard output")
		fmt.Fprintln(os.Stderr, strings.Repeat("long", 5000))
	case "slow":
		time.Sleep(300 * time.Millisecond)
	case "permanent":
		return &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_PERMANENT, Message: "no such channel", Status: 404}, nil
	case "later":
		return &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Message: "too many", RetryAfter: durationpb.New(7 * time.Second)}, nil
	case "environment":
		return &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_OK, Answer: strings.Join(os.Environ(), "\x00")}, nil
	}
	return &pluginpb.NotifyResponse{
		Outcome: pluginpb.Outcome_OUTCOME_OK, Reference: "ref-" + n.GetReference(),
		Note:   fmt.Sprintf("attempt %d", r.GetAttempt()),
		Answer: fmt.Sprintf("pid=%d alerts=%d truncated=%d by_size=%d config=%s", os.Getpid(), len(n.GetAlerts()), n.GetTruncated(), n.GetTruncatedBySize(), r.GetConfigJson()),
	}, nil
}
