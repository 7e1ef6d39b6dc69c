// Package plugincheck tries out a plugin as a real process, the way the daemon
// uses it and a few that it hopes for never: plugins/plugintest calls it for the
// tests of authors, cmd/tocsin for `tocsin plugin test`. It judges by the
// protocol alone, in whatever language the plugin is written; what the plugin
// tells is told to whom its settings name.
package plugincheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// startTimeout is how long a plugin may take until its handshake.
const startTimeout = 15 * time.Second

// process is one run of the plugin.
type process struct {
	*pluginpb.Client
	cmd     *exec.Cmd
	host    *plugin.Client
	folder  string // of its sockets
	log     *lines
	stderr  *lines
	began   time.Duration // from the start to the first answer
	version int
}

// how a process is started.
type how struct {
	mtls     bool
	orphaned bool // below a shell, which is killed
	versions map[int]plugin.PluginSet
}

// start runs the plugin and connects to it.
func (o *Options) start(ctx context.Context, h how) (*process, error) {
	p := &process{log: &lines{}, stderr: &lines{}}
	var err error
	if p.folder, err = os.MkdirTemp("", "tocsin-plugin-test"); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(o.Path, o.Args...) //nolint:noctx // it is ended by what is tried
	if h.orphaned {
		// The "exit" keeps the shell from becoming the plugin.
		p.cmd = exec.Command("/bin/sh", append([]string{"-c", `"$0" "$@"; exit $?`, o.Path}, o.Args...)...) //nolint:noctx // as above
	}
	p.cmd.Env = append(append([]string{}, o.Env...), plugin.EnvUnixSocketDir+"="+p.folder)
	ownGroup(p.cmd)
	if h.versions == nil {
		h.versions = pluginpb.ClientPlugins()
	}
	begun := time.Now()
	p.host = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: pluginpb.Handshake(), VersionedPlugins: h.versions, Cmd: p.cmd, AutoMTLS: h.mtls,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, SkipHostEnv: true, StartTimeout: startTimeout,
		Logger: hclog.New(&hclog.LoggerOptions{Output: p.log, Level: hclog.Trace}),
		Stderr: p.stderr, SyncStdout: p.log, SyncStderr: p.log,
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(pluginpb.MaxMessageBytes), grpc.MaxCallSendMsgSize(pluginpb.MaxMessageBytes))},
	})
	if err := p.connect(ctx); err != nil {
		p.end()
		if said := strings.TrimSpace(p.stderr.String()); said != "" {
			err = fmt.Errorf("%w; its standard error ends with: %s", err, said[strings.LastIndexByte(said, '\n')+1:])
		}
		return nil, err
	}
	p.began = time.Since(begun)
	p.version = p.host.NegotiatedVersion()
	return p, nil
}

func (p *process) connect(ctx context.Context) error {
	client, err := p.host.Client()
	if err != nil {
		return errors.New(firstLine(err))
	}
	raw, err := client.Dispense(pluginpb.Name)
	if err != nil {
		return err
	}
	speaks, ok := raw.(*pluginpb.Client)
	if !ok {
		return fmt.Errorf("dispensed %T", raw)
	}
	p.Client = speaks
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err = p.Plugin.Describe(ctx, &pluginpb.DescribeRequest{})
	return err
}

// end kills what is left of the process and its children.
func (p *process) end() {
	if p.cmd.Process != nil {
		killGroup(p.cmd)
	}
	p.host.Kill()
	_ = os.RemoveAll(p.folder)
}

// sockets are the files that it has left.
func (p *process) sockets() []string {
	found, err := filepath.Glob(filepath.Join(p.folder, "*"))
	if err != nil {
		return nil
	}
	return found
}

// firstLine is an error of go-plugin without the advice that follows it.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\nThis usually means")
	return strings.Join(strings.Fields(text), " ")
}

// maxLog bounds what is kept of a plugin's log.
const maxLog = 64 << 10

// lines keeps the end of what a plugin logs.
type lines struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps the end of what is written.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if extra := len(l.text) - maxLog; extra > 0 {
		l.text = append(l.text[:0], l.text[extra:]...)
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.ToValidUTF8(l.text, []byte("?")))
}
