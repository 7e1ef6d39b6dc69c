package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/plugin"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// answers is a host whose plugin always answers the same.
type answers struct {
	answer *pluginpb.NotifyResponse
	err    error
	use    pluginhost.Use
	got    *pluginpb.Notification
}

func (a *answers) Notify(_ context.Context, use pluginhost.Use, n *pluginpb.Notification) (*pluginpb.NotifyResponse, error) {
	a.use, a.got = use, n
	return a.answer, a.err
}

func TestOutcomesAreSorted(t *testing.T) {
	tests := []struct {
		name      string
		answer    *pluginpb.NotifyResponse
		want      string // of the error; empty for none
		permanent bool
		wait      time.Duration
		status    int
	}{
		{"ok", &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_OK, Status: 200}, "", false, 0, 0},
		{"retry", &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Message: "busy", Status: 503}, `plugin "pager": busy`, false, 0, 503},
		{"retry later", &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Message: "busy", RetryAfter: durationpb.New(time.Minute)}, `plugin "pager": busy`, false, time.Minute, 0},
		{"permanent", &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_PERMANENT, Message: "gone", Status: 410}, `plugin "pager": gone`, true, 0, 410},
		{"nothing said", &pluginpb.NotifyResponse{}, `plugin "pager": the plugin says not why`, false, 0, 0},
		{"of a later protocol", &pluginpb.NotifyResponse{Outcome: 99, Message: "?"}, `plugin "pager": ?`, false, 0, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := plugin.New(&answers{answer: tc.answer}, "pager", "ops", []byte(`{}`), "").Notify(t.Context(), notifiers.Sample(alert.Firing, 1))
			if err == nil != (tc.want == "") || err != nil && err.Error() != tc.want {
				t.Fatalf("%v, want %s", err, tc.want)
			}
			wait, _ := notifiers.WaitOf(err)
			if notifiers.IsPermanent(err) != tc.permanent || wait != tc.wait || notifiers.StatusOf(err) != tc.status {
				t.Errorf("permanent %v, wait %s, status %d", notifiers.IsPermanent(err), wait, notifiers.StatusOf(err))
			}
		})
	}
}

func TestWhatAPluginSaysIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	host := &answers{answer: &pluginpb.NotifyResponse{Outcome: pluginpb.Outcome_OUTCOME_OK, Reference: long, Answer: long, Note: long}}
	n := notifiers.Sample(alert.Firing, 2)
	n.Reference, n.Attempt = "before", 3
	receipt, err := plugin.New(host, "pager", "ops", []byte(`{"to":"x"}`), "/etc").Notify(t.Context(), n)
	if err != nil || len(receipt.Reference) > 4<<10 || len(receipt.Answer) > 2<<10 || len(receipt.Note) > 1<<10 {
		t.Error(len(receipt.Reference), len(receipt.Answer), len(receipt.Note), err)
	}
	if host.got.GetReference() != "before" || host.got.GetId() != n.ID || len(host.got.GetAlerts()) != 2 {
		t.Errorf("%v", host.got)
	}
	if host.use.Attempt != 3 || host.use.Plugin != "pager" || host.use.Name != "ops" || string(host.use.Settings) != `{"to":"x"}` || host.use.Folder != "/etc" || host.use.Kind != pluginpb.Kind_KIND_NOTIFIER {
		t.Errorf("%+v", host.use)
	}
}

func TestAPluginThatCannotBeAskedMayPass(t *testing.T) {
	down := errors.New(`plugin "pager" does not run`)
	_, err := plugin.New(&answers{err: down}, "pager", "ops", nil, "").Notify(t.Context(), notifiers.Sample(alert.Firing, 1))
	if !errors.Is(err, down) || notifiers.IsPermanent(err) {
		t.Error(err)
	}
}

func TestThePreviewIsWhatThePluginIsGiven(t *testing.T) {
	preview, err := plugin.New(nil, "pager", "ops", nil, "").Preview(notifiers.Sample(alert.Firing, 1))
	if err != nil || preview.ContentType != "application/json" || !strings.Contains(string(preview.Body), "Cache hit rate below 70%") {
		t.Error(string(preview.Body), err)
	}
}
