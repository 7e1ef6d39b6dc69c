// Package demo is an application, its cache and its database that exist on
// paper only: they degrade and recover by a script. `tocsin demo` watches them
// in the place of real servers. It opens no connection.
package demo

import (
	"math"
	"time"
)

// scene is how everything stands at one moment of the incident.
type scene struct {
	hitRate   map[string]float64 // by strategy, in percent
	queryMs   float64            // mean time of a statement
	active    int                // connections in use, of poolLimit
	waiting   int
	memoryMB  float64
	apiMs     float64
	cacheDown bool
	slow      bool // a slow statement runs
}

// poolLimit is how many connections the application's pool may open.
const poolLimit = 20

// Length is how long the incident takes, from the first good moment to the
// last.
const Length = 100 * time.Second

// strategies are the guide's, with their lookups a second and their hit rate on
// a good day.
func strategies() map[string]struct {
	perSecond, good float64
	ttl             time.Duration
} {
	return map[string]struct {
		perSecond, good float64
		ttl             time.Duration
	}{
		"USER_PROFILE": {120, 94, 15 * time.Minute},
		"USER_RUNS":    {90, 91, 5 * time.Minute},
		"LEADERBOARD":  {45, 97, 10 * time.Minute},
		"SOCIAL_FEED":  {30, 86, 3 * time.Minute},
	}
}

// at is the script: pure, from the time since the start.
//
//	 0 s  a good day
//	12 s  a deploy invalidates USER_RUNS: its hit rate falls, to 80 %, then 62 %
//	20 s  the misses reach the database: statements get slower, the pool fills
//	40 s  the pool is exhausted
//	50 s  Redis is killed
//	62 s  Redis is back; the deploy is rolled back
//	70 s  everything recovers
func at(t time.Duration) scene {
	s := t.Seconds()
	wave := math.Sin(s / 3) // nothing real stands still
	out := scene{
		hitRate: map[string]float64{}, queryMs: 12 + wave, active: 6 + int(2*wave+2), memoryMB: 410 + 6*wave, apiMs: 70 + 8*wave,
	}
	for name, st := range strategies() {
		out.hitRate[name] = st.good + wave/2
	}
	bad := ramp(s, 12, 30) - ramp(s, 64, 72) // 0 well, 1 as bad as it gets
	out.hitRate["USER_RUNS"] -= 29 * bad
	load := ramp(s, 20, 42) - ramp(s, 66, 76)
	out.queryMs += 560 * load
	out.active += int(math.Round(float64(poolLimit-out.active) * load))
	if load > 0.95 {
		out.waiting = 7
	}
	out.apiMs += 900 * load
	out.memoryMB += 420 * ramp(s, 25, 45) * (1 - ramp(s, 66, 80))
	out.slow = load > 0.3
	out.cacheDown = s >= 50 && s < 62
	return out
}

// ramp rises from 0 to 1 between two moments.
func ramp(s, from, to float64) float64 {
	return math.Max(0, math.Min(1, (s-from)/(to-from)))
}
