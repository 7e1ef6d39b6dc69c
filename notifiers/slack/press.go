package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// interaction is what is read of what Slack sends when a button is pressed.
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
type interaction struct {
	Type        string `json:"type"`
	ResponseURL string `json:"response_url"`
	User        struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Name     string `json:"name"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		MessageTS string `json:"message_ts"`
	} `json:"container"`
	Message original         `json:"message"`
	Actions []pressedElement `json:"actions"`
}

// original is the message that the button is on, as Slack shows it.
type original struct {
	Text        string            `json:"text"`
	Blocks      []json.RawMessage `json:"blocks"`
	Attachments []json.RawMessage `json:"attachments"`
}

type pressedElement struct {
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`
}

// ReadPress reads the request by which Slack tells of a pressed button. Its
// error is notifiers.ErrNotSigned when the signature is not this receiver's or
// is older than five minutes; any other is about a payload that is signed and
// not understood. A button that only leads somewhere is a press without an
// Action.
func (s *Notifier) ReadPress(header http.Header, body []byte) (notifiers.Press, error) {
	if s.bot == nil || !s.signed(header, body) {
		return notifiers.Press{}, notifiers.ErrNotSigned
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return notifiers.Press{}, errors.New("the body is not a form")
	}
	var in interaction
	if err := json.Unmarshal([]byte(form.Get("payload")), &in); err != nil {
		return notifiers.Press{}, errors.New("the form has no payload that is JSON")
	}
	if in.Type != "block_actions" || len(in.Actions) == 0 {
		return notifiers.Press{}, nil // a shortcut or a dialogue of the same app: none of ours
	}
	return s.bot.pressed(&in)
}

// signed verifies Slack's signature, version 0, in constant time.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func (s *Notifier) signed(header http.Header, body []byte) bool {
	verifier, err := slack.NewSecretsVerifier(header, s.cfg.SigningSecret.Reveal())
	if err != nil {
		return false
	}
	_, _ = verifier.Write(body) // a hash never fails
	return verifier.Ensure() == nil
}

// pressed makes a press of the one action that a message of ours sends.
func (b *bot) pressed(in *interaction) (notifiers.Press, error) {
	action := in.Actions[0]
	p := notifiers.Press{By: in.who()}
	switch action.ActionID {
	case actionAck:
		p.Action = notifiers.ActAcknowledge
	case actionSilence:
		p.Action, p.For = notifiers.ActSilence, silenceFor
	default:
		return p, nil
	}
	if err := json.Unmarshal([]byte(action.Value), &p.Target); err != nil || p.Target.Empty() {
		return notifiers.Press{}, errors.New("the button's value names no alerts")
	}
	p.Key = strings.Join([]string{action.ActionID, action.ActionTS, in.Channel.ID, in.Container.MessageTS, in.User.ID}, "/")
	p.Answer = func(ctx context.Context, o notifiers.Outcome) error { return b.answer(ctx, in, p.Action, o) }
	return p, nil
}

// who is the name by which the record knows the person.
func (in *interaction) who() string {
	for _, name := range [...]string{in.User.Username, in.User.Name, in.User.ID} {
		if name = notifiers.Clip(notifiers.Plain(name), 80); name != "" {
			return name
		}
	}
	return "somebody in Slack"
}

// response is what a response_url takes.
// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
type response struct {
	ResponseType    string            `json:"response_type,omitempty"`
	ReplaceOriginal bool              `json:"replace_original"`
	Text            string            `json:"text"`
	Blocks          []json.RawMessage `json:"blocks,omitempty"`
	Attachments     []json.RawMessage `json:"attachments,omitempty"`
}

// answer tells what came of a press: a failure to the one who pressed only,
// else to everybody, on the message and in its thread. That an alert was taken up
// the thread learns as of every acknowledgement, wherever it was made.
func (b *bot) answer(ctx context.Context, in *interaction, did notifiers.Action, o notifiers.Outcome) error {
	text := escape(o.Text, maxField)
	if o.Failed {
		return b.respond(ctx, in, response{ResponseType: "ephemeral", Text: "⚠️ " + text})
	}
	noted := in.Message.noting(did, "👤 "+text)
	noted.ReplaceOriginal = true
	err := b.respond(ctx, in, noted)
	if did == notifiers.ActAcknowledge {
		return err
	}
	_, _, threadErr := b.call(ctx, "chat.postMessage", message{
		Channel: in.Channel.ID, ThreadTS: in.Container.MessageTS, Parse: "none",
		Text: "👤 " + text, Blocks: []slack.Block{slack.NewSectionBlock(markdown("👤 "+text), nil, nil)},
		Attachments: []slack.Attachment{}, Username: b.cfg.Username, IconEmoji: b.cfg.IconEmoji,
	})
	return errors.Join(err, threadErr)
}

// noting returns the message with a line more about what was done, and without
// the button that did it.
func (m original) noting(did notifiers.Action, text string) response {
	r := response{Text: m.Text, Attachments: m.Attachments}
	line, err := json.Marshal(slack.NewContextBlock("", markdown(text)))
	for _, raw := range m.Blocks {
		var block struct {
			BlockID  string            `json:"block_id"`
			Type     string            `json:"type"`
			Elements []json.RawMessage `json:"elements"`
		}
		if json.Unmarshal(raw, &block) != nil || block.BlockID != blockActions {
			r.Blocks = append(r.Blocks, raw)
			continue
		}
		block.Elements = slices.DeleteFunc(block.Elements, func(e json.RawMessage) bool { return does(e, did) })
		if left, err := json.Marshal(block); err == nil && len(block.Elements) > 0 {
			r.Blocks = append(r.Blocks, left)
		}
	}
	if err == nil {
		r.Blocks = append(r.Blocks, line)
	}
	return r
}

// does says whether the element is the button of the action.
func does(element json.RawMessage, action notifiers.Action) bool {
	var e struct {
		ActionID string `json:"action_id"`
	}
	_ = json.Unmarshal(element, &e) // what is no object is no button
	return e.ActionID == actionAck && action == notifiers.ActAcknowledge ||
		e.ActionID == actionSilence && action == notifiers.ActSilence
}

// respond posts to the response_url, if it leads to Slack: a signature says
// who wrote the request, and yet nothing in it decides which host we call.
func (b *bot) respond(ctx context.Context, in *interaction, r response) error {
	options := b.cfg.Options
	switch b.leadsTo(in.ResponseURL) {
	case nowhere:
		return errors.New("slack: the response_url does not lead to Slack; nothing was sent there")
	case slackHooks:
		options.Headers = nil // they are for the host of the API
	case apiHost:
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("slack: response: %w", err)
	}
	if _, err := notifiers.Post(ctx, b.client, notifiers.Request{
		URL: secret.NewURL(in.ResponseURL), Body: body, Options: options, UserAgent: b.agent,
	}); err != nil {
		return fmt.Errorf("slack: response: %w", err)
	}
	return nil
}

// destination is where a response_url leads.
type destination int

const (
	nowhere    destination = iota // that we would call
	slackHooks                    // Slack's host for responses
	apiHost                       // the host that api_url names in Slack's place
)

func (b *bot) leadsTo(responseURL string) destination {
	u, err := url.Parse(responseURL)
	if err != nil || u.User != nil {
		return nowhere
	}
	api, err := url.Parse(b.cfg.apiURL().Reveal())
	if err != nil {
		return nowhere
	}
	hooks := ""
	switch api.Host {
	case "slack.com":
		hooks = "hooks.slack.com"
	case "slack-gov.com":
		hooks = "hooks.slack-gov.com"
	}
	switch {
	case hooks != "" && u.Scheme == "https" && u.Host == hooks:
		return slackHooks
	case hooks == "" && u.Scheme == api.Scheme && u.Host == api.Host:
		return apiHost
	}
	return nowhere
}
