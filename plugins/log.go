package plugins

import (
	"io"
	"log/slog"
	"strings"
)

// logHandler writes the lines that go-plugin's host reads as log lines: JSON
// with hclog's names. Everything is written; the daemon leaves out what is below
// its own level.
func logHandler(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.TimeKey:
			return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
		case slog.MessageKey:
			a.Key = "@message"
		case slog.LevelKey:
			return slog.String("@level", strings.ToLower(a.Value.String()))
		}
		return a
	}})
}
