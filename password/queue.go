package password

import (
	"slices"
	"time"
)

// A queue holds the tasks that wait, a line for each client. The lines take turns, so that a client with many tasks
// waits for its own and not others for it. Its methods are called with the pool's lock held.
type queue struct {
	lines    []*line // those with tasks, the one whose turn is next first
	byClient map[string]*line
	subjects map[string]int // how many tasks wait for each subject
	n        int
	nominal  time.Duration // of all tasks
}

type line struct {
	client string
	tasks  []*task
}

func newQueue() queue { return queue{byClient: map[string]*line{}, subjects: map[string]int{}} }

// push puts t at the end of its client's line.
func (q *queue) push(t *task) {
	l := q.byClient[t.claim.Client]
	if l == nil {
		l = &line{client: t.claim.Client}
		q.byClient[l.client] = l
		q.lines = append(q.lines, l)
	}
	l.tasks = append(l.tasks, t)
	q.count(t, 1)
}

func (q *queue) count(t *task, by int) {
	q.n += by
	q.nominal += time.Duration(by) * t.nominal
	if s := t.claim.Subject; s != "" {
		if q.subjects[s] += by; q.subjects[s] == 0 {
			delete(q.subjects, s)
		}
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
	q.tidy(l)
	q.count(t, -1)
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
	q.tidy(l)
	q.count(t, -1)
	return true
}

// tidy forgets a line that has become empty.
func (q *queue) tidy(l *line) {
	if len(l.tasks) == 0 {
		delete(q.byClient, l.client)
		q.lines = slices.DeleteFunc(q.lines, func(other *line) bool { return other == l })
	}
}

// ahead returns how much work of the queue comes before a new task of that client.
func (q *queue) ahead(client string) time.Duration {
	if q.n == 0 {
		return 0
	}
	own := q.waiting(client)
	before := own
	for _, l := range q.lines {
		if l.client != client {
			before += min(len(l.tasks), own+1)
		}
	}
	return q.nominal / time.Duration(q.n) * time.Duration(before)
}

// waiting returns how many tasks of that client wait.
func (q *queue) waiting(client string) int {
	if l := q.byClient[client]; l != nil {
		return len(l.tasks)
	}
	return 0
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
	if longest == nil || len(longest.tasks) <= q.waiting(client)+1 {
		return nil
	}
	t := longest.tasks[len(longest.tasks)-1]
	q.remove(t)
	return t
}
