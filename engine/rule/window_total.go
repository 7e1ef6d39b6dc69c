package rule

import "math"

// total is a running sum that things are also taken out of again. It keeps the
// rounding errors of its additions, and theirs, beside it (cascaded summation:
// Ogita, Rump and Oishi, "Accurate sum and dot product", 2005), so that about
// 159 bits are exact. Over samples of comparable size nothing is ever rounded:
// the sum depends on what is in the window alone, not on what has been through
// it, and a restart gives the same.
type total struct {
	sum, low, least float64
	// lost is how much did not fit even so; or NaN after an overflow.
	lost float64
}

func (t *total) add(x float64) {
	var rest float64
	t.sum, rest = twoSum(t.sum, x)
	if rest == 0 && t.sum-t.sum == 0 {
		return
	}
	t.low, rest = twoSum(t.low, rest)
	t.least, rest = twoSum(t.least, rest)
	t.lost += math.Abs(rest)
}

// addProduct adds x·y, unrounded.
func (t *total) addProduct(x, y float64) {
	p := x * y
	if p == 0 {
		return
	}
	t.add(p)
	t.add(math.FMA(x, y, -p))
}

// value is the sum, rounded once; NaN after an overflow.
func (t *total) value() float64 {
	sum, _, _ := t.parts()
	return sum
}

// parts gives the sum as three numbers, each beyond the precision of the one
// before.
func (t *total) parts() (high, middle, small float64) {
	high, middle = twoSum(t.sum, t.low)
	middle, small = twoSum(middle, t.least)
	high, middle = twoSum(high, middle)
	return high, middle, small
}

// sound says whether what was lost is too little to matter.
func (t *total) sound() bool { return t.lost <= 1e-18*math.Abs(t.value()) }

// twoSum gives the sum as it is rounded, and what the rounding took away.
func twoSum(a, b float64) (sum, rest float64) {
	sum = a + b
	of := sum - a
	return sum, (a - (sum - of)) + (b - of)
}

// crossed is n·Σxy − Σx·Σy, from which variance and slope are made; the
// difference is taken before anything is rounded.
func crossed(n float64, xy, x, y *total) float64 {
	var out total
	h, m, l := xy.parts()
	for _, part := range [...]float64{h, m, l} {
		out.addProduct(n, part)
	}
	xh, xm, xl := x.parts()
	yh, ym, yl := y.parts()
	for _, a := range [...]float64{xh, xm, xl} {
		for _, b := range [...]float64{yh, ym, yl} {
			out.addProduct(-a, b)
		}
	}
	return out.value()
}
