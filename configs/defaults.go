package configs

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
)

// DefaultTimeout is the most that a poll may take where the configuration does
// not say.
const DefaultTimeout = 5 * time.Second

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Server: Server{
			Listen:          "127.0.0.1:9590",
			ReadTimeout:     10 * time.Second,
			ShutdownTimeout: 20 * time.Second,
		},
		Store: Store{
			Driver:    "sqlite",
			Path:      "data/tocsin.db",
			Retention: Retention{History: 90 * 24 * time.Hour, Deliveries: 30 * 24 * time.Hour, Samples: 30 * 24 * time.Hour},
		},
		Route:          route.Defaults(),
		SilenceWarning: time.Hour,
		External:       External{ResolveTimeout: 5 * time.Minute, DefaultSeverity: alert.Warning.String()},
		Reload:         Reload{Watch: true, Interval: 15 * time.Second, AlertAfter: 30 * time.Second},
		Log:            Log{Level: "info", Format: "text"},
		Deadman:        defaultDeadman(),
	}
}

// notGiven tells a timeout that the file leaves out from one of 0s.
const notGiven time.Duration = -1

func defaultSource() Source {
	return Source{Interval: 10 * time.Second, Timeout: notGiven, Enabled: true}
}

func defaultReceiver() Receiver {
	return Receiver{Timeout: 10 * time.Second, GiveUpAfter: 72 * time.Hour, Enabled: true}
}
