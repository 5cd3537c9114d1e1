package password

import (
	"slices"
	"time"
)

// A queue holds the tasks that wait, a line for each client. The lines take turns, so that a client with many tasks
// waits for its own and not others for it. Places can be kept for tasks that are still to come. Its methods are called
// with the pool's lock held.
type queue struct {
	lines    []*line // those with tasks, the one whose turn is next first
	byClient map[string]*line
	n        int // tasks

	// Of the tasks and of the places kept for others:
	clients, subjects map[string]int // how many are of each
	places            int
	nominal           time.Duration
}

type line struct {
	client string
	tasks  []*task
}

func newQueue() queue {
	return queue{byClient: map[string]*line{}, clients: map[string]int{}, subjects: map[string]int{}}
}

// push puts t at the end of its client's line.
func (q *queue) push(t *task) {
	l := q.byClient[t.claim.Client]
	if l == nil {
		l = &line{client: t.claim.Client}
		q.byClient[l.client] = l
		q.lines = append(q.lines, l)
	}
	l.tasks = append(l.tasks, t)
	q.n++
	q.keep(t.claim, t.nominal, 1)
}

// keep keeps a place for a task of that claim, or with by -1 gives it up.
func (q *queue) keep(claim Claim, nominal time.Duration, by int) {
	q.places += by
	q.nominal += time.Duration(by) * nominal
	add := func(to map[string]int, name string) {
		if to[name] += by; to[name] == 0 {
			delete(to, name)
		}
	}
	add(q.clients, claim.Client)
	if claim.Subject != "" {
		add(q.subjects, claim.Subject)
	}
}

// first returns the task whose turn it is; nil if none waits.
func (q *queue) first() *task {
	if len(q.lines) == 0 {
		return nil
	}
	return q.lines[0].tasks[0]
}

// pop takes out the task that first returns, which must not be nil.
func (q *queue) pop() *task {
	l := q.lines[0]
	t := l.tasks[0]
	l.tasks[0] = nil
	l.tasks = l.tasks[1:]
	q.lines = append(q.lines[1:], l)
	q.left(l, t)
	return t
}

// remove takes t out and reports whether it was there.
func (q *queue) remove(t *task) bool {
	l := q.byClient[t.claim.Client]
	if l == nil {
		return false
	}
	i := slices.Index(l.tasks, t)
	if i < 0 {
		return false
	}
	l.tasks = slices.Delete(l.tasks, i, i+1)
	q.left(l, t)
	return true
}

// left counts a task that has left its line, and forgets the line if it has become empty.
func (q *queue) left(l *line, t *task) {
	q.n--
	q.keep(t.claim, t.nominal, -1)
	if len(l.tasks) == 0 {
		delete(q.byClient, l.client)
		q.lines = slices.DeleteFunc(q.lines, func(other *line) bool { return other == l })
	}
}

// ahead returns how much work comes before a new task of that client.
func (q *queue) ahead(client string) time.Duration {
	if q.places == 0 {
		return 0
	}
	own := q.clients[client]
	before := own
	for other, n := range q.clients {
		if other != client {
			before += min(n, own+1)
		}
	}
	return q.nominal / time.Duration(q.places) * time.Duration(before)
}

// evictFor makes room for a task of that client: it takes out the last task of the longest line, and returns it; nil if
// the client's own line would then be as long as any.
func (q *queue) evictFor(client string) *task {
	var longest *line
	for _, l := range q.lines {
		if longest == nil || len(l.tasks) > len(longest.tasks) {
			longest = l
		}
	}
	own := 0
	if l := q.byClient[client]; l != nil {
		own = len(l.tasks)
	}
	if longest == nil || len(longest.tasks) <= own+1 {
		return nil
	}
	t := longest.tasks[len(longest.tasks)-1]
	q.remove(t)
	return t
}
