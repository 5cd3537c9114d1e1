package password

import (
	"strconv"
	"strings"
	"testing"
)

// count returns the first n bytes of "0,1,2,3,…": no period that bcrypt's
// repetition of the key could hide behind.
func count(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i))
		b.WriteByte(',')
	}
	return b.String()[:n]
}

type vector struct {
	encoded, password string
	want              bool
}

// The self-test of crypt_blowfish 1.3 (wrapper.c, Solar Designer, public domain).
// It contains the vectors of OpenBSD.
func blowfishVectors() []vector {
	const ok = "$05$/OK.fbVrR/bpIqNJ5ianF."
	return []vector{
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", true},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*", true},
		{"$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U", true},
		{"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
			"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored", true},
		{"$2x" + ok + "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xa3", true},
		{"$2x" + ok + "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3", true},
		{"$2y" + ok + "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3", true},
		{"$2b" + ok + "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3", true},
		{"$2y" + ok + "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xa3", false},
		{"$2y" + ok + "Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", true},
		{"$2a" + ok + "Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", true},
		{"$2b" + ok + "Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", true},
		{"$2x" + ok + "Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", false},
		{"$2x" + ok + "o./n25XVfn6oAPaUvHe.Csk4zRfsYPi", "1\xa3345", true},
		{"$2x" + ok + "o./n25XVfn6oAPaUvHe.Csk4zRfsYPi", "\xff\xa3345", true},
		{"$2x" + ok + "o./n25XVfn6oAPaUvHe.Csk4zRfsYPi", "\xff\xa334\xff\xff\xff\xa3345", true},
		{"$2y" + ok + "o./n25XVfn6oAPaUvHe.Csk4zRfsYPi", "\xff\xa334\xff\xff\xff\xa3345", true},
		{"$2y" + ok + "nRht2l/HRhr6zmCp9vYUvvsqynflf9e", "\xff\xa3345", true},
		{"$2a" + ok + "nRht2l/HRhr6zmCp9vYUvvsqynflf9e", "\xff\xa3345", true},
		{"$2a" + ok + "6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", "\xa3ab", true},
		{"$2x" + ok + "6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", "\xa3ab", true},
		{"$2y" + ok + "6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", "\xa3ab", true},
		{"$2x$05$6bNw2HLQYeqHYyBfLMsv/OiwqTymGIGzFsA4hOTWebfehXHNprcAS", "\xd1\x91", true},
		{"$2x$05$6bNw2HLQYeqHYyBfLMsv/O9LIGgn8OMzuDoHfof8AQimSGfcSWxnS", "\xd0\xc1\xd2\xcf\xcc\xd8", true},
		{"$2a" + ok + "swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6",
			strings.Repeat("\xaa", 72) + "chars after 72 are ignored as usual", true},
		{"$2a" + ok + "R9xrDjiycxMbQE2bp.vgqlYpW5wx2yy", strings.Repeat("\xaa\x55", 36), true},
		{"$2a" + ok + "9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe", strings.Repeat("\x55\xaa\xff", 24), true},

		// Where crypt_blowfish makes $2a$ deviate from bcrypt: documented as not
		// matched by VerifyImported.
		{"$2a" + ok + "nqd1wy.pTMdcvrRWxyiGL2eMz.2a85.", "\xff\xff\xa3", false},
		{"$2a" + ok + "ZC1JEJ8Z4gPfpe1JOr/oyPXTWl9EFd.", "\xff\xa334\xff\xff\xff\xa3345", false},

		// Of the empty password, which is right and is refused all the same.
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "", false},
	}
}

// Made on Node v20.20.2 by npm bcrypt 6.0.0 (hashSync with genSaltSync(4, 'a')
// or 'b'), bcryptjs 3.0.3 and argon2 0.45.1.
func nodeVectors() []vector {
	const (
		horse  = "correct horse battery staple"
		digits = "0123456789012345678901234567890123456789012345678901234567890123456789"
	)
	x71 := strings.Repeat("x", 71)
	return []vector{
		// bcrypt
		{"$2a$04$8ihG69OHJJzlKtYhXVqB0eyUuKXSeqfi35gBAUGZZuAVL2wJINP3q", horse, true},
		{"$2b$04$qUdudLtwqbe8gJit.Rok6u76OmCDd6gMFiKaMT69de4H1YF6cZt/W", horse, true},
		{"$2b$04$qUdudLtwqbe8gJit.Rok6u76OmCDd6gMFiKaMT69de4H1YF6cZt/W", horse + " ", false},
		{"$2b$10$RxEvMSIEJe/ADwzeG643EuxzEsvdGu4FgebecmBdp2s5K8mVoq13G", "top_secret passphrase", true},
		{"$2b$04$7rpZX4xboDR5FoI0SdWV6u/e3x1bfQk3FLZNHftzil6Cf5gfRj2PG", digits + "ab", true},
		// Of digits + "abc", 73 bytes, of which it saw 72.
		{"$2a$04$3I/0S.6x0d8fVSZqdtvXT.tE2knxY0D16j4RSKBspyFh/G4qNGECS", digits + "abc", true},
		{"$2b$04$gc3ftqIqZWV9fQBt4W5HQOhNgxL/3ulWU10Af5hCjx0gXP8OBQxom", digits + "abc", true},
		{"$2b$04$gc3ftqIqZWV9fQBt4W5HQOhNgxL/3ulWU10Af5hCjx0gXP8OBQxom", digits + "ab", true},
		{"$2b$04$gc3ftqIqZWV9fQBt4W5HQOhNgxL/3ulWU10Af5hCjx0gXP8OBQxom", digits + "abx", true},
		{"$2b$04$gc3ftqIqZWV9fQBt4W5HQOhNgxL/3ulWU10Af5hCjx0gXP8OBQxom", digits + "axc", false},
		// The 72nd byte is the first of three of the euro sign.
		{"$2a$04$yveKQo6yitKEaJzI6hNr5ulwHLYPZmWNc7HCBaLAQsBUfsn/a/Dra", x71 + "€uro", true},
		{"$2b$04$f79zeSAuh39On/yiRJ6hm.FvocUSRPWbp4EEfRHSBlKLhZJI0dWcq", x71 + "€uro", true},
		{"$2b$04$f79zeSAuh39On/yiRJ6hm.FvocUSRPWbp4EEfRHSBlKLhZJI0dWcq", x71 + "£", false},
		// Form D stays what it was.
		{"$2b$04$ieBxv4rZbMzs.B.omf9sYusbeZmeD8nEr.6yHuxXNyr.MguQg3yZW", "cafe\u0301 au lait", true},
		{"$2b$04$ieBxv4rZbMzs.B.omf9sYusbeZmeD8nEr.6yHuxXNyr.MguQg3yZW", "caf\u00e9 au lait", false},
		{"$2b$04$XRjmf9HR3GI8oD1UD7a9k.rwGcPrQWvE8gtnwPu2Vw8jpk2UufHvq", strings.Repeat("🙂", 64), true},
		// Of 'a\ud800b' in JavaScript.
		{"$2b$04$4YTRW5nRd47Iym90WV0KLuynM1k2cw8V3YJDM62Ftj.T3Ju/Jy3E2", "a\ufffdb", true},
		{"$2b$04$D/PNA4XBvSWCqUcry4hrfelYZhq9RSJHqxRBfJysLXLjbH05Y.KZq", count(300), true},
		{"$2b$04$WrnesM4Z1RN381CWBVCcaeEuVkz0lFzzI7SyEFDvzArgvWmZFWkfS", count(1000), true},
		// Of count(300) under $2a$: its length of 301 counted in eight bits.
		{"$2a$04$4S9KtU8j1DZROWtSvLp.qeBX0pfXDfvdxvE7NoDgPG/.U6giiAd7G", count(300), false},
		// Of "abc\x00def" and "", which never match.
		{"$2b$04$/m29.bARl7UVkVE1KpmMy./Ju2fOs8bI89U9KGdEwZFHhjMXFPEGe", "abc\x00def", false},
		{"$2b$04$zfwcdskzwnbSHMEhsfJNz.VYK2UwE7RhY4DBiyxYyMUMw8PyaE8Bu", "", false},

		// bcryptjs
		{"$2b$04$SjiycZkzbO5psLbcYtWuPOadya84sXocfou6//hjwZ.lbygGLXjIS", horse, true},
		{"$2b$04$SDBy1IeC9uNFXE89t61IX.TXZ0UNYBGpgvFZ2j1LOuLxVk/q0fUCG", digits + "abc", true},
		{"$2b$04$oY2y1w58htNX8rk1k54N2OAcGhjKDL85pLKlZEB3FjMaDR85sPGe.", x71 + "€uro", true},

		// argon2, which writes p before t.
		{"$argon2id$v=19$m=256,p=1,t=2$bEE0RHnipOG8AZPUsIYy+g$YsslRGaNzLlC9REmCyzVkBuxcAcegjVRs2OJGlOvDcE", horse, true},
		{"$argon2id$v=19$m=256,p=4,t=3$s58b4VNTSOkN6JaaunAR7Q$NqoD0y571rPds9dcBGWJo2DZUADFJof/okBUOKFVwdo", horse, true},
		{"$argon2id$v=19$m=64,p=1,t=1$uEEo9nTEsQirhVjrMAyYWQ$qSY6dHuE9Awhp6Fdaq+163pv718Z3tpuPYWNTwCiIrI", "cafe\u0301", true},
		{"$argon2id$v=19$m=64,p=1,t=1$uEEo9nTEsQirhVjrMAyYWQ$qSY6dHuE9Awhp6Fdaq+163pv718Z3tpuPYWNTwCiIrI", "caf\u00e9", false},
		{"$argon2id$v=19$m=65536,p=4,t=3$Oxr3rD/OCvIo643x1tuu8w$/hkuWQaHx201FAoeiYEEy/XSz6diMY7C5rnencvYeTs", "password", true},
		// The reference implementation's test.c: m=2^8, t=2, p=1, the same from
		// Node.
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password", true},
	}
}

func TestVerifyImportedVectors(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	for _, v := range append(blowfishVectors(), nodeVectors()...) {
		if raceEnabled && (strings.Contains(v.encoded, "$10$") || strings.Contains(v.encoded, "m=65536")) {
			continue // many seconds each
		}
		got, err := h.VerifyImported(t.Context(), v.encoded, v.password)
		if err != nil || got != v.want {
			t.Errorf("VerifyImported(%q, %q) = %v, %v; want %v", v.encoded, v.password, got, err, v.want)
		}
	}
}

// The key of $2x$ differs from that of $2b$ by bytes of 0x80 and above alone,
// and not by the first of a word.
func TestKey2x(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		password string
		equal    bool
	}{
		{"", true}, {"a", true}, {strings.Repeat("~", 100), true},
		{"\xa3ab", true}, {"a\xa3", false}, {"a\x80", false},
		{strings.Repeat("a", 72) + "\xa3", true}, {strings.Repeat("a", 71) + "\xa3", false},
	} {
		got := expandBcryptKey([]byte(tt.password)) == expandBcryptKey2x([]byte(tt.password))
		if got != tt.equal {
			t.Errorf("%q: keys equal = %v, want %v", tt.password, got, tt.equal)
		}
	}
}
