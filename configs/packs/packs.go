// Package packs holds the rule files that ship within the program. Rule files
// name them as pack:redis; configs reads them, and `tocsin packs` shows them.
// It reads no file of the disk and judges nothing.
package packs

import (
	"embed"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Prefix tells the name of a pack from that of a file.
const Prefix = "pack:"

//go:embed *.yaml
var files embed.FS

// Pack is one rule file that ships.
type Pack struct {
	Name string
	// About says in a line what it watches.
	About string
	// Text is the rule file.
	Text string
}

// All returns every pack, by name.
func All() []Pack {
	all := []Pack{
		{Name: "guide", About: "the performance guide: hit rates, query times, pools, memory, response times, errors", Text: unmarked(tocsin.Rules())},
		{Name: "host", About: "the machine: CPU, load, memory, swap, disks, open files", Text: read("host")},
		{Name: "http", About: "HTTP and TCP checks: down, slow, failing, TLS certificates that expire", Text: read("http")},
		{Name: "postgres", About: "PostgreSQL: connections, locks, transactions, deadlocks, replication, caches, queries", Text: read("postgres")},
		{Name: "redis", About: "Redis and Valkey: memory, evictions, clients, replication, errors, latency", Text: read("redis")},
	}
	return all
}

func read(name string) string {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return "" // not possible: a test reads them all
	}
	return unmarked(string(text))
}

// unmarked takes the line away that tells editors where the schema stands: from
// where a pack is copied to it leads nowhere.
func unmarked(text string) string {
	if first, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "# yaml-language-server:") {
		return rest
	}
	return text
}

// Find returns the pack of a name such as redis or pack:redis.
func Find(name string) (Pack, bool) {
	name = strings.TrimPrefix(name, Prefix)
	for _, p := range All() {
		if p.Name == name {
			return p, true
		}
	}
	return Pack{}, false
}

// Is says whether a name in a list of rule files is that of a pack.
func Is(name string) bool { return strings.HasPrefix(name, Prefix) }

// Suggest says which pack may have been meant, or which there are.
func Suggest(name string) string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	if near := problem.DidYouMean(strings.TrimPrefix(name, Prefix), names); near != "" {
		return near
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
}
