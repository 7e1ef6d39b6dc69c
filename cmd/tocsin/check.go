package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/report"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/version"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/source"
)

// judgement is how the outcome of a check is told.
type judgement struct {
	format string      // text, json, sarif or github
	strict bool        // warnings fail, too
	daemon *seenSeries // that was asked, or nil
}

func newCheck(w world) *cobra.Command {
	var f files
	var j judgement
	var daemon, token string
	noTests, noPlugins := false, false
	cmd := &cobra.Command{
		Use:   "check [--config FILE] [--rules FILE]… [--output FORMAT] [--strict] [--daemon URL] [--no-tests] [--no-plugins]",
		Short: "Find every mistake in a configuration and its rules",
		Long: `Reads a configuration and its rule files and reports every mistake at once,
each with file, line, column, the line itself and a suggestion. The tests beside
the rules are run, too; one that fails is a mistake. Nothing is connected, and
nothing started but the plugins: each is asked about the settings of its sources
and receivers, and ended again.

It warns of what can be read but cannot be meant: conditions that never hold,
severities that are never seen, matchers that nothing satisfies, receivers that
no route names. With --daemon, a running daemon is asked which label sets it has
seen, and what matches none of them is told.

Exit status: 0 when all is well, 1 when there are mistakes, 2 when a file could
not be read. Warnings fail only with --strict. The file - is standard input.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if token != "" && daemon == "" {
				return &exitError{exitUnread, "--token is for --daemon"}
			}
			f.lint, f.tests = true, !noTests
			f.plugins = questions{ctx: cmd.Context(), environ: w.environ, folder: filepath.Dir(f.config), skip: noPlugins}.ask
			if daemon != "" {
				asked, err := newSeenSeries(daemon, secret.New(token))
				if err != nil {
					return &exitError{exitUnread, "--daemon: " + err.Error()}
				}
				j.daemon = asked
				f.seen = func(metric string) ([]alert.Labels, bool) { return asked.of(cmd.Context(), metric) }
			}
			return check(cmd.Context(), f, j, w)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the configuration `FILE`; its rule files are checked with it")
	cmd.Flags().StringArrayVarP(&f.rules, "rules", "r", nil, "a rule `FILE`, in the place of the configuration's own; may be repeated")
	cmd.Flags().StringVarP(&j.format, "output", "o", "text", "`FORMAT`: text, json, sarif or github")
	cmd.Flags().BoolVar(&j.strict, "strict", false, "exit with 1 when there are warnings, too")
	cmd.Flags().StringVar(&daemon, "daemon", "", "ask the daemon at `URL` what series there are, and warn of matchers that fit none")
	cmd.Flags().StringVar(&token, "token", "", "the `TOKEN` for --daemon, of scope read")
	cmd.Flags().BoolVar(&noTests, "no-tests", false, "leave out the tests beside the rules")
	cmd.Flags().BoolVar(&noPlugins, "no-plugins", false, "start no plugin, and leave the settings to it unjudged")
	return cmd
}

func check(ctx context.Context, f files, j judgement, w world) error {
	// All that is read is garbage at the end, when the process ends too.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	if f.config == "" && len(f.rules) == 0 {
		return &exitError{exitUnread, "nothing to check: give --config FILE or --rules FILE"}
	}
	if formats := []string{"text", "json", "sarif", "github"}; !slices.Contains(formats, j.format) {
		hint := cmp.Or(problem.DidYouMean(j.format, formats), "want text, json, sarif or github")
		return &exitError{exitUnread, fmt.Sprintf("unknown output %q; %s", j.format, hint)}
	}
	var mistakes yamlpos.Mistakes
	var tests *ruleTests
	rules := 0
	if f.config == "" {
		in := configs.Input{Environ: w.environ, Stdin: w.stdin}
		_, places, beside, found := loadRules(f.rules, in, source.NewCatalog(nil, false), newLinter(nil, nil, f.seen))
		mistakes, rules, tests = found, len(places), beside
	} else {
		p, found := load(f, w)
		mistakes = found
		if p != nil {
			rules, tests = len(p.places), p.tests
		}
	}
	if f.tests && tests != nil {
		mistakes = append(mistakes, tests.mistakes(ctx)...).Sorted()
	}
	return j.tell(append(mistakes, j.daemon.mistakes()...), rules, w)
}

// tell writes the outcome in the wanted format, and returns it as an exit.
func (j judgement) tell(mistakes yamlpos.Mistakes, rules int, w world) error {
	exit := j.exit(mistakes)
	folder, err := os.Getwd()
	if err != nil {
		folder = "" // absolute names stay so
	}
	switch j.format {
	case "json":
		err = report.JSON(w.stdout, mistakes, rules, exit.code == exitOK)
		exit.text = "" // the document says it
	case "sarif":
		err = report.SARIF(w.stdout, mistakes, folder, version.String(), exit.code)
		exit.text = ""
	case "github":
		err = report.GitHub(w.stdout, mistakes, folder)
	default:
		err = mistakes.Write(w.stderr)
		if err == nil && exit.code == exitOK {
			_, err = fmt.Fprintf(w.stdout, "OK: %s\n", count(rules, "rule"))
		}
	}
	if err == nil && exit.code != exitOK {
		return &exit
	}
	return err
}

// exit is the exit that mistakes lead to.
func (j judgement) exit(mistakes yamlpos.Mistakes) exitError {
	wrong, unread, warnings, unasked := 0, 0, 0, false
	for _, m := range mistakes {
		switch {
		case m.File == daemonFlag:
			unasked = true
		case m.Unread:
			unread++
		case m.Warning:
			warnings++
		default:
			wrong++
		}
	}
	var told []string
	exit := exitError{code: exitOK}
	tell := func(code int, text string) {
		exit.code = max(exit.code, code)
		told = append(told, text)
	}
	if wrong > 0 {
		tell(exitMistakes, count(wrong, "mistake"))
	}
	if unread > 0 {
		tell(exitUnread, count(unread, "file")+" could not be read")
	}
	if unasked {
		tell(exitUnread, "the daemon could not be asked")
	}
	if warnings > 0 && j.strict && exit.code == exitOK {
		tell(exitMistakes, count(warnings, "warning")+", which --strict refuses")
	}
	exit.text = strings.Join(told, ", and ")
	return exit
}

// refuse tells people of the mistakes that keep a command from its work, and
// returns them as an exit.
func refuse(mistakes yamlpos.Mistakes, w world) error {
	return judgement{format: "text"}.tell(mistakes, 0, w)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
