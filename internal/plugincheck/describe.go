package plugincheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/proto"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// callTimeout is how long an ordinary call may take.
const callTimeout = 10 * time.Second

func describe(ctx context.Context, s *session) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	about, err := s.process.Plugin.Describe(ctx, &pluginpb.DescribeRequest{HostVersion: "test"})
	if err != nil {
		return "", err
	}
	s.about = about
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(about.GetName()):
		return "", fmt.Errorf("name %q: want lower case letters, digits and -", about.GetName())
	case about.GetVersion() == "":
		return "", errors.New("no version")
	case len(about.GetKinds()) == 0:
		return "", errors.New("no kinds: neither a receiver nor a source")
	}
	kinds := make([]string, 0, 2)
	for _, k := range about.GetKinds() {
		kinds = append(kinds, strings.ToLower(strings.TrimPrefix(k.String(), "KIND_")))
	}
	for _, m := range about.GetMetrics() {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$`).MatchString(m.GetName()) {
			return "", fmt.Errorf("metric %q: want lower case letters, digits, _ and dots between", m.GetName())
		}
	}
	if slices.Contains(about.GetKinds(), pluginpb.Kind_KIND_SOURCE) && len(about.GetMetrics()) == 0 {
		return "", errors.New("a source that names no metrics")
	}
	second, err := s.process.Plugin.Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return "", err
	}
	if !proto.Equal(about, second) {
		return "", errors.New("it describes itself otherwise when it is asked again")
	}
	return fmt.Sprintf("%s %s, %s", about.GetName(), about.GetVersion(), strings.Join(kinds, " and ")), nil
}

func schemaIsOne(_ context.Context, s *session) (string, error) {
	if _, err := s.compiled(); err != nil {
		return "", err
	}
	var root struct {
		Type       any                        `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal([]byte(s.about.GetConfigSchema()), &root); err != nil {
		return "", err
	}
	if root.Type != "object" {
		return "", fmt.Errorf(`"type" is %v, and must be "object"`, root.Type)
	}
	if len(root.Properties) == 0 {
		return "no settings", nil
	}
	return "settings " + strings.Join(slices.Sorted(maps.Keys(root.Properties)), ", "), nil
}

func (s *session) compiled() (*jsonschema.Schema, error) {
	if s.about == nil {
		return nil, skipped{"there is no description"}
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(s.about.GetConfigSchema()))
	if err != nil {
		return nil, fmt.Errorf("config_schema is no JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	const name = "https://plugin.invalid/schema.json"
	if err := c.AddResource(name, document); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// validateGood also settles which settings the other checks use: those that were
// given, or none where the plugin needs none.
func validateGood(ctx context.Context, s *session) (string, error) {
	config, given := s.options.Config, s.options.Config != nil
	if !given {
		config = json.RawMessage("{}")
	}
	problems, err := s.validate(ctx, config)
	switch {
	case err != nil:
		return "", err
	case len(problems) > 0 && !given:
		return "", skipped{"needs settings: --config (without: " + problems[0] + ")"}
	case len(problems) > 0:
		return "", errors.New("the settings are refused: " + strings.Join(problems, "; "))
	}
	compiled, err := s.compiled()
	if err != nil {
		return "", skipped{"the schema is none"}
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return "", fmt.Errorf("the settings are no JSON: %w", err)
	}
	if err := compiled.Validate(document); err != nil {
		return "", fmt.Errorf("ValidateConfig takes the settings, and the schema refuses them: %w", err)
	}
	s.config = config
	if !given {
		return "it needs no settings", nil
	}
	return "the settings are right", nil
}

func validateBad(ctx context.Context, s *session) (string, error) {
	const unknown = "no_such_setting_in_this_plugin"
	base := map[string]any{}
	if s.config != nil {
		if err := json.Unmarshal(s.config, &base); err != nil {
			return "", err
		}
	}
	base[unknown] = true
	withUnknown, err := json.Marshal(base)
	if err != nil {
		return "", err
	}
	problems, err := s.validate(ctx, withUnknown)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, unknown) }) {
		return "", errors.New("a setting that does not exist is taken: whoever misspells one is never told")
	}
	bad := []json.RawMessage{json.RawMessage(`[1, 2]`), json.RawMessage(`"text"`)}
	if s.options.Bad != nil {
		bad = append(bad, s.options.Bad)
	}
	for _, config := range bad {
		problems, err := s.validate(ctx, config)
		if err != nil {
			return "", fmt.Errorf("settings %s: %w", config, err)
		}
		if len(problems) == 0 {
			return "", fmt.Errorf("settings %s are taken", config)
		}
	}
	return problems[0], nil
}

// validate returns what the plugin says is wrong, warnings left out.
func (s *session) validate(ctx context.Context, config json.RawMessage) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req := &pluginpb.ValidateConfigRequest{Name: "test", ConfigJson: config}
	if s.about != nil && len(s.about.GetKinds()) > 0 {
		req.Kind = s.about.GetKinds()[0]
	}
	resp, err := s.process.Plugin.ValidateConfig(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ValidateConfig: %w", err)
	}
	var out []string
	for _, p := range resp.GetProblems() {
		text := strings.TrimPrefix(p.GetPath()+": "+p.GetMessage(), ": ")
		if p.GetHint() != "" {
			text += "; " + p.GetHint()
		}
		if !p.GetWarning() {
			out = append(out, text)
		}
	}
	return out, nil
}
