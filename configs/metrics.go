package configs

import (
	"fmt"
	"reflect"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// Metrics compiles the derived metrics of all files. The catalog that is
// returned has them too. A metric that two files write in the same words is
// one; its name may have only one meaning.
func (set *RuleSet) Metrics(catalog source.Catalog) (rule.Metrics, source.Catalog, yamlpos.Mistakes) {
	var specs []rule.Derived
	var entries []entry
	var mistakes yamlpos.Mistakes
	first := map[string]int{}
	for _, f := range set.Files {
		for i, spec := range f.Metrics {
			e := entry{f, fmt.Sprintf("metrics[%d]", i)}
			if !f.doc.Has(e.at) {
				continue // an empty item, reported by Decode
			}
			if before, twice := first[spec.Name]; twice && spec.Name != "" {
				if entries[before].file == f || !reflect.DeepEqual(specs[before], spec) {
					mistakes = append(mistakes, f.Locate(problem.List{{
						Path: e.at + ".name", Message: fmt.Sprintf("the metric %q is made at %s already", spec.Name, entries[before].place()),
					}})...)
				}
				continue
			}
			first[spec.Name] = len(specs)
			specs, entries = append(specs, spec), append(entries, e)
		}
	}
	metrics, with, problems := rule.CompileMetrics(specs, catalog)
	for i, list := range problems {
		var placed problem.List
		placed.Under(entries[i].at, list)
		mistakes = append(mistakes, entries[i].file.Locate(placed)...)
	}
	return metrics, with, mistakes
}
