package arch

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/tocsin-dev/tocsin"

func TestThisModuleKeepsTheRules(t *testing.T) {
	root := os.DirFS("../..")
	mod, err := os.ReadFile("../../go.mod")
	if err != nil || !strings.HasPrefix(string(mod), "module "+module+"\n") {
		t.Fatalf("../.. is not the root of %s: %v", module, err)
	}
	found, err := Check(root, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

func TestEveryRuleIsKept(t *testing.T) {
	file := func(imports ...string) *fstest.MapFile {
		text := "package p\n"
		for _, i := range imports {
			text += "import _ \"" + strings.ReplaceAll(i, "~", module) + "\"\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	tree := fstest.MapFS{
		"alert/a.go":                 file("time", "~/internal/units", "github.com/x/y"),
		"alert/a_test.go":            file("~/cmd/tocsin"),
		"rules.go":                   file("embed", "~/alert"),
		"configs/packs/p.go":         file("~"),
		"api/a.go":                   file("~/alert", "~/store", "~/engine", "~/store/sqlite"),
		"cmd/tocsin/wire.go":         file("~/api", "~/configs", "~/engine", "~/source/redis", "~/notifiers/slack"),
		"configs/c.go":               file("~/engine/rule", "~/engine/route", "~/source", "~/engine", "~/source/redis"),
		"engine/e.go":                file("~", "~/engine/rule", "~/store", "~/api"),
		"engine/outbox/o.go":         file("~/notifiers", "~/store", "~/engine/route"),
		"engine/route/r.go":          file("~/store", "os", "net/http"),
		"engine/route/r_test.go":     file("os"),
		"engine/rule/r.go":           {Data: []byte("package rule\nimport clock \"time\"\nvar now = clock.Now\nfunc f() { clock.Sleep(clock.Second) }\n")},
		"internal/units/u.go":        file("~/source", "~/engine"),
		"new/n.go":                   file("~/alert"),
		"notifiers/slack/s.go":       file("~/notifiers", "~/internal/units", "~/notifiers/webhook"),
		"source/internal/page/p.go":  file("~/source"),
		"source/redis/deep/r.go":     file("~/source", "~/source/redis", "~/source/internal/page", "~/source/postgres", "~/store/sqlite"),
		"store/s.go":                 {Data: []byte("package store\nfunc init() {}\ntype t struct{}\nfunc (t) init() {}\n")},
		"store/storetest/suite.go":   file("~/store", "~/alert"),
		"store/testdata/broken.go":   {Data: []byte("no go at all")},
		".hidden/broken.go":          {Data: []byte("no go at all")},
		"source/redis/readme.go.txt": {Data: []byte("no go at all")},
	}
	found, err := Check(tree, module)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found {
		got = append(got, v.String())
	}
	want := []string{
		`alert/a.go:3: alert imports internal/units: the vocabulary rests on the standard library alone`,
		`alert/a.go:4: alert imports "github.com/x/y": the vocabulary rests on the standard library alone`,
		`api/a.go:4: api imports engine: imports point inward: api may import alert, source, store, notifiers, internal/*`,
		`api/a.go:5: api imports store/sqlite: only cmd names implementations`,
		`configs/c.go:5: configs imports engine: imports point inward: configs may import ., alert, source, store, notifiers, engine/rule, engine/route, engine/outbox, internal/*`,
		`configs/c.go:6: configs imports source/redis: only cmd names implementations`,
		`engine/e.go:2: engine imports .: imports point inward: engine may import alert, source, store, notifiers, engine/rule, engine/route, engine/outbox, internal/*`,
		`engine/e.go:5: engine imports api: imports point inward: engine may import alert, source, store, notifiers, engine/rule, engine/route, engine/outbox, internal/*`,
		`engine/outbox/o.go:4: engine/outbox imports engine/route: imports point inward: engine/outbox may import alert, store, notifiers, internal/*`,
		`engine/route/r.go:3: engine/route imports "os": it is pure: no I/O`,
		`engine/route/r.go:4: engine/route imports "net/http": it is pure: no I/O`,
		`engine/rule/r.go:3: engine/rule uses time.Now: the time is an argument here`,
		`engine/rule/r.go:4: engine/rule uses time.Sleep: the time is an argument here`,
		`internal/units/u.go:3: internal/units imports engine: imports point inward: internal may import alert, source, internal/*`,
		`new/n.go:2: new imports alert: no rule knows the package new: give it a layer in internal/arch/rules.go`,
		`notifiers/slack/s.go:4: notifiers/slack imports notifiers/webhook: adapters never import each other`,
		`rules.go:3: . imports alert: imports point inward: . may import internal/*`,
		`source/redis/deep/r.go:5: source/redis/deep imports source/postgres: adapters never import each other`,
		`source/redis/deep/r.go:6: source/redis/deep imports store/sqlite: adapters never import each other`,
		`store/s.go:2: store has an init function: nothing happens by being imported`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatIsNoGoIsAnError(t *testing.T) {
	if _, err := Check(fstest.MapFS{"alert/a.go": {Data: []byte("packag")}}, module); err == nil {
		t.Error("no error")
	}
}
