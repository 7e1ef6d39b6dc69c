package problem

import "slices"

// The classes of mistakes, by what reads or judges.
const (
	Unclassified = "mistake"

	Unreadable     = "unreadable-file"
	NotYAML        = "yaml"
	UnknownField   = "unknown-field"
	MissingField   = "missing-field"
	WrongValue     = "wrong-value"
	BadVariable    = "variable"
	UnknownSetting = "unknown-setting"
	DuplicateName  = "duplicate-name"
	UnknownName    = "unknown-name"
	UnknownType    = "unknown-type"

	UnknownMetric = "unknown-metric"
	BadCondition  = "bad-condition"
	UnitMismatch  = "unit-mismatch"
	BadMatcher    = "bad-matcher"
	BadTemplate   = "bad-template"
	NoCondition   = "no-condition"
	FailedTest    = "failed-test"
	PluginFails   = "plugin-fails"

	NoEffect         = "no-effect"
	NeverFires       = "never-fires"
	AlwaysTrue       = "always-true"
	OutOfRange       = "out-of-range"
	Shadowed         = "shadowed-condition"
	SameCondition    = "duplicate-condition"
	ClearNever       = "clear-never-holds"
	ClearUseless     = "clear-without-effect"
	Fraction         = "percent-as-fraction"
	ShortFor         = "for-shorter-than-interval"
	ShortWindow      = "window-shorter-than-interval"
	LongWindow       = "window-longer-than-retention"
	UnknownLabel     = "unknown-label"
	NoSuchSeries     = "matches-no-series"
	NotSeen          = "label-value-not-seen"
	NoSource         = "metric-without-source"
	UnusedReceiver   = "unused-receiver"
	UnreachableRoute = "unreachable-route"
	NoSuchAlert      = "matches-no-alert"
	WeakSecret       = "weak-secret"
	RandomPort       = "random-port"
	EarlyRepeat      = "repeat-before-interval"
	PluginUnasked    = "plugin-not-asked"
)

// Class is one class of mistakes.
type Class struct {
	Code string
	// Title says in one line what is wrong with a file that has such a mistake.
	Title string
}

// Classes returns every class there is, sorted by code. Codes are stable: tools
// keep lists of them.
func Classes() []Class {
	all := []Class{
		{Unclassified, "Something in the file is wrong; the message says what"},
		{Unreadable, "A file cannot be read"},
		{NotYAML, "The file is not YAML, or not such as is read here"},
		{UnknownField, "A key that nothing reads"},
		{MissingField, "Something is required and not there"},
		{WrongValue, "A value of the wrong kind, or out of range"},
		{BadVariable, "A variable that is not set, or its reference is not closed"},
		{UnknownSetting, "An environment variable that is no setting"},
		{DuplicateName, "A name that is taken already"},
		{UnknownName, "A name that stands for nothing"},
		{UnknownType, "No such type of source or receiver"},
		{UnknownMetric, "No source yields a metric of that name"},
		{BadCondition, "A condition that cannot be read"},
		{UnitMismatch, "A comparison of different units"},
		{BadMatcher, "A matcher that cannot be read"},
		{BadTemplate, "A template that cannot be read or filled"},
		{NoCondition, "A rule without a condition"},
		{FailedTest, "A test beside the rules that fails"},
		{NoEffect, "A setting that has no effect"},
		{NeverFires, "A condition that can never hold"},
		{AlwaysTrue, "A condition that always holds"},
		{OutOfRange, "A threshold outside what the metric can be"},
		{Shadowed, "A severity that is never seen: a graver one holds whenever it does"},
		{SameCondition, "Two severities with the same condition"},
		{ClearNever, "A clear that never holds while the conditions do not: the alert would never resolve"},
		{ClearUseless, "A clear that holds as soon as the conditions do not: the alert flaps"},
		{Fraction, "A percentage that is written as a fraction"},
		{ShortFor, "A for that is shorter than the interval of the source"},
		{ShortWindow, "A window that holds fewer than two samples"},
		{LongWindow, "A window that is longer than samples are kept"},
		{UnknownLabel, "A label that the metric does not have"},
		{NoSuchSeries, "Matchers that no series can satisfy"},
		{NotSeen, "Matchers that no series satisfies which the daemon has seen"},
		{NoSource, "A rule over a metric that no configured source yields"},
		{UnusedReceiver, "A receiver that no route names"},
		{UnreachableRoute, "A route that no alert can reach"},
		{NoSuchAlert, "A matcher that no alert of these rules can satisfy"},
		{WeakSecret, "A secret that could be guessed"},
		{RandomPort, "A port that is another one at each start"},
		{PluginFails, "A plugin that cannot be run"},
		{PluginUnasked, "Settings that no plugin was asked about"},
		{EarlyRepeat, "A repeat_interval shorter than the group_interval"},
	}
	slices.SortFunc(all, func(a, b Class) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return all
}
