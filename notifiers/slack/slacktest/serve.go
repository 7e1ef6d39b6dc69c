package slacktest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// body is what the methods take.
type body struct {
	Channel        string          `json:"channel"`
	TS             string          `json:"ts"`
	ThreadTS       string          `json:"thread_ts"`
	ReplyBroadcast bool            `json:"reply_broadcast"`
	Text           string          `json:"text"`
	Blocks         []Block         `json:"blocks"`
	Attachments    []Attachment    `json:"attachments"`
	Metadata       json.RawMessage `json:"metadata"`

	ResponseType    string `json:"response_type"`
	ReplaceOriginal bool   `json:"replace_original"`
}

type reply map[string]any

func failure(code string) reply { return reply{"ok": false, "error": code} }

func (s *Slack) serveAPI(w http.ResponseWriter, r *http.Request, method string) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	fault := s.take(method)
	s.mu.Unlock()
	var got reply
	switch {
	case fault.Status == 0 && fault.Code == "" && !fault.Hang:
		got = s.do(method, r, raw)
	case fault.Code != "":
		got = failure(fault.Code)
	default:
		got = reply{"ok": false, "error": "fault"}
	}
	code, _ := got["error"].(string)
	s.note(method, raw, code)
	finish(w, r, fault, code, func() {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(got)
	})
}

// finish lets the fault have its way, or answers.
func finish(w http.ResponseWriter, r *http.Request, fault Fault, code string, answer func()) {
	switch {
	case fault.Hang:
		<-r.Context().Done()
	case fault.Lose:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	case fault.Status != 0:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		}
		w.WriteHeader(fault.Status)
	case code == "ratelimited":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		answer()
	default:
		answer()
	}
}

func (s *Slack) note(method string, raw []byte, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Method: method, Body: bytes.Clone(raw), Error: code})
}

func (s *Slack) do(method string, r *http.Request, raw []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || s.Token != "" && token != s.Token {
		return failure("invalid_auth")
	}
	switch method {
	case "conversations.history", "conversations.replies":
		form, err := url.ParseQuery(string(raw))
		if err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			return failure("invalid_form_data")
		}
		return s.history(method, form)
	case "chat.postMessage", "chat.update":
	default:
		return failure("unknown_method")
	}
	var b body
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || json.Unmarshal(raw, &b) != nil {
		return failure("invalid_json")
	}
	c := s.find(b.Channel)
	if c == nil || method == "chat.update" && c.id != b.Channel {
		return failure("channel_not_found")
	}
	if code := check(b); code != "" {
		return failure(code)
	}
	if method == "chat.update" {
		return s.update(c, b, raw)
	}
	return s.post(c, b, raw)
}

// post adds a message or a reply. mu is held.
func (s *Slack) post(c *channel, b body, raw []byte) reply {
	if c.refuses != "" {
		return failure(c.refuses)
	}
	if s.limited(c) {
		return failure("ratelimited")
	}
	m := Message{TS: s.stamp(), ThreadTS: b.ThreadTS, Metadata: b.Metadata, Broadcast: b.ReplyBroadcast}
	m.show(b, raw)
	if b.ThreadTS == "" {
		c.messages = append(c.messages, &m)
	} else {
		parent := c.message(b.ThreadTS)
		if parent == nil {
			return failure("thread_not_found")
		}
		parent.Thread = append(parent.Thread, m)
	}
	return reply{"ok": true, "channel": c.id, "ts": m.TS, "message": json.RawMessage(raw)}
}

// update changes a message. mu is held.
func (s *Slack) update(c *channel, b body, raw []byte) reply {
	m := c.message(b.TS)
	switch {
	case c.refuses != "":
		return failure(c.refuses)
	case m == nil:
		return failure("message_not_found")
	}
	m.show(b, raw)
	m.Edits++
	return reply{"ok": true, "channel": c.id, "ts": m.TS, "text": m.Text}
}

func (m *Message) show(b body, raw []byte) {
	m.Text, m.Blocks, m.Attachments, m.Raw = b.Text, b.Blocks, b.Attachments, bytes.Clone(raw)
}

// history answers with the newest first, in pages of at most limit. mu is held.
func (s *Slack) history(method string, form url.Values) reply {
	if s.NoHistory {
		return reply{"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}
	}
	c := s.find(form.Get("channel"))
	if c == nil || c.id != form.Get("channel") { // a name will not do here
		return failure("channel_not_found")
	}
	var all []Message
	if method == "conversations.replies" {
		parent := c.message(form.Get("ts"))
		if parent == nil {
			return failure("thread_not_found")
		}
		all = append([]Message{*parent}, parent.Thread...)
	} else {
		for _, m := range c.messages {
			all = append(all, *m)
			for _, r := range m.Thread {
				if r.Broadcast {
					all = append(all, r)
				}
			}
		}
		slices.SortFunc(all, func(a, b Message) int { return strings.Compare(b.TS, a.TS) })
	}
	all = slices.DeleteFunc(all, func(m Message) bool { return m.TS <= form.Get("oldest") && m.TS != form.Get("ts") })
	return paged(all, form)
}

func paged(all []Message, form url.Values) reply {
	limit, _ := strconv.Atoi(form.Get("limit"))
	from, _ := strconv.Atoi(form.Get("cursor"))
	if limit <= 0 {
		limit = 100
	}
	page, next := all[min(from, len(all)):], ""
	if len(page) > limit {
		page, next = page[:limit], strconv.Itoa(from+limit)
	}
	out := []reply{}
	for _, m := range page {
		one := reply{"type": "message", "ts": m.TS, "text": m.Text}
		if m.ThreadTS != "" {
			one["thread_ts"] = m.ThreadTS
		}
		if form.Get("include_all_metadata") == "true" && len(m.Metadata) > 0 {
			one["metadata"] = m.Metadata
		}
		out = append(out, one)
	}
	return reply{"ok": true, "messages": out, "has_more": next != "", "response_metadata": reply{"next_cursor": next}}
}

// serveWebhook posts as an incoming webhook does, whose answers are texts.
func (s *Slack) serveWebhook(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	fault, code := s.take("webhook"), ""
	c := s.find(path.Base(r.URL.Path))
	var b body
	switch {
	case fault.Status != 0 || fault.Hang:
		code = "fault"
	case fault.Code != "":
		code = fault.Code
	case c == nil:
		code = "no_service"
	case json.Unmarshal(raw, &b) != nil:
		code = "invalid_payload"
	case check(b) != "":
		code = check(b)
	default:
		code, _ = s.post(c, b, raw)["error"].(string)
	}
	s.mu.Unlock()
	s.note("webhook", raw, code)
	finish(w, r, fault, code, func() {
		switch code {
		case "":
			_, _ = io.WriteString(w, "ok")
		case "ratelimited":
			_, _ = io.WriteString(w, code)
		case "no_service", "channel_not_found":
			http.Error(w, code, http.StatusNotFound)
		default:
			http.Error(w, code, http.StatusBadRequest)
		}
	})
}

// serveResponse takes what is sent to a response_url.
func (s *Slack) serveResponse(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.take("response")
	at := s.responses[path.Base(r.URL.Path)]
	var b body
	switch {
	case fault.Status != 0:
		w.WriteHeader(fault.Status)
		return
	case at == nil:
		http.Error(w, "expired_url", http.StatusNotFound)
		return
	case json.Unmarshal(raw, &b) != nil:
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.calls = append(s.calls, Call{Method: "response", Body: raw})
	if b.ResponseType == "ephemeral" {
		s.ephemeral = append(s.ephemeral, b.Text)
	}
	if b.ReplaceOriginal {
		at.message.show(b, raw)
		at.message.Edits++
	}
	_, _ = io.WriteString(w, "ok")
}
