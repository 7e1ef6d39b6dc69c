package main

import (
	"testing"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/webhook"
)

func TestADigestChangesWithEverySettingAndWithNothingElse(t *testing.T) {
	base := func() *webhook.Config {
		c := webhook.Default()
		c.URL, c.Secret = secret.NewURL("https://h/a"), secret.New("one")
		c.Headers = map[string]secret.String{"a": secret.New("1"), "b": secret.New("2")}
		c.Body = notifiers.TextFrom(`{"id": {{ .ID | json }}}`)
		if err := c.Validate().Err(); err != nil { // parses the template
			t.Fatal(err)
		}
		return &c
	}
	if first, again := digestOf(base()), digestOf(base()); first != again {
		t.Error("the same settings have two digests")
	}
	for name, change := range map[string]func(*webhook.Config){
		"a secret":          func(c *webhook.Config) { c.Secret = secret.New("two") },
		"no secret":         func(c *webhook.Config) { c.Secret = secret.String{} },
		"a URL":             func(c *webhook.Config) { c.URL = secret.NewURL("https://h/b") },
		"a header":          func(c *webhook.Config) { c.Headers["a"] = secret.New("3") },
		"a header's name":   func(c *webhook.Config) { c.Headers["c"] = c.Headers["a"]; delete(c.Headers, "a") },
		"a number":          func(c *webhook.Config) { c.MaxAlerts = 3 },
		"a template":        func(c *webhook.Config) { c.Body = notifiers.TextFrom(`{"id": {{ .Receiver | json }}}`) },
		"a moved character": func(c *webhook.Config) { c.Format, c.Method = "P", "OST" },
	} {
		c := base()
		change(c)
		if digestOf(c) == digestOf(base()) {
			t.Errorf("%s does not change the digest", name)
		}
	}
}
