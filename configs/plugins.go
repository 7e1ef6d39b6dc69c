package configs

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// defaultPluginTimeout bounds a call of a plugin where the configuration does not
// say.
const defaultPluginTimeout = 10 * time.Second

// envPattern is the name of a variable.
const envPattern = `^[A-Za-z_][A-Za-z0-9_]*$`

// Plugin is a program that serves receivers or sources. Its name is a type of
// both.
type Plugin struct {
	// Name is what the type of its receivers and sources says.
	Name string `yaml:"name"`
	// Path is the program, relative to the configuration's folder.
	Path string `yaml:"path"`
	// Args are the program's arguments; whoever lists processes sees them.
	Args []string `yaml:"args"`
	// Env is what the program finds in its environment, and InheritEnv names what
	// it finds there of the daemon's. It gets nothing else.
	Env        map[string]secret.String `yaml:"env"`
	InheritEnv []string                 `yaml:"inherit_env"`
	// SHA256 is what the program must hash to, in hexadecimal; left out, any
	// program may stand at the path.
	SHA256 string `yaml:"sha256"`
	// MTLS has daemon and plugin prove to each other who they are; left out, they
	// do.
	MTLS *bool `yaml:"mtls"`
	// Timeout bounds one call, beside the receiver's or source's own; left out, it
	// is 10s.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many calls are under way at a time; left out, what the
	// plugin asks for.
	Concurrency int `yaml:"concurrency"`
}

// UsesMTLS says whether daemon and plugin prove who they are.
func (p *Plugin) UsesMTLS() bool { return p.MTLS == nil || *p.MTLS }

// CallTimeout bounds one call.
func (p *Plugin) CallTimeout() time.Duration {
	if p.Timeout == 0 {
		return defaultPluginTimeout
	}
	return p.Timeout
}

// Environment is the whole environment of the program, given the daemon's. A
// variable that Env has is not inherited; one that the daemon lacks is left out.
func (p *Plugin) Environment(environ []string) map[string]secret.String {
	env := map[string]secret.String{}
	lookup := Input{Environ: environ}.lookup()
	for _, name := range p.InheritEnv {
		if value, ok := lookup(name); ok {
			env[name] = secret.New(value)
		}
	}
	maps.Copy(env, p.Env)
	return env
}

// Valid says whether nothing is wrong with the entry by itself.
func (p *Plugin) Valid() bool { return len(p.validate()) == 0 }

func (p *Plugin) validate() problem.List {
	ps := validateName(p.Name, "plugin")
	if p.Path == "" {
		ps.AddHint("path", "write for example plugins/bin/pager", "missing: the program that is the plugin")
	}
	if sum, err := hex.DecodeString(p.SHA256); p.SHA256 != "" && (err != nil || len(sum) != 32) {
		ps.AddHint("sha256", "64 hexadecimal digits, as sha256sum prints them", "not a SHA-256")
	}
	if p.Timeout < 0 || p.Timeout > maxTimeout {
		ps.Add("timeout", "want more than 0s and at most %s", units.Duration(maxTimeout))
	}
	if p.Concurrency < 0 || p.Concurrency > maxConcurrency {
		ps.Add("concurrency", "want 1 to %d; 0 is what the plugin asks for", maxConcurrency)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		validateVariable(&ps, problem.Join("env", name), name)
	}
	for i, name := range p.InheritEnv {
		validateVariable(&ps, fmt.Sprintf("inherit_env[%d]", i), name)
	}
	return ps
}

func validateVariable(ps *problem.List, path, name string) {
	switch {
	case !regexp.MustCompile(envPattern).MatchString(name):
		ps.AddHint(path, "use letters, digits and _", "%q is not the name of a variable", name)
	case strings.HasPrefix(name, "PLUGIN_"), name == "TOCSIN_PLUGIN":
		ps.AddHint(path, "choose another name", "Tocsin sets %s itself", name)
	}
}

func (c *Config) validatePlugins() problem.List {
	var ps problem.List
	names := unique{}
	for i := range c.Plugins {
		at := fmt.Sprintf("plugins[%d]", i)
		ps.Under(at, c.Plugins[i].validate())
		names.check(&ps, problem.Join(at, "name"), at, c.Plugins[i].Name, "plugin")
	}
	return ps
}

// plugins makes a type of source and of receiver of each plugin, and finds its
// program.
func (l *loader) plugins(config string) {
	kinds := Kinds{Sources: maps.Clone(l.kinds.Sources), Receivers: maps.Clone(l.kinds.Receivers)}
	var problems problem.List
	for i := range l.config.Plugins {
		p := &l.config.Plugins[i]
		at := fmt.Sprintf("plugins[%d]", i)
		l.doc.Hide(problem.Join(at, "args")) // a token may be among them
		if p.Path != "" && !filepath.IsAbs(p.Path) {
			p.Path = absolute(filepath.Join(filepath.Dir(config), p.Path))
		}
		if l.kinds.Sources[p.Name] != nil || l.kinds.Receivers[p.Name] != nil {
			problems.AddHint(problem.Join(at, "name"), "choose another name", "%q is a type that is built in", p.Name).As(problem.DuplicateName)
			continue
		}
		if p.Name != "" {
			kinds.Sources[p.Name], kinds.Receivers[p.Name] = newPluginSettings, newPluginSettings
		}
	}
	l.kinds = kinds
	l.locate(problems)
}

func newPluginSettings() any { return &PluginSettings{} }

// PluginSettings are the keys of a source or receiver of a plugin's type, less
// those that all share. What they mean the plugin alone knows, and any may be a
// secret: they print as ***.
type PluginSettings map[string]any

// JSON is what the plugin is given: an object.
func (s *PluginSettings) JSON() ([]byte, error) {
	values := map[string]any(*s)
	if values == nil {
		values = map[string]any{}
	}
	return json.Marshal(values)
}

// Validate finds what cannot be handed to a plugin.
func (s *PluginSettings) Validate() problem.List {
	var ps problem.List
	for _, key := range slices.Sorted(maps.Keys(*s)) {
		notFinite(&ps, problem.Join("", key), (*s)[key])
	}
	return ps
}

// notFinite reports the numbers that JSON does not have.
func notFinite(ps *problem.List, path string, value any) {
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			ps.Add(path, "a plugin cannot be given this number")
		}
	case []any:
		for i, item := range v {
			notFinite(ps, fmt.Sprintf("%s[%d]", path, i), item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			notFinite(ps, problem.Join(path, key), v[key])
		}
	}
}

// Format prints ***, whatever the verb.
func (s PluginSettings) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("***")) }

// MarshalText writes ***.
func (s PluginSettings) MarshalText() ([]byte, error) { return []byte("***"), nil }

// hidePluginSettings keeps what only a plugin understands out of every source
// line that is printed.
func (l *loader) hidePluginSettings(path string, shared []string, settings any) {
	if !IsPlugin(settings) && (settings != nil || len(l.config.Plugins) == 0) {
		return // a type that is not known may be a plugin's, misspelt
	}
	for _, key := range l.doc.Keys(path) {
		if !slices.Contains(shared, key) {
			l.doc.Hide(problem.Join(path, key))
		}
	}
}

func sharedKeys(of any) []string { return append(yamlpos.TopLevel(of), "type") }

// IsPlugin says whether a type of source or receiver is a plugin's.
func IsPlugin(settings any) bool {
	_, ok := settings.(*PluginSettings)
	return ok
}

// DescribePlugin takes what a plugin says that its sources yield. Before that, and
// where it cannot be asked, rules may name any metric.
func (c *Config) DescribePlugin(name string, metrics []source.Metric) {
	if c.described == nil {
		c.described = map[string][]source.Metric{}
	}
	c.described[name] = metrics
}

// notePluginSource remembers a plugin that serves a source of the configuration,
// be it left out.
func (c *Config) notePluginSource(kind string) {
	if !slices.Contains(c.pluginSources, kind) {
		c.pluginSources = append(c.pluginSources, kind)
	}
}

// PluginSources names the plugins that sources are of.
func (c *Config) PluginSources() []string { return c.pluginSources }

// Undescribed names the plugins of sources that could not be asked what they yield.
func (c *Config) Undescribed() []string {
	var names []string
	for _, name := range c.pluginSources {
		if _, known := c.described[name]; !known {
			names = append(names, name)
		}
	}
	return names
}

// variableName is the name of a variable that Tocsin does not set itself.
func variableName() schema.Schema {
	s := schema.Text(envPattern, "the name of a variable")
	s["not"] = schema.Schema{"pattern": "^(PLUGIN_|TOCSIN_PLUGIN$)"}
	return s
}

// JSONSchema says what reflection cannot of a plugin's fields.
func (Plugin) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"name": nameSchema(), "path": schema.NotEmpty(), "sha256": schema.Text(`^([0-9A-Fa-f]{64})?$`, "a SHA-256: 64 hexadecimal digits"),
		"concurrency": schema.Between(0, maxConcurrency), "inherit_env": schema.List(variableName()), "env": schema.Schema{"propertyNames": variableName()},
	}, "name", "path")
}
