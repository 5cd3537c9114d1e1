package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/password"
)

func hashCommand() *cobra.Command {
	return group("hash", "Measure and inspect password hashes", hashCalibrate(), hashInspect())
}

// calibrateTime is how long a measurement takes.
const calibrateTime = 2 * time.Second

func hashCalibrate() *cobra.Command {
	var asJSON bool
	var latency time.Duration
	var rate float64
	cmd := &cobra.Command{
		Use: "calibrate", Short: "Measure this machine and propose a bcrypt cost", Args: arguments(),
		Long: `Measure this machine for two seconds and propose the greatest password.bcrypt_cost at which a lone login takes
no longer than --latency and the machine can do --rate logins a second. Run it where the server will run, and
when nothing else does.`,
		Example: "  countersign hash calibrate\n  countersign hash calibrate --latency 500ms --rate 5",
	}
	addJSON(cmd, &asJSON)
	cmd.Flags().DurationVar(&latency, "latency", 250*time.Millisecond, "how long the hash of a lone login may take")
	cmd.Flags().Float64Var(&rate, "rate", 10, "logins that the machine must be able to do in a `second`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if latency <= 0 || rate <= 0 {
			return usageError{errors.New("--latency and --rate must be over 0")}
		}
		m, err := password.Measure(cmd.Context(), calibrateTime)
		if err != nil {
			return err
		}
		cost, ok := m.Cost(latency, rate)
		if asJSON {
			return printJSON(cmd, calibration(m, cost))
		}
		if err := printCalibration(cmd, m); err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		switch {
		case !ok:
			_, err = fmt.Fprintf(out, "\nNo cost gives %v and %.3g logins a second here. Allow more time, fewer logins, or use more cores.\n", latency, rate)
		case cost < password.DefaultBcryptCost:
			_, err = fmt.Fprintf(out, "\nFor at most %v and at least %.3g logins a second: cost %d. Below %d a stolen database is cheap to search:\nallow more time or use more cores instead.\n",
				latency, rate, cost, password.DefaultBcryptCost)
		default:
			_, err = fmt.Fprintf(out, "\nFor at most %v and at least %.3g logins a second: --password-bcrypt-cost %d\n", latency, rate, cost)
		}
		return err
	}
	return cmd
}

// costs are those that the table shows.
var costs = [...]int{8, 9, 10, 11, 12, 13, 14}

func printCalibration(cmd *cobra.Command, m password.Measurement) error {
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "COST\tLONE LOGIN\tLOGINS/S ON %d THREADS\t\n", m.Threads)
	for _, cost := range costs {
		at := m.At(cost)
		fmt.Fprintf(t, "%d\t%.1f ms\t%.1f\t\n", cost, at.Alone.Seconds()*1000, at.PerSecond)
	}
	return t.Flush()
}

// calibration is the measurement as JSON. Proposed is 0 when no cost is good enough.
func calibration(m password.Measurement, proposed int) any {
	type row struct {
		Cost      int     `json:"cost"`
		AloneMS   float64 `json:"alone_ms"`
		PerSecond float64 `json:"logins_per_second"`
	}
	var rows []row
	for _, cost := range costs {
		at := m.At(cost)
		rows = append(rows, row{cost, at.Alone.Seconds() * 1000, at.PerSecond})
	}
	return map[string]any{"threads": m.Threads, "costs": rows, "proposed_cost": proposed}
}

func hashInspect() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "inspect [HASH]", Short: "Say what a stored hash is and how strong; without HASH it is read from stdin", Args: cobra.MaximumNArgs(1),
		Long: `Say what a stored hash is, whether it can be verified here, and how strong it is. It prints neither salt nor sum.
A hash on the command line can be read by every user of the machine: pass it on stdin if that matters.`,
		Example: "  countersign hash inspect < hash.txt",
	}
	addJSON(cmd, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := argumentOrLine(cmd, args, "hash")
		if err != nil {
			return err
		}
		info, err := password.Inspect(text)
		if err != nil {
			return err
		}
		if asJSON {
			parameters := map[string]string{}
			for _, d := range info.Details {
				parameters[d.Name] = d.Value
			}
			return printJSON(cmd, map[string]any{
				"format": info.Format, "parameters": parameters, "verifiable": info.Verifiable, "strength": info.Strength,
			})
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "format\t%s\n", info.Format)
		for _, d := range info.Details {
			fmt.Fprintf(t, "%s\t%s\n", d.Name, d.Value)
		}
		if info.Verifiable {
			fmt.Fprintf(t, "strength\t%s\n", info.Strength)
		} else {
			fmt.Fprintln(t, "strength\tit cannot be verified here: its user needs a new password")
		}
		return t.Flush()
	}
	return cmd
}
