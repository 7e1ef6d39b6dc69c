// Package tocsin holds the rule file that stands at the root of the
// repository: every threshold of the performance guide, so that the program
// has it without a file beside it. configs/packs hands it on as pack:guide.
package tocsin

import _ "embed"

//go:embed rules.yaml
var rules string

// Rules returns rules.yaml as it was when the program was built.
func Rules() string { return rules }
