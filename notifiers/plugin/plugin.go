// Package plugin tells receivers through plugins: it is the host's side of the
// Notifier of the plugin protocol. cmd makes one for each receiver of a plugin's
// type. It starts no process, which internal/pluginhost does, and it retries
// nothing.
package plugin

import (
	"context"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// What is kept of a plugin's answer.
const (
	maxReferenceBytes = 4 << 10
	maxAnswerBytes    = 2 << 10
	maxMessageBytes   = 1 << 10
)

// Host runs the plugins; *pluginhost.Host is one.
type Host interface {
	Notify(ctx context.Context, use pluginhost.Use, n *pluginpb.Notification) (*pluginpb.NotifyResponse, error)
}

// Notifier tells one receiver.
type Notifier struct {
	host Host
	use  pluginhost.Use
}

// New makes the notifier of a receiver of a plugin's type. The settings are a JSON
// object; files that they name are relative to the folder.
func New(host Host, plugin, receiver string, settings []byte, folder string) *Notifier {
	return &Notifier{host: host, use: pluginhost.Use{
		Plugin: plugin, Kind: pluginpb.Kind_KIND_NOTIFIER, Name: receiver, Settings: settings, Folder: folder,
	}}
}

// Notify has the plugin tell the receiver. That the plugin does not run, died in
// the middle, or has not answered may pass; only its own word is Permanent.
func (n *Notifier) Notify(ctx context.Context, what alert.Notification) (notifiers.Receipt, error) {
	use := n.use
	use.Attempt = uint32(min(max(what.Attempt, 0), math.MaxUint32)) //nolint:gosec // it is bounded
	answer, err := n.host.Notify(ctx, use, pluginpb.NewNotification(&what))
	if err != nil {
		return notifiers.Receipt{}, err
	}
	answer.Message, answer.Answer = cut(answer.GetMessage(), maxMessageBytes), cut(answer.GetAnswer(), maxAnswerBytes)
	answer.Reference, answer.Note = cut(answer.GetReference(), maxReferenceBytes), cut(answer.GetNote(), maxMessageBytes)
	receipt, err := answer.Result()
	if err != nil {
		return receipt, fmt.Errorf("plugin %q: %w", n.use.Plugin, err)
	}
	return receipt, nil
}

// Preview shows what the plugin would be given, its settings left out. What it
// makes of that it alone knows.
func (n *Notifier) Preview(what alert.Notification) (notifiers.Preview, error) {
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(pluginpb.NewNotification(&what))
	if err != nil {
		return notifiers.Preview{}, err
	}
	return notifiers.Preview{ContentType: "application/json", Body: body}, nil
}

func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
