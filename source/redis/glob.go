package redis

import "strings"

// globSpecial are the characters that make a pattern more than a name.
const globSpecial = `*?[\`

// globStart returns where a pattern's first glob stands, or -1 when it spells
// out one name.
func globStart(pattern string) int {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// isGlob says whether a pattern can match more than one key.
func isGlob(pattern string) bool { return globStart(pattern) >= 0 }

// globEscape returns the pattern that matches the text itself and nothing else.
func globEscape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(globSpecial+"]^-", text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// globUnescape returns the name that a pattern without a glob stands for.
func globUnescape(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// globMatch matches as Redis does (stringmatchlen in src/util.c): * and ? over
// bytes, [a-c] and [^a] sets, \ before a literal. It goes back to the last *
// only, so that its time is at most the product of the two lengths.
func globMatch(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, t
			p++
			continue
		}
		if next, ok := matchOne(pattern, p, text[t]); ok {
			p = next
			t++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one byte with the element of the pattern at p, and returns
// where the next element begins.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	if p >= len(pattern) {
		return p, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchSet(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// matchSet matches one byte with a set whose first byte after [ is at p. Like
// Redis it takes a set that is never closed to end with the pattern.
func matchSet(pattern string, p int, c byte) (next int, ok bool) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	found := false
	for p < len(pattern) && pattern[p] != ']' {
		if pattern[p] == '\\' && p+1 < len(pattern) {
			p++
			found = found || pattern[p] == c
			p++
			continue
		}
		if p+2 < len(pattern) && pattern[p+1] == '-' {
			low, high := min(pattern[p], pattern[p+2]), max(pattern[p], pattern[p+2])
			found = found || low <= c && c <= high
			p += 3
			continue
		}
		found = found || pattern[p] == c
		p++
	}
	return min(p+1, len(pattern)), found != not
}
