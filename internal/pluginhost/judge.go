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
	settings, unread := i.schema.withFiles(use.Settings, use.Folder)
	problems, err := i.judge(ctx, use, settings)
	problems = slices.DeleteFunc(problems, func(p problem.Problem) bool { // that it is missing is the echo
		return slices.ContainsFunc(unread, func(u problem.Problem) bool { return u.Path == p.Path+fileSuffix })
	})
	problems = append(unread, problems...)
	if err != nil {
		return problems, p.explain(ctx, i, err)
	}
	if i.schemaErr != nil {
		problems = append(problems, problem.Problem{Path: "type", Message: fmt.Sprintf("plugin %q: %v", use.Plugin, i.schemaErr), Warning: true})
	}
	return problems, nil
}

// judge judges settings that have their files in them.
func (i *instance) judge(ctx context.Context, use Use, settings []byte) (problem.List, error) {
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
		problems = i.schema.Check(settings)
	}
	answer, err := i.client.Plugin.ValidateConfig(ctx, &pluginpb.ValidateConfigRequest{Name: use.Name, ConfigJson: settings, Kind: use.Kind})
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

// accepts returns the settings as the plugin is given them, or says why it cannot
// work by them. It asks once for each.
func (i *instance) accepts(ctx context.Context, use Use) ([]byte, error) {
	settings, problems := i.schema.withFiles(use.Settings, use.Folder)
	if len(problems) > 0 {
		return nil, refusedSettings(use, problems)
	}
	sum := sha256.Sum256(settings)
	key := use.Kind.String() + " " + use.Name + " " + hex.EncodeToString(sum[:])
	i.mu.Lock()
	refusal, known := i.judged[key]
	i.mu.Unlock()
	if known {
		return settings, refusal
	}
	problems, err := i.judge(ctx, use, settings)
	if err != nil {
		return nil, err // asked again at the next call
	}
	refusal = refusedSettings(use, problems)
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.judged) >= maxJudged {
		clear(i.judged) // secrets that change all the time
	}
	i.judged[key] = refusal
	return settings, refusal
}

// maxJudged bounds what is remembered of settings.
const maxJudged = 1000

// refusedSettings is the first problem that is no warning, as an error.
func refusedSettings(use Use, problems problem.List) error {
	for _, p := range problems {
		if !p.Warning {
			return fmt.Errorf("the settings of %q are refused: %w", use.Name, p)
		}
	}
	return nil
}
