package plugins

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxInstances bounds the receivers or sources that are kept; beyond it the one
// that was not asked for the longest goes.
const maxInstances = 1000

// instances keeps one notifier or source for each name, for as long as its
// settings stay: connections and what is remembered between two polls live in
// it. It is safe for concurrent use.
type instances[T any] struct {
	build func(config []byte) (T, error)

	mu     sync.Mutex
	byName map[string]*instance[T]
	clock  uint64
}

type instance[T any] struct {
	config []byte
	once   sync.Once
	made   T
	err    error

	// The rest is guarded by the instances' mutex.
	users   int
	used    uint64
	dropped bool
}

func newInstances[T any](build func([]byte) (T, error)) *instances[T] {
	return &instances[T]{build: build, byName: map[string]*instance[T]{}}
}

// use calls do with the instance of a name and its settings, which it makes
// where there is none. One whose settings changed is closed when the last call
// of it returns.
func (s *instances[T]) use(name string, config []byte, do func(T)) error {
	one := s.take(name, config)
	defer s.release(one)
	one.once.Do(func() { one.make(s.build) })
	if one.err != nil {
		s.drop(name, one) // the next call tries again
		return one.err
	}
	do(one.made)
	return nil
}

// make is called within once: a panic must be an error of this instance, or the
// next call would find one that was never made.
func (i *instance[T]) make(build func([]byte) (T, error)) {
	defer func() {
		if p := recover(); p != nil {
			i.err = panicked(p)
		}
	}()
	i.made, i.err = build(i.config)
}

func (s *instances[T]) take(name string, config []byte) *instance[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byName[name]
	if one == nil || !bytes.Equal(one.config, config) {
		s.forget(name)
		if len(s.byName) >= maxInstances {
			s.forget(s.oldest())
		}
		one = &instance[T]{config: bytes.Clone(config)}
		s.byName[name] = one
	}
	s.clock++
	one.used = s.clock
	one.users++
	return one
}

func (s *instances[T]) release(one *instance[T]) {
	s.mu.Lock()
	one.users--
	last := one.dropped && one.users == 0
	s.mu.Unlock()
	if last {
		one.close()
	}
}

func (s *instances[T]) drop(name string, one *instance[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[name] == one {
		s.forget(name)
	}
}

// forget is called with the mutex held.
func (s *instances[T]) forget(name string) {
	one := s.byName[name]
	if one == nil {
		return
	}
	delete(s.byName, name)
	one.dropped = true
	if one.users == 0 {
		go one.close() // closing may take its time; the end of the process waits for none
	}
}

func (s *instances[T]) oldest() string {
	name, least := "", uint64(0)
	for n, one := range s.byName {
		if name == "" || one.used < least {
			name, least = n, one.used
		}
	}
	return name
}

// close closes everything, for the end of the process.
func (s *instances[T]) close() {
	s.mu.Lock()
	var all []*instance[T]
	for _, one := range s.byName {
		all = append(all, one)
	}
	s.byName = map[string]*instance[T]{}
	s.mu.Unlock()
	for _, one := range all {
		one.close()
	}
}

func (i *instance[T]) close() {
	defer func() { _ = recover() }() // the process or the instance ends anyway
	if c, ok := any(i.made).(io.Closer); ok && i.err == nil {
		_ = c.Close()
	}
}

func panicked(p any) error { return fmt.Errorf("the plugin panicked: %v", p) }
