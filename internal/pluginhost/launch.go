package pluginhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// instance is a process that has said what it is.
type instance struct {
	process   *process
	library   *goplugin.Client
	client    *pluginpb.Client
	described Description
	program   program
	startedAt time.Time
	turns     *turns
	schema    *Schema // nil when it has none
	schemaErr error

	mu sync.Mutex
	// judged has the outcome for each receiver's and source's settings.
	judged map[string]error
	// limit is how large a message it takes, when it takes less than it should.
	limit int
}

// launch starts a process and asks it what it is.
func (p *plugin) launch() (*instance, error) {
	p.mu.Lock()
	p.starts++
	p.mu.Unlock()
	program, err := hashProgram(p.spec.Path)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.sum = program.sum
	p.mu.Unlock()
	if p.spec.SHA256 != "" && !strings.EqualFold(program.sum, p.spec.SHA256) {
		return nil, fmt.Errorf("%s is not the program that was allowed: its SHA-256 is %s, not %s; it is not started", p.spec.Path, program.sum, strings.ToLower(p.spec.SHA256))
	}
	if err := p.folder.renew(); err != nil {
		return nil, fmt.Errorf("the folder for its socket: %w", err)
	}
	ctx, cancel := context.WithTimeout(p.retired, p.host.Pace.Start)
	defer cancel()
	i, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	i.program = program
	err = i.describe(ctx, p)
	if p.spec.SHA256 != "" && err == nil && !program.same() {
		err = fmt.Errorf("%s was exchanged while it was started", p.spec.Path)
	}
	if err != nil {
		i.process.kill(err)
		<-i.process.exited
		i.close()
		return nil, i.process.death()
	}
	return i, nil
}

// connect starts a process and shakes hands with it.
func (p *plugin) connect(ctx context.Context) (*instance, error) {
	type outcome struct {
		client *pluginpb.Client
		err    error
	}
	made, connected := make(chan *process, 1), make(chan outcome, 1)
	log := newLogPump(p.log, p.spec)
	library := p.library(log, func(proc *process) { made <- proc })
	go func() {
		client, err := dispense(library)
		connected <- outcome{client, err}
	}()
	var proc *process
	select {
	case proc = <-made:
	case out := <-connected:
		select {
		case proc = <-made:
			connected <- out
		default:
			return nil, out.err // no process came of it
		}
	}
	var out outcome
	select {
	case out = <-connected:
	case <-ctx.Done():
		proc.kill(p.silence("no handshake came; is it a plugin?"))
		out = <-connected
	}
	i := &instance{process: proc, library: library, client: out.client, startedAt: time.Now(), judged: map[string]error{}}
	if out.err == nil {
		return i, nil
	}
	proc.kill(nil)
	<-proc.exited
	i.close()
	return nil, proc.handshakeFailed(out.err)
}

// silence says why a process was given up on before it was any use.
func (p *plugin) silence(what string) error {
	if p.isRetired() {
		return errors.New("it was stopped")
	}
	return fmt.Errorf("it was silent for %s: %s", p.host.Pace.Start, what)
}

// library makes go-plugin's client of a process that it has not started yet.
func (p *plugin) library(log *logPump, made func(*process)) *goplugin.Client {
	limits := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginpb.MaxMessageBytes), grpc.MaxCallSendMsgSize(pluginpb.MaxMessageBytes))
	patience := grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, MaxDelay: time.Second},
		MinConnectTimeout: 3 * time.Second,
	})
	return goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: pluginpb.Handshake(), VersionedPlugins: pluginpb.ClientPlugins(), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, folder string) (runner.Runner, error) {
			proc := newProcess(p.spec, p.environ(cmd.Env), folder, log)
			made(proc)
			return proc, nil
		},
		AutoMTLS: p.spec.MTLS, SkipHostEnv: true, Logger: hclog.NewNullLogger(), GRPCDialOptions: []grpc.DialOption{limits, patience},
		StartTimeout:     p.host.Pace.Start + time.Minute, // connect has its own deadline
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.folder.path},
		SyncStdout:       log.writer("stdout"), SyncStderr: log.writer("stderr"),
	})
}

// environ is the environment of the process: what the configuration names, and
// what go-plugin adds.
func (p *plugin) environ(added []string) []string {
	env := make([]string, 0, len(p.spec.Env)+len(added))
	for _, name := range slices.Sorted(maps.Keys(p.spec.Env)) {
		env = append(env, name+"="+p.spec.Env[name].Reveal())
	}
	return append(env, added...) // of two that are alike the last counts
}

func dispense(library *goplugin.Client) (*pluginpb.Client, error) {
	protocol, err := library.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(pluginpb.Name)
	if err != nil {
		return nil, err
	}
	client, ok := raw.(*pluginpb.Client)
	if !ok {
		return nil, fmt.Errorf("go-plugin dispensed a %T", raw)
	}
	return client, nil
}

// handshakeFailed says why there is nothing to talk to; the process has exited.
func (p *process) handshakeFailed(err error) error {
	p.mu.Lock()
	started, reason, byLibrary := p.pid != 0, p.reason, p.byLibrary
	p.mu.Unlock()
	switch {
	case reason != nil:
		return reason
	case !started || byLibrary:
		return err
	}
	return fmt.Errorf("no handshake came: %w", p.death())
}

// describe asks the plugin what it is.
func (i *instance) describe(ctx context.Context, p *plugin) error {
	answer, err := i.client.Plugin.Describe(ctx, &pluginpb.DescribeRequest{HostVersion: p.host.Version})
	switch status.Code(err) { //nolint:exhaustive // the others say enough
	case codes.OK:
	case codes.Unimplemented:
		return errors.New("it does not serve tocsin.plugin.v1.Plugin: it is a plugin of another program")
	case codes.DeadlineExceeded, codes.Canceled:
		return p.silence("it does not answer Describe")
	case codes.Unavailable:
		if i.process.endsSoon() {
			return nil // launch finds it dead
		}
		return fmt.Errorf("it does not speak gRPC where its handshake says: %s", bounded(status.Convert(err).Message()))
	default:
		return fmt.Errorf("Describe: %s", bounded(status.Convert(err).Message()))
	}
	i.described = Description{
		Name: bounded(answer.GetName()), Version: bounded(answer.GetVersion()), Schema: answer.GetConfigSchema(), Metrics: answer.GetMetrics(),
		Notifier: slices.Contains(answer.GetKinds(), pluginpb.Kind_KIND_NOTIFIER), Source: slices.Contains(answer.GetKinds(), pluginpb.Kind_KIND_SOURCE),
		Protocol: i.library.NegotiatedVersion(),
	}
	switch {
	case i.described.Name == "":
		return errors.New("it does not say its name")
	case len(i.described.Kinds()) == 0:
		return errors.New("it says that it is neither a notifier nor a source")
	}
	slots := p.spec.Concurrency
	if slots == 0 {
		slots = int(min(answer.GetConcurrency(), maxConcurrency))
	}
	if slots == 0 {
		slots = DefaultConcurrency
	}
	i.turns = newTurns(slots)
	if i.schema, i.schemaErr = CompileSchema(i.described.Schema); i.schemaErr != nil {
		p.log.Warn("plugin's JSON Schema cannot be used; its settings are judged by the plugin alone", "error", i.schemaErr)
	}
	return nil
}

// maxConcurrency bounds what a plugin may ask for.
const maxConcurrency = 256

// endsSoon waits a moment for the end of a process that hung up.
func (p *process) endsSoon() bool {
	timer := time.NewTimer(2 * lastWordsWait)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// stop ends the process, which has no calls any more, and cleans up after it.
func (i *instance) stop(grace time.Duration) {
	i.process.end(grace)
	i.close()
}

// close cleans up after a process that has exited.
func (i *instance) close() {
	i.library.Kill() // closes the connection
	_ = os.RemoveAll(i.process.folder)
}

// program is a file as it was when it was hashed.
type program struct {
	path string
	sum  string // SHA-256, in hexadecimal
	info fs.FileInfo
}

// hashProgram hashes a file that is to be run, or says why it cannot be.
func hashProgram(path string) (program, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return program{}, fmt.Errorf("there is no file %s", path)
	case err != nil:
		return program{}, fmt.Errorf("%s cannot be looked at: %w", path, reasonOf(err))
	case !info.Mode().IsRegular():
		return program{}, fmt.Errorf("%s is not a file", path)
	case info.Mode()&0o111 == 0 && runtime.GOOS != "windows":
		return program{}, fmt.Errorf("%s is not executable: its mode is %04o; run chmod +x", path, info.Mode().Perm())
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return program{}, fmt.Errorf("%s cannot be read, so it cannot be hashed: %w", path, reasonOf(err))
	}
	defer func() { _ = f.Close() }() // only read: nothing can be lost
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return program{}, fmt.Errorf("%s cannot be read, so it cannot be hashed: %w", path, reasonOf(err))
	}
	return program{path, hex.EncodeToString(h.Sum(nil)), info}, nil
}

// same says whether the file is still the one that was hashed.
func (p program) same() bool {
	info, err := os.Stat(p.path)
	return err == nil && os.SameFile(info, p.info) && info.Size() == p.info.Size() && info.ModTime().Equal(p.info.ModTime())
}

// reasonOf is an error of the file system without the path.
func reasonOf(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
