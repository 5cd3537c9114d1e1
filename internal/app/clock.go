package app

import "time"

// settleTime is for how long a process does nothing by its steady clock: it may have been started while the machine's clock
// was ahead.
const settleTime = 2 * time.Minute

// newSteadyClock returns a clock for what cannot be undone.
func newSteadyClock() func() time.Time {
	began := time.Now()
	return func() time.Time { return steadyTime(time.Now(), began, time.Since(began)) }
}

// steadyTime returns a time that has come even if wall, the machine's clock, has jumped ahead since began, from where on it
// is known how much time has passed. Before that has settled it is a time long gone. It falls behind by what the clock was
// rightly set ahead, until the next start.
func steadyTime(wall, began time.Time, passed time.Duration) time.Time {
	if passed < settleTime {
		return time.Unix(0, 0)
	}
	wall, counted := wall.Round(0), began.Round(0).Add(passed) // compared as what they show
	if wall.Before(counted) {
		return wall
	}
	return counted
}
