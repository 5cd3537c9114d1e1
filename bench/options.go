package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type options struct {
	rounds      int
	duration    time.Duration
	warmup      time.Duration
	connections int
	serverCore  int
	loadCore    int
	maxProcs    int
	only        []string // groups of servers; empty means all
	scenarios   []scenario
	otherBinary string // another build of Countersign; empty means none
	otherLabel  string
	neighbour   bool
	guesses     int // of each kind, in timing
	sessions    int // in the database, in refresh
	users       int // in the larger database of scale
	looks       int // at each of its errands
	check       bool
}

func (o options) wants(group string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, group)
}

func (o options) runs(name string) bool {
	return slices.ContainsFunc(o.scenarios, func(s scenario) bool { return s.name == name })
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "bench [flags] [scenario ...], some of %s (default all)\n", strings.Join(scenarioNames(), ", "))
		flags.PrintDefaults()
	}
	flags.IntVar(&o.rounds, "rounds", 0, "rounds over all servers, of which the median is shown; 0 is 5 in ceiling and forward, and 3 elsewhere")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "load on each server in a round, in whole seconds")
	flags.DurationVar(&o.warmup, "warmup", 2*time.Second, "load on each server before what is counted, in whole seconds; 0 for none")
	flags.IntVar(&o.connections, "connections", 32, "connections that wrk keeps open (profile, ceiling, forward)")
	flags.IntVar(&o.serverCore, "server-core", 0, "core of the servers")
	flags.IntVar(&o.loadCore, "load-core", 1, "core of the load and of this program")
	flags.IntVar(&o.maxProcs, "gomaxprocs", 1, "GOMAXPROCS of the Go servers")
	flags.StringVar(&only, "only", "", "comma-separated `groups` to run of "+strings.Join(groups, ", ")+" (default all)")
	flags.StringVar(&o.otherBinary, "other-binary", "", "`file` of another build of Countersign, for a row of its own (storm)")
	flags.StringVar(&o.otherLabel, "other-label", "Countersign, other build", "name of that row")
	flags.BoolVar(&o.neighbour, "neighbour", false, "run a busy loop beside the servers on their core (storm)")
	flags.IntVar(&o.guesses, "guesses", 300, "guesses of each kind (timing)")
	flags.IntVar(&o.sessions, "sessions", 1_000_000, "sessions of nobody in the database (refresh)")
	flags.IntVar(&o.users, "users", 1_000_000, "users in the larger database (scale)")
	flags.IntVar(&o.looks, "looks", 30_000, "random users that come by (scale)")
	flags.BoolVar(&o.check, "check", false, "exit with 1 when a target is missed")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.otherBinary != "" {
		var err error
		if o.otherBinary, err = filepath.Abs(o.otherBinary); err != nil {
			return o, err
		}
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	var err error
	if o.scenarios, err = chooseScenarios(flags.Args()); err != nil {
		return o, err
	}
	return o, o.validate()
}

func (o options) validate() error {
	var errs []error
	if o.rounds < 0 || o.connections < 1 || o.maxProcs < 1 {
		errs = append(errs, errors.New("-connections and -gomaxprocs must be at least 1, -rounds at least 0"))
	}
	// wrk takes no fractions.
	if o.duration < time.Second || o.duration%time.Second != 0 {
		errs = append(errs, errors.New("-duration must be whole seconds, at least 1s"))
	}
	if o.warmup < 0 || o.warmup%time.Second != 0 {
		errs = append(errs, errors.New("-warmup must be whole seconds"))
	}
	if o.guesses < 20 { // the statistics are approximations
		errs = append(errs, errors.New("-guesses must be at least 20"))
	}
	if o.sessions < 1 {
		errs = append(errs, errors.New("-sessions must be at least 1"))
	}
	if o.users < fewUsers || o.looks < 100 {
		errs = append(errs, fmt.Errorf("-users must be at least %d, -looks at least 100", fewUsers))
	}
	if o.serverCore == o.loadCore {
		errs = append(errs, errors.New("-server-core and -load-core must differ"))
	}
	for _, group := range o.only {
		if !slices.Contains(groups, group) {
			errs = append(errs, fmt.Errorf("-only %q: want some of %s", group, strings.Join(groups, ", ")))
		}
	}
	if o.otherBinary != "" && !(o.runs("storm") && o.wants(groupCountersign)) {
		errs = append(errs, errors.New("-other-binary needs storm and countersign in the run"))
	}
	if o.neighbour && !o.runs("storm") {
		errs = append(errs, errors.New("-neighbour needs storm in the run"))
	}
	for _, s := range o.scenarios {
		if !slices.ContainsFunc(s.groups, o.wants) {
			errs = append(errs, fmt.Errorf("-only leaves nothing to run in %s: name the scenarios to run", s.name))
		}
		for _, group := range s.needs {
			if o.check && !o.wants(group) {
				errs = append(errs, fmt.Errorf("-check needs %s in the run of %s", group, s.name))
			}
		}
	}
	return errors.Join(errs...)
}
