package yamlpos

// LinesOf cuts data as the positions count.
func LinesOf(data []byte) [][]rune {
	return newText("", data).lines
}
