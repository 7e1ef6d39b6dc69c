package arch

import (
	"slices"
	"strings"
)

// inward lists, for every layer, the packages of this module that it may
// import, beside its own. A name stands for the package itself, a name with
// /* for everything below it too.
func inward() map[string][]string {
	return map[string][]string{
		".":             nil, // rules.yaml, embedded
		"alert":         nil,
		"source":        {"alert"},
		"store":         {"alert"},
		"notifiers":     {"alert"},
		"engine/rule":   {"alert", "source"}, // the catalog and its units
		"engine/route":  {"alert", "store"},  // groups and members as they are kept
		"engine/outbox": {"alert", "store", "notifiers"},
		"engine/lint":   {"alert", "source", "engine/rule", "engine/route"},
		"engine":        {"alert", "source", "store", "notifiers", "engine/rule", "engine/route", "engine/outbox"},
		"configs":       {".", "alert", "source", "store", "notifiers", "engine/rule", "engine/route", "engine/outbox"},
		"api":           {"alert", "source", "store", "notifiers"},
		"internal":      {"alert", "source"},
		// The protocol's messages are of both sides: the host's adapter and the SDK.
		"plugins/pluginpb":     {"alert", "notifiers"},
		"internal/plugincheck": {"alert", "notifiers", "plugins/pluginpb"},
		"notifiers/plugin":     {"alert", "source", "notifiers", "plugins/pluginpb"},
		"source/plugin":        {"alert", "source", "plugins/pluginpb"},
		// It calls plugins as the daemon does.
		"internal/bench": {"alert", "source", "notifiers", "plugins/pluginpb"},
		// What runs the processes of both kinds of plugin.
		"internal/pluginhost": {"alert", "plugins/pluginpb"},
		"plugins":             {"alert", "source", "notifiers", "plugins/pluginpb"},
		"cmd":                 {"*"},
	}
}

// Forbidden says why the package from may not import the package to, both
// relative to the module; empty when it may.
func Forbidden(from, to string) string {
	switch {
	case from == "alert" || strings.HasPrefix(from, "alert/"):
		return "the vocabulary rests on the standard library alone"
	case within(to, "cmd"):
		return "nothing imports cmd"
	}
	group, adapter := adapterOf(from)
	toGroup, toAdapter := adapterOf(to)
	switch {
	case toAdapter != "" && group == toGroup && adapter == toAdapter:
		return "" // within one adapter
	case toAdapter == "internal" && group == toGroup:
		return "" // what the adapters of one kind share
	case toAdapter != "" && adapter != "":
		return "adapters never import each other"
	case toAdapter != "" && !within(from, "cmd"):
		return "only cmd names implementations"
	}
	layer := layerOf(from)
	allowed, known := inward()[layer]
	if !known {
		return "no rule knows the package " + from + ": give it a layer in internal/arch/rules.go"
	}
	if within(to, "internal") || slices.Contains(allowed, "*") || layer == layerOf(to) || slices.Contains(allowed, layerOf(to)) {
		return ""
	}
	return "imports point inward: " + layer + " may import " + strings.Join(append(allowed, "internal/*"), ", ")
}

// adapterOf splits the folder of an adapter: source/redis/x is source, redis.
// The suite that judges the adapters of a kind (storetest) is none.
func adapterOf(pkg string) (group, adapter string) {
	for _, g := range [...]string{"source", "store", "notifiers"} {
		if below, ok := strings.CutPrefix(pkg, g+"/"); ok {
			name, _, _ := strings.Cut(below, "/")
			if strings.HasSuffix(name, "test") {
				return g, ""
			}
			return g, name
		}
	}
	return "", ""
}

// layerOf returns the longest layer that the package is or lies below; the
// root of the module is its own name.
func layerOf(pkg string) string {
	best := ""
	for layer := range inward() {
		if within(pkg, layer) && len(layer) > len(best) {
			best = layer
		}
	}
	if best == "" {
		return pkg
	}
	return best
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }
