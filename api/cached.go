package api

import (
	"sync"
	"sync/atomic"
)

// cached holds the last value that was built, and the version of the data that
// it was built from. Reading it takes no lock. It is safe for concurrent use;
// the zero value is empty.
type cached[K comparable, T any] struct {
	last atomic.Pointer[cachedEntry[K, T]]
	mu   sync.Mutex // one builder at a time
}

type cachedEntry[K comparable, T any] struct {
	key   K
	value T
}

// get returns the value for key and builds it when it is not the last one. The
// caller reads key before build reads the data: should the data change between
// the two, the value is newer than its key and is built once more, never older.
func (c *cached[K, T]) get(key K, build func() (T, error)) (T, error) {
	if e := c.last.Load(); e != nil && e.key == key {
		return e.value, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.last.Load(); e != nil && e.key == key {
		return e.value, nil
	}
	value, err := build()
	if err != nil {
		return value, err
	}
	c.last.Store(&cachedEntry[K, T]{key, value})
	return value, nil
}
