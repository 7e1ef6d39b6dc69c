package report

import (
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// SARIF writes a log in the Static Analysis Results Interchange Format 2.1.0.
// folder is the working directory, to which the files are relative, and version
// this program's. Exit is the status that the program ends with.
//
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
func SARIF(w io.Writer, mistakes yamlpos.Mistakes, folder, version string, exit int) error {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "tocsin", Version: version, InformationURI: projectURI, Rules: sarifRules(),
		}},
		ColumnKind:  "unicodeCodePoints",
		Results:     make([]sarifResult, 0, len(mistakes)),
		Invocations: []sarifInvocation{{ExecutionSuccessful: !mistakes.Unread(), ExitCode: exit}},
	}
	for _, m := range mistakes {
		run.Results = append(run.Results, sarifResultOf(m, folder))
	}
	return encode(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

const (
	projectURI  = "https://github.com/tocsin-dev/tocsin"
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool `json:"executionSuccessful"`
	ExitCode            int  `json:"exitCode"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
	Context  *sarifRegion  `json:"contextRegion,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int        `json:"startLine"`
	StartColumn int        `json:"startColumn,omitempty"`
	EndColumn   int        `json:"endColumn,omitempty"`
	Snippet     *sarifText `json:"snippet,omitempty"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
}

func sarifRules() []sarifRule {
	classes := problem.Classes()
	rules := make([]sarifRule, len(classes))
	for i, c := range classes {
		rules[i] = sarifRule{ID: c.Code, ShortDescription: sarifText{c.Title}}
	}
	return rules
}

func sarifResultOf(m yamlpos.Mistake, folder string) sarifResult {
	r := sarifResult{
		RuleID: code(m), Level: severity(m), Message: sarifText{where(m) + m.Text()},
		RuleIndex: slices.IndexFunc(problem.Classes(), func(c problem.Class) bool { return c.Code == code(m) }),
	}
	var at sarifLocation
	if file := fileOf(m, folder); file != "" {
		at.Physical = &sarifPhysical{Artifact: sarifArtifact{uriOf(file)}}
		if m.Line > 0 {
			at.Physical.Region, at.Physical.Context = regionsOf(m)
		}
	} else {
		r.Message.Text = m.File + ": " + r.Message.Text
	}
	if m.Path != "" {
		at.Logical = []sarifLogical{{m.Path}}
	}
	if at.Physical != nil || at.Logical != nil {
		r.Locations = []sarifLocation{at}
	}
	return r
}

// regionsOf returns what is wrong, and the line that it stands in. Without an
// end the region reaches to the end of its line.
func regionsOf(m yamlpos.Mistake) (region, context *sarifRegion) {
	region = &sarifRegion{StartLine: m.Line, StartColumn: m.Column}
	if m.EndColumn > m.Column {
		region.EndColumn = m.EndColumn
	}
	source, column := m.Excerpt()
	if source == "" {
		return region, nil
	}
	line := []rune(source)
	text := line[column-1:]
	if width := region.EndColumn - m.Column; region.EndColumn > 0 && width < len(text) {
		text = text[:width]
	}
	if len(text) > 0 {
		region.Snippet = &sarifText{string(text)}
	}
	return region, &sarifRegion{StartLine: m.Line, Snippet: &sarifText{source}}
}

// uriOf writes a file's name as a URI reference, an absolute one as file://.
func uriOf(file string) string {
	if strings.HasPrefix(file, "/") {
		return (&url.URL{Scheme: "file", Path: file}).String()
	}
	return (&url.URL{Path: file}).String()
}
