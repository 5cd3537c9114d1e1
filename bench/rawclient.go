package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A rawClient is one kept connection that sends bytes made beforehand. It costs
// a fraction of what net/http's client does, which on one core could not keep a
// server on another busy.
type rawClient struct {
	conn   net.Conn
	reader *bufio.Reader
	body   []byte
	after  time.Duration // Retry-After of the last answer; 0 is none
	// patience is how long an answer may take.
	patience time.Duration
}

func dialRaw(ctx context.Context, addr string, patience time.Duration) (*rawClient, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &rawClient{conn: conn, reader: bufio.NewReader(conn), patience: patience}, nil
}

// wire is r as bytes for a rawClient.
func (r request) wire(addr string) ([]byte, error) {
	req, err := http.NewRequest(r.method, "http://"+addr+r.path, strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	var out bytes.Buffer
	err = req.Write(&out)
	return out.Bytes(), err
}

// A refusal is a 503 that says when to come back, which Countersign answers when
// more logins wait than it can do in time.
type refusal struct{ after time.Duration }

func (r refusal) Error() string { return fmt.Sprintf("answered 503: retry after %v", r.after) }

// exchange sends wire; an answer that is not a 200 with want in it is an error.
func (c *rawClient) exchange(wire, want []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.patience)); err != nil {
		return err
	}
	if _, err := c.conn.Write(wire); err != nil {
		return err
	}
	status, err := c.readAnswer()
	switch {
	case err != nil:
		return err
	case status == http.StatusServiceUnavailable && c.after > 0:
		return refusal{c.after}
	case status != http.StatusOK:
		return fmt.Errorf("answered %d: %s", status, bytes.TrimSpace(c.body))
	case !bytes.Contains(c.body, want):
		return fmt.Errorf("answered 200 without %q", want)
	}
	return nil
}

// readAnswer reads an answer of HTTP/1.1 that has a Content-Length, as those of
// all servers here have, into c.body.
func (c *rawClient) readAnswer() (status int, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, unexpectedEnd(err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an answer of HTTP/1.1: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("not an answer of HTTP/1.1: %q", line)
	}
	length, err := c.readHeader()
	if err != nil {
		return 0, err
	}
	if length < 0 || length > 1<<20 {
		return 0, fmt.Errorf("status %d with no usable Content-Length", status)
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err = io.ReadFull(c.reader, c.body)
	return status, unexpectedEnd(err)
}

// readHeader keeps the Retry-After in c.after; a length of -1 is none.
func (c *rawClient) readHeader() (length int, err error) {
	length, c.after = -1, 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, unexpectedEnd(err)
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		case bytes.EqualFold(name, []byte("Retry-After")):
			var seconds int
			seconds, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			c.after = time.Duration(seconds) * time.Second
		}
		if err != nil {
			return 0, fmt.Errorf("not a number: %q", line)
		}
	}
}

// unexpectedEnd keeps an end of the connection from being taken for a good one.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
