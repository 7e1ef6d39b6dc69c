package configs

import (
	"slices"

	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Written is a configuration as it stands in its file, with the sources and
// receivers that are left out for want of a URL. It serves for remarks about the
// file; a daemon works by Config.
type Written struct {
	Sources   []Source
	Receivers []Receiver
	Route     route.Spec
	Inhibit   []route.InhibitSpec

	doc *yamlpos.Document
}

// Locate finds the places of problems in the file, with paths from its root.
func (w *Written) Locate(problems problem.List) yamlpos.Mistakes { return w.doc.Locate(problems) }

// LoadWritten is Load that returns what is written, too; nil where the
// configuration is.
func LoadWritten(path string, kinds Kinds, in Input) (*Config, *Written, yamlpos.Mistakes) {
	data, unread := in.read(path)
	if unread != nil {
		return nil, nil, unread
	}
	doc, mistakes := yamlpos.Parse(displayName(path), data)
	if doc == nil {
		return nil, nil, mistakes
	}
	doc.OnFile(in.OnSecretFile)
	l := loader{doc: doc, kinds: kinds, mistakes: mistakes}
	l.load(path, in)
	w := &Written{Sources: l.config.Sources, Receivers: l.config.Receivers, Route: cloned(l.config.Route), Inhibit: l.config.Inhibit, doc: doc}
	w.Sources, w.Receivers = slices.Clone(w.Sources), slices.Clone(w.Receivers)
	l.leaveOut()
	return &l.config, w, l.mistakes.Sorted()
}

func cloned(r route.Spec) route.Spec {
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		r.Routes[i] = cloned(r.Routes[i])
	}
	return r
}
