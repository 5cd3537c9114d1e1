package transfer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/countersign-auth/countersign/internal/account"
)

// readKeycloak reads a realm, or its users alone, as `kc.sh export` writes it: {"realm": …, "users": […], …}. Several realms in
// one file are an array of these.
func readKeycloak(_ context.Context, _ Dump, in *input, _ Options, yield func(Record) error) error {
	return eachObject(in, "users", func(r row) error {
		if r.value("realm") != nil && r.value("username") == nil { // without users
			return nil
		}
		return yield(keycloakRecord(&r))
	})
}

func keycloakRecord(r *row) Record {
	name := r.text("username")
	rec := Record{ID: r.text("id"), Email: r.text("email"), Verified: r.maybe("emailVerified"), CreatedAt: r.time("createdTimestamp")}
	if rec.Email == "" {
		rec.Email = addressOf(name, "")
	}
	if enabled := r.maybe("enabled"); enabled != nil {
		rec.Disabled = !*enabled
	}
	if r.text("serviceAccountClientId") != "" {
		return r.record(rec.skipped(NoPerson, "a service account"))
	}
	roles, rest := keycloakRoles(r.texts("realmRoles"))
	rec.Roles = roles
	rec.Data = object(nil).with("first_name", quoted(r.text("firstName"))).with("last_name", quoted(r.text("lastName")))
	rec.AdminData = object(nil).with("username", quoted(name)).with("attributes", r.value("attributes")).with("groups", r.value("groups")).
		with("realm_roles", rest).with("client_roles", r.value("clientRoles")).with("required_actions", r.value("requiredActions"))
	return r.record(keycloakHash(r, rec))
}

// keycloakRoles returns the roles of a realm that can be roles here, and the rest as JSON. Those that each user has are left out.
func keycloakRoles(all []string) (roles []string, rest jsontext.Value) {
	var others []string
	for _, role := range all {
		if role == "offline_access" || role == "uma_authorization" || strings.HasPrefix(role, "default-roles-") {
			continue
		}
		if added, err := account.AddRoles(roles, role); err == nil {
			roles = added
		} else {
			others = append(others, role)
		}
	}
	rest, _ = json.Marshal(others) // texts out of JSON
	return roles, rest
}

// keycloakHash takes the hash of the password. Second factors are not taken, and the report says so.
func keycloakHash(r *row, rec Record) Record {
	var credentials []struct {
		Type       string `json:"type"`
		Secret     string `json:"secretData"`
		Parameters string `json:"credentialData"`
	}
	if v := r.value("credentials"); v != nil {
		r.in.hashes = true
		if err := json.Unmarshal(v, &credentials); err != nil {
			r.wrong("credentials", "list of credentials")
			return rec
		}
	}
	for _, c := range credentials {
		if c.Type != "password" {
			r.in.fields.see("credentials of the type " + printable(c.Type))
			continue
		}
		hash, algorithm, err := keycloakPHC(c.Secret, c.Parameters)
		switch {
		case err != nil:
			return rec.skipped(RecordInvalid, err.Error())
		case hash == "":
			return rec.skipped(HashUnverified, printable(algorithm))
		}
		rec.Hash = hash
	}
	return rec
}

// keycloakPHC returns a hash as a PHC string; nothing if its algorithm has none here.
func keycloakPHC(secretData, credentialData string) (hash, algorithm string, err error) {
	var secret struct {
		Value string `json:"value"`
		Salt  string `json:"salt"`
	}
	var parameters struct {
		Iterations int                 `json:"hashIterations"`
		Algorithm  string              `json:"algorithm"`
		More       map[string][]string `json:"additionalParameters"`
	}
	if json.Unmarshal([]byte(secretData), &secret) != nil || json.Unmarshal([]byte(credentialData), &parameters) != nil {
		return "", "", errors.New("secretData or credentialData of the password is not what Keycloak writes")
	}
	value, valueErr := unpadded(secret.Value)
	salt, saltErr := unpadded(secret.Salt)
	if valueErr != nil || saltErr != nil {
		return "", "", errors.New("secretData of the password is not base64")
	}
	end := "$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(value)
	switch name := parameters.Algorithm; name {
	case "pbkdf2":
		return fmt.Sprintf("$pbkdf2-sha1$i=%d,l=%d%s", parameters.Iterations, len(value), end), name, nil
	case "pbkdf2-sha256", "pbkdf2-sha512":
		return fmt.Sprintf("$%s$i=%d,l=%d%s", name, parameters.Iterations, len(value), end), name, nil
	case "argon2":
		return argon2PHC(parameters.Iterations, parameters.More, end), name, nil
	default:
		return "", name, nil
	}
}

// argon2PHC returns the PHC string of an argon2 hash of version 1.3; nothing for another.
func argon2PHC(passes int, more map[string][]string, end string) string {
	one := func(name string) string {
		if len(more[name]) != 1 {
			return ""
		}
		return more[name][0]
	}
	kind, memory, threads := one("type"), one("memory"), one("parallelism")
	_, memoryErr := strconv.ParseUint(memory, 10, 32)
	_, threadsErr := strconv.ParseUint(threads, 10, 32)
	if one("version") != "1.3" || !slices.Contains([]string{"id", "i"}, kind) || memoryErr != nil || threadsErr != nil {
		return ""
	}
	return fmt.Sprintf("$argon2%s$v=19$m=%s,t=%d,p=%s%s", kind, memory, passes, threads, end)
}

// unpadded decodes base64 with or without padding.
func unpadded(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}
