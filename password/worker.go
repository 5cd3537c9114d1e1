package password

import (
	"fmt"
	"runtime"
	"time"

	"github.com/countersign-auth/countersign/password/internal/eks"
)

const (
	// sliceRounds are the rounds of bcrypt between two looks at the queue: one to two milliseconds. Shorter ones cost more of the
	// others' time, for the changes between threads.
	sliceRounds = 24

	// idleTime is how long a worker without work keeps its thread.
	idleTime = 5 * time.Second

	// memoryOfSpeed is the time over which measurements of the speed are averaged.
	memoryOfSpeed = 500 * time.Millisecond
)

// rouse sees to it that a worker of c looks at the queue. The lock is held.
func (p *Pool) rouse(c *crew) {
	switch {
	case c.idle > 0:
		c.idle--
		c.wake <- struct{}{} // has room for every worker
	case c.workers < p.config.Workers:
		c.workers++
		if c == &p.lanes {
			go p.workLanes()
		} else {
			go p.workWhole()
		}
	}
}

// rest waits for something to do and returns false when the worker is to end. The lock is held, but while waiting.
func (p *Pool) rest(c *crew) bool {
	c.idle++
	p.mu.Unlock()
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	awake := true
	select {
	case <-c.wake:
	case <-timer.C:
		awake = false
	}
	p.mu.Lock()
	if !awake {
		select {
		case <-c.wake: // roused at the last moment
		default:
			c.idle--
		}
	}
	if !awake && c.waiting.n == 0 {
		c.workers--
		return false
	}
	return true
}

// workLanes is a worker that computes bcrypt.
func (p *Pool) workLanes() {
	yield := lowerPriority()
	var batch eks.Batch
	var tasks []*task // those in the batch
	for {
		joined, ok := p.takeLanes(len(tasks))
		if !ok {
			return
		}
		for _, t := range joined {
			t.works[0].begin()
			batch.Add(t.works[0].hash)
		}
		tasks = append(tasks, joined...)
		full, begun := batch.Len() == eks.Width, time.Now()
		rounds := batch.Run(sliceRounds)
		if full {
			p.measure(&p.lanes, time.Duration(rounds)*nominalRound, time.Since(begun))
		}
		tasks = p.leaveLanes(&batch, tasks)
		yield()
	}
}

// takeLanes returns the tasks that join a worker with so many lanes in use: as many as make its share, for that hashes
// are done the sooner the fewer share a core. It waits while there is nothing to do at all, and returns false when
// the worker is to end.
func (p *Pool) takeLanes(used int) (joined []*task, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.lanes
	for {
		share := min(eks.Width, (c.tasks+c.waiting.n+p.config.Workers-1)/p.config.Workers)
		for used+len(joined) < share {
			t := p.take(c)
			if t == nil {
				break
			}
			joined = append(joined, t)
		}
		if used+len(joined) > 0 {
			return joined, true
		}
		if !p.rest(c) {
			return nil, false
		}
	}
}

// take returns the task whose turn it is, if it fits; nil if there is none. Tasks that are no longer wanted, or too late,
// it ends. The lock is held.
func (p *Pool) take(c *crew) *task {
	for {
		t := c.waiting.first()
		switch {
		case t == nil:
			return nil
		case t.ctx.Err() != nil:
			c.waiting.pop().end(t.ctx.Err())
		case !t.begun && time.Now().After(t.deadline):
			c.waiting.pop().end(p.refusal(p.expect(c, t.claim.Client)))
		case t.memory > 0 && p.memory > 0 && p.memory+t.memory > int64(p.config.MaxMemoryKiB)<<10:
			return nil
		default:
			t.begun = true
			c.tasks++
			c.running += t.nominal
			p.memory += t.memory
			return c.waiting.pop()
		}
	}
}

// leaveLanes takes the tasks out of the batch that are done or no longer wanted, and returns the others.
func (p *Pool) leaveLanes(batch *eks.Batch, tasks []*task) []*task {
	stay := tasks[:0]
	for _, t := range tasks {
		hash := t.works[0].hash
		switch {
		case hash.Done():
			if !t.next(hash.Sum()) {
				p.leave(&p.lanes, t, nil)
			} else if err := t.ctx.Err(); err != nil {
				p.leave(&p.lanes, t, err)
			} else if t.works[0].hash == nil {
				p.moveOn(t)
			} else {
				t.works[0].begin()
				batch.Add(t.works[0].hash)
				stay = append(stay, t)
			}
		case t.ctx.Err() != nil:
			batch.Drop(hash)
			p.leave(&p.lanes, t, t.ctx.Err())
		default:
			stay = append(stay, t)
		}
	}
	clear(tasks[len(stay):])
	return stay
}

// leave ends a task that was being computed.
func (p *Pool) leave(c *crew, t *task, err error) {
	p.mu.Lock()
	p.left(c, t)
	p.mu.Unlock()
	t.end(err)
}

// left counts a task that is no longer computed by c. The lock is held.
func (p *Pool) left(c *crew, t *task) {
	c.tasks--
	c.running -= t.nominal
	p.memory -= t.memory
	if t.memory > 0 && p.whole.waiting.n > 0 {
		p.rouse(&p.whole) // one that waits for memory
	}
}

// moveOn gives a task whose bcrypt is done to the workers of what comes after. It has been admitted already.
func (p *Pool) moveOn(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left(&p.lanes, t)
	t.memory = t.wholeMemory()
	p.whole.waiting.push(t)
	p.rouse(&p.whole)
}

// workWhole is a worker that computes all else, one work at a time. It keeps the ordinary priority: what it runs holds one
// of Go's processors, and one that the kernel lets wait would hold up the collector, and with it everybody.
func (p *Pool) workWhole() {
	for {
		t, ok := p.takeWhole()
		if !ok {
			return
		}
		err := p.derive(t)
		for err == nil && len(t.works) > 0 {
			if err = t.ctx.Err(); err == nil {
				err = p.derive(t)
			}
		}
		p.leave(&p.whole, t, err)
		runtime.Gosched()
	}
}

// derive does the first work of t. A panic in it, as of a library that has turned against its own parameters, is an error
// of this task and must not take the process with it.
func (p *Pool) derive(t *task) (err error) {
	w := &t.works[0]
	begun, nominal, guessed := time.Now(), w.nominal, w.guessed
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("password: panic while hashing: %v", v)
		}
	}()
	w.begin()
	t.next(w.derive(w.key))
	if guessed {
		p.measureForeign(time.Since(begun))
	} else {
		p.measure(&p.whole, nominal, time.Since(begun))
	}
	return nil
}

// takeWhole waits for a task whose memory there is, and returns false when the worker is to end.
func (p *Pool) takeWhole() (*task, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if t := p.take(&p.whole); t != nil {
			if p.whole.waiting.n > 0 {
				p.rouse(&p.whole) // there may be memory for one more
			}
			return t, true
		}
		if !p.rest(&p.whole) {
			return nil, false
		}
	}
}

// measure takes note of how long work of c took that had nothing to wait for.
func (p *Pool) measure(c *crew, nominal, took time.Duration) {
	if took <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	weight := min(1, took.Seconds()/memoryOfSpeed.Seconds())
	c.speed += weight * (nominal.Seconds()/took.Seconds() - c.speed)
}

// measureForeign takes note of how long a hash of other software took, of which nothing else is known.
func (p *Pool) measureForeign(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.foreign += (took - p.foreign) / 4
}
