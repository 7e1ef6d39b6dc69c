package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// JSON writes v without escaping what HTML would need: services count bytes.
func JSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// AnswerText is what a receiver answered that did not take a message, as far as an
// error keeps it; empty for another error.
func AnswerText(err error) string {
	var answer *notifiers.AnswerError
	if errors.As(err, &answer) {
		return answer.Text
	}
	return ""
}

// Number finds a number by its key in the beginning of a JSON document, which may
// have been cut.
func Number(text, key string) (float64, bool) {
	m := regexp.MustCompile(`"` + regexp.QuoteMeta(key) + `"\s*:\s*(-?[0-9]+(?:\.[0-9]+)?)`).FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	return f, err == nil
}

// WaitSeconds adds to an answer 429 how long its body asks to wait, unless a
// Retry-After told so already.
func WaitSeconds(err error, seconds float64) error {
	if _, told := notifiers.WaitOf(err); told || seconds <= 0 || notifiers.StatusOf(err) != 429 {
		return err
	}
	if seconds >= notifiers.MaxRetryAfter.Seconds() {
		return notifiers.RetryAfter(err, notifiers.MaxRetryAfter)
	}
	return notifiers.RetryAfter(err, time.Duration(math.Ceil(seconds*1000))*time.Millisecond)
}
