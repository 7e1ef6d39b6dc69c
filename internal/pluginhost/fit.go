package pluginhost

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

const (
	// grpcLimit is what a gRPC server takes that nobody has told otherwise.
	grpcLimit = 4 << 20
	// messageSlack is left for what a message is wrapped in.
	messageSlack = 16 << 10
	// maxTextBytes is what a text of the last alert is cut to, when even one is too
	// large.
	maxTextBytes = 64 << 10
)

// messageLimit is how large a message the plugin takes, as far as is known.
func (i *instance) messageLimit() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.limit > 0 {
		return i.limit
	}
	return pluginpb.MaxMessageBytes - messageSlack
}

// refusedSize says whether a plugin has refused a message for its size that is
// larger than gRPC's own limit: nobody has told its server otherwise.
func (i *instance) refusedSize(err error, m proto.Message) (limit int, yes bool) {
	if status.Code(err) != codes.ResourceExhausted || proto.Size(m) <= grpcLimit-messageSlack {
		return 0, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.limit = grpcLimit - messageSlack
	return i.limit, true
}

// fit leaves out as many alerts, the last ones first, as make the request too
// large, and counts them. One alert at least stays; its long texts are cut when
// even it is too large. It changes the request's notification.
func fit(r *pluginpb.NotifyRequest, limit int) {
	if proto.Size(r) <= limit {
		return
	}
	n := r.GetNotification()
	alerts, lines, truncated, bySize := n.GetAlerts(), n.GetLines(), n.GetTruncated(), n.GetTruncatedBySize()
	if len(alerts) == 0 {
		return
	}
	size := func(count int) int {
		left := uint32(len(alerts) - count) //nolint:gosec // as many as fit into memory
		n.Alerts, n.Lines = alerts[:count], lines[:min(count, len(lines))]
		n.Truncated, n.TruncatedBySize = truncated+left, bySize+left
		return proto.Size(r)
	}
	low, high := 1, len(alerts) // low fits, or is one; high does not
	for high-low > 1 {
		if middle := (low + high) / 2; size(middle) <= limit {
			low = middle
		} else {
			high = middle
		}
	}
	if size(low) > limit {
		shorten(n)
	}
}

// shorten cuts the texts of a notification of one alert.
func shorten(n *pluginpb.Notification) {
	a := n.GetAlerts()[0]
	a.Samples, n.Acks = nil, nil
	for _, text := range []*string{&a.Message, &a.Text, &a.Reason, &a.Measured} {
		*text = cutText(*text, maxTextBytes)
	}
	for _, texts := range []map[string]string{a.GetAnnotations(), a.GetLabels(), n.GetCommonAnnotations(), n.GetCommonLabels()} {
		for name, text := range texts {
			texts[name] = cutText(text, maxTextBytes)
		}
	}
	n.Title = cutText(n.GetTitle(), maxTextBytes)
	for i := range n.Lines {
		n.Lines[i] = cutText(n.Lines[i], maxTextBytes)
	}
}
