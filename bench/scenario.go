package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A scenario is one comparison, chosen by its name on the command line.
type scenario struct {
	name   string
	groups []string // that have rows in it
	needs  []string // groups without which its targets cannot be checked
	rounds int      // unless the command line says how many
	run    func(*bench, context.Context) (section, error)
}

// A section is what a scenario found.
type section interface {
	write(io.Writer) error
	allMet() bool
}

var scenarios = []scenario{
	{"profile", groups, []string{groupCountersign, groupExpress}, 3, (*bench).profile},
	{"ceiling", []string{groupCountersign}, []string{groupCountersign}, 5, (*bench).ceiling},
	{"forward", []string{groupCountersign}, []string{groupCountersign}, 5, (*bench).forwardAuth},
	{"refresh", []string{groupCountersign}, []string{groupCountersign}, 3, (*bench).refresh},
	{"logins", groups, groups, 3, (*bench).logins},
	{"storm", groups, []string{groupCountersign}, 3, (*bench).storm},
	{"flood", []string{groupCountersign}, []string{groupCountersign}, 3, (*bench).flood},
	{"signups", []string{groupCountersign}, []string{groupCountersign}, 3, (*bench).signups},
	{"scale", []string{groupCountersign}, []string{groupCountersign}, 1, (*bench).scale},
	{"timing", []string{groupCountersign}, []string{groupCountersign}, 3, (*bench).timing},
}

func scenarioNames() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}

// chooseScenarios keeps the order of the list; without names it gives all.
func chooseScenarios(names []string) ([]scenario, error) {
	for _, name := range names {
		if !slices.Contains(scenarioNames(), name) {
			return nil, fmt.Errorf("no scenario %q: want flags first, then some of %s", name, strings.Join(scenarioNames(), ", "))
		}
	}
	var chosen []scenario
	for _, s := range scenarios {
		if len(names) == 0 || slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// scenario runs s with servers and a folder of its own, so that nothing that
// one scenario did to a server shows in the next.
func (b *bench) scenario(ctx context.Context, s scenario) (_ section, err error) {
	b.progress("scenario %s", s.name)
	defer func(asked int) { b.rounds = asked }(b.rounds)
	b.rounds = cmp.Or(b.rounds, s.rounds)
	b.dir = filepath.Join(b.tmp, s.name)
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		return nil, err
	}
	// The servers write into the folder: they end before it goes.
	defer func() { err = errors.Join(err, b.stopAll()) }()
	return s.run(b, ctx)
}
