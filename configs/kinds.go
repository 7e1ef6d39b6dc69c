package configs

import (
	"maps"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// sources decodes each source twice over the same keys: what all types share,
// and what its own type takes.
func (l *loader) sources(parts []yamlpos.Deferred) {
	for _, part := range parts {
		s := defaultSource()
		settings, known := l.settings(part.Path, "source", l.kinds.Sources)
		s.Settings = settings
		l.hidePluginSettings(part.Path, sharedKeys(s), settings)
		l.decodePart(part.Path, &s, settings)
		if IsPlugin(settings) {
			l.config.notePluginSource(s.Type)
		}
		if s.Timeout == notGiven {
			s.Timeout = min(s.Interval, DefaultTimeout)
		}
		switched := l.switchedOff(part.Path, s.Enabled, s.Optional)
		l.validatePart(part.Path, settings, switched)
		if switched.off {
			s.skip = &Skipped{Name: s.Name, Type: s.Type, Variables: switched.variables}
		}
		l.config.Sources = append(l.config.Sources, s)
		if m, ok := settings.(interface{ Metrics() []source.Metric }); ok {
			l.config.metrics = append(l.config.metrics, m.Metrics()...)
		}
		o, ok := settings.(interface{ OpensCatalog() bool })
		// What a source of no known type would yield no one can say.
		l.config.open = l.config.open || !known || ok && o.OpensCatalog()
	}
}

func (l *loader) receivers(parts []yamlpos.Deferred) {
	for _, part := range parts {
		r := defaultReceiver()
		settings, _ := l.settings(part.Path, "receiver", l.kinds.Receivers)
		r.Settings = settings
		l.hidePluginSettings(part.Path, sharedKeys(r), settings)
		l.decodePart(part.Path, &r, settings)
		switched := l.switchedOff(part.Path, r.Enabled, r.Optional)
		l.validatePart(part.Path, settings, switched)
		if switched.off {
			r.skip = &Skipped{Name: r.Name, Type: r.Type, Variables: switched.variables, Receiver: true}
		}
		l.config.Receivers = append(l.config.Receivers, r)
	}
}

// settings makes the Config of the type that is written at the path; known is
// false when there is no such type.
func (l *loader) settings(path, what string, kinds map[string]func() any) (settings any, known bool) {
	if path == "" {
		return nil, false // an empty item, reported by Decode
	}
	at := problem.Join(path, "type")
	names := slices.Sorted(maps.Keys(kinds))
	name, ok := l.doc.Text(at)
	if !ok {
		name = l.misspeltType(path)
	}
	if make, ok := kinds[name]; ok {
		return make(), true
	}
	var problems problem.List
	hint := problem.DidYouMean(name, names)
	if hint == "" {
		hint = "there are " + strings.Join(names, ", ") + "; a plugin is declared under plugins"
	}
	switch {
	case ok && name != "":
		problems.AddHint(at, hint, "no such type of %s: %q", what, name).As(problem.UnknownType)
	case !l.doc.Has(at) && l.isMapping(path):
		problems.AddHint(at, "there are "+strings.Join(names, ", "), "missing: every %s has a type", what)
	}
	l.locate(problems)
	return nil, false
}

// misspeltType returns what stands under a key that was meant to be type: its
// name is reported with the other keys, which are checked by it.
func (l *loader) misspeltType(path string) string {
	for _, key := range l.doc.Keys(path) {
		if problem.Nearest(key, []string{"type"}) != "" {
			name, _ := l.doc.Text(problem.Join(path, key))
			return name
		}
	}
	return ""
}

func (l *loader) isMapping(path string) bool {
	_, scalar := l.doc.Text(path)
	return !scalar
}

// decodePart fills what is shared, and the settings with the other keys. With
// no settings, for want of a type, no one can say which other keys are right.
func (l *loader) decodePart(path string, shared, settings any) {
	if path == "" {
		return
	}
	if settings == nil {
		var others map[string]any
		l.add(l.doc.DecodeAt(path, shared, &others))
		return
	}
	l.add(l.doc.DecodeAt(path, shared, settings))
}

// switched says whether a part is left out, and why.
type switched struct {
	off bool
	// emptyURLs are the keys that wait for a variable, variables their names.
	emptyURLs, variables []string
}

// switchedOff looks whether a part is disabled, or is optional and waits for
// its URL or token: a key url, one that ends in _url, or token, that is written
// with a variable and is empty.
func (l *loader) switchedOff(path string, enabled, optional bool) switched {
	s := switched{off: !enabled}
	if !optional || !enabled {
		return s
	}
	for _, key := range l.doc.Keys(path) {
		at := problem.Join(path, key)
		value, isText := l.doc.Text(at)
		names := l.doc.Variables(at)
		if isURLKey(key) && isText && value == "" && len(names) > 0 {
			s.off = true
			s.emptyURLs = append(s.emptyURLs, strings.TrimSuffix(key, "_file"))
			s.variables = append(s.variables, names...)
		}
	}
	return s
}

func isURLKey(key string) bool {
	key = strings.TrimSuffix(key, "_file")
	return key == "url" || key == "token" || strings.HasSuffix(key, "_url")
}

// validatePart lets the settings judge themselves. That an optional part has
// no URL yet is no mistake; its other mistakes are found before it gets one.
func (l *loader) validatePart(path string, settings any, s switched) {
	v, ok := settings.(interface{ Validate() problem.List })
	if !ok {
		return
	}
	var problems problem.List
	unread, keys := l.unread(path), l.doc.Keys(path)
	for _, p := range v.Validate() {
		// Where a secret's file could not be read, what is missing may be in it.
		follows := unread && !slices.Contains(keys, p.Path)
		if !slices.Contains(s.emptyURLs, p.Path) && !follows {
			problems.Under(path, problem.List{p})
		}
	}
	l.locate(problems)
}

// unread says whether a file that a key of the part names could not be read.
func (l *loader) unread(path string) bool {
	return slices.ContainsFunc(l.mistakes, func(m yamlpos.Mistake) bool {
		key, below := strings.CutPrefix(m.Path, path+".")
		return below && !m.Warning && strings.HasSuffix(key, "_file") && !strings.Contains(key, ".")
	})
}
