package plugincheck

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// poll reads the source twice: what a source remembers shows at the second.
func poll(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known := map[string]bool{}
	for _, m := range s.about.GetMetrics() {
		known[m.GetName()] = true
	}
	samples := 0
	for range 2 {
		resp, err := s.process.Source.Poll(ctx, &pluginpb.PollRequest{Name: "test", ConfigJson: config})
		if err != nil {
			return "", err
		}
		if resp.GetError() != "" {
			return "", errors.New(resp.GetError())
		}
		for _, one := range resp.GetSamples() {
			if !known[one.GetMetric()] {
				return "", fmt.Errorf("a sample of %q, which Describe does not name", one.GetMetric())
			}
			if math.IsNaN(one.GetValue()) || math.IsInf(one.GetValue(), 0) {
				return "", fmt.Errorf("%s is %v: what is not known is no sample", one.GetMetric(), one.GetValue())
			}
		}
		samples = len(resp.GetSamples())
	}
	return fmt.Sprintf("%d samples", samples), nil
}
