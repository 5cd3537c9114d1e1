package eks

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	xbcrypt "golang.org/x/crypto/bcrypt"
)

// keyOf writes out the key of a password, as package password does.
func keyOf(password []byte) (key [KeyBytes]byte) {
	cycle := append(slices.Clone(password), 0)
	for i := range key {
		key[i] = cycle[i%len(cycle)]
	}
	return key
}

var encoding = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// agrees reports whether x/crypto takes the sum for that password.
func agrees(password []byte, salt [SaltBytes]byte, cost int, sum []byte) error {
	encoded := fmt.Sprintf("$2b$%02d$%s%s", cost, encoding.EncodeToString(salt[:]), encoding.EncodeToString(sum))
	return xbcrypt.CompareHashAndPassword([]byte(encoded), password)
}

// Pi begins with 3.243F6A88 in hexadecimal, and the last word of the tables is known from Schneier's.
func TestPi(t *testing.T) {
	t.Parallel()
	if piP[0] != 0x243f6a88 || piP[17] != 0x8979fb1b || piS[0][0] != 0xd1310ba6 || piS[3][255] != 0x3ac372e6 {
		t.Errorf("%x %x %x %x", piP[0], piP[17], piS[0][0], piS[3][255])
	}
}

// FuzzBatch holds batches of hashes of all sorts against x/crypto: lanes that join and leave at any round, of costs that
// differ, and some dropped.
func FuzzBatch(f *testing.F) {
	f.Add(uint64(1), []byte("password"))
	f.Add(uint64(2), []byte{0xff, 0xa3, 0x80})
	f.Add(uint64(3), bytes.Repeat([]byte("0123456789"), 8)[:72])
	f.Add(uint64(4), []byte{0})
	f.Fuzz(func(t *testing.T, seed uint64, password []byte) {
		if len(password) == 0 || len(password) > KeyBytes {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		type job struct {
			*Hash
			password []byte
			salt     [SaltBytes]byte
			cost     int
			dropped  bool
		}
		var b Batch
		var jobs []*job
		for todo := 8; todo > 0 || b.Len() > 0; {
			for todo > 0 && b.Len() < Width && rnd.IntN(3) > 0 {
				j := &job{password: slices.Clone(password), cost: 4 + rnd.IntN(2)}
				j.password[rnd.IntN(len(password))] ^= byte(rnd.Uint32())
				for i := range j.salt {
					j.salt[i] = byte(rnd.Uint32())
				}
				key := keyOf(j.password)
				j.Hash = NewHash(&key, &j.salt, j.cost)
				b.Add(j.Hash)
				jobs = append(jobs, j)
				todo--
			}
			if rnd.IntN(8) == 0 && len(jobs) > 0 {
				if j := jobs[rnd.IntN(len(jobs))]; !j.Done() {
					b.Drop(j.Hash)
					j.dropped = true
				}
			}
			b.Run(1 + rnd.IntN(20))
		}
		for i, j := range jobs {
			if j.Done() == j.dropped {
				t.Errorf("job %d: done %v, dropped %v", i, j.Done(), j.dropped)
			}
			if !j.dropped {
				if err := agrees(j.password, j.salt, j.cost, j.Sum()); err != nil {
					t.Errorf("job %d, %q at cost %d: %v", i, j.password, j.cost, err)
				}
			}
		}
		if b != (Batch{}) {
			t.Error("the batch keeps something of what has left it")
		}
	})
}

// Every number of lanes gives the same sums.
func TestWidths(t *testing.T) {
	t.Parallel()
	for n := 1; n <= Width; n++ {
		var b Batch
		hashes := make([]*Hash, n)
		for i := range hashes {
			key, salt := keyOf([]byte{byte('a' + i)}), [SaltBytes]byte{byte(i)}
			hashes[i] = NewHash(&key, &salt, 4)
			b.Add(hashes[i])
		}
		for b.Len() > 0 {
			b.Run(1 << 20)
		}
		for i, h := range hashes {
			if err := agrees([]byte{byte('a' + i)}, [SaltBytes]byte{byte(i)}, 4, h.Sum()); err != nil || !h.Done() {
				t.Errorf("lane %d of %d: %v", i, n, err)
			}
		}
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	for cost := 4; cost <= 12; cost++ {
		if testing.Short() && cost > 8 {
			break
		}
		var b Batch
		key, salt := keyOf([]byte("cost")), [SaltBytes]byte{byte(cost)}
		h := NewHash(&key, &salt, cost)
		b.Add(h)
		b.Run(1<<cost - 1)
		if h.Done() {
			t.Errorf("cost %d: done a round too early", cost)
		}
		b.Run(1)
		if err := agrees([]byte("cost"), salt, cost, h.Sum()); err != nil {
			t.Errorf("cost %d: %v", cost, err)
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	key, salt := keyOf([]byte("secret")), [SaltBytes]byte{1}
	h := NewHash(&key, &salt, 4)
	h.Wipe()
	if h.key != [18]uint32{} {
		t.Error("the key is still there")
	}
}

// BenchmarkBatch tells what a hash of cost 10 costs with that many lanes at work.
func BenchmarkBatch(b *testing.B) {
	for n := 1; n <= Width; n++ {
		b.Run(fmt.Sprintf("lanes=%d", n), func(b *testing.B) {
			const rounds = 16
			var batch Batch
			key, salt := keyOf([]byte("benchmark")), [SaltBytes]byte{}
			for range n {
				batch.Add(NewHash(&key, &salt, 31))
			}
			b.ReportAllocs()
			for b.Loop() {
				batch.Run(rounds)
			}
			each := b.Elapsed() / time.Duration(b.N) / rounds * 1024 / time.Duration(n)
			b.ReportMetric(float64(each.Microseconds())/1000, "ms/hash")
		})
	}
}

// BenchmarkXCrypto is what a hash of cost 10 costs with x/crypto.
func BenchmarkXCrypto(b *testing.B) {
	encoded, err := xbcrypt.GenerateFromPassword([]byte("benchmark"), 10)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := xbcrypt.CompareHashAndPassword(encoded, []byte("benchmark")); err != nil {
			b.Fatal(err)
		}
	}
}
