package webhook

import (
	"encoding/json"
	"fmt"
	"mime"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// checkBody tries the template on samples, and what it writes of them: what is
// to be JSON must be, though the samples' texts have quotes and line breaks.
func (c *Config) checkBody() problem.List {
	if c.Body.Empty() {
		return problem.List{{Path: "body", Message: "missing: format template sends what the body says"}}
	}
	if ps := c.Body.Check("body"); len(ps) > 0 || !isJSON(c.contentType()) {
		return ps
	}
	for _, n := range notifiers.Samples() {
		out, err := c.Body.Render(&n)
		var v any
		if err == nil {
			err = json.Unmarshal([]byte(out), &v)
		}
		if err != nil {
			return problem.List{{
				Path: "body", Message: fmt.Sprintf("a sample message is not JSON (%v)", err),
				Hint: "write texts as {{ .Message | json }}, without quotes around it, or set content_type",
			}}
		}
	}
	return nil
}

// isJSON says what the content type promises; Validate names its mistakes.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == jsonType || strings.HasSuffix(media, "+json"))
}
