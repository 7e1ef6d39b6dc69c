package rule

// tail appends the newest samples to a list, n at most, oldest first.
func (s *Series) tail(into []point, n int) []point {
	if s.history == nil {
		return append(into, s.last)
	}
	for i := max(0, s.size()-n); i < s.size(); i++ {
		into = append(into, s.at(i))
	}
	return into
}
