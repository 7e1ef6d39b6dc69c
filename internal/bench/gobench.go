package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// figures are those of one benchmark by unit: "ns/op", "B/op", "ns/pair".
type figures map[string]float64

// goBench runs benchmarks of a package and returns the median of their runs by
// name, less Benchmark and the number of processors.
func goBench(ctx context.Context, pkg, pattern string, count int, benchtime string) (map[string]figures, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem",
		"-benchtime", benchtime, "-count", strconv.Itoa(count), pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w\n%s", pattern, pkg, err, out)
	}
	runs := map[string]map[string][]float64{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name, ok := strings.CutPrefix(line, "Benchmark")
		if !ok || len(fields) < 4 {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		name, _, _ = strings.Cut(name, "\t")
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			name = name[:dash]
		}
		if runs[name] == nil {
			runs[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				runs[name][fields[i+1]] = append(runs[name][fields[i+1]], v)
			}
		}
	}
	medians := map[string]figures{}
	for name, units := range runs {
		medians[name] = figures{}
		for unit, values := range units {
			medians[name][unit] = median(values)
		}
	}
	return medians, nil
}
