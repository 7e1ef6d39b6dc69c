package pluginhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

const maxProblems = 50 // that a plugin may find in one receiver's settings

// Judge finds what is wrong with a receiver's or source's settings: by the
// plugin's JSON Schema, and by the plugin itself. Paths begin at the settings. The
// error says why the plugin cannot be asked.
func (h *Host) Judge(ctx context.Context, use Use) (problem.List, error) {
	p, err := h.plugin(use.Plugin)
	if err != nil {
		return nil, err
	}
	i, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer p.release()
	problems, err := i.judge(ctx, use)
	if err != nil {
		return problems, p.explain(ctx, i, err)
	}
	if i.schemaErr != nil {
		problems = append(problems, problem.Problem{Path: "type", Message: fmt.Sprintf("plugin %q: %v", use.Plugin, i.schemaErr), Warning: true})
	}
	return problems, nil
}

func (i *instance) judge(ctx context.Context, use Use) (problem.List, error) {
	var problems problem.List
	if !i.described.serves(use.Kind) {
		what, serves := "receiver", "sources"
		if use.Kind == pluginpb.Kind_KIND_SOURCE {
			what, serves = "source", "receivers"
		}
		problems.Add("type", "plugin %q is no %s: it serves %s", use.Plugin, what, serves)
		return problems, nil
	}
	if i.schema != nil {
		problems = i.schema.Check(use.Settings)
	}
	answer, err := i.client.Plugin.ValidateConfig(ctx, &pluginpb.ValidateConfigRequest{Name: use.Name, ConfigJson: use.Settings, Kind: use.Kind})
	if err != nil {
		return problems, err
	}
	bySchema := len(problems)
	for _, found := range answer.GetProblems() {
		said := slices.ContainsFunc(problems[:bySchema], func(p problem.Problem) bool { return p.Path == found.GetPath() })
		if said || len(problems) == maxProblems {
			continue
		}
		problems = append(problems, problem.Problem{
			Path: bounded(found.GetPath()), Message: bounded(found.GetMessage()), Hint: bounded(found.GetHint()), Warning: found.GetWarning(),
		})
	}
	return problems, nil
}

// accepts says why the plugin cannot work by the settings. It asks once for each.
func (i *instance) accepts(ctx context.Context, use Use) error {
	sum := sha256.Sum256(use.Settings)
	key := use.Kind.String() + " " + use.Name + " " + hex.EncodeToString(sum[:])
	i.mu.Lock()
	refusal, known := i.judged[key]
	i.mu.Unlock()
	if known {
		return refusal
	}
	problems, err := i.judge(ctx, use)
	if err != nil {
		return err // asked again at the next call
	}
	refusal = nil
	for _, p := range problems {
		if !p.Warning {
			refusal = fmt.Errorf("the settings of %q are refused: %w", use.Name, p)
			break
		}
	}
	i.mu.Lock()
	i.judged[key] = refusal
	i.mu.Unlock()
	return refusal
}
