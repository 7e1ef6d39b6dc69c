package pluginhost

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/time/rate"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

// What a plugin may have the daemon log: a flood must fill neither the disk nor
// the memory.
const (
	maxLineBytes   = 8 << 10 // the rest of a longer line is left out
	maxValueBytes  = 1 << 10 // of one attribute
	maxAttributes  = 20
	linesPerSecond = 50
	linesAtOnce    = 500
	bytesPerSecond = 32 << 10
	bytesAtOnce    = 256 << 10
	dropReport     = 10 * time.Second // between two remarks about what was left out

	lastLines     = 4 // that a death quotes
	lastLineBytes = 200
)

// logPump puts what a process writes into the daemon's log, line by line, as far
// as the limits go. It is safe for concurrent use.
type logPump struct {
	log *slog.Logger
	// masks are the values that are taken out: secrets of the environment.
	masks *strings.Replacer

	mu         sync.Mutex
	lines      *rate.Limiter
	volume     *rate.Limiter
	dropped    uint64
	unreported uint64
	reportedAt time.Time
	last       []string
	panicking  bool
}

func newLogPump(log *slog.Logger, spec Spec) *logPump {
	return &logPump{
		log: log, masks: masksOf(spec.Env),
		lines: rate.NewLimiter(linesPerSecond, linesAtOnce), volume: rate.NewLimiter(bytesPerSecond, bytesAtOnce),
	}
}

// masksOf takes the values of an environment out of texts, those of many lines
// line by line: a key is logged like that.
func masksOf(env map[string]secret.String) *strings.Replacer {
	var secrets []string
	for _, value := range env {
		secrets = append(secrets, value.Reveal())
		secrets = slices.AppendSeq(secrets, strings.FieldsFuncSeq(value.Reveal(), func(r rune) bool { return r == '\n' || r == '\r' }))
	}
	// The first that fits is taken: of two the longer one, or its end would stay.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, text := range secrets {
		if len(text) >= minMaskBytes {
			pairs = append(pairs, text, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

// minMaskBytes is the shortest value that is taken out: a shorter one would
// blacken every line.
const minMaskBytes = 8

// mask takes the secrets of the environment out of a text.
func (l *logPump) mask(text string) string { return l.masks.Replace(text) }

// read logs what r gives until it ends.
func (l *logPump) read(r io.Reader, stream string) {
	_, _ = io.Copy(l.writer(stream), r) // a read that fails ends it as its end does
}

// writer returns what takes a stream and logs its lines. It never fails.
func (l *logPump) writer(stream string) *lineWriter { return &lineWriter{pump: l, stream: stream} }

// lineWriter cuts a stream into lines. It keeps one line at most.
type lineWriter struct {
	pump   *logPump
	stream string

	mu   sync.Mutex
	line []byte
	over int // bytes of the line that are left out
}

// Write takes a piece of the stream.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		piece, after, ends := bytes.Cut(rest, []byte{'\n'})
		room := max(0, min(maxLineBytes-len(w.line), len(piece)))
		w.line = append(w.line, piece[:room]...)
		w.over += len(piece) - room
		if rest = after; ends {
			w.pump.take(w.stream, w.line, w.over)
			w.line, w.over = w.line[:0], 0
		}
	}
	return len(p), nil
}

// ReadFrom reads r to its end, and takes its last line though no break follows.
func (w *lineWriter) ReadFrom(r io.Reader) (int64, error) {
	buffer, total := make([]byte, 16<<10), int64(0)
	for {
		n, err := r.Read(buffer)
		_, _ = w.Write(buffer[:n]) // it never fails
		total += int64(n)
		if err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.line) > 0 {
				w.pump.take(w.stream, w.line, w.over)
				w.line, w.over = nil, 0
			}
			return total, nil
		}
	}
}

// take logs a line, if there is room for it.
func (l *logPump) take(stream string, line []byte, over int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.volume.AllowN(now, len(line)+1) || !l.lines.AllowN(now, 1) {
		l.dropped++
		l.unreported++
		if now.Sub(l.reportedAt) >= dropReport {
			l.report(now)
		}
		return
	}
	text := l.mask(strings.TrimRight(string(line), "\r"))
	if over > 0 {
		text += fmt.Sprintf("… (%d bytes more)", over)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	if e, ok := structured(text); ok {
		l.log.LogAttrs(context.Background(), e.level, e.message, append(e.attributes, slog.String("stream", stream))...) //nolint:sloglint // the words are the plugin's
		if e.level >= slog.LevelError {
			l.remember(e.message)
		}
		return
	}
	if stream != "stdout" {
		l.remember(text)
	}
	l.log.LogAttrs(context.Background(), l.levelOf(text), "plugin says", slog.String("line", text), slog.String("stream", stream))
}

// remember keeps a line for the case that it is among the last. mu is held.
func (l *logPump) remember(text string) {
	// A trace of Go's is long, and its first line says it all.
	if l.panicking && len(l.last) > 0 {
		return
	}
	if l.panicking = isPanic(text); l.panicking {
		l.last = nil
	}
	l.last = append(l.last, strings.Map(printable, cutText(text, lastLineBytes)))
	l.last = l.last[max(0, len(l.last)-lastLines):]
}

func isPanic(text string) bool {
	return strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// levelOf reads the level off a line that is plain text. mu is held.
func (l *logPump) levelOf(text string) slog.Level {
	if l.panicking {
		return slog.LevelError
	}
	for prefix, level := range map[string]slog.Level{
		"[TRACE]": slog.LevelDebug, "[DEBUG]": slog.LevelDebug, "[WARN]": slog.LevelWarn, "[ERROR]": slog.LevelError,
	} {
		if strings.HasPrefix(text, prefix) {
			return level
		}
	}
	return slog.LevelInfo
}

// report says how much was left out. mu is held.
func (l *logPump) report(now time.Time) {
	l.log.Warn("plugin writes more than is logged", "lines_left_out", l.unreported)
	l.unreported, l.reportedAt = 0, now
}

// flush reports what was left out and is not reported yet.
func (l *logPump) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unreported > 0 {
		l.report(time.Now())
	}
}

// Dropped counts the lines that were left out.
func (l *logPump) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// lastWords are the last lines of standard error.
func (l *logPump) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, " / ")
}

// logEntry is a line of hclog's or slog's JSON.
type logEntry struct {
	level      slog.Level
	message    string
	attributes []slog.Attr
}

// structured reads a line as what hclog (@level, @message) or slog (level, msg)
// writes.
func structured(line string) (logEntry, bool) {
	if !strings.HasPrefix(line, "{") {
		return logEntry{}, false
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return logEntry{}, false
	}
	level, hasLevel := firstText(fields, "@level", "level")
	message, hasMessage := firstText(fields, "@message", "msg", "message")
	if !hasLevel || !hasMessage {
		return logEntry{}, false
	}
	e := logEntry{level: slog.LevelInfo, message: bounded(message)}
	switch strings.ToLower(level) {
	case "trace", "debug":
		e.level = slog.LevelDebug
	case "warn", "warning":
		e.level = slog.LevelWarn
	case "error", "fatal", "critical":
		e.level = slog.LevelError
	}
	for _, name := range []string{"@module", "@timestamp", "@caller", "time", "plugin", "stream"} {
		delete(fields, name) // ours, or said already
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(e.attributes) == maxAttributes {
			break
		}
		e.attributes = append(e.attributes, slog.String(bounded(name), bounded(plain(fields[name]))))
	}
	return e, true
}

// firstText takes the first of the fields that is a text.
func firstText(fields map[string]any, names ...string) (string, bool) {
	for _, name := range names {
		if text, ok := fields[name].(string); ok {
			delete(fields, name)
			return text, true
		}
	}
	return "", false
}

func plain(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

func bounded(text string) string { return cutText(text, maxValueBytes) }

// cutText cuts a text to so many bytes, and shows that.
func cutText(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
