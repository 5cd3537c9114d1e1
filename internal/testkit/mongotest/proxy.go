package mongotest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// proxy passes commands on to a server and its replies back.
type proxy struct {
	server string
	// serial lets one command at a time through to each database, over all connections: MongoDB's promise for single documents,
	// which FerretDB does not keep. It also gives a violation of a unique index by an update the code that MongoDB gives it.
	serial bool

	mu    sync.Mutex
	locks map[string]*sync.Mutex // of serial, by databases
	conns map[net.Conn]bool      // nil when it has broken down
	// next, if any, is asked about the command that comes after left others, and says what becomes of it.
	next func() fate
	left int
}

// fate is what becomes of a command.
type fate int

const (
	answered   fate = iota
	unanswered      // it is carried out, but its connection is cut before the answer
	dropped         // its connection is cut before it
)

// after has the proxy ask next once that many commands have gone on.
func (p *proxy) after(commands int, next func() fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.next = commands, next
}

// fateOfNext says what becomes of the command that has come.
func (p *proxy) fateOfNext() fate {
	p.mu.Lock()
	next := p.next
	if next == nil || p.left > 0 {
		p.left--
		p.mu.Unlock()
		return answered
	}
	p.next = nil
	p.mu.Unlock()
	return next()
}

// serve runs a proxy until the test ends and returns its address.
func serve(t testing.TB, p *proxy) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.conns, p.locks = map[net.Conn]bool{}, map[string]*sync.Mutex{}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.connect(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.breakDown()
		running.Wait()
	})
	return listener.Addr().String()
}

// breakDown cuts all connections and takes no more.
func (p *proxy) breakDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = map[net.Conn]bool{}
}

// holds has the proxy cut a connection when it breaks down; false when it has already.
func (p *proxy) holds(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drops(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) connect(client net.Conn) {
	defer p.drops(client)
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer p.drops(server)
	if !p.holds(client) || !p.holds(server) {
		return
	}
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		fate := answered
		if isCommand(request) {
			fate = p.fateOfNext()
		}
		if fate == dropped {
			return
		}
		reply, err := p.exchange(server, request)
		if err != nil || fate == unanswered {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// exchange sends a request and returns the reply, which is empty when none is asked for.
func (p *proxy) exchange(server net.Conn, request []byte) ([]byte, error) {
	if p.serial {
		lock := p.lock(request)
		lock.Lock()
		defer lock.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	if opcode(request) == opMsg && binary.LittleEndian.Uint32(request[headerSize:])&moreToCome != 0 {
		return nil, nil
	}
	reply, err := readMessage(server)
	if err == nil && p.serial {
		reply = withDuplicateKey(reply)
	}
	return reply, err
}

// lock returns what there is one of for the database of a request.
func (p *proxy) lock(request []byte) *sync.Mutex {
	name := ""
	if doc := document(request); doc != nil {
		name, _ = doc.Lookup("$db").StringValueOK()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.locks[name] == nil {
		p.locks[name] = new(sync.Mutex)
	}
	return p.locks[name]
}

// The wire protocol: a header of length, request id, response id and opcode; an OP_MSG goes on with flags and, after a byte
// for its kind, a document.
const (
	headerSize = 16
	opMsg      = 2013
	moreToCome = 1 << 1
	maxMessage = 48_000_000
)

func opcode(message []byte) uint32 { return binary.LittleEndian.Uint32(message[12:]) }

func readMessage(r io.Reader) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header)
	if size < headerSize+5 || size > maxMessage {
		return nil, errors.New("no message of the wire protocol")
	}
	message := append(header, make([]byte, size-headerSize)...)
	_, err := io.ReadFull(r, message[headerSize:])
	return message, err
}

// document returns the document of an OP_MSG, or nil.
func document(message []byte) bson.Raw {
	const at = headerSize + 4 + 1
	if opcode(message) != opMsg || len(message) < at+5 || message[at-1] != 0 {
		return nil
	}
	return bson.Raw(message[at:])
}

// isCommand reports whether a request is one of those that a store makes, and not one that keeps a connection.
func isCommand(request []byte) bool {
	doc := document(request)
	if doc == nil {
		return false
	}
	first, err := doc.IndexErr(0)
	if err != nil {
		return false
	}
	switch first.Key() {
	case "hello", "isMaster", "ismaster", "ping", "endSessions", "saslStart", "saslContinue":
		return false
	}
	return true
}

// withDuplicateKey returns a reply as MongoDB gives it when an update is against a unique index.
func withDuplicateKey(reply []byte) []byte {
	doc := document(reply)
	if doc == nil {
		return reply
	}
	if message, _ := doc.Lookup("errmsg").StringValueOK(); !strings.Contains(message, "UNIQUE constraint failed") {
		return reply
	}
	told, err := bson.Marshal(bson.D{{Key: "n", Value: 0}, {Key: "nModified", Value: 0}, {Key: "writeErrors", Value: bson.A{
		bson.D{{Key: "index", Value: 0}, {Key: "code", Value: 11000}, {Key: "errmsg", Value: "E11000 duplicate key error"}},
	}}, {Key: "ok", Value: 1.0}})
	if err != nil {
		return reply
	}
	reply = append(reply[:headerSize+4+1:headerSize+4+1], told...)
	binary.LittleEndian.PutUint32(reply, uint32(len(reply)))
	return reply
}
