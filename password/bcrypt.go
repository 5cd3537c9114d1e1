package password

import "fmt"

func checkBcryptCost(cost int) error {
	if cost < MinBcryptCost || cost > MaxBcryptCost {
		return fmt.Errorf("%w: bcrypt cost %d is not within %d to %d", ErrParameters, cost, MinBcryptCost, MaxBcryptCost)
	}
	return nil
}

// A bcryptKey is what of a password enters the key schedule, which takes 18
// words of 32 bits from the password and a NUL, over and over. Written out, it
// is a key of exactly 72 bytes that the schedule goes through once.
type bcryptKey [bcryptBytes]byte

// expandBcryptKey writes out the key of $2a$, $2b$ and $2y$. What follows the
// 72nd byte of the password does not enter.
func expandBcryptKey(password []byte) (key bcryptKey) {
	next := cycle(password)
	for i := range key {
		key[i] = next()
	}
	return key
}

// cycle returns a function that returns the bytes of password followed by a NUL,
// and then again.
func cycle(password []byte) func() byte {
	i := 0
	return func() byte {
		if i == len(password) {
			i = 0
			return 0
		}
		i++
		return password[i-1]
	}
}
