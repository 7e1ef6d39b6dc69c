package rule

import "time"

// TestSpec is one test of a rule as it is written, beside the rules. Package
// ruletest checks it, and plays it.
type TestSpec struct {
	// Name is for people, and for --run; empty is the rule's id and a number.
	Name string `yaml:"name"`
	// Rule is the id of the rule under test.
	Rule string `yaml:"rule"`
	// Labels say which alerts of the rule are meant, and are labels of the
	// series that the short form gives.
	Labels map[string]string `yaml:"labels"`
	// Every is the time between two polls; zero is ruletest.DefaultEvery.
	Every  time.Duration `yaml:"every"`
	Series SeriesTexts   `yaml:"series"`
	// Started is how long before the first poll the watched process was
	// started; nil where nobody knows.
	Started *time.Duration `yaml:"started"`
	// Begins is the moment of the first poll, RFC 3339; empty is
	// ruletest.DefaultBegins.
	Begins string `yaml:"begins"`
	// Expect maps moments since the first poll, such as 5m30s, to what is
	// wanted then.
	Expect map[string]ExpectSpec `yaml:"expect"`
}

// SeriesTexts maps series, as in cache.hit_rate{strategy="A"}, to what they do
// poll by poll, as in 90x4 80x12. The key OwnSeries is the rule's own metric.
type SeriesTexts map[string]string

// OwnSeries is the key of SeriesTexts that the short form fills.
const OwnSeries = ""

// FromScalar takes the short form, `series: 90x4 80x12`.
func (s *SeriesTexts) FromScalar(text string) error {
	*s = SeriesTexts{OwnSeries: text}
	return nil
}

// ExpectSpec is what is wanted at a moment; what is empty is not asked.
type ExpectSpec struct {
	// Severity is ok, pending, firing, info, warning or critical.
	Severity string `yaml:"severity"`
	// Value and Threshold are numbers, with units where one wants, and hold to
	// as many decimals as are written.
	Value     string `yaml:"value"`
	Threshold string `yaml:"threshold"`
	Message   string `yaml:"message"` // the whole of it
	Reason    string `yaml:"reason"`  // a part of it
}

// FromScalar takes the short form, `3m: warning`.
func (e *ExpectSpec) FromScalar(text string) error {
	e.Severity = text
	return nil
}
