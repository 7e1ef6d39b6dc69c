//go:build unix && !linux

package pluginhost_test

// hostWord and beHost are for Linux, whose kernel ends a killed daemon's plugins.
const hostWord = "be-a-host"

func beHost([]string) {}
