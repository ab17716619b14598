package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// report prints the table of one case: the median of the rounds for each arm, and the median of the ratios to the plain
// proxy, which are taken within a round.
func report(out io.Writer, c benchCase, arms []arm, results [][]sample) {
	fmt.Fprintf(out, "\n%s\n", c.name)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\trequests/s\tof plain\tp50 µs\tadded\tp99 µs\tof plain\tCaddy CPU µs\tadded\tKB allocated\t")
	plain := results[plainArm]
	for i, a := range arms {
		of := func(pick func(sample) float64) float64 {
			return median(results[i], func(_ int, s sample) float64 { return pick(s) })
		}
		ratio := func(pick func(sample) float64) string {
			return fmt.Sprintf("%.2f", median(results[i], func(round int, s sample) float64 { return pick(s) / pick(plain[round]) }))
		}
		added := func(pick func(sample) float64) string {
			return fmt.Sprintf("%+.1f", median(results[i], func(round int, s sample) float64 { return pick(s) - pick(plain[round]) }))
		}
		cpu, cpuAdded, allocated := "", "", ""
		if a.proxied && of(sample.cpuMicros) > 0 {
			cpu, cpuAdded = fmt.Sprintf("%.1f", of(sample.cpuMicros)), added(sample.cpuMicros)
			allocated = fmt.Sprintf("%.1f", of(sample.kilobytes))
		}
		fmt.Fprintf(table, "%s\t%.0f\t%s\t%.0f\t%s\t%.0f\t%s\t%s\t%s\t%s\t\n", a.name,
			of(sample.rate), ratio(sample.rate), of(sample.p50Micros), added(sample.p50Micros), of(sample.p99Micros), ratio(sample.p99Micros), cpu, cpuAdded, allocated)
	}
	_ = table.Flush()
}

// reportStreams prints what a watched stream costs Caddy.
func reportStreams(out io.Writer, arms []arm, costs [][]sample) {
	fmt.Fprintf(out, "\n%s\n", streamsName)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tKB a stream\tof plain\t")
	for i, a := range arms {
		if len(costs[i]) == 0 {
			continue
		}
		each := median(costs[i], func(_ int, s sample) float64 { return s.kilobytes() })
		ratio := median(costs[i], func(round int, s sample) float64 { return s.allocated / costs[plainArm][round].allocated })
		fmt.Fprintf(table, "%s\t%.1f\t%.2f\t\n", a.name, each, ratio)
	}
	_ = table.Flush()
}

func (s sample) rate() float64      { return s.perSecond }
func (s sample) p50Micros() float64 { return micros(s.p50) }
func (s sample) p99Micros() float64 { return micros(s.p99) }
func (s sample) cpuMicros() float64 { return micros(s.cpu) }

func (s sample) kilobytes() float64 { return s.allocated / 1000 }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// median is the middle of what pick makes of the rounds.
func median(rounds []sample, pick func(int, sample) float64) float64 {
	values := make([]float64, len(rounds))
	for i, s := range rounds {
		values[i] = pick(i, s)
	}
	slices.SortFunc(values, cmp.Compare)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

// clockTick is Linux' unit of process times in /proc: a hundredth of a second on every architecture Go runs on.
const clockTick = 10 * time.Millisecond

// processTime is the CPU time a process has used, or 0 on systems without Linux' /proc.
func processTime(pid int) time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the program's name in parentheses and may hold anything; utime and stime are the 14th and 15th.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
	system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * clockTick
}
