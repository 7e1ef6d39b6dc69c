// Command rogue is every plugin that does one thing wrong: the first argument says
// which.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

type rogue struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	does string
}

func main() {
	r := &rogue{does: os.Args[1]}
	switch r.does {
	case "prints":
		fmt.Println("Hello, I am starting!")
	case "exits":
		fmt.Fprintln(os.Stderr, "cannot find my library")
		os.Exit(3)
	}
	if os.Getenv(pluginpb.CookieKey) == "" {
		if r.does == "by-hand" {
			time.Sleep(time.Hour)
		}
		fmt.Fprintln(os.Stderr, "a plugin")
		os.Exit(1)
	}
	if r.does == "term" {
		signal.Ignore(syscall.SIGTERM)
	}
	if r.does == "forks" {
		_ = exec.Command("/bin/sleep", "20").Start()
	}
	if r.does != "orphan" {
		go func() {
			for parent := os.Getppid(); os.Getppid() == parent; {
				time.Sleep(20 * time.Millisecond)
			}
			os.Exit(0)
		}()
	}
	r.serve()
}

func (r *rogue) serve() {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(pluginpb.MaxMessageBytes))
	alive := health.NewServer()
	alive.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, alive)
	pluginpb.RegisterPluginServer(s, r)
	pluginpb.RegisterNotifierServer(s, r)
	if r.does != "term" && r.does != "socket" {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		go func() {
			<-asked
			s.Stop()
		}()
	}
	fmt.Printf("1|1|unix|%s|grpc|\n", path)
	if err := s.Serve(listener); err != nil {
		panic(err)
	}
}

func (r *rogue) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	about := &pluginpb.DescribeResponse{
		Name: "rogue", Version: "1", Kinds: []pluginpb.Kind{pluginpb.Kind_KIND_NOTIFIER},
		ConfigSchema: `{"type": "object", "properties": {"do": {"type": "string"}}}`,
	}
	switch r.does {
	case "name":
		about.Name = "The Rogue"
	case "changes":
		about.Version = time.Now().String()
	case "schema":
		about.ConfigSchema = `{"type": "object", "properties": 5}`
	}
	return about, nil
}

func (r *rogue) ValidateConfig(_ context.Context, req *pluginpb.ValidateConfigRequest) (*pluginpb.ValidateConfigResponse, error) {
	text := string(req.GetConfigJson())
	switch {
	case r.does == "takes-all", text == "{}", text == `{"do":"slow"}`:
		return &pluginpb.ValidateConfigResponse{}, nil
	case r.does == "garbage" && text == "{":
		os.Exit(7)
	}
	return &pluginpb.ValidateConfigResponse{Problems: []*pluginpb.Problem{{Path: "no_such_setting_in_this_plugin", Message: "unknown"}}}, nil
}

func (r *rogue) Notify(ctx context.Context, req *pluginpb.NotifyRequest) (*pluginpb.NotifyResponse, error) {
	if string(req.GetConfigJson()) == `{"do":"slow"}` {
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
	}
	answer := &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_OK, Reference: "r"}
	n := req.GetNotification()
	switch {
	case n == nil || string(req.GetConfigJson()) == "\x00{garbage":
		if r.does != "always-well" {
			answer.Outcome = pluginpb.Outcome_OUTCOME_RETRY
		}
	case r.does == "outcome":
		answer.Outcome = pluginpb.Outcome_OUTCOME_UNSPECIFIED
	case r.does == "panics" && len(n.GetAlerts()) > 1000:
		os.Exit(2)
	case r.does == "reference" && n.GetReference() == "no-such-reference":
		answer.Outcome, answer.Message = pluginpb.Outcome_OUTCOME_PERMANENT, "there is no such message"
	}
	return answer, nil
}
