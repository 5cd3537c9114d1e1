// Package passport decides who sent a request: named strategies, one guard, and middleware for net/http. It is the model
// of Passport for Node, typed, and without its traps.
//
// A [Strategy] looks at a request and returns an [Outcome]: Success, Fail, Redirect or Pass. It never writes the response.
// A [Registry] holds strategies by name. From it come guards: [Registry.Any] tries strategies in order until one succeeds,
// [Registry.All] wants every one to succeed. A misspelt name fails there, when the program starts.
//
//	reg, err := passport.NewRegistry(
//		passport.Named[*User]{Name: "bearer", Strategy: tokens},
//		passport.Named[*User]{Name: "basic", Strategy: passwords},
//	)
//	guard, err := reg.Any(passport.Options[*User]{}, "bearer", "basic")
//	mux.Handle("GET /profile", guard.Handler(profile))
//
// The handler behind the guard asks [UserFrom] who it is. Under another framework call [Guard.Check] and
// [Result.Context] instead of [Guard.Handler].
//
// # Answers
//
// A request that is refused gets the right status and, with 401, the challenges of all strategies (RFC 9110, section
// 11.6.1), as problem+json (RFC 9457) or, for a browser, a short page. What fails for a technical reason is answered with
// 5xx and logged, never with 401: an outage must not read as a wrong password. A strategy that panics, that decides
// nothing or that succeeds without a user is a technical fault as well; nothing but a success lets a user in.
//
// # Sessions
//
// [Sessions] keep a user logged in by a cookie. With [Options].Login a guard starts one after each success, and the
// strategy of [Sessions.Strategy] finds its user in later requests.
//
// Strategies stand in the folders local (login form), bearer (JSON Web Tokens), basic, apikey and mtls (client certificates).
// Package passporttest checks that a strategy keeps the contract.
package passport
