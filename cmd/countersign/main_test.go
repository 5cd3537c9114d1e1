package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"countersign": main})
}

// TestScripts runs the command as a shell would. Each script has a folder of its own and $ADDR, a free address.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("ADDR", l.Addr().String())
			env.Setenv("COUNTERSIGN_PASSWORD_BCRYPT_COST", "4")
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"http":    httpCommand,
			"capture": captureCommand,
			"status":  statusCommand,
			"mode":    modeCommand,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func TestNoSecretHasAFlag(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := run(context.Background(), world{args: []string{"serve", "--help"}, stdin: strings.NewReader(""), stdout: &out, stderr: &out})
	if code != exitOK || strings.Contains(out.String(), "--jwt-secret ") || !strings.Contains(out.String(), "--jwt-secret-file") {
		t.Errorf("%d\n%s", code, &out)
	}
}
