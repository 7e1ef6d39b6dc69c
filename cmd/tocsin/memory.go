package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When memory is given back to the system: the runtime keeps what a burst took
// for the next one, which on a small machine is what others lack.
const (
	memoryEvery = 5 * time.Second
	// idleBytes is the most that is allocated in that time by a daemon that is
	// not in the middle of something.
	idleBytes = 16 << 20
	// keptBytes is what may lie about for nothing.
	keptBytes = 24 << 20
)

// returnMemory gives back what a burst has left, once it is over, until ctx
// ends.
func returnMemory(ctx context.Context) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	ticker := time.NewTicker(memoryEvery)
	defer ticker.Stop()
	var before, freed uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(samples)
		allocated, free := samples[0].Value.Uint64(), samples[1].Value.Uint64()
		garbage := samples[2].Value.Uint64() - min(samples[2].Value.Uint64(), samples[3].Value.Uint64())
		quiet := allocated-before < idleBytes
		before = allocated
		// What was allocated since the last time is all that can be given back.
		if quiet && free+garbage > keptBytes && allocated-freed > keptBytes {
			debug.FreeOSMemory()
			freed = allocated
		}
	}
}
