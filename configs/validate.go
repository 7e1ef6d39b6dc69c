package configs

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Bounds that keep a slip of the pen from becoming a busy loop or an open
// door.
const (
	minInterval     = 100 * time.Millisecond
	maxTimeout      = 5 * time.Minute
	maxConcurrency  = 256 // as many connections to a host are kept open
	minTokenBytes   = 16
	maxNameBytes    = 64
	namePattern     = `^[A-Za-z0-9][A-Za-z0-9_.-]*$`
	notYet          = "not available in this version"
	exampleListen   = "127.0.0.1:9590"
	exampleLoopback = "set server.tokens, or listen on 127.0.0.1"
	tokenAdvice     = "make one with: openssl rand -hex 16"
)

// Validate finds what is wrong with the configuration as a whole: values out of
// range, names that stand for nothing, and doors left open. It leaves the
// settings of sources and receivers to their own Validate.
func (c *Config) Validate() problem.List {
	var ps problem.List
	ps.Under("server", c.Server.validate())
	ps.Under("store", c.Store.validate())
	// It does no harm where it stands: a single replica needs no wake-ups.
	if !c.Redis.URL.Empty() {
		ps = append(ps, problem.Problem{Path: "redis.url", Warning: true, Code: problem.NoEffect, Message: "has no effect: replicas that wake each other through Redis are " + notYet})
	}
	ps = append(ps, c.validatePlugins()...)
	ps = append(ps, c.validateSources()...)
	ps = append(ps, c.validateReceivers()...)
	ps = append(ps, c.validateRouting()...)
	if c.SilenceWarning < 0 {
		ps.AddHint("silence_warning", "to be told of no silence's end, write 0", "want 0s or more")
	}
	ps.Under("external", c.External.validate())
	ps = append(ps, c.validateHeartbeats()...)
	ps.Under("canary", c.validateCanary())
	ps.Under("deadman", c.Deadman.validate())
	ps.Under("reload", c.Reload.validate())
	ps.Under("log", c.Log.validate())
	return ps
}

func (s *Server) validate() problem.List {
	var ps problem.List
	ps = append(ps, validateListen(s.Listen, len(s.Tokens) > 0)...)
	if s.ExternalURL != "" {
		ps = append(ps, validateExternalURL(s.ExternalURL)...)
	}
	names := unique{}
	for i, t := range s.Tokens {
		at := fmt.Sprintf("tokens[%d]", i)
		ps.Under(at, t.validate())
		names.check(&ps, problem.Join(at, "name"), at, t.Name, "token")
	}
	positive(&ps, "read_timeout", s.ReadTimeout)
	positive(&ps, "shutdown_timeout", s.ShutdownTimeout)
	return ps
}

func validateListen(listen string, guarded bool) problem.List {
	var ps problem.List
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		ps.AddHint("listen", "write host:port, as "+exampleListen, "%q is not an address to listen on", listen)
		return ps
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		ps.Add("listen", "%q is not a port; want 0 to 65535", port)
	} else if n == 0 {
		ps = append(ps, problem.Problem{Path: "listen", Message: "port 0 is another port at each start", Warning: true, Code: problem.RandomPort})
	}
	if strings.ContainsAny(host, " \t/\\@") {
		ps.AddHint("listen", "write host:port, as "+exampleListen, "%q is not a host", host)
	} else if !guarded && !isLoopback(host) {
		ps.AddHint("listen", exampleLoopback, "without tokens only this machine may connect")
	}
	return ps
}

// isLoopback says whether only this machine can reach an address. The empty
// host is every interface.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func validateExternalURL(text string) problem.List {
	var ps problem.List
	const hint = "write for example https://tocsin.example.com"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		ps.AddHint("external_url", hint, "not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		ps.AddHint("external_url", hint, "want a URL that begins with http:// or https:// and a host")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		ps.AddHint("external_url", hint, "want a URL without user, query and fragment")
	}
	return ps
}

func (t *Token) validate() problem.List {
	var ps problem.List
	ps = append(ps, validateName(t.Name, "token")...)
	switch n := len(t.Token.Reveal()); {
	case n == 0:
		ps.AddHint("token", tokenAdvice, "missing")
	case n < minTokenBytes:
		ps = append(ps, problem.Problem{
			Path: "token", Message: fmt.Sprintf("shorter than %d characters: it could be guessed", minTokenBytes), Hint: tokenAdvice, Warning: true,
			Code: problem.WeakSecret,
		})
	}
	if t.Scope == "" {
		ps.AddHint("scope", "want read, operate or admin", "missing")
	} else {
		oneOf(&ps, "scope", string(t.Scope), string(ScopeRead), string(ScopeOperate), string(ScopeAdmin))
	}
	return ps
}

func (s *Store) validate() problem.List {
	var ps problem.List
	switch s.Driver {
	case "sqlite":
		if s.Path == "" {
			ps.AddHint("path", "write for example data/tocsin.db", "missing: the file of the database")
		}
		if !s.URL.Empty() {
			ps.AddHint("url", "remove it; the database is the file at store.path", "driver sqlite takes no url")
		}
	case "postgres":
		ps.AddHint("driver", "use sqlite", "the PostgreSQL store is %s", notYet)
	default:
		oneOf(&ps, "driver", s.Driver, "sqlite", "postgres")
	}
	positive(&ps, "retention.history", s.Retention.History)
	positive(&ps, "retention.deliveries", s.Retention.Deliveries)
	positive(&ps, "retention.samples", s.Retention.Samples)
	if size := s.Retention.Size; size < 0 || size > 0 && size < minStoreBytes {
		ps.AddHint("retention.size", "at least 16MB, or 0 for no bound", "%d bytes are too few", size)
	}
	return ps
}

// minStoreBytes is what an empty store and a little history take.
const minStoreBytes = 16 << 20

func (r *Reload) validate() problem.List {
	var ps problem.List
	if r.Interval < minInterval {
		ps.AddHint("interval", "to watch no files, write watch: false", "want at least %s", units.Duration(minInterval))
	}
	return ps
}

func (l *Log) validate() problem.List {
	var ps problem.List
	oneOf(&ps, "level", l.Level, logLevels()...)
	oneOf(&ps, "format", l.Format, logFormats()...)
	return ps
}

func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

func logFormats() []string { return []string{"text", "json"} }

func (c *Config) validateSources() problem.List {
	var ps problem.List
	names := unique{}
	for i, s := range c.Sources {
		at := fmt.Sprintf("sources[%d]", i)
		ps.Under(at, s.validate())
		names.check(&ps, problem.Join(at, "name"), at, s.Name, "source")
	}
	return ps
}

func (s *Source) validate() problem.List {
	ps := validateName(s.Name, "source")
	if s.Interval < minInterval {
		ps.Add("interval", "want at least %s", units.Duration(minInterval))
	}
	switch {
	case s.Timeout <= 0:
		ps.Add("timeout", "want more than 0s")
	case s.Timeout > s.Interval && s.Interval >= minInterval:
		ps.AddHint("timeout", "polls never overlap", "longer than the interval of %s", units.Duration(s.Interval))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		at := problem.Join("labels", name)
		switch {
		case !alert.IsLabelName(name):
			ps.AddHint(at, "use letters, digits and _", "not the name of a label")
		case slices.Contains(reservedLabels(), name):
			ps.AddHint(at, "choose another name", "Tocsin sets this label itself")
		}
	}
	if s.Service != "" {
		// /api/health has these and no others: a misspelt one would be silent.
		oneOf(&ps, "service", s.Service, services()...)
	}
	return ps
}

// reservedLabels are those that Tocsin sets itself.
func reservedLabels() []string {
	return []string{alert.LabelSource, alert.LabelName, alert.LabelCategory, alert.LabelSeverity}
}

// services are those of /api/health.
func services() []string { return []string{"database", "cache", "mcp"} }

func (c *Config) validateReceivers() problem.List {
	var ps problem.List
	names := unique{}
	for i, r := range c.Receivers {
		at := fmt.Sprintf("receivers[%d]", i)
		ps.Under(at, validateName(r.Name, "receiver"))
		names.check(&ps, problem.Join(at, "name"), at, r.Name, "receiver")
		if r.Timeout <= 0 || r.Timeout > maxTimeout {
			ps.Add(problem.Join(at, "timeout"), "want more than 0s and at most %s", units.Duration(maxTimeout))
		}
		if r.Concurrency < 0 || r.Concurrency > maxConcurrency {
			ps.Add(problem.Join(at, "concurrency"), "want 1 to %d; 0 is what suits the type", maxConcurrency)
		}
		positive(&ps, problem.Join(at, "give_up_after"), r.GiveUpAfter)
		ps.Under(problem.Join(at, "cap"), r.Cap.validate())
	}
	return ps
}

// validateName checks what becomes a label's value and a part of URLs.
func validateName(name, of string) problem.List {
	var ps problem.List
	switch {
	case name == "":
		ps.Add("name", "missing: every %s has a name", of)
	case len(name) > maxNameBytes:
		ps.Add("name", "longer than %d characters", maxNameBytes)
	case !regexp.MustCompile(namePattern).MatchString(name):
		ps.AddHint("name", "use letters, digits, - _ and .", "%q is not a name", name)
	}
	return ps
}

// unique remembers where each name was given first.
type unique map[string]string

func (u unique) check(ps *problem.List, path, owner, name, of string) {
	if first, taken := u[name]; taken && name != "" {
		ps.Add(path, "the name %q is taken by %s", name, first).As(problem.DuplicateName)
		return
	}
	u[name] = owner
}

func oneOf(ps *problem.List, path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	hint := problem.DidYouMean(value, allowed)
	if hint == "" {
		hint = "want " + strings.Join(allowed, ", ")
	}
	ps.AddHint(path, hint, "%q is not known", value).As(problem.UnknownName)
}

func positive(ps *problem.List, path string, d time.Duration) {
	if d <= 0 {
		ps.Add(path, "want more than 0s")
	}
}
