// Package version says which Tocsin this is. The linker sets it, so that every
// part that names itself, to people or to receivers, says the same.
package version

import (
	"runtime/debug"
	"strings"
)

// linked is set by -ldflags "-X github.com/tocsin-dev/tocsin/internal/version.linked=1.2.3".
var linked string //nolint:gochecknoglobals // the linker can set nothing else

// String returns the linker's version, else the module's, else "devel".
func String() string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "devel"
}
