package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// maxKeyFile bounds a file with one key.
const maxKeyFile = 64 << 10

func keyImport(w *world) *cobra.Command {
	var now, asJSON bool
	var algorithm string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Take a private key that was made elsewhere", Args: arguments("FILE"),
		Long: `Take a private key from a PEM file (PKCS#8, PKCS#1 or SEC 1) or a JWK, or a secret from a JWK; - is stdin. It gets the kid
of the JWK or else its thumbprint as its id, and signs when it has been published for jwt.publish_ahead.

An RSA key needs --algorithm RS256 or PS256, unless its JWK says it. The others tell by themselves.`,
	}
	cmd.Flags().StringVar(&algorithm, "algorithm", "", "algorithm of a key whose file does not say it")
	addNow(cmd, &now)
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		data, err := readKeyFile(cmd.InOrStdin(), args[0])
		if err != nil {
			return err
		}
		key, err := parseKey(data, jwt.Algorithm(algorithm))
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		added, err := a.Tokens.Import(cmd.Context(), key, now)
		if err != nil {
			return keyError(err)
		}
		if want := a.Config.JWT.Algorithm; want != "" && want != string(added.Algorithm) {
			fmt.Fprintf(cmd.ErrOrStderr(), "jwt.algorithm is %s: a server that starts with it makes a key of its own again\n", want)
		}
		return printNewKey(cmd, added, asJSON)
	})
}

func readKeyFile(stdin io.Reader, path string) (data []byte, err error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err = io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("%s: is too large to be one key", path)
	}
	return data, err
}

// parseKey reads a PEM file or a JWK. Without an algorithm it takes the one that the key is for, if there is one only.
func parseKey(data []byte, algorithm jwt.Algorithm) (key *jwt.Key, err error) {
	parse := func(a jwt.Algorithm) (*jwt.Key, error) { return jwt.ParsePEM(a, data, jwt.KeyOptions{}) }
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		parse = func(a jwt.Algorithm) (*jwt.Key, error) { return jwk.Parse(data, jwk.Options{Algorithm: a}) }
	}
	if algorithm != "" {
		if !slices.Contains(token.Algorithms(), algorithm) {
			return nil, usageError{fmt.Errorf("--algorithm must be one of %v", token.Algorithms())}
		}
		key, err = parse(algorithm)
		if err == nil && key.Algorithm() != algorithm {
			err = fmt.Errorf("the key is for %s", key.Algorithm())
		}
		return key, err
	}
	for _, a := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.EdDSA, jwt.HS256} {
		if key, err := parse(a); err == nil {
			return key, nil
		}
	}
	if key, err = parse(jwt.RS256); err == nil && key.Algorithm() == jwt.RS256 {
		if named, namedErr := parse(jwt.PS256); namedErr == nil && named.Algorithm() == jwt.PS256 { // so the file does not say which
			return nil, errors.New("an RSA key can be for RS256 or PS256: say which with --algorithm")
		}
	}
	return key, err
}

func keyExport(w *world) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export-public [ID]", Short: "Print the public half of a key, for services that verify tokens", Args: cobra.MaximumNArgs(1),
		Long: `Print the public half of the key of that id or, without one, of the key that signs; as jwks and without an id, of all keys.
No private key leaves the database.`,
	}
	cmd.Flags().StringVar(&format, "format", "pem", "pem, jwk or jwks")
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		keys := a.Tokens.Keys()
		if len(keys) == 0 {
			return token.ErrShared
		}
		switch {
		case len(args) == 1:
			keys = slices.DeleteFunc(keys, func(k token.KeyInfo) bool { return k.ID != args[0] })
			if len(keys) == 0 {
				return fmt.Errorf("there is no key %s: see `countersign key list`", args[0])
			}
		case format != "jwks":
			keys = slices.DeleteFunc(keys, func(k token.KeyInfo) bool { return k.State != token.Signing })
		}
		out, err := publicHalves(keys, format)
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", bytes.TrimSpace(out))
		}
		return err
	})
}

// publicHalves writes the public halves of keys, of which there is one unless the format is jwks.
func publicHalves(keys []token.KeyInfo, format string) ([]byte, error) {
	var public []*jwt.Key
	for _, k := range keys {
		if k.Public != nil {
			public = append(public, k.Public)
		}
	}
	if len(public) == 0 && format != "jwks" {
		return nil, fmt.Errorf("%s is a secret (%s): it has no public half", keys[0].ID, keys[0].Algorithm)
	}
	switch format {
	case "pem":
		der, err := x509.MarshalPKIXPublicKey(public[0].PublicKey())
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
	case "jwk":
		return jwk.Marshal(public[0])
	case "jwks":
		return jwk.MarshalSet(public...)
	}
	return nil, usageError{errors.New("--format must be pem, jwk or jwks")}
}
