package jwk_test

import (
	"fmt"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// An issuer names its key by the thumbprint and publishes the public half; a verifier reads the set.
func Example() {
	bare, err := jwk.Parse([]byte(ecPrivateJWK), jwk.Options{})
	if err != nil {
		panic(err)
	}
	id, err := jwk.Thumbprint(bare)
	if err != nil {
		panic(err)
	}
	key, err := jwt.NewPrivateKey(bare.Algorithm(), bare.PrivateKey(), jwt.KeyOptions{ID: id})
	if err != nil {
		panic(err)
	}
	published, err := jwk.MarshalSet(key)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(published))

	keys, err := jwk.ParseSet(published, jwk.Options{})
	if err != nil {
		panic(err)
	}
	_, err = jwt.NewVerifier(keys, jwt.Expect{Issuer: "https://auth.example", Audience: "https://api.example"})
	fmt.Println(keys[0], err)
	// Output:
	// {"keys":[{"use":"sig","kty":"EC","kid":"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
	// jwt.Key{public ES256, ID "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"} <nil>
}
