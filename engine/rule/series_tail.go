package rule

// tail appends the newest samples to a list, n at most, oldest first.
func (s *Series) tail(into []point, n int) []point {
	if h := s.history; h != nil {
		first := h.first
		if kept := uint64(n - 1); h.end-first > kept {
			first = h.end - kept
		}
		for ; first < h.end; first++ {
			into = append(into, h.at(first))
		}
	}
	return append(into, s.last)
}
