package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/configs/imports"
)

// TestCheckAcceptsWhatImportWrites, of each example alone and of all pairs of an
// Alertmanager's configuration and rules.
func TestCheckAcceptsWhatImportWrites(t *testing.T) {
	names, err := filepath.Glob("../../configs/imports/testdata/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	var sets [][]string
	var tree, rules []string
	for _, name := range names {
		sets = append(sets, []string{name})
		if strings.HasSuffix(name, "alertmanager.yml") {
			tree = append(tree, name)
		} else {
			rules = append(rules, name)
		}
	}
	for _, name := range tree {
		sets = append(sets, append([]string{name}, rules...))
	}
	for _, set := range sets {
		im := imports.Importer{Refuses: refusing(world{kinds: kindsOf(nil)})}
		for _, name := range set {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := im.Add(name, data); err != nil {
				t.Fatal(err)
			}
		}
		made, err := im.Result()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range made.Files {
			write(t, filepath.Join(dir, f.Name), f.Content)
		}
		for name, secret := range map[string]string{
			"smtp_password": "x", "slack_url": "https://hooks.slack.com/services/x", "pagerduty": strings.Repeat("0", 32), "opsgenie": "x",
			"pushover_token": strings.Repeat("a", 30), "pushover_user": strings.Repeat("u", 30), "bot": "123:abc",
		} {
			write(t, filepath.Join(dir, "secrets", name), secret)
		}
		var out bytes.Buffer
		w := world{stdout: &out, stderr: &out, kinds: kindsOf(nil)}
		p, mistakes := load(files{config: filepath.Join(dir, "tocsin.yaml"), lint: true, tests: true}, w)
		if err := mistakes.Err(); err != nil {
			t.Errorf("%v: %v", set, err)
			for _, f := range made.Files {
				t.Logf("%s\n%s", f.Name, f.Content)
			}
			continue
		}
		if p.routing.Root == nil || len(p.routing.Root.Receivers) == 0 {
			t.Errorf("%v: nobody is told", set)
		}
	}
}

// TestOfEachReceiverWhatItTells: what Alertmanager does of itself is written out,
// and what cannot be carried over is told with its place.
func TestOfEachReceiverWhatItTells(t *testing.T) {
	const bot = "telegram_configs: [{bot_token: '1:a', chat_id: 5, "
	const pager = "pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef, "
	const mails = "email_configs: [{to: 'a@x, B <b@x>', from: f@x, smarthost: 'h:587', "
	for _, row := range []struct{ given, want, not, note string }{
		{pager + "url: ''}]", "severities: {critical: error, warning: error, info: error}", "url", ""},
		{pager + "severity: '{{ .CommonLabels.severity }}'}]", "type: pagerduty", "severities", ""},
		{pager + "severity: '{{ .CommonLabels.x }}'}]", "type: pagerduty", "severities", "am.yml:2:101: receivers[0].pagerduty_configs[0].severity: not taken over"},
		{pager + "description: '{{ .Nothing }}'}]", "type: pagerduty", "title", "note: receivers[0].pagerduty_configs[0].description: not taken over, and the default is sent: there is no .Nothing"},
		{pager + "details: {a: '{{ .CommonLabels.a }}', b: {c: d}, firing: '{{ .Alerts.Firing | toJson }}'}}]", "details: {a: '{{ .CommonLabels.a }}', firing: '{{ .Alerts.Firing | toJson }}'}", "b:", "details.b: a detail is one text here"},
		{"pagerduty_configs: [{routing_key: short}]", "enabled: false", "type: pagerduty", "routing_key: has 5 characters, not 32: a is written and switched off"},

		{mails + "}]", "to: ['a@x', 'B <b@x>']\n    send_resolved: false", "port", ""},
		{mails + "headers: {cc: b@x, subject: '{{ .Title }}'}}]", "subject: '{{ .Title }}'\n    to: ['a@x']\n    cc: ['B <b@x>']", "headers", ""},
		{mails + "headers: {Cc: c@x}}]", "to: ['a@x', 'B <b@x>']", "cc:", "headers.Cc: not taken over: Alertmanager shows it"},
		{mails + "require_tls: false}]", "port: 587\n    encryption: none", "", ""},
		{mails + "require_tls: false, auth_username: u, auth_password: p}]", "username: u\n    password: p", "encryption", "require_tls: false beside a login"},
		{mails + "auth_username: u}]", "type: email", "username", "auth_username without a password"},
		{mails + "force_implicit_tls: true, auth_username: u, auth_secret: p}]", "port: 587\n    encryption: tls\n    username: u\n    auth: cram-md5\n    password: p", "", ""},
		{mails + "html: '<b>{{ .Title | safeHtml }}</b>', text: \"a\\nb\\n\"}]", "text: |\n      a\n      b\n    html: '<b>{{ .Title | safeHtml }}</b>'", "", ""},
		{"email_configs: [{to: a@x}]", "enabled: false", "type: email", "no smarthost"},

		{bot + "message: '{{ template \"telegram.default.message\" . }}'}]", "chat_id: '5'", "message", ""},
		{bot + "message: '{{ template \"own\" . }}'}]", "chat_id: '5'", "message", `the template "own" stands in another file`},
		{bot + "message: '{{ define \"own\" }}x{{ end }}{{ template \"own\" . }}'}]", "message: '{{ define", "", ""},
		{bot + "parse_mode: Markdown, message: '*x*'}]", "chat_id: '5'", "message:", "a message is HTML here, not Markdown"},
		{bot + "parse_mode: '', message: '{{ .Status }}'}]", "message: '{{ .Status }}'", "", ""},

		{"opsgenie_configs: [{api_key: k}]", "service: opsgenie\n    priorities: {critical: P3, warning: P3, info: P3}", "", ""},
		{"opsgenie_configs: [{api_key: k, api_url: 'https://api.atlassian.com/jsm/ops/integration', priority: P9}]", "type: jsm", "service", "priority: not taken over: it can go by the alert's severity alone here"},
		{"pushover_configs: [{token: azGDORePK8gMaC0QOYAMyEEuzJnyUi, user_key: uQiRzpo4DXghDmr9QzzfQu27cmVRsG, retry: 1s}]", "priority: {critical: 2, warning: 2, info: 2, resolved: 0}", "retry:", "retry is left out of a: must be between 30s and 3h"},
		{"slack_configs: [{api_url: 'https://hooks.slack.com/services/x', icon_emoji: bell, text: \"{{ range .Alerts }}\\n{{ end }}\"}]", "text: |-\n      {{ range .Alerts }}\n      {{ end }}\n    send_resolved: false", "icon_emoji", "icon_emoji is left out of a"},
		{"slack_configs: [{api_url: 'no URL'}]", "enabled: false", "type: slack", "webhook_url: "},
		{"discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/x', content: '<@&1>'}]", "type: discord", "", "messages mention nobody here"},
		{"msteams_configs: [{webhook_url: 'https://x.webhook.office.com/y', text: '{{ .Title }}'}]", "message: '{{ .Title }}'\n    webhook_url: 'https://example.invalid/'\n    enabled: false", "", "Microsoft has retired the connector's URL"},
		{"rocketchat_configs: [{token: hush, channel: '#c'}]", "channel: '#c'", "hush", "not by a user's token"},
		{"wechat_configs: [{corp_id: c}]", "enabled: false", "", "the plugin shoutrrr tells a group of WeCom by its bot"},
	} {
		im := imports.Importer{Refuses: refusing(world{kinds: kindsOf(nil)})}
		if err := im.Add("am.yml", []byte("route: {receiver: a}\nreceivers: [{name: a, "+row.given+"}]\n")); err != nil {
			t.Fatal(err)
		}
		made, err := im.Result()
		if err != nil {
			t.Fatal(err)
		}
		var notes strings.Builder
		for _, n := range made.Notes {
			notes.WriteString(n.String() + "\n")
		}
		receivers, _, _ := strings.Cut(made.Files[0].Content, "\nroute:")
		_, receivers, _ = strings.Cut(receivers, "\nreceivers:")
		if !strings.Contains(receivers, row.want) || row.not != "" && strings.Contains(receivers, row.not) {
			t.Errorf("%s:\n%s\nwant %s, not %s", row.given, receivers, row.want, row.not)
		}
		if row.note == "" && notes.Len() > 0 || !strings.Contains(notes.String(), row.note) {
			t.Errorf("%s: %q, want %s", row.given, notes.String(), row.note)
		}
	}
}
