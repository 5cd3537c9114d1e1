package jwt

// OpenJWS runs the checks of the JWS layer alone, for the vectors of the RFCs, whose payloads are not claims.
func OpenJWS(keys KeySet, token string) ([]byte, error) {
	e := evaluation{v: &Verifier{keys: keys, max: DefaultMaxBytes}, token: token}
	for _, c := range &allChecks {
		if c.name == CheckClaims {
			return e.jws.payload, nil
		}
		if vd := c.run(&e); vd != nil {
			return nil, vd.asError(c.name)
		}
	}
	panic("no check of the claims")
}

// SignJWS is signJWS.
func SignJWS(k *Key, header, payload []byte) (string, error) { return signJWS(k, header, payload) }
