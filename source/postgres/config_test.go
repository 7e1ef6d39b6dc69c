package postgres

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
)

func TestValidate(t *testing.T) {
	const good = "postgres://tocsin:pw@db:5432/app"
	for _, c := range [...]struct {
		name   string
		change func(*Config)
		want   string // path of the one problem; "" for none
	}{
		{"a URL is enough", func(*Config) {}, ""},
		{"key=value", func(c *Config) { c.URL = secret.NewURL("host=db user=tocsin dbname=app") }, ""},
		{"an application's URL", func(c *Config) { c.URL = secret.NewURL(good + "?schema=public&connection_limit=5") }, ""},
		{"no URL", func(c *Config) { c.URL = secret.URL{} }, "url"},
		{"another scheme", func(c *Config) { c.URL = secret.NewURL("mysql://u:pw@db/app") }, "url"},
		{"no scheme", func(c *Config) { c.URL = secret.NewURL("db:5432") }, "url"},
		{"a slash in the password", func(c *Config) { c.URL = secret.NewURL("postgres://u:s3c/ret@db/app") }, "url"},
		{"an unknown sslmode", func(c *Config) { c.URL = secret.NewURL(good + "?sslmode=maybe") }, "url"},
		{"a console that is none", func(c *Config) { c.PgBouncerURL = secret.NewURL("http://db") }, "pgbouncer_url"},
		{"no threshold", func(c *Config) { c.SlowQuery = 0 }, "slow_query"},
		{"no patience", func(c *Config) { c.StatementTimeout = time.Microsecond }, "statement_timeout"},
		{"tables without end", func(c *Config) { c.MaxTables = 100000 }, "max_tables"},
		{"a negative pool", func(c *Config) { c.Pool.Limit = -1 }, "pool.limit"},
		{"an empty table", func(c *Config) { c.Tables = []string{"Users", " "} }, "tables[1]"},
	} {
		cfg := Default()
		cfg.URL = secret.NewURL(good)
		c.change(&cfg)
		list := cfg.Validate()
		if c.want == "" && len(list) == 0 {
			continue
		}
		if len(list) != 1 || list[0].Path != c.want {
			t.Errorf("%s: %v, want a problem at %q", c.name, list, c.want)
		}
	}
}

func TestNoErrorShowsThePassword(t *testing.T) {
	for _, url := range []string{
		"postgres://u:s3cret/x@db/app", "postgres://u:s3cret@db:port/app", "postgres://u:s3cret%@db/app",
		"postgres://u:s3cret@db/app?sslmode=s3cret", "host=db password='s3cret", "password=s3cret port=s3cret", "s3cret",
		"postgres://u:p@db/app?connect_timeout=s3cret", "postgres://u:s3cret@db/app?sslrootcert=/s3cret",
	} {
		cfg := Default()
		cfg.URL = secret.NewURL(url)
		_, err := New(cfg, "database", slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%s was taken", url)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	cfg := Default()
	cfg.URL, cfg.Password = secret.NewURL("postgres://u:s3cret@db/app"), secret.New("s3cret")
	if text := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg); strings.Contains(text, "s3cret") {
		t.Errorf("a configuration shows its secrets: %s", text)
	}
}

func TestColumnsGoByTheExtensionsVersion(t *testing.T) {
	schema := `my "ext`
	for _, c := range []struct {
		server  int
		ext     string
		with    []string
		without []string
	}{
		{150000, "1.7", []string{"s.total_time AS total_exec_time", "s.max_time AS max_exec_time", "true AS toplevel"}, []string{"s.total_exec_time"}},
		{130000, "1.8", []string{"s.total_exec_time", "true AS toplevel"}, []string{"s.toplevel"}},
		{140000, "1.9", []string{"s.total_exec_time", "s.toplevel"}, []string{"/*14+*/"}},
		{150000, "1.10", []string{"s.toplevel", `"my ""ext".pg_stat_statements(false)`}, nil},
	} {
		sql, err := statement("statements", &identity{VersionNum: c.server, StatementsSchema: &schema, StatementsExt: &c.ext})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.with {
			if !strings.Contains(sql, want) {
				t.Errorf("%s: no %s in\n%s", c.ext, want, sql)
			}
		}
		for _, not := range c.without {
			if strings.Contains(sql, not) {
				t.Errorf("%s: %s in\n%s", c.ext, not, sql)
			}
		}
	}
	running, err := statement("running", &identity{VersionNum: 130000})
	if err != nil || !strings.Contains(running, "NULL::int8 AS query_id") {
		t.Errorf("%v\n%s", err, running)
	}
}
