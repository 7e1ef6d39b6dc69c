// Command shoutrrr is a plugin that tells whatever the library of that name
// reaches: Matrix, Signal, Gotify, Bark, Zulip, Pushbullet, IFTTT, Lark, WeCom and
// more, by the URLs that it documents. It is a module of its own, so that neither
// the daemon nor those who write plugins depend on what the library depends on.
package main

import (
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/plugins"
)

// patience ends a call of the library that has no deadline: it takes no context,
// and several of its services use the standard client without a timeout.
const patience = time.Minute

func main() {
	http.DefaultClient.Timeout = patience
	plugins.Serve(plugins.Notifier("shoutrrr", "1.0.0", Default, New))
}
