// Package passporttest checks that a strategy keeps the contract of [passport.Strategy]. Every strategy of this module
// passes it; a strategy of your own should, too:
//
//	func TestContract(t *testing.T) {
//		passporttest.Run(t, passporttest.Suite[*User]{ … })
//	}
//
// Run it under the race detector as well: some faults show only there.
package passporttest
