// Command exec is a plugin that runs a command for every notification, with the
// notification as JSON on its standard input. It is for scripts; the README says
// what they are given and what their exit codes mean.
package main

import "github.com/tocsin-dev/tocsin/plugins"

func main() {
	plugins.Serve(plugins.Notifier("exec", "1.0.0", Default, New))
}
