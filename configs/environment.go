package configs

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// prefix begins the variables that override settings; stepMark joins the steps
// of the path: TOCSIN_SERVER__LISTEN is server.listen.
const (
	prefix   = "TOCSIN_"
	stepMark = "__"
)

// override is one setting from the environment.
type override struct {
	variable, path, value string
	steps                 []string
}

// overridesOf finds the overrides in an environment, ordered so that a list
// comes before its items and item 2 before item 10. mentioned are the variables
// that the file itself refers to: those are no settings.
func overridesOf(environ, mentioned []string) ([]override, yamlpos.Mistakes) {
	var found []override
	var mistakes yamlpos.Mistakes
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(variable, prefix)
		if !ours || isForeign(variable) || slices.Contains(mentioned, variable) {
			continue
		}
		steps := strings.Split(strings.ToLower(name), stepMark)
		if !slices.Contains(topLevel(), steps[0]) || slices.Contains(steps, "") {
			mistakes = append(mistakes, unknownVariable(variable))
			continue
		}
		found = append(found, override{variable, pathOf(steps), value, steps})
	}
	slices.SortFunc(found, func(a, b override) int { return slices.CompareFunc(a.steps, b.steps, compareSteps) })
	slices.SortFunc(mistakes, func(a, b yamlpos.Mistake) int { return cmp.Compare(a.File, b.File) })
	return found, mistakes
}

// isForeign says whether a variable begins with our prefix and is not ours to
// read: what the tests and their scripts use, the token of the subcommands that
// ask a daemon, and what Kubernetes sets in every pod for a Service that is
// called tocsin.
func isForeign(variable string) bool {
	switch variable {
	case "TOCSIN_INSTALL", "TOCSIN_REQUIRE_SERVICES", "TOCSIN_TOKEN":
		return true
	}
	kubernetes := regexp.MustCompile(`^TOCSIN_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	return !strings.Contains(variable, stepMark) && kubernetes.MatchString(variable)
}

func unknownVariable(variable string) yamlpos.Mistake {
	var candidates []string
	for _, path := range yamlpos.Paths(&Config{}) {
		candidates = append(candidates, prefix+strings.ToUpper(strings.ReplaceAll(path, ".", stepMark)))
	}
	for _, name := range topLevel() {
		candidates = append(candidates, prefix+strings.ToUpper(name))
	}
	hint := problem.DidYouMean(variable, candidates)
	if hint == "" {
		hint = "variables that begin with TOCSIN_ are settings, as TOCSIN_SERVER__LISTEN"
	}
	return yamlpos.Mistake{File: "environment " + variable, Code: problem.UnknownSetting, Message: "no such setting", Hint: hint, Warning: !meansASetting(variable)}
}

// meansASetting says whether whoever set the variable meant a setting: it has
// steps, or begins as one and lacks an underscore. Another is somebody else's,
// as a script's TOCSIN_BIN, and keeps no daemon from starting.
func meansASetting(variable string) bool {
	begins := func(key string) bool { return strings.HasPrefix(variable, prefix+strings.ToUpper(key)+"_") }
	return strings.Contains(variable, stepMark) || slices.ContainsFunc(topLevel(), begins)
}

// topLevel returns the keys of a configuration.
func topLevel() []string { return yamlpos.TopLevel(&Config{}, &parts{}) }

// pathOf joins the steps: numbers are the items of a list.
func pathOf(steps []string) string {
	path := ""
	for _, s := range steps {
		if _, err := strconv.Atoi(s); err == nil {
			s = "[" + s + "]"
		}
		path = problem.Join(path, s)
	}
	return path
}

func compareSteps(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}
