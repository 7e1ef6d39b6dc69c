package rule

// Truth is the outcome of a condition. A condition over data that is not
// there is neither true nor false: it is Unknown, and holds the alert's state.
type Truth int8

// The three outcomes; the zero value is False.
const (
	False   Truth = 0
	True    Truth = 1
	Unknown Truth = -1
)

// String returns true, false or unknown.
func (t Truth) String() string {
	switch t {
	case True:
		return "true"
	case Unknown:
		return "unknown"
	case False:
	}
	return "false"
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// The connectives are Kleene's: what is unknown stays so unless the other
// operand decides alone.

func and(a, b Truth) Truth {
	switch {
	case a == False || b == False:
		return False
	case a == Unknown || b == Unknown:
		return Unknown
	}
	return True
}

func or(a, b Truth) Truth {
	switch {
	case a == True || b == True:
		return True
	case a == Unknown || b == Unknown:
		return Unknown
	}
	return False
}

func not(a Truth) Truth {
	switch a {
	case True:
		return False
	case False:
		return True
	case Unknown:
	}
	return Unknown
}
