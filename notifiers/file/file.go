// Package file adds lines of JSON to a file, for what reads logs: an object an
// alert, or one a notification. It is called by the outbox and made in cmd/tocsin.
// The file is opened for each notification, so that it may be moved away at any
// time (logrotate needs no postrotate); it is never truncated, and never read beyond
// its last byte.
package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Notifier writes to one file. It is safe for concurrent use: a notification's lines
// stay together.
type Notifier struct {
	cfg  Config
	mode fs.FileMode

	mu sync.Mutex // holds one write at a time
}

// New makes a notifier. It opens nothing: a folder that comes later is no mistake.
func New(cfg Config) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	mode, err := cfg.mode()
	if err != nil {
		return nil, fmt.Errorf("file: mode: %w", err)
	}
	return &Notifier{cfg: cfg, mode: mode}, nil
}

// Notify writes n in one write. What fails may pass: a full disk, a folder that is
// not there yet, permissions. What was written in part stays, ends with its line, and
// is written again whole; readers go by the notification's id.
func (f *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	out, note, err := f.render(&n)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("file: %w", err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil { // it may have waited for its turn
		return notifiers.Receipt{}, fmt.Errorf("file: %w", err)
	}
	if err := f.write(out); err != nil {
		return notifiers.Receipt{Note: note}, fmt.Errorf("file: %w", err)
	}
	return notifiers.Receipt{Note: note}, nil
}

// Preview returns the lines that Notify would write.
func (f *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	out, note, err := f.render(&n)
	kind := "application/x-ndjson"
	if !f.cfg.Line.Empty() && note == "" {
		kind = "text/plain; charset=utf-8"
	}
	return notifiers.Preview{ContentType: kind, Body: out, Note: note}, err
}

func (f *Notifier) write(out []byte) (err error) {
	// Opening what is no file could wait for ever (a pipe), or do something (a device).
	if info, err := os.Stat(f.cfg.Path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", f.cfg.Path)
	}
	file, err := os.OpenFile(f.cfg.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, f.mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	begun, err := cutOff(file)
	if err != nil {
		return err
	}
	if begun {
		out = append([]byte("\n"), out...)
	}
	if _, err := file.Write(out); err != nil {
		return err
	}
	if !f.cfg.Sync {
		return nil
	}
	return file.Sync()
}

// cutOff says whether a crash or a full disk left a line without its end.
func cutOff(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// render makes the lines: the same notification gives the same bytes.
func (f *Notifier) render(n *alert.Notification) (out []byte, note string, err error) {
	if !f.cfg.Line.Empty() {
		texts := notifiers.TextsOf(n)
		text := notifiers.Plain(texts.Text("line", &f.cfg.Line, func() string { return "" }))
		if note = texts.Failed(); note == "" {
			return append([]byte(text), '\n'), "", nil
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range f.lines(n) {
		if err := enc.Encode(l); err != nil {
			return nil, note, fmt.Errorf("encode %s: %w", n.ID, err)
		}
	}
	return b.Bytes(), note, nil
}
