package amv2

import (
	"runtime"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Version is the Alertmanager whose API this is. Clients compare it by semver
// (karma asks for 0.22 or later), so that it is not Tocsin's own.
const Version = "0.34.0"

// Status is the answer of GET /api/v2/status.
type Status struct {
	Cluster     cluster     `json:"cluster"`
	Config      config      `json:"config"`
	Uptime      string      `json:"uptime"`
	VersionInfo versionInfo `json:"versionInfo"`
}

type cluster struct {
	Peers  []struct{} `json:"peers"`
	Status string     `json:"status"`
}

type config struct {
	Original string `json:"original"`
}

type versionInfo struct {
	Branch    string `json:"branch"`
	BuildDate string `json:"buildDate"`
	BuildUser string `json:"buildUser"`
	GoVersion string `json:"goVersion"`
	Revision  string `json:"revision"`
	Version   string `json:"version"`
}

// StatusOf tells of a Tocsin of a version that was started at a moment.
// Clients read the configuration as Alertmanager's: it has the names of the
// receivers, and nothing else that Tocsin's own has.
func StatusOf(version string, started time.Time, receivers []string) Status {
	return Status{
		Cluster:     cluster{[]struct{}{}, "disabled"},
		Config:      config{original(receivers)},
		Uptime:      started.UTC().Format(timeLayout),
		VersionInfo: versionInfo{"tocsin", "", "tocsin", runtime.Version(), version, Version},
	}
}

func original(receivers []string) string {
	type receiver struct {
		Name string `yaml:"name"`
	}
	var doc struct {
		Route struct {
			Receiver string `yaml:"receiver"`
		} `yaml:"route"`
		Receivers []receiver `yaml:"receivers"`
	}
	if len(receivers) == 0 {
		receivers = []string{"none"}
	}
	doc.Route.Receiver = receivers[0]
	for _, name := range receivers {
		doc.Receivers = append(doc.Receivers, receiver{name})
	}
	var b strings.Builder
	b.WriteString("# Tocsin stands in for Alertmanager here. Its own configuration is not shown:\n# `tocsin routes` tells how alerts are routed.\n")
	if text, err := yaml.Marshal(doc); err == nil { // names always encode
		b.Write(text)
	}
	return b.String()
}

// Receiver is a receiver as GET /api/v2/receivers shows it.
type Receiver struct {
	Labels map[string]string `json:"labels"`
	Name   string            `json:"name"`
}

// ReceiverOf shows a receiver. Its labels are its name, as in Alertmanager
// where none are configured.
func ReceiverOf(name string) Receiver { return Receiver{map[string]string{"name": name}, name} }
