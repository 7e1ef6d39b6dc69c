package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
	"text/template"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// maxBodyBytes bounds what a template may write; 5,000 alerts take about 5 MB.
const maxBodyBytes = 32 << 20

// parseBody parses the template and tries it on samples, so that a mistake
// shows when the configuration is loaded and not in the night it is needed.
// The samples' texts have quotes and line breaks in them, as real ones do.
func parseBody(c *Config) (*template.Template, error) {
	if strings.TrimSpace(c.Body) == "" {
		return nil, errors.New("missing: format template sends what the body says")
	}
	t, err := template.New("body").Option("missingkey=error").Funcs(functions()).Parse(c.Body)
	if err != nil {
		return nil, err
	}
	for _, state := range [...]alert.State{alert.Firing, alert.Resolved} {
		n := notifiers.Sample(state, 2)
		n.Alerts[0].Message += " \"quoted\",\non two lines"
		out, err := execute(t, &n)
		if err != nil {
			return nil, err
		}
		if err := checkJSON(c.contentType(), out); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkJSON holds what a sample gave against what the content type promises.
func checkJSON(contentType string, body []byte) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || (media != jsonType && !strings.HasSuffix(media, "+json")) {
		return nil //nolint:nilerr // Validate names the content type's mistake
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("a sample message is not JSON (%w); write texts as {{ .Message | json }}, without quotes around it, or set content_type", err)
	}
	return nil
}

func execute(t *template.Template, n *alert.Notification) ([]byte, error) {
	var out boundedBuffer
	if err := t.Execute(&out, n); err != nil {
		return nil, err
	}
	return out.buf.Bytes(), nil
}

// functions are what a body may call beside text/template's own.
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			data, err := json.Marshal(v)
			return string(data), err
		},
		"quantity": func(v alert.Number, unit string) string { return units.Quantity(float64(v), unit) },
		"duration": units.Duration,
		"upper":    func(v any) string { return strings.ToUpper(fmt.Sprint(v)) },
		"lower":    func(v any) string { return strings.ToLower(fmt.Sprint(v)) },
		"join":     strings.Join,
		"title":    notifiers.Title,
		// list_url is where what .Truncated counts is listed, too.
		"list_url": notifiers.ListURL,
	}
}

// boundedBuffer ends a template that would fill the memory.
type boundedBuffer struct{ buf bytes.Buffer }

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > maxBodyBytes {
		return 0, errors.New("the template writes more than 32 MB")
	}
	return b.buf.Write(p)
}
