package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// requireTools names everything that is missing at once. A benchmark that
// quietly leaves a row out would be read as one that ran.
func requireTools(o options) error {
	tools := []string{"go", "taskset"}
	if o.runs("profile") || o.runs("ceiling") || o.runs("forward") {
		tools = append(tools, "wrk")
	}
	if o.wants(groupExpress) {
		tools = append(tools, "node", "npm")
	}
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not found in PATH: %s (on Debian: apt-get install wrk util-linux nodejs npm golang)",
			strings.Join(missing, ", "))
	}
	for _, path := range []string{"express/app.mjs", "mongowire/main.go", "plainjwt/main.go", "plaingo/main.go", "constant/main.go"} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: run this from the bench folder", err)
		}
	}
	return nil
}

func (b *bench) binary(name string) string { return filepath.Join(b.tmp, name) }

// build makes what the chosen servers need, before anything is pinned or timed.
func (b *bench) build(ctx context.Context) error {
	if b.wants(groupCountersign) {
		if err := b.goBuild(ctx, "..", "countersign", "./cmd/countersign"); err != nil {
			return err
		}
	}
	if b.runs("ceiling") || b.runs("forward") {
		if err := b.goBuild(ctx, ".", "constant", "./constant"); err != nil {
			return err
		}
	}
	if b.wants(groupPlain) {
		for _, name := range []string{"plainjwt", "plaingo"} {
			if err := b.goBuild(ctx, ".", name, "./"+name); err != nil {
				return err
			}
		}
	}
	if b.wants(groupExpress) {
		b.progress("the first build of mongowire takes a few minutes")
		if err := b.goBuild(ctx, "mongowire", "mongowire", "."); err != nil {
			return err
		}
		return b.npmInstall(ctx)
	}
	return nil
}

func (b *bench) goBuild(ctx context.Context, dir, name, pkg string) error {
	return b.tool(ctx, dir, "go", "build", "-o", b.binary(name), pkg)
}

// npmInstall runs npm ci unless the installed packages are of this lock file:
// npm writes node_modules/.package-lock.json last.
func (b *bench) npmInstall(ctx context.Context) error {
	lock, err := os.Stat("express/package-lock.json")
	if err != nil {
		return err
	}
	installed, err := os.Stat("express/node_modules/.package-lock.json")
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// bcrypt brings its binary in the package: no script has to run.
	return b.tool(ctx, "express", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
}

func (b *bench) tool(ctx context.Context, dir, name string, args ...string) error {
	b.progress("%s %s (in bench/%s)", name, strings.Join(args, " "), dir)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = b.log, b.log
	// Both tools start helpers: the whole group is ended with them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s in bench/%s: %w", name, args[0], dir, err)
	}
	return nil
}
