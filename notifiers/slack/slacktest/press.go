package slacktest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Press makes the request that Slack sends when a user presses the button with
// that label on a message. Sending a clone of it is Slack sending it again;
// pressing again is another press.
func (s *Slack) Press(ctx context.Context, target, channelName, ts, label, user string) (*http.Request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(channelName)
	if c == nil || c.message(ts) == nil {
		return nil, errors.New("there is no such message")
	}
	m := c.message(ts)
	for _, e := range m.Buttons() {
		if e.Label() != label {
			continue
		}
		id := strings.ReplaceAll(s.stamp(), ".", "")
		s.responses[id] = &place{c, m}
		payload, err := json.Marshal(map[string]any{
			"type": "block_actions", "trigger_id": id, "response_url": s.URL + "/actions/T0000/" + id,
			"user":      map[string]any{"id": "U" + strings.ToUpper(user), "username": user, "name": user, "team_id": "T0000"},
			"team":      map[string]any{"id": "T0000", "domain": "example"},
			"channel":   map[string]any{"id": c.id, "name": c.name},
			"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.id, "is_ephemeral": false},
			"message":   map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "blocks": m.Blocks, "attachments": m.Attachments},
			"actions": []any{map[string]any{
				"type": "button", "action_id": e.ActionID, "block_id": "tocsin", "value": e.Value, "action_ts": s.stamp(),
			}},
		})
		if err != nil {
			return nil, err
		}
		return Sign(ctx, target, s.SigningSecret, url.Values{"payload": {string(payload)}}.Encode(), time.Now())
	}
	return nil, fmt.Errorf("the message has no button %q", label)
}

// Sign makes a request with a body that is signed as Slack signs.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func Sign(ctx context.Context, target, secret, body string, at time.Time) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte("v0:" + stamp + ":" + body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return r, nil
}
