package passport_test

import (
	"fmt"
	"strings"
)

// mustCover returns what the table has to cover: the 13 traps and every option and function of the four packages.
func mustCover() []string {
	var list []string
	for i := range 13 {
		list = append(list, fmt.Sprintf("trap:%d", i+1))
	}
	for prefix, names := range map[string]string{
		"guard": "session keepSessionInfo successRedirect successReturnToOrRedirect successFlash failureFlash successMessage failureMessage " +
			"failureRedirect failWithError assignProperty authInfo pauseStream callback strategy-options",
		"api": "use unuse framework initialize userProperty session authorize serializeUser deserializeUser transformAuthInfo logIn logOut " +
			"isAuthenticated isUnauthenticated multiple-strategies instance unknown-strategy",
		"action": "success fail redirect pass error",
		"local":  "usernameField passwordField passReqToCallback badRequestMessage verify",
		"jwt": "secretOrKey secretOrKeyProvider jwtFromRequest verify issuer audience algorithms ignoreExpiration passReqToCallback " +
			"jsonWebTokenOptions fromHeader fromBodyField fromUrlQueryParameter fromAuthHeaderWithScheme fromAuthHeaderAsBearerToken " +
			"fromExtractors versionOneCompatibility custom-extractor",
		"sign": "payload key algorithm expiresIn notBefore audience issuer subject jwtid noTimestamp header keyid encoding mutatePayload " +
			"allowInsecureKeySizes allowInvalidAsymmetricKeyTypes unknown-option",
		"verify": "key algorithms audience issuer subject jwtid nonce ignoreExpiration ignoreNotBefore clockTolerance clockTimestamp maxAge " +
			"complete allowInvalidAsymmetricKeyTypes",
	} {
		for _, name := range strings.Fields(names) {
			list = append(list, prefix+":"+name)
		}
	}
	return list
}
