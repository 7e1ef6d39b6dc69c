package plugins

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
)

// server answers the host's calls.
type server struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	pluginpb.UnimplementedSourceServer

	plugin    *Plugin
	notifiers *instances[notifiers.Notifier]
	sources   *instances[source.Source]
}

func newServer(p *Plugin) *server {
	return &server{plugin: p, notifiers: newInstances(p.notifier), sources: newInstances(p.source)}
}

func (s *server) register(to *grpc.Server) {
	pluginpb.RegisterPluginServer(to, s)
	if s.plugin.notifier != nil {
		pluginpb.RegisterNotifierServer(to, s)
	}
	if s.plugin.source != nil {
		pluginpb.RegisterSourceServer(to, s)
	}
}

func (s *server) close() {
	s.notifiers.close()
	s.sources.close()
}

// Describe says what the plugin is.
func (s *server) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	return s.plugin.describe()
}

// ValidateConfig finds the mistakes in settings.
func (s *server) ValidateConfig(_ context.Context, req *pluginpb.ValidateConfigRequest) (resp *pluginpb.ValidateConfigResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, status.Error(codes.Internal, caught("ValidateConfig", p).Error())
		}
	}()
	resp = &pluginpb.ValidateConfigResponse{}
	for _, p := range s.plugin.validate(req.GetConfigJson()) {
		resp.Problems = append(resp.Problems, &pluginpb.Problem{Path: p.Path, Message: p.Message, Hint: p.Hint, Warning: p.Warning})
	}
	return resp, nil
}

// Notify tells one receiver. A panic is a failure that may pass: the process
// lives on.
func (s *server) Notify(ctx context.Context, req *pluginpb.NotifyRequest) (*pluginpb.NotifyResponse, error) {
	n, err := req.GetNotification().AsNotification()
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "the notification cannot be read: "+pluginpb.Text(err.Error()))
	}
	n.ID, n.Attempt = req.GetDeliveryId(), int(req.GetAttempt())
	var receipt notifiers.Receipt
	if made := s.notifiers.use(n.Receiver, req.GetConfigJson(), func(to notifiers.Notifier) {
		defer func() {
			if p := recover(); p != nil {
				err = caught("Notify", p)
			}
		}()
		receipt, err = to.Notify(ctx, n)
	}); made != nil {
		err = made
	}
	return pluginpb.NewNotifyResponse(receipt, err), nil
}

// Poll reads one source.
func (s *server) Poll(ctx context.Context, req *pluginpb.PollRequest) (*pluginpb.PollResponse, error) {
	var reading source.Reading
	var err error
	if made := s.sources.use(req.GetName(), req.GetConfigJson(), func(from source.Source) {
		defer func() {
			if p := recover(); p != nil {
				err = caught("Poll", p)
			}
		}()
		reading, err = from.Poll(ctx)
	}); made != nil {
		err = made
	}
	return pollResponse(reading, err), nil
}

func pollResponse(r source.Reading, err error) *pluginpb.PollResponse {
	resp := &pluginpb.PollResponse{Health: string(r.Health)}
	if err != nil {
		resp.Error, resp.Fault = pluginpb.Text(err.Error()), string(source.KindOf(err))
	}
	if !r.StartedAt.IsZero() {
		resp.StartedAt = timestamppb.New(r.StartedAt)
	}
	for _, one := range r.Samples {
		sample := &pluginpb.Sample{Metric: one.Metric, Labels: pluginpb.LabelMap(one.Labels), Value: one.Value}
		if !one.At.IsZero() {
			sample.At = timestamppb.New(one.At)
		}
		resp.Samples = append(resp.Samples, sample)
	}
	for _, p := range r.Problems {
		resp.Failed = append(resp.Failed, &pluginpb.Part{Name: pluginpb.Text(p.Query), Error: pluginpb.Text(p.Err.Error())})
	}
	return resp
}

// caught logs a panic with its stack, and makes an error of it without.
func caught(call string, p any) error {
	slog.Error("a call panicked", "call", call, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return panicked(p)
}
