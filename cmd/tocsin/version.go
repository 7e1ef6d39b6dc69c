package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/internal/version"
)

func newVersion(w world) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(w.stdout, versionLine())
			return err
		},
	}
}

// versionLine is what a report of a fault should begin with.
func versionLine() string {
	return fmt.Sprintf("tocsin %s (%s, %s/%s)", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
