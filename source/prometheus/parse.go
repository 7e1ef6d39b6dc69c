package prometheus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/tocsin-dev/tocsin/source/internal/page"
)

// accept asks for the classic text first: it is the cheapest to parse here.
// OpenMetrics and protobuf are for pages that speak nothing else.
const accept = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.8," +
	"application/openmetrics-text;version=0.0.1;q=0.7," +
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.4,*/*;q=0.1"

// parse reads an exposition page of any format into families, sorted by name.
// A page that is wrong anywhere is refused whole, as Prometheus does: what
// stands before a break cannot be told from what is left out.
func parse(body []byte, contentType string) ([]*dto.MetricFamily, error) {
	media := page.MediaType(contentType)
	var families []*dto.MetricFamily
	var err error
	switch media {
	case expfmt.OpenMetricsType:
		families, err = parseOpenMetrics(body)
	case expfmt.ProtoType:
		families, err = parseProto(body)
	case "", "text/plain", "application/octet-stream":
		if err = sniff(body); err != nil {
			return nil, err
		}
		families, err = parseText(body)
	default:
		return nil, fmt.Errorf("the page is %s, not metrics; is the url right?", media)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, nil
}

// sniff tells the two kinds of page that people mistake for metrics by their
// first byte, whatever their content type says.
func sniff(body []byte) error {
	switch trimmed := bytes.TrimLeft(body, " \t\r\n"); {
	case len(trimmed) == 0:
		return nil
	case trimmed[0] == '<':
		return errors.New("the page is HTML, not metrics; is the url right?")
	case trimmed[0] == '[', trimmed[0] == '{' && bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")):
		return errors.New("the page is JSON, not metrics; a source of type json reads that")
	}
	return nil
}

func parseText(body []byte) ([]*dto.MetricFamily, error) {
	// The last line's end may be missing; the format wants it, and a page cut
	// in the middle of a number looks the same.
	if len(body) > 0 && body[len(body)-1] != '\n' {
		return nil, errors.New("the page stops in the middle of its last line")
	}
	// Carriage returns are not part of the format, and exporters for Windows
	// send them.
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the page cannot be read: %w", err)
	}
	families := make([]*dto.MetricFamily, 0, len(byName))
	for _, f := range byName {
		families = append(families, f)
	}
	return families, nil
}

// parseProto reads length-delimited protobuf. expfmt's own decoder would
// allocate whatever length a message claims.
func parseProto(body []byte) ([]*dto.MetricFamily, error) {
	var families []*dto.MetricFamily
	reader := bytes.NewReader(body)
	opts := protodelim.UnmarshalOptions{MaxSize: int64(len(body))}
	for {
		family := &dto.MetricFamily{}
		err := opts.UnmarshalFrom(reader, family)
		if errors.Is(err, io.EOF) {
			return families, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the page's protobuf breaks after %d families: %w", len(families), err)
		}
		if family.GetName() == "" {
			return nil, fmt.Errorf("the page's protobuf has a family without a name, after %d others", len(families))
		}
		families = append(families, family)
	}
}
