package prometheus

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// parseOpenMetrics reads OpenMetrics text 1.0 (and 0.0.1) by rewriting it,
// line by line, into the classic text format. expfmt can decode it too, by an
// ABNF grammar, at half a millisecond and a megabyte of garbage a line: too
// dear for a poll of every few seconds; and it refuses a page for a family of
// type info or stateset. The tests hold this against expfmt's.
//
// It is tolerant where nothing is lost by it, and strict about # EOF, which is
// how the format tells a whole page from a cut one.
func parseOpenMetrics(body []byte) ([]*dto.MetricFamily, error) {
	if !bytes.HasSuffix(bytes.TrimRight(body, "\r\n"), []byte("# EOF")) {
		return nil, errors.New("the page is cut off: OpenMetrics ends with # EOF")
	}
	classic := bytes.NewBuffer(make([]byte, 0, len(body)))
	types := map[string]string{} // family name to type
	number := 0
	for line := range strings.SplitSeq(string(body), "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		var err error
		if strings.HasPrefix(line, "#") {
			err = rewriteComment(classic, line, types)
		} else if line != "" {
			err = rewriteSample(classic, line, types)
		}
		if err != nil {
			return nil, fmt.Errorf("the page cannot be read: line %d: %w", number, err)
		}
	}
	return parseText(classic.Bytes())
}

// rewriteComment keeps TYPE lines only: HELP and UNIT say nothing to rules.
func rewriteComment(out *bytes.Buffer, line string, types map[string]string) error {
	rest, ok := strings.CutPrefix(line, "# TYPE ")
	if !ok {
		return nil
	}
	at := strings.LastIndexByte(rest, ' ')
	if at <= 0 {
		return fmt.Errorf("TYPE without a type: %q", clip(line))
	}
	name, kind := rest[:at], rest[at+1:]
	if _, twice := types[name]; twice {
		return fmt.Errorf("second TYPE line for metric name %q", clip(name))
	}
	types[name] = kind
	switch kind {
	case "counter":
		// OpenMetrics names the family without _total, the sample with it.
		fmt.Fprintf(out, "# TYPE %s counter\n", suffixed(name, "_total"))
	case "gauge", "histogram", "summary":
		fmt.Fprintf(out, "# TYPE %s %s\n", name, kind)
	case "info":
		fmt.Fprintf(out, "# TYPE %s gauge\n", suffixed(name, "_info"))
	case "stateset":
		fmt.Fprintf(out, "# TYPE %s gauge\n", name)
	case "unknown", "gaugehistogram":
		// Without a TYPE line the classic parser calls them untyped; a gauge
		// histogram's buckets are gauges of their own.
	default:
		return fmt.Errorf("unknown type %q of %q", clip(kind), clip(name))
	}
	return nil
}

// suffixed appends a suffix to a name that may stand in quotes and may have
// the suffix already.
func suffixed(name, suffix string) string {
	if inner, quoted := strings.CutSuffix(name, `"`); quoted {
		return strings.TrimSuffix(inner, suffix) + suffix + `"`
	}
	return strings.TrimSuffix(name, suffix) + suffix
}

// rewriteSample drops the exemplar and the creation times, and writes the
// timestamp in the classic format's milliseconds.
func rewriteSample(out *bytes.Buffer, line string, types map[string]string) error {
	series, rest := cutSeries(line)
	if name, _, _ := strings.Cut(series, "{"); isCreated(name, types) {
		return nil
	}
	if at := strings.Index(rest, " # "); at >= 0 {
		rest = rest[:at]
	}
	fields := strings.Fields(rest)
	if len(fields) < 1 || len(fields) > 2 {
		return fmt.Errorf("want a value and perhaps a timestamp after %q", clip(series))
	}
	out.WriteString(series)
	out.WriteByte(' ')
	out.WriteString(fields[0])
	if len(fields) == 2 {
		seconds, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e14 {
			return fmt.Errorf("%q is not a timestamp in seconds", clip(fields[1]))
		}
		out.WriteByte(' ')
		out.WriteString(strconv.FormatInt(int64(math.Round(seconds*1000)), 10))
	}
	out.WriteByte('\n')
	return nil
}

// cutSeries splits a sample's line behind the name and its labels.
func cutSeries(line string) (series, rest string) {
	quoted, braces := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			braces = true
		case c == '}':
			return line[:i+1], line[i+1:]
		case c == ' ' && !braces:
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// isCreated says whether a sample is the creation time of its family: a
// moment, which would read as a counter or a bucket.
func isCreated(name string, types map[string]string) bool {
	family, ok := strings.CutSuffix(name, "_created")
	if !ok {
		return false
	}
	switch types[family] {
	case "counter", "histogram", "summary", "gaugehistogram":
		return true
	}
	return false
}

// clip shortens what a page sent, for an error.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
