package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"regexp"
	"strings"
	"time"
)

// A probe is what the guesses' process is told, as JSON: guesses to send one
// after the other on one connection.
type probe struct {
	Addr    string
	PID     int // of the server, whose CPU time is read
	Guesses [][]byte
}

// probed is what came of each guess.
type probed struct {
	Took      []time.Duration
	Answers   []string // without what is another in any two answers
	ServerCPU float64
}

// runProbe is the job of the guesses' process: a probe on stdin, a probed on stdout.
func runProbe(ctx context.Context, in io.Reader, out io.Writer) error {
	var p probe
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return err
	}
	c, err := dialRaw(ctx, p.Addr, patience)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	before, err := cpuTimeOf(p.PID)
	if err != nil {
		return err
	}
	var seen probed
	begin := time.Now()
	for n, wire := range p.Guesses {
		if err := ctx.Err(); err != nil {
			return err
		}
		took, answer, err := c.timed(wire)
		if err != nil {
			return fmt.Errorf("guess %d: %w", n+1, err)
		}
		seen.Took, seen.Answers = append(seen.Took, took), append(seen.Answers, answer)
	}
	after, err := cpuTimeOf(p.PID)
	if err != nil {
		return err
	}
	seen.ServerCPU = (after - before).Seconds() / time.Since(begin).Seconds()
	return json.NewEncoder(out).Encode(seen)
}

// timed sends wire, and gives the whole answer, which must be a 401, and how
// long it took to its last byte.
func (c *rawClient) timed(wire []byte) (took time.Duration, answer string, err error) {
	begin := time.Now()
	if err := c.conn.SetDeadline(begin.Add(c.patience)); err != nil {
		return 0, "", err
	}
	if _, err := c.conn.Write(wire); err != nil {
		return 0, "", err
	}
	status, head, err := c.readWhole()
	took = time.Since(begin)
	switch {
	case err != nil:
		return 0, "", err
	case status != http.StatusUnauthorized:
		return 0, "", fmt.Errorf("answered %d: %s", status, c.body)
	}
	return took, comparably(head, string(c.body)), nil
}

// readWhole is readAnswer that keeps the lines of the head.
func (c *rawClient) readWhole() (status int, head []string, err error) {
	lines := textproto.NewReader(c.reader)
	length := -1
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return 0, nil, unexpectedEnd(err)
		}
		if line == "" {
			break
		}
		head = append(head, line)
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			if _, err := fmt.Sscan(value, &length); err != nil {
				return 0, nil, err
			}
		}
	}
	if len(head) == 0 || length < 0 || length > 1<<20 {
		return 0, nil, fmt.Errorf("not an answer with a usable Content-Length: %q", head)
	}
	if _, err := fmt.Sscanf(head[0], "HTTP/1.1 %d", &status); err != nil {
		return 0, nil, fmt.Errorf("not an answer of HTTP/1.1: %q", head[0])
	}
	c.body = make([]byte, length)
	_, err = io.ReadFull(c.reader, c.body)
	return status, head, unexpectedEnd(err)
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// comparably is an answer without what is another in any two: its date, and its
// number. The order of the header counts.
func comparably(head []string, body string) string {
	var kept []string
	for _, line := range head {
		name, _, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, "Date") && !strings.EqualFold(name, "X-Request-Id") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n") + "\n\n" + requestID.ReplaceAllString(body, `"request_id":""`)
}
